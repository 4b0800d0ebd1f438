#!/usr/bin/env bash
# Lets ffmpeg publish over WHIP to the running node, and aiortc view it over WHEP. Prints what was decoded,
# and fails if nothing was.
#
#   tests/foreign/whip.sh
#
# Needs the node that a build has left in target/debug, or MOTET_BIN, and a Python with both:
#   python3 -m venv target/foreign && target/foreign/bin/pip install imageio-ffmpeg==0.8.1 aiortc==1.16.0
# or FOREIGN_PYTHON.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

motet=${MOTET_BIN:-target/debug/motet}
python=${FOREIGN_PYTHON:-target/foreign/bin/python}
ffmpeg=${FFMPEG:-$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')} || exit 1

work=$(mktemp -d)
children=()
# shellcheck disable=SC2317
stop() {
  [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap stop EXIT

: >"$work/node"
"$motet" --http-listen 127.0.0.1:0 --media-port 0 --media-ip 127.0.0.1 --data-dir "$work/data" >"$work/node" 2>&1 &
children+=($!)
for _ in $(seq 100); do
  http=$(sed -n 's/^listening http=\([^ ]*\) .*/\1/p' "$work/node")
  [ -n "$http" ] && break
  sleep 0.1
done

publish() {
  "$ffmpeg" -hide_banner -loglevel warning -re -f lavfi -i testsrc2=size=320x240:rate=15 -f lavfi -i sine=frequency=440 \
    -c:v libx264 -profile:v baseline -pix_fmt yuv420p -preset ultrafast -tune zerolatency -bf 0 -g 15 -b:v 300k \
    -c:a libopus -ar 48000 -ac 2 -t "$1" -f whip "${@:2}" "http://$http/whip/foreign"
}

failed=0
# ffmpeg's own default is DTLS passive, as the node is: it is told so, and stops.
if publish 5 >"$work/passive" 2>&1; then
  echo "FAIL ffmpeg with DTLS passive is not refused" && failed=1
else
  echo "ok   ffmpeg with DTLS passive is refused: $(grep -o 'HTTP error [0-9]*' "$work/passive" | head -1)"
fi
publish 40 -whip_flags dtls_active >"$work/ffmpeg" 2>&1 &
children+=($!)
for _ in $(seq 50); do
  curl -fsS "http://$http/api/rooms/foreign" 2>/dev/null | grep -q '"node":"up"' && break
  sleep 0.2
done
if seen=$(timeout 30 "$python" tests/foreign/whep_view.py "http://$http/whep/foreign" 20); then
  echo "ok   ffmpeg by WHIP, aiortc by WHEP: $seen"
else
  echo "FAIL ffmpeg by WHIP, aiortc by WHEP: ${seen:-nothing}" && failed=1
  cat "$work/ffmpeg"
fi
exit $failed
