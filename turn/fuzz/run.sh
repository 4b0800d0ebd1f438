#!/usr/bin/env bash
# Runs every fuzz target for some seconds, then looks whether each finds its planted bug.
#
#   turn/fuzz/run.sh [seconds]
#
# Needs cargo-fuzz and a nightly toolchain.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
seconds=${1:-60}
failed=0

fuzz() {
  local target=$1 corpus=$2 profile=1
  # The profile of values drowns in those of hashes.
  [ "$target" = server ] && profile=0
  mkdir -p "$corpus"
  cargo +nightly fuzz run -s none "$target" "$corpus" "seeds/$target" -- \
    -dict=turn.dict -use_value_profile=$profile -max_total_time="$seconds" -max_len=512 -print_final_stats=1 2>&1
}

for target in stun_message channel_data stream server; do
  if ! fuzz "$target" "corpus/$target" >"/tmp/fuzz.$$"; then
    tail -20 "/tmp/fuzz.$$" >&2
    failed=1
  fi
  echo "$target: $(grep -o 'number_of_executed_units: [0-9]*' "/tmp/fuzz.$$"), $(grep -o 'peak_rss_mb: *[0-9]*' "/tmp/fuzz.$$")"
done

export RUSTFLAGS="--cfg canary"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/canary"
for target in stun_message channel_data stream server; do
  # From the seeds alone: what was found before would hide whether they lead there.
  if fuzz "$target" "$(mktemp -d)" >"/tmp/fuzz.$$"; then
    echo "$target did not find its planted bug in $seconds s" >&2
    failed=1
  else
    echo "$target finds its planted bug"
  fi
done
rm -rf "/tmp/fuzz.$$" artifacts
exit "$failed"
