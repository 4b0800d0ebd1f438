#!/usr/bin/env python3
"""Two webrtcbin of GStreamer that may use nothing but a relay: sound and pictures one way.

    gstreamer_pair.py TURN-ADDRESS USERNAME PASSWORD [udp|tcp]

Prints what was sent and what arrived; fails if less than nearly all of it did, or if another way was taken.
"""

import sys
import urllib.parse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PLAY_S = 5
PATIENCE_S = 25
ELEMENTS = ["webrtcbin", "nicesrc", "vp8enc", "rtpvp8pay", "opusenc", "rtpopuspay", "videotestsrc", "audiotestsrc"]
SENDER = """
    webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=15/1
      ! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer.
    audiotestsrc is-live=true ! audioconvert ! audioresample ! opusenc ! rtpopuspay
      ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""


class Peer:
    """One side: a pipeline around its webrtcbin."""

    def __init__(self, pipeline, server, others):
        parsed = Gst.parse_launch(pipeline)
        self.pipeline = parsed if isinstance(parsed, Gst.Pipeline) else Gst.Pipeline.new()
        if parsed is not self.pipeline:
            self.pipeline.add(parsed)
        self.webrtc = self.pipeline.get_by_name("peer")
        self.webrtc.set_property("ice-transport-policy", GstWebRTC.WebRTCICETransportPolicy.RELAY)
        self.webrtc.set_property("turn-server", server)
        self.webrtc.connect("on-ice-candidate", self.found)
        self.candidates, self.others = set(), others

    def found(self, _, line, candidate):
        self.candidates.add(candidate.split(" typ ")[1].split()[0])
        self.others().webrtc.emit("add-ice-candidate", line, candidate)

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)


class Call:
    """A sender and a receiver, and how many buffers came out of the latter."""

    def __init__(self, server):
        self.loop = GLib.MainLoop()
        self.sender = Peer(SENDER, server, lambda: self.receiver)
        self.receiver = Peer("webrtcbin name=peer bundle-policy=max-bundle", server, lambda: self.sender)
        self.received, self.result = {}, None
        self.sender.webrtc.connect("on-negotiation-needed", self.offer)
        self.receiver.webrtc.connect("pad-added", self.listen)

    def offer(self, webrtc):
        webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        offer = text_of(promise, "offer")
        self.sender.webrtc.emit("set-local-description", described("OFFER", offer), None)
        done = Gst.Promise.new_with_change_func(self.answer)
        self.receiver.webrtc.emit("set-remote-description", described("OFFER", offer), done)

    def answer(self, _):
        self.receiver.webrtc.emit("create-answer", None, Gst.Promise.new_with_change_func(self.answered))

    def answered(self, promise):
        answer = text_of(promise, "answer")
        self.receiver.webrtc.emit("set-local-description", described("ANSWER", answer), None)
        self.sender.webrtc.emit("set-remote-description", described("ANSWER", answer), None)

    def listen(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        sink.set_property("async", False)
        self.receiver.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.add_probe(Gst.PadProbeType.BUFFER, self.count, kind)
        pad.link(sink.get_static_pad("sink"))

    def count(self, _pad, _info, kind):
        if not self.received:
            GLib.timeout_add_seconds(PLAY_S, self.measure)
        self.received[kind] = self.received.get(kind, 0) + 1
        return Gst.PadProbeReturn.OK

    def measure(self):
        self.result = {
            "sent": totals(self.sender.webrtc, "outbound-rtp", "packets-sent"),
            "received": totals(self.receiver.webrtc, "inbound-rtp", "packets-received"),
            "lost": totals(self.receiver.webrtc, "inbound-rtp", "packets-lost"),
        }
        self.loop.quit()
        return False

    def run(self):
        GLib.timeout_add_seconds(PATIENCE_S, self.loop.quit)
        self.receiver.play()
        self.sender.play()
        self.loop.run()
        self.sender.stop()
        self.receiver.stop()


def text_of(promise, name):
    """A description as text: what is in a reply lives no longer than the reply."""
    reply = promise.get_reply()
    return reply.get_value(name).sdp.as_text()


def described(kind, text):
    """A description of its own for whoever takes it."""
    _, message = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(getattr(GstWebRTC.WebRTCSDPType, kind), message)


def totals(webrtc, kind, field):
    """The sum over all streams of one kind of statistics."""
    promise = Gst.Promise.new()
    webrtc.emit("get-stats", None, promise)
    promise.wait()
    report, found = promise.get_reply(), []

    for index in range(report.n_fields()):
        entry = report.get_value(report.nth_field_name(index))
        is_one = isinstance(entry, Gst.Structure) and entry.has_field(field)
        if is_one and entry.get_value("type").value_nick == kind:
            found.append(entry.get_value(field))
    return sum(found)


def main():
    Gst.init(None)
    address, name, password = sys.argv[1:4]
    transport = sys.argv[4] if len(sys.argv) > 4 else "udp"
    name, password = (urllib.parse.quote(text, safe="") for text in (name, password))
    call = Call(f"turn://{name}:{password}@{address}?transport={transport}")
    call.run()
    if not call.result:
        sys.exit("nothing arrived")
    kinds = {"sender": call.sender.candidates, "receiver": call.receiver.candidates}
    print("sound and pictures: " + ", ".join(f"{key} {value}" for key, value in call.result.items()), call.received)
    assert all(found == {"relay"} for found in kinds.values()), kinds
    assert set(call.received) == {"audio", "video"}, call.received
    assert call.result["received"] > 0.9 * call.result["sent"], call.result


def version():
    """What is here, or what is missing."""
    Gst.init(None)
    missing = [name for name in ELEMENTS if not Gst.ElementFactory.find(name)]
    if missing:
        sys.exit(f"GStreamer has no {', '.join(missing)}")
    print(Gst.version_string())


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        version()
    else:
        main()
