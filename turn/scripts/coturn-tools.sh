#!/usr/bin/env bash
# Lets coturn's own clients use the example server over loopback, and checks that every message came
# back: ChannelData and Send indications, over UDP and TCP, to a peer and between two clients.
#
#   turn/scripts/coturn-tools.sh
#
# Needs Debian's package `coturn` for its tools (turnutils_uclient, turnutils_peer,
# turnutils_stunclient); its service is not used.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

for tool in turnutils_uclient turnutils_peer turnutils_stunclient; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: apt-get install coturn, then systemctl disable --now coturn" >&2
    exit 2
  fi
done

port=3578
peer_port=3580
secret=north
messages=200
work=$(mktemp -d)
cargo build --quiet --release -p motet-turn --features rim --example turn_server || exit 1

# uclient takes channel numbers at random from the range of RFC 5766.
"${CARGO_TARGET_DIR:-target}/release/examples/turn_server" --listen "127.0.0.1:$port" --relay-ip 127.0.0.1 \
  --ports 20000-21000 --secret "$secret" --allow 127.0.0.0/8 --old-channels \
  --bytes-per-second 1000000000 --allocations 1000 2>"$work/server" &
server=$!
turnutils_peer -L 127.0.0.1 -p "$peer_port" >"$work/peer" 2>&1 &
peer=$!
# shellcheck disable=SC2317
stop() {
  kill "$server" "$peer" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT
sleep 0.5
kill -0 "$server" "$peer" || { cat "$work/server" "$work/peer"; exit 1; }

failed=0
check() {
  local name=$1 options=$2
  # shellcheck disable=SC2086
  timeout --kill-after=1 60 turnutils_uclient $options -u ann -W "$secret" -e 127.0.0.1 -r "$peer_port" \
    -p "$port" -n "$messages" -m 10 -l 1000 -z 5 127.0.0.1 >"$work/uclient" 2>&1
  local sent received
  sent=$(sed -n 's/.*tot_send_msgs=\([0-9]*\), tot_recv_msgs=[0-9]*$/\1/p' "$work/uclient" | tail -1)
  received=$(sed -n 's/.*tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\)$/\1/p' "$work/uclient" | tail -1)
  printf '%-52s sent %5s, came back %5s\n' "$name (uclient $options)" "${sent:-none}" "${received:-none}"
  if [ -z "$sent" ] || [ "$sent" -lt $((messages * 10)) ] || [ "$sent" != "$received" ]; then
    tail -5 "$work/uclient" >&2
    failed=1
  fi
}

check 'UDP, channels' ''
check 'UDP, Send indications' '-s'
check 'TCP, channels' '-t'
check 'TCP, Send indications' '-t -s'
check 'UDP, client to client, channels' '-y'
check 'UDP, client to client, Send indications' '-y -s'
check 'TCP, client to client, channels' '-t -y'
check 'UDP, no port reserved, padded channels' '-c -D'
check 'UDP, additional requests' '-G'

if turnutils_stunclient -p "$port" 127.0.0.1 2>&1 | tee "$work/stun" | grep -q 'reflexive addr: 127.0.0.1:'; then
  echo 'STUN: the source came back (stunclient)'
else
  cat "$work/stun" >&2
  failed=1
fi
exit "$failed"
