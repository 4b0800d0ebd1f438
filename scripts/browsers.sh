#!/usr/bin/env bash
# The tests in real browsers, against the node in target/debug. They wait more than they work, so two
# files run at a time, but for those that measure how long something takes. Real browsers on a busy
# machine stumble now and then: what failed has one more try, alone, and the output says so.
#
#   scripts/browsers.sh                  all of them
#   scripts/browsers.sh without-udp ...  only these
set -uo pipefail
cd "$(dirname "$0")/../tests/e2e" || exit 1

measuring=(
  a-fifth-moves-the-room-and-back
  a-narrow-uplink-moves-the-room
  a-weak-processor-moves-the-room
  another-network
  five-see-each-other-over-the-node
  recorded-as-it-was
  seats-change-hands-without-a-freeze
  switching-is-invisible
)
output=$(mktemp -d)
export output
trap 'rm -rf "$output"' EXIT

# What a file of tests says comes in one piece, when it has ended.
attempt() {
  local name=$1 started=$SECONDS
  rm -f "$output/$name.failed"
  timeout --kill-after=10 900 node --test --test-concurrency=1 --test-timeout=600000 "$name.test.mjs" \
    >"$output/$name" 2>&1 || touch "$output/$name.failed"
  {
    flock 9
    printf '\n== %s\n' "$name"
    cat "$output/$name"
    [ ! -e "$output/$name.failed" ] || printf '== %s failed\n' "$name"
    printf '== %s took %d s\n' "$name" $((SECONDS - started))
  } 9>"$output/.lock"
}
export -f attempt

[ $# -gt 0 ] || set -- $(basename -s .test.mjs -- *.test.mjs)
alone=()
together=()
for name in "$@"; do
  case " ${measuring[*]} " in
    *" $name "*) alone+=("$name") ;;
    *) together+=("$name") ;;
  esac
done

printf '%s\n' "${together[@]+"${together[@]}"}" | xargs -r -P 2 -I {} bash -c 'attempt {}'
for name in "${alone[@]+"${alone[@]}"}"; do
  attempt "$name"
done
for name in "$@"; do
  [ -e "$output/$name.failed" ] || continue
  printf '\n== once more: %s\n' "$name"
  attempt "$name"
done
! compgen -G "$output/*.failed" >/dev/null
