#!/usr/bin/env bash
# Records what clients that nobody here wrote publish by WHIP for ten seconds, and lets ffprobe say how long the files
# are: GStreamer as Debian has it, whose sender reports run ahead by the running time, and aiortc, whose reports are bent
# by one field. Prints a table, and fails if a row of it does. Whoever is not installed is skipped, and named.
#
#   tests/foreign/recorded.sh            all of them
#   tests/foreign/recorded.sh gstreamer  these alone: aiortc gstreamer
#
# Needs root, ip and ffprobe: everything happens in a network namespace. And the node that a build has left in
# target/debug, or MOTET_BIN. What tests/foreign/whip.sh says of its clients holds here.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

venv=${TMPDIR:-/tmp}/motet-foreign-whip
packages=('imageio-ffmpeg==0.8.1' 'aiortc==1.16.*')

# In the namespace there is no network to install from.
if [ "${FOREIGN_NAMESPACE:-}" = "" ]; then
  if ! { [ -x "$venv/bin/python3" ] || python3 -m venv "$venv"; } || ! "$venv/bin/pip" install -q "${packages[@]}"; then
    echo "PyPI's packages cannot be installed: ${packages[*]}" >&2
    exit 1
  fi
  FOREIGN_NAMESPACE=1 exec unshare --net "$PWD/tests/foreign/recorded.sh" "$@"
fi

motet=${MOTET_BIN:-target/debug/motet}
# The node takes no variable like a setting that is none.
unset MOTET_BIN
python=$venv/bin/python3
# An address for documentation: clients leave those of loopback out.
address=198.51.100.1
whip_token=foreign-clients-publish
admin_token=foreign-clients-look-on
recorded_s=10
# How far a file may be from that, in milliseconds: a recording is begun and ended by hand.
apart_ms=1200

work=$(mktemp -d)
children=()
# shellcheck disable=SC2317
stop() {
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

start_node() {
  local http
  MOTET_WHIP_TOKEN=$whip_token MOTET_ADMIN_TOKEN=$admin_token "$motet" --http-listen "$address:0" \
    --media-port 0 --media-ip "$address" --data-dir "$work/data" >"$work/node" 2>&1 &
  children+=($!)
  for _ in $(seq 100); do
    http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/node")
    url=http://$http
    [ -n "$http" ] && return
    sleep 0.1
  done
  cat "$work/node" >&2
  return 1
}

ask() {
  curl -s -H "Authorization: Bearer $admin_token" -H 'Content-Type: application/json' "$@"
}

row() {
  printf '%-44s %-6s %s\n' "$1" "$2" "$3"
  [ "$2" = OK ] || failed=1
}

# Waits until the room has tracks of both kinds that flow.
flows() {
  for _ in $(seq 300); do
    ask "$url/api/rooms/$room" >"$work/room"
    [ "$(grep -o '"layers":1' "$work/room" | wc -l)" -ge 2 ] && return
    sleep 0.1
  done
  return 1
}

# Waits until the only recording of the room is over and merged; where it is.
merged() {
  for _ in $(seq 100); do
    ask "$url/api/rooms/$room/recordings" >"$work/recordings"
    grep -q '"roomFile"' "$work/recordings" && break
    sleep 0.1
  done
  id=$(grep -o '"id":"[^"]*"' "$work/recordings" | head -1 | cut -d'"' -f4)
  folder=$work/data/recordings/$id
  [ -n "$id" ] && [ -d "$folder" ]
}

# How long a file is, in ms: from its first packet to its last.
length_ms() {
  ffprobe -v error -show_entries packet=pts_time -of csv=p=0 "$1" | tr -d , |
    awk 'NR == 1 { first = $1 } { if ($1 > last) last = $1 } END { printf "%d", (last - first) * 1000 }'
}

# The command that follows publishes in a room until it is told to end. It is recorded for ten seconds.
is_recorded() {
  local title=$1 publisher seen="" is_ok=OK file length off
  shift
  "$@" >"$work/publisher" 2>&1 &
  publisher=$!
  children+=("$publisher")
  if ! flows; then
    row "$title" FAILED "nothing is published"
    tail -n 15 "$work/publisher" >&2
    kill "$publisher" 2>/dev/null
    wait "$publisher"
    return
  fi
  ask -X POST -d '{}' "$url/api/rooms/$room/recordings" >"$work/begun"
  sleep "$recorded_s"
  ask -X DELETE "$url/api/rooms/$room/recordings"
  kill "$publisher" 2>/dev/null
  wait "$publisher"
  if ! merged; then
    row "$title" FAILED "there is no recording: $(cat "$work/begun" "$work/recordings")"
    return
  fi
  for file in "$folder"/track-*.webm "$folder"/track-*.mkv "$folder"/room.*; do
    [ -f "$file" ] || continue
    length=$(length_ms "$file")
    off=$((length - recorded_s * 1000))
    [ "${off#-}" -le "$apart_ms" ] || is_ok=FAILED
    seen="$seen $(basename "${file%.*}" | sed 's/track-[0-9]*-//') $length ms,"
  done
  [ "$(grep -o ' ms,' <<<"$seen" | wc -l)" -ge 3 ] || is_ok=FAILED
  row "$title" "$is_ok" "${seen%,}; $(ask "$url/metrics" | sed -n 's/^motet_reports_disbelieved_total \(.*\)/\1 reports disbelieved so far/p')"
}

with_aiortc() {
  local version bend room
  version=$("$python" tests/foreign/aiortc_whip.py --version)
  for bend in none ahead growing zero; do
    room=aiortc-$bend
    is_recorded "aiortc $version, reports bent: $bend" \
      "$python" tests/foreign/aiortc_bent.py "$url/whip/$room" "$whip_token" "$bend"
  done
}

with_gstreamer() {
  local version codec room
  if ! version=$(/usr/bin/python3 tests/foreign/gstreamer_whip.py --version 2>"$work/gstreamer"); then
    skipped+=("GStreamer: $(tail -n 1 "$work/gstreamer")")
    return
  fi
  for codec in vp8 h264; do
    room=gstreamer-$codec
    is_recorded "$version, ${codec^^} and Opus" \
      /usr/bin/python3 tests/foreign/gstreamer_whip.py "$url/whip/$room" "$whip_token" "$codec"
  done
}

command -v ffprobe >/dev/null || {
  echo "there is no ffprobe (Debian's package ffmpeg)" >&2
  exit 1
}
[ $# -gt 0 ] || set -- aiortc gstreamer
network && start_node || exit 1
for client in "$@"; do
  case $client in
    aiortc | gstreamer) "with_$client" ;;
    *)
      echo "there is no client '$client'; there are: aiortc gstreamer" >&2
      exit 2
      ;;
  esac
done

for line in "${skipped[@]+"${skipped[@]}"}"; do
  echo "skipped $line"
done
exit "$failed"
