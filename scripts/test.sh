#!/usr/bin/env bash
# Every check of the project, in the order in which they fail fastest, after installing what they
# need. Ends non-zero if one fails.
#
#   scripts/test.sh            everything
#   scripts/test.sh rust web   only these parts: format lint rust autobahn docs types web
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

scripts/prepare.sh || exit 1

part_timeout_seconds=3600
passed=0
failed=0
failures=()

run() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  local started=$SECONDS
  if timeout --kill-after=10 "$part_timeout_seconds" "$@"; then
    passed=$((passed + 1))
    printf '== %s passed in %d s\n' "$name" $((SECONDS - started))
  else
    failed=$((failed + 1))
    failures+=("$name")
    printf '== %s FAILED in %d s\n' "$name" $((SECONDS - started))
  fi
}

rust_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
  else
    cargo test --workspace --locked --no-fail-fast
  fi && cargo test --workspace --locked --doc && cargo test --package motet-turn --features rim --locked
}

browser_packages() {
  [ tests/e2e/node_modules/.package-lock.json -nt tests/e2e/package-lock.json ] ||
    npm --prefix tests/e2e ci --no-audit --no-fund
}

types() {
  browser_packages && npm --prefix tests/e2e run --silent types
}

# The node that the Rust tests built: asking for the binary alone would build everything again with
# other features.
browsers() {
  browser_packages && cargo test --workspace --locked --no-run && scripts/browsers.sh
}

part() {
  case $1 in
    format) run format cargo fmt --all --check ;;
    lint) run lint cargo clippy --workspace --all-targets --locked -- -D warnings ;;
    rust) run rust bash -c "$(declare -f rust_tests); rust_tests" ;;
    autobahn)
      if scripts/autobahn.sh --can-run; then
        run autobahn scripts/autobahn.sh
      else
        printf '\n!! Autobahn|Testsuite is NOT run: there is no Python 2.7. The cases that matter ran as tests/ws_framing.rs.\n'
      fi
      ;;
    docs) RUSTDOCFLAGS="-D warnings" run docs cargo doc --workspace --locked --no-deps ;;
    types) run types bash -c "$(declare -f browser_packages types); types" ;;
    web) run web bash -c "$(declare -f browser_packages browsers); browsers" ;;
    *)
      echo "there is no part '$1'; the parts are: format lint rust autobahn docs types web" >&2
      exit 2
      ;;
  esac
}

[ $# -gt 0 ] || set -- format types lint rust autobahn docs web
for name in "$@"; do
  part "$name"
done

printf '\n'
for name in "${failures[@]+"${failures[@]}"}"; do
  echo "failed: $name"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
