#!/usr/bin/env python3
"""Publishes by WHIP, or watches by WHEP, with aiortc and a few lines of HTTP.

    aiortc_whip.py publish ENDPOINT TOKEN vp8|h264     until it is told to end (SIGTERM)
    aiortc_whip.py watch ENDPOINT TOKEN CODEC          prints what it saw and heard

What is published is a red half beside a blue one, with a tone of 440 Hz. Whoever watches fails if less than
nearly that arrives, or by another codec.
"""

import asyncio
import fractions
import math
import re
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import av
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription, __version__, rtcrtpreceiver
from aiortc.mediastreams import AUDIO_PTIME, MediaStreamError, MediaStreamTrack, VideoStreamTrack

TONE_HZ = 440
RATE_HZ = 48_000
WIDTH, HEIGHT = 320, 180
# Y, U and V of the halves (BT.601), and how far off a decoder's may be.
RED, BLUE, TOLERANCE = (81, 90, 240), (41, 240, 110), 24
WATCH_S = 6
PATIENCE_S = 30
# Of 15 pictures and 50 frames of sound a second, on a machine that has other things to do.
PICTURES_MIN, SOUND_MIN = 8 * WATCH_S, 40 * WATCH_S


class Halves(VideoStreamTrack):
    """A red half and a blue one. A bar moves, so that pictures differ."""

    frame = 0

    async def recv(self):
        self.frame += 2
        # aiortc's own clock has 30 pictures a second.
        for _ in range(2):
            pts, time_base = await self.next_timestamp()
        picture = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        bar = self.frame % HEIGHT
        for plane, scale in zip(range(3), (1, 2, 2)):
            self.paint(picture.planes[plane], WIDTH // scale, HEIGHT // scale, plane, bar if plane == 0 else None)
        picture.pts, picture.time_base = pts, time_base
        return picture

    @staticmethod
    def paint(plane, width, height, index, bar):
        padding = bytes(plane.line_size - width)
        row = bytes([RED[index]]) * (width // 2) + bytes([BLUE[index]]) * (width // 2) + padding
        white = bytes([235]) * width + padding
        plane.update(b"".join(white if number == bar else row for number in range(height)))


class Tone(MediaStreamTrack):
    """A tone of 440 Hz."""

    kind = "audio"
    start = None
    samples = 0

    async def recv(self):
        size = int(RATE_HZ * AUDIO_PTIME)
        self.start = self.start or time.time()
        await asyncio.sleep(max(0, self.start + self.samples / RATE_HZ - time.time()))
        angles = (2 * math.pi * TONE_HZ * (self.samples + at) / RATE_HZ for at in range(size))
        frame = av.AudioFrame(format="s16", layout="mono", samples=size)
        frame.planes[0].update(b"".join(int(12_000 * math.sin(one)).to_bytes(2, "little", signed=True) for one in angles))
        frame.pts, frame.sample_rate, frame.time_base = self.samples, RATE_HZ, fractions.Fraction(1, RATE_HZ)
        self.samples += size
        return frame


class Session:
    """A session of WHIP or WHEP around a peer connection."""

    def __init__(self, endpoint, token):
        self.endpoint, self.token = endpoint, token
        self.peer, self.url, self.etag = RTCPeerConnection(), None, None

    async def begin(self):
        await self.peer.setLocalDescription(await self.peer.createOffer())
        offer = self.peer.localDescription.sdp
        status, headers, answer = await self.post(offer)
        assert status == 201, f"the offer is answered with {status}: {answer}"
        self.url = urllib.parse.urljoin(self.endpoint, headers["Location"])
        self.etag = headers["ETag"]
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        status, _, body = await self.say("PATCH", self.url, fragment(offer), **{"If-Match": self.etag})
        assert status == 204, f"candidates are answered with {status}: {body}"

    async def post(self, offer):
        """As long as nobody publishes a viewer is asked to come again."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            response = await self.say("POST", self.endpoint, offer, "application/sdp")
            if response[0] != 409 or time.monotonic() > deadline:
                return response
            assert float(response[1]["Retry-After"]) > 0
            await asyncio.sleep(1)

    async def end(self):
        for expected in [200, 404]:
            status, _, body = await self.say("DELETE", self.url)
            assert status == expected, f"DELETE is answered with {status}: {body}"
        await self.peer.close()

    async def say(self, method, url, body=None, kind="application/trickle-ice-sdpfrag", **headers):
        headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = kind
        request = urllib.request.Request(url, body and body.encode(), headers, method=method)
        return await asyncio.to_thread(fetched, request)


def fetched(request):
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def fragment(offer):
    """The candidates of an offer once more, as they would be told had they been found later (RFC 8840)."""
    lines = re.split(r"\r?\n", offer)

    def of(name):
        return [line for line in lines if line.startswith(name)]

    ice = of("a=ice-ufrag:")[:1] + of("a=ice-pwd:")[:1]
    candidates = list(dict.fromkeys(of("a=candidate:")))
    return "\r\n".join([*ice, *of("m=")[:1], *of("a=mid:")[:1], *candidates, "a=end-of-candidates", ""])


async def publish(endpoint, token, codec):
    session = Session(endpoint, token)
    for track in (Tone(), Halves()):
        transceiver = session.peer.addTransceiver(track, direction="sendonly")
        if track.kind == "video":
            known = RTCRtpReceiver.getCapabilities("video").codecs
            transceiver.setCodecPreferences([one for one in known if one.mimeType.lower() == f"video/{codec}"])
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)
    await session.begin()
    await told_to_end.wait()
    await session.end()


class Watched:
    """What came of one track, and from when on it is counted."""

    def __init__(self, track):
        self.track, self.frames = track, []

    async def watch(self):
        try:
            while True:
                self.frames.append((time.monotonic(), await self.track.recv()))
                del self.frames[: max(0, len(self.frames) - 1_000)]
        except MediaStreamError:
            return


async def watch(endpoint, token, codec):
    decoders = note_decoders()
    session, watched = Session(endpoint, token), {}
    for kind in ("audio", "video"):
        session.peer.addTransceiver(kind, direction="recvonly")

    @session.peer.on("track")
    def _(track):
        watched[track.kind] = Watched(track)
        asyncio.ensure_future(watched[track.kind].watch())

    await session.begin()
    async with asyncio.timeout(PATIENCE_S):
        while not all(kind in watched and watched[kind].frames for kind in ("audio", "video")):
            await asyncio.sleep(0.05)
    await asyncio.sleep(WATCH_S)
    pictures, sounds = ([frame for _, frame in watched[kind].frames] for kind in ("video", "audio"))
    longest = max(after - before for (before, _), (after, _) in zip(watched["video"].frames, watched["video"].frames[1:]))
    spoken = " and ".join(sorted(set(decoders) - {"opus"}))
    await session.end()
    check_picture(pictures[-1])
    purity = tone(sounds[-50:])
    last = pictures[-1]
    print(
        f"{len(pictures)} pictures of {last.width}x{last.height} by {spoken}, {longest:.1f} s at most between two; "
        f"{len(sounds)} frames of sound, {purity:.0%} of it the tone"
    )
    assert spoken == codec, f"{codec} was expected"
    assert len(pictures) >= PICTURES_MIN, f"at least {PICTURES_MIN} pictures were expected"
    assert len(sounds) >= SOUND_MIN, f"at least {SOUND_MIN} frames of sound were expected"
    assert purity > 0.8, "the tone was expected"


def note_decoders():
    """The names of the codecs that are decoded from now on: aiortc tells them nowhere else."""
    names, make = [], rtcrtpreceiver.get_decoder

    def noted(codec):
        names.append(codec.name.lower())
        return make(codec)

    rtcrtpreceiver.get_decoder = noted
    return names


def check_picture(picture):
    """Red on the left, blue on the right."""
    picture = picture.reformat(format="yuv420p")
    for share, expected in ((1 / 4, RED), (3 / 4, BLUE)):
        # Three rows, as the bar may be in one.
        seen = [sample(picture, share, row) for row in (1 / 4, 1 / 2, 3 / 4)]
        fits = [all(abs(one - other) <= TOLERANCE for one, other in zip(color, expected)) for color in seen]
        assert any(fits), f"{expected} was expected, and there is {seen}"


def sample(picture, across, down):
    color = []
    for plane, scale in zip(picture.planes, (1, 2, 2)):
        row, column = int(picture.height / scale * down), int(picture.width / scale * across)
        color.append(bytes(plane)[row * plane.line_size + column])
    return tuple(color)


def tone(frames):
    """How much of the energy is at 440 Hz, from 0 to 1 (Goertzel)."""
    samples = []
    for frame in frames:
        channels = len(frame.layout.channels)
        size = 2 * channels
        data = bytes(frame.planes[0])[: frame.samples * size]
        samples += [int.from_bytes(data[at : at + 2], "little", signed=True) for at in range(0, len(data), size)]
    turn = 2 * math.cos(2 * math.pi * TONE_HZ / RATE_HZ)
    one = two = 0.0
    for value in samples:
        one, two = value + turn * one - two, one
    power = (one * one + two * two - turn * one * two) / (len(samples) / 2)
    return power / max(1, sum(value * value for value in samples))


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(__version__)
    else:
        what = {"publish": publish, "watch": watch}[sys.argv[1]]
        asyncio.run(what(*sys.argv[2:]))
