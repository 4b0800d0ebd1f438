#!/usr/bin/env bash
# Sends files that ffmpeg made through a node, from the example `publish_file` to the example `record`, and
# has ffprobe read what comes out: one line for every codec, and a failure where frames are missing.
#
#   tests/foreign/examples.sh                 all of them
#   tests/foreign/examples.sh vp8 h264        these alone: vp8 vp9 h264 av1
#
# Needs ffmpeg and ffprobe (Debian's package ffmpeg), and the node and the examples that
# `cargo build --workspace --examples --bins` has left in target/debug.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

programs=target/debug
seconds=8
# The recorder sees the film from its second key frame on at the latest, and the last second may be cut.
seconds_min=5
rate=25

work=$(mktemp -d)
children=()
# shellcheck disable=SC2317
stop() {
  [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT

picture() {
  ffmpeg -v error -f lavfi -i "testsrc=size=320x180:rate=$rate:duration=$seconds" -pix_fmt yuv420p "$@"
}

make_film() {
  case $1 in
    vp8) film=$work/vp8.ivf && picture -c:v libvpx -b:v 500k -g $rate "$film" ;;
    vp9) film=$work/vp9.ivf && picture -c:v libvpx-vp9 -b:v 400k -g $rate -deadline realtime -cpu-used 8 "$film" ;;
    h264) film=$work/h264.h264 && picture -c:v libx264 -profile:v baseline -g $rate "$film" ;;
    av1) film=$work/av1.ivf && picture -c:v libaom-av1 -b:v 300k -g $rate -cpu-used 8 -usage realtime "$film" ;;
    *) echo "$1 is none of vp8 vp9 h264 av1" >&2 && return 1 ;;
  esac
}

# What ffprobe decodes of a file: frames.
frames() {
  ffprobe -v error -count_frames -select_streams 0 -show_entries stream=nb_read_frames -of csv=p=0 "$1" | tr -d ','
}

"$programs/motet" --http-listen 127.0.0.1:0 --media-port 0 --media-ip 127.0.0.1 --data-dir "$work/data" \
  --topology sfu >"$work/node" 2>&1 &
children+=($!)
for _ in $(seq 100); do
  http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/node")
  [ -n "$http" ] && break
  sleep 0.1
done
[ -n "${http:-}" ] || { cat "$work/node" && exit 1; }

ffmpeg -v error -f lavfi -i "sine=440:duration=$seconds" -c:a libopus "$work/sound.ogg" || exit 1
failed=0
printf '%-6s %-8s %-10s %s\n' codec picture sound 'what the recorder says'
for codec in "${@:-vp8 vp9 h264 av1}"; do
  for one in $codec; do
    make_film "$one" || exit 1
    mkdir "$work/$one"
    "$programs/examples/record" "ws://$http/ws" "$one" "$work/$one" >"$work/$one.log" 2>&1 &
    recorder=$!
    children+=("$recorder")
    sleep 1
    "$programs/examples/publish_file" "ws://$http/ws" "$one" "$film" "$work/sound.ogg" --fps $rate \
      >"$work/$one.sent" 2>&1 || failed=1
    sleep 1
    kill -INT "$recorder"
    wait "$recorder" || failed=1
    pictures=$(frames "$work/$one"/*-camera-1.[wm]*)
    sounds=$(frames "$work/$one"/*-camera-1.ogg)
    verdict=
    if [ "${pictures:-0}" -lt $((seconds_min * rate)) ] || [ "${sounds:-0}" -lt $((seconds_min * 50)) ]; then
      verdict=" FAILED" failed=1
      cat "$work/$one.sent"
    fi
    printf '%-6s %-8s %-10s %s%s\n' "$one" "$pictures" "$sounds" \
      "$(grep -v recording "$work/$one.log" | tr '\n' ';')" "$verdict"
  done
done
exit $failed
