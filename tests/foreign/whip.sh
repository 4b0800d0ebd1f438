#!/usr/bin/env bash
# Lets clients that nobody here wrote publish by WHIP and watch by WHEP: ffmpeg 9, aiortc and GStreamer
# publish a red half beside a blue one with a tone, aiortc or Chromium watches and looks at what it has decoded.
# Prints a table, and fails if a row of it does. Whoever is not installed is skipped, and named.
#
#   tests/foreign/whip.sh            all of them
#   tests/foreign/whip.sh ffmpeg     these alone: ffmpeg aiortc gstreamer
#
# Needs root and ip: everything happens in a network namespace. And the node that a build has left in
# target/debug, or MOTET_BIN.
#
#   ffmpeg, aiortc   are installed from PyPI (imageio-ffmpeg carries ffmpeg 9), into a directory of its own
#                    under TMPDIR that stays for the next time
#   Chromium         Debian's chromium, and the packages of tests/e2e
#   GStreamer        Debian's python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice
#                    gstreamer1.0-plugins-{base,good,bad,ugly}
# shellcheck source=tests/foreign/stage.sh
. "$(dirname "$0")/stage.sh"

patience_s=120

# Watches in a room: by aiortc, which offers H264 baseline alone, or in a Chromium.
by_aiortc() {
  exec "$python" tests/foreign/aiortc_whip.py watch "$url/whep/foreign-$room" "$whep_token" "$1"
}

by_chromium() {
  exec node tests/foreign/whip_watch.mjs "$url/whep/foreign-$room" "$whep_token" "$1"
}

# Waits for what a function says, for so many seconds.
within() {
  local seconds=$1 pid waiter status
  shift
  ("$@") &
  pid=$!
  (sleep "$seconds" && kill -KILL "$pid") 2>/dev/null &
  waiter=$!
  wait "$pid"
  status=$?
  kill "$waiter" 2>/dev/null
  return "$status"
}

# The command that follows publishes in a room until it is told to end; somebody watches meanwhile, and is to
# decode that codec. Room is the one's name; when the publisher has ended, nobody is left in it.
publishes() {
  local title=$1 watch=$2 codec=$3 publisher
  shift 3
  "$@" >"$work/publisher" 2>&1 &
  publisher=$!
  children+=("$publisher")
  if ! within "$patience_s" "$watch" "$codec" >"$work/watcher" 2>&1; then
    kill "$publisher" 2>/dev/null
    wait "$publisher"
    row "$title" FAILED "$(tail -n 1 "$work/watcher")"
    tail -n 15 "$work/publisher" "$work/watcher" >&2
    return
  fi
  if ended "$publisher"; then
    row "$title" OK "$(tail -n 1 "$work/watcher")"
  else
    row "$title" FAILED "its session has not ended with it"
    tail -n 15 "$work/publisher" >&2
  fi
}

# The command that follows publishes what aiortc does not decode, and aiortc is told so.
is_not_decoded() {
  local title=$1 publisher
  shift
  "$@" >"$work/publisher" 2>&1 &
  publisher=$!
  children+=("$publisher")
  if within "$patience_s" by_aiortc h264 >"$work/watcher" 2>&1; then
    row "$title" FAILED "it was let in"
  elif grep -q 'answered with 406' "$work/watcher"; then
    row "$title" OK "$(grep -o 'profile-level-id=......' "$work/watcher" | tail -n 1) would do"
  else
    row "$title" FAILED "$(tail -n 1 "$work/watcher")"
    tail -n 15 "$work/publisher" >&2
  fi
  ended "$publisher"
}

# Tells a publisher to end, and waits until its room is empty: long before its ICE consent expires.
ended() {
  kill "$1" 2>/dev/null
  wait "$1"
  is_empty 5
}

# Whether nobody is in the room, within so many seconds.
is_empty() {
  for _ in $(seq $((10 * $1))); do
    curl -s -w '%{http_code}' -H "Authorization: Bearer $admin_token" "$url/api/rooms/foreign-$room" >"$work/room"
    grep -qE '404$|"members":\[\]' "$work/room" && return
    sleep 0.1
  done
  cat "$work/room" >&2
  return 1
}

# A publisher that is gone without a word stays for as long as its ICE consent, 30 seconds (RFC 7675).
ffmpeg_dies() {
  local title=$1 publisher before
  (ffmpeg_to "$url/whip/foreign-$room" -whip_flags dtls_active -authorization "$whip_token") >"$work/ffmpeg" 2>&1 &
  publisher=$!
  children+=("$publisher")
  sleep 3
  kill -KILL "$publisher"
  wait "$publisher" 2>/dev/null
  before=$SECONDS
  if is_empty 5 2>/dev/null; then
    row "$title" FAILED "it is gone at once, or never came"
  elif is_empty 40; then
    row "$title" OK "its session ended after $((SECONDS - before)) s"
  else
    row "$title" FAILED "its session goes on"
  fi
}

# Becomes ffmpeg, which publishes: where, and more options. Without others its H264 is of profile High.
ffmpeg_to() {
  local where=$1
  shift
  exec "$ffmpeg" -hide_banner -nostdin -nostats \
    -re -f lavfi -i 'color=red:s=160x180:r=15[red];color=blue:s=160x180:r=15[blue];[red][blue]hstack' \
    -re -f lavfi -i 'sine=frequency=440:sample_rate=48000,volume=4' \
    -c:v libx264 -bf 0 -g 15 -pix_fmt yuv420p \
    -c:a libopus -ac 2 -f whip "$@" "$where"
}

# ffmpeg is told no, in a few words.
ffmpeg_refused() {
  local title=$1 words=$2 overheard listener
  shift 2
  : >"$work/overheard"
  "$python" tests/foreign/overhear.py "$url" >"$work/overheard" &
  listener=$!
  children+=("$listener")
  until [ -s "$work/overheard" ]; do sleep 0.1; done
  (ffmpeg_to "$(head -1 "$work/overheard")/whip/foreign-$room" "$@") >"$work/ffmpeg" 2>&1
  local status=$?
  kill "$listener"
  wait "$listener"
  overheard=$(tail -n +2 "$work/overheard")
  if [ "$status" -ne 0 ] && grep -qE "$words" <<<"$overheard"; then
    row "$title" OK "$overheard"
  else
    row "$title" FAILED "${overheard:-ffmpeg has not asked}"
    tail -n 5 "$work/ffmpeg" >&2
  fi
}

with_ffmpeg() {
  ffmpeg=$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
  local version room=ffmpeg
  version=$("$ffmpeg" -version | sed -n 's/^ffmpeg version n*\([0-9.]*\).*/ffmpeg \1/p')
  publishes "$version, its H264 and Opus -> Chromium" by_chromium h264 \
    ffmpeg_to "$url/whip/foreign-$room" -whip_flags dtls_active -authorization "$whip_token"
  is_not_decoded "$version, its H264 -> aiortc, which has baseline" \
    ffmpeg_to "$url/whip/foreign-$room" -whip_flags dtls_active -authorization "$whip_token"
  publishes "$version, H264 baseline and Opus -> aiortc" by_aiortc h264 \
    ffmpeg_to "$url/whip/foreign-$room" -profile:v baseline -whip_flags dtls_active -authorization "$whip_token"
  ffmpeg_refused "$version as DTLS server is refused" '^4.*dtls_active' -authorization "$whip_token"
  ffmpeg_refused "$version without the token is refused" '^401 ' -whip_flags dtls_active
  ffmpeg_dies "$version is killed"
}

with_aiortc() {
  local version codec room
  version=$("$python" tests/foreign/aiortc_whip.py --version)
  for codec in vp8 h264; do
    room=aiortc-$codec
    publishes "aiortc $version, ${codec^^} and Opus -> aiortc" by_aiortc "$codec" \
      "$python" tests/foreign/aiortc_whip.py publish "$url/whip/foreign-$room" "$whip_token" "$codec"
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
    publishes "$version, ${codec^^} and Opus -> aiortc" by_aiortc "$codec" \
      /usr/bin/python3 tests/foreign/gstreamer_whip.py "$url/whip/foreign-$room" "$whip_token" "$codec"
  done
}

[ $# -gt 0 ] || set -- ffmpeg aiortc gstreamer
network && start_node || exit 1
for client in "$@"; do
  case $client in
    ffmpeg | aiortc | gstreamer) "with_$client" ;;
    *)
      echo "there is no client '$client'; there are: ffmpeg aiortc gstreamer" >&2
      exit 2
      ;;
  esac
done

told
