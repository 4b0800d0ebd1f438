#!/usr/bin/env bash
# Runs the WebSocket conformance suite Autobahn|Testsuite against sockets that are set up like the
# node's own (examples/echo.rs), after installing it. Ends non-zero unless every case is OK, NON-STRICT
# or INFORMATIONAL. The report is in target/autobahn/report/index.html. What of it matters for the node itself is
# tried by tests/ws_framing.rs, too, on every machine.
#
#   scripts/autobahn.sh --can-run    ends with 0 if there is what it needs, and does nothing
#
# Left out in tests/autobahn/spec.json:
#   9.1.3-6, 9.2.3-6, 9.3 to 9.6   messages of 1 MiB and more: the node closes at 256 KiB, by design
#   12, 13                         compression, which the node does not offer: signaling is short, and
#                                  a window per socket would be most of what an idle member costs
set -euo pipefail
cd "$(dirname "$0")/.."

suite=autobahntestsuite==0.8.2
cases=263
home=${AUTOBAHN_HOME:-${TMPDIR:-/tmp}/motet-autobahn}
out=target/autobahn

# The suite only runs on Python 2.7; its release for Python 3 fails at import.
python2() {
  local candidate
  for candidate in "${PYTHON2:-}" python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 2.7 is missing: install it (pyenv install 2.7.18) or name it in PYTHON2" >&2
  return 1
}

install() {
  [ -x "$home/venv/bin/wstest" ] && return
  local python
  python=$(python2)
  # The last virtualenv that makes environments of Python 2.7.
  "$python" -m pip install --quiet --target "$home/virtualenv" 'virtualenv<20.22'
  PYTHONPATH="$home/virtualenv" "$python" -m virtualenv --quiet "$home/venv"
  "$home/venv/bin/pip" install --quiet "$suite"
}

start_echo() {
  cargo build --workspace --locked --example echo
  rm -rf "$out"
  mkdir -p "$out"
  target/debug/examples/echo 127.0.0.1:0 >"$out/echo.log" &
  echo_pid=$!
  trap 'kill "$echo_pid" 2>/dev/null || true' EXIT
  for _ in $(seq 100); do
    url=$(sed -n 's/^listening //p' "$out/echo.log")
    [ -n "$url" ] && return
    sleep 0.1
  done
  echo "the echo endpoint does not start" >&2
  return 1
}

if [ "${1:-}" = --can-run ]; then
  [ -x "$home/venv/bin/wstest" ] || python2 >/dev/null
  exit
fi
install
start_echo
sed -e "s|@URL@|$url|" -e "s|@OUT@|$out/report|" tests/autobahn/spec.json >"$out/spec.json"
"$home/venv/bin/wstest" --mode fuzzingclient --spec "$out/spec.json" >"$out/wstest.log" 2>&1 ||
  { tail -n 20 "$out/wstest.log" && exit 1; }
python3 tests/autobahn/verdict.py "$out/report" "$cases"
