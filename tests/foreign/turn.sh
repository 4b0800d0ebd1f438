#!/usr/bin/env bash
# Lets TURN clients that nobody here wrote use the relay of the running node, with the credentials that
# a member gets: coturn's tools, aiortc and GStreamer. Prints what was sent, what arrived and what was lost,
# and fails if anything was. Whoever is not installed is skipped, and named.
#
#   tests/foreign/turn.sh            all of them
#   tests/foreign/turn.sh coturn     these alone: coturn aiortc gstreamer
#
# Needs root and ip: everything happens in a network namespace. And the node that a build has left in
# target/debug, or MOTET_BIN.
#
#   coturn      Debian's package coturn, for its tools; its service is not used (systemctl disable --now coturn)
#   aiortc      python3 -m venv target/foreign && target/foreign/bin/pip install aiortc==1.16.0
#               or AIORTC_PYTHON, a Python that has it
#   GStreamer   Debian's python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice gstreamer1.0-plugins-{good,bad}
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

if [ "${FOREIGN_NAMESPACE:-}" = "" ]; then
  FOREIGN_NAMESPACE=1 exec unshare --net "$PWD/tests/foreign/turn.sh" "$@"
fi

motet=${MOTET_BIN:-target/debug/motet}
unset MOTET_BIN
# An address for documentation: relays have to be allowed to send there.
address=198.51.100.1
peer_port=3690
# uclient binds two channels per client, each with a number at random from the range of RFC 5766; RFC 8656
# left a quarter of it. One try in sixteen fits, and takes no time.
tries_max=120

work=$(mktemp -d)
children=()
# shellcheck disable=SC2317
stop() {
  exec 8>&-
  [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT

failed=0
skipped=()

network() {
  ip link set lo up && ip link add m0 type veth peer name m1 && ip address add "$address/24" dev m0 &&
    ip link set m0 up && ip link set m1 up
}

# Starts a node that is reached by http or https: sets url.
start_node() {
  local scheme=$1 http
  shift
  : >"$work/$scheme"
  "$motet" --http-listen "$address:0" --media-port 0 --media-ip "$address" --relay-allow "$address/32" \
    --data-dir "$work/data-$scheme" "$@" >"$work/$scheme" 2>&1 &
  children+=($!)
  for _ in $(seq 100); do
    http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/$scheme")
    url=$scheme://$http
    [ -n "$http" ] && return
    sleep 0.1
  done
  cat "$work/$scheme" >&2
  return 1
}

# Becomes another member, and the one before leaves: sets name, password, udp, tcp and tls.
rooms=0
member() {
  exec 8>&-
  rooms=$((rooms + 1))
  mkfifo "$work/stay$rooms"
  python3 tests/foreign/join.py "$url" "foreign-$rooms" <"$work/stay$rooms" >"$work/joined$rooms" &
  exec 8>"$work/stay$rooms"
  for _ in $(seq 100); do
    [ -s "$work/joined$rooms" ] && break
    sleep 0.05
  done
  read -r name password udp tcp tls <"$work/joined$rooms"
}

say() {
  printf '%-46s %s\n' "$1" "$2"
}

skip() {
  skipped+=("$1: $2")
}

# uclient for one transport: its options, how many messages, how many clients.
uclient() {
  local options=$1 port=${udp##*:}
  case " $options " in *' -t '*) port=${tcp##*:} ;; esac
  # shellcheck disable=SC2086
  timeout --kill-after=1 60 turnutils_uclient $options -u "$name" -w "$password" -e "$address" -r "$peer_port" \
    -p "$port" -n "$2" -m "$3" -l 1000 -z 5 "$address" >"$work/uclient" 2>&1
}

check_uclient() {
  local title=$1 options=$2 messages=$3 clients=$4 tries=0 sent received
  while [ $((tries += 1)) -le "$tries_max" ]; do
    member
    uclient "$options" "$messages" "$clients" && break
    grep -q 'channel bind: error 400' "$work/uclient" || break
  done
  sent=$(sed -n 's/.*tot_send_msgs=\([0-9]*\), tot_recv_msgs=[0-9]*$/\1/p' "$work/uclient" | tail -1)
  received=$(sed -n 's/.*tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\)$/\1/p' "$work/uclient" | tail -1)
  say "coturn: $title" \
    "sent ${sent:-nothing}, came back ${received:-nothing}, lost $((${sent:-0} - ${received:-0}))$(tried "$tries")"
  if [ "${sent:-0}" -lt $((messages * clients)) ] || [ "$sent" != "$received" ]; then
    tail -5 "$work/uclient" >&2
    failed=1
  fi
}

tried() {
  [ "$1" -eq 1 ] || echo " (try $1)"
}

coturn() {
  local tool
  for tool in turnutils_uclient turnutils_peer turnutils_stunclient; do
    command -v "$tool" >/dev/null || { skip coturn "$tool is missing"; return; }
  done
  turnutils_peer -L "$address" -p "$peer_port" >"$work/peer" 2>&1 &
  children+=($!)
  check_uclient 'UDP, channels' '-c' 1000 1
  check_uclient 'UDP, Send indications' '-s' 200 10
  if [ "$tcp" = - ]; then
    skip 'coturn over TCP' 'the node offers none'
  else
    check_uclient 'TCP, channels' '-t -c' 1000 1
    check_uclient 'TCP, Send indications' '-t -s' 200 10
  fi
  if turnutils_stunclient -p "${udp##*:}" "$address" 2>&1 | tee "$work/stun" | grep -q "reflexive addr: $address:"; then
    say 'coturn: STUN' 'the source came back'
  else
    cat "$work/stun" >&2
    failed=1
  fi
  # Not TLS: uclient takes what one read brings for one message, and loses the others of a TLS record.
}

# Runs a pair of clients over some transports, those that the node offers: the transports, what it is
# called, and its command.
pair() {
  local transports=$1 title=$2 transport at
  shift 2
  for transport in $transports; do
    member
    at=${!transport}
    if [ "$at" = - ]; then
      skip "$title over ${transport^^}" 'the node offers none'
      continue
    fi
    if timeout --kill-after=1 90 "$@" "$at" "$name" "$password" "$transport" >"$work/pair" 2>&1; then
      while read -r line; do say "$title: ${transport^^}" "$line"; done <"$work/pair"
    else
      say "$title: ${transport^^}" FAILED
      cat "$work/pair" >&2
      failed=1
    fi
  done
}

# Runs something against a node that has TLS, with trust in its certificate.
over_tls() {
  local plain=$url
  start_node https --tls self-signed --relay-ports 21000-21999 || exit 1
  SSL_CERT_FILE=$work/data/self-signed/cert.pem "$@"
  url=$plain
}

aiortc() {
  local python version
  for python in "${AIORTC_PYTHON:-}" target/foreign/bin/python3 python3; do
    [ -n "$python" ] || continue
    version=$("$python" tests/foreign/aiortc_pair.py --version 2>/dev/null) || continue
    pair 'udp tcp' "aiortc $version" "$python" tests/foreign/aiortc_pair.py
    over_tls pair tls "aiortc $version" "$python" tests/foreign/aiortc_pair.py
    return
  done
  skip aiortc "no Python has it; the head of this script says how to get it"
}

gstreamer() {
  local version
  if ! version=$(/usr/bin/python3 tests/foreign/gstreamer_pair.py --version 2>"$work/gstreamer"); then
    skip GStreamer "$(tail -1 "$work/gstreamer")"
    return
  fi
  pair 'udp tcp' "$version" /usr/bin/python3 tests/foreign/gstreamer_pair.py
}

[ $# -gt 0 ] || set -- coturn aiortc gstreamer
network && start_node http --relay-ports 20000-20999 && member || exit 1
for client in "$@"; do
  case $client in
    coturn | aiortc | gstreamer) "$client" ;;
    *)
      echo "there is no client '$client'; there are: coturn aiortc gstreamer" >&2
      exit 2
      ;;
  esac
done

for line in "${skipped[@]+"${skipped[@]}"}"; do
  echo "skipped $line"
done
exit "$failed"
