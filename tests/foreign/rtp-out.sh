#!/usr/bin/env bash
# Lets ffmpeg and GStreamer receive what the running node sends as RTP: a Chromium publishes, the node is
# told to send its tracks to ports of this machine, and the programs open the session descriptions that
# the node writes. What they wrote must hold as many frames as the time should give, and decode.
#
#   tests/foreign/rtp-out.sh                all of it
#   tests/foreign/rtp-out.sh ffmpeg-vp8     these alone: ffmpeg-vp8 ffmpeg-srtp ffmpeg-h264 gstreamer-vp8
#                                           gstreamer-h264 gstreamer-srtp gstreamer-gcm
#
# Needs the node that a build has left in target/debug, or MOTET_BIN, and Debian's packages chromium,
# ffmpeg, gstreamer1.0-tools and gstreamer1.0-plugins-{base,good,bad}. Whoever is not installed is skipped,
# and named.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d tests/e2e/node_modules ] || npm --prefix tests/e2e ci --silent
exec node tests/foreign/rtp_out.mjs "$@"
