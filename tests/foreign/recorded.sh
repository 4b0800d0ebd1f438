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
# shellcheck source=tests/foreign/stage.sh
. "$(dirname "$0")/stage.sh"

recorded_s=10
# How far a file may be from that, in milliseconds: a recording is begun and ended by hand.
apart_ms=1200

ask() {
  curl -s -H "Authorization: Bearer $admin_token" -H 'Content-Type: application/json' "$@"
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
    skip GStreamer "$(tail -n 1 "$work/gstreamer")"
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

told
