#!/usr/bin/env python3
"""Publishes by WHIP with a webrtcbin of GStreamer and a few lines of HTTP, until it is told to end (SIGTERM).

    gstreamer_whip.py ENDPOINT TOKEN vp8|h264

What is published is a red half beside a blue one, with a tone of 440 Hz.
"""

import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ELEMENTS = [
    *["webrtcbin", "nicesrc", "videotestsrc", "audiotestsrc", "compositor", "opusenc", "rtpopuspay"],
    *["vp8enc", "rtpvp8pay", "x264enc", "rtph264pay"],
]
ENCODERS = {
    "vp8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=constrained-baseline "
    "! rtph264pay config-interval=-1 aggregate-mode=zero-latency ! application/x-rtp,media=video,encoding-name=H264,payload=96",
}
# Red and blue as ARGB.
PIPELINE = """
    webrtcbin name=peer bundle-policy=max-bundle
    compositor name=halves sink_1::xpos=160 ! video/x-raw,format=I420,width=320,height=180,framerate=15/1
      ! {encoder} ! peer.
    videotestsrc is-live=true pattern=solid-color foreground-color=0xffff0000
      ! video/x-raw,width=160,height=180,framerate=15/1 ! halves.sink_0
    videotestsrc is-live=true pattern=solid-color foreground-color=0xff0000ff
      ! video/x-raw,width=160,height=180,framerate=15/1 ! halves.sink_1
    audiotestsrc is-live=true freq=440 volume=0.4 ! audioconvert ! audioresample ! opusenc ! rtpopuspay
      ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""


class Publisher:
    """A pipeline around its webrtcbin, and the session that it has."""

    def __init__(self, endpoint, token, codec):
        self.endpoint, self.token, self.url, self.failure = endpoint, token, None, None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(PIPELINE.format(encoder=ENCODERS[codec]))
        self.webrtc = self.pipeline.get_by_name("peer")
        self.webrtc.connect("on-negotiation-needed", self.negotiate)
        self.webrtc.connect("notify::ice-gathering-state", self.gathered)
        # Only a publisher's own end is watched: a bus is asked in the loop.
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.fail(message.parse_error()))

    def negotiate(self, webrtc):
        at = 0
        while transceiver := webrtc.emit("get-transceiver", at):
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            at += 1
        webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        # What is in a reply lives no longer than the reply.
        reply = promise.get_reply()
        offer = described("OFFER", reply.get_value("offer").sdp.as_text())
        self.webrtc.emit("set-local-description", offer, None)

    def gathered(self, webrtc, _):
        """With every candidate in it the offer needs no PATCH."""
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.begin)

    def begin(self):
        description = self.webrtc.get_property("local-description")
        offer = description.sdp.as_text()
        status, headers, answer = self.say("POST", self.endpoint, offer)
        if status != 201:
            self.fail(f"the offer is answered with {status}: {answer}\n{offer}")
            return False
        self.url = urllib.parse.urljoin(self.endpoint, headers["Location"])
        self.webrtc.emit("set-remote-description", described("ANSWER", answer), None)
        return False

    def say(self, method, url, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(url, body and body.encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def fail(self, why):
        self.failure = why
        self.loop.quit()

    def run(self):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, self.loop.quit)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.url:
            status, _, body = self.say("DELETE", self.url)
            if status != 200:
                self.failure = f"DELETE is answered with {status}: {body}"
        self.pipeline.set_state(Gst.State.NULL)
        return self.failure


def described(kind, text):
    """A description of its own for whoever takes it."""
    _, message = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(getattr(GstWebRTC.WebRTCSDPType, kind), message)


def version():
    """What is here, or what is missing."""
    missing = [name for name in ELEMENTS if not Gst.ElementFactory.find(name)]
    if missing:
        sys.exit(f"GStreamer has no {', '.join(missing)}")
    print(Gst.version_string())


if __name__ == "__main__":
    Gst.init(None)
    if sys.argv[1:] == ["--version"]:
        version()
    else:
        sys.exit(Publisher(*sys.argv[1:4]).run())
