#!/usr/bin/env python3
"""Two aiortc peers that may use nothing but a relay: a data channel that echoes, and sound one way.

    aiortc_pair.py TURN-ADDRESS USERNAME PASSWORD [udp|tcp|tls]

Prints what was sent and what arrived; fails if a message or all sound is missing, or if another way was taken.
"""

import asyncio
import re
import sys

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    __version__,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

MESSAGES = 500
SIZE = 1000
SOUND_S = 4
PATIENCE_S = 20


def peer(address, name, password, transport):
    url = f"turns:{address}?transport=tcp" if transport == "tls" else f"turn:{address}?transport={transport}"
    server = RTCIceServer(urls=url, username=name, credential=password)
    policy = RTCIceTransportPolicy.RELAY
    return RTCPeerConnection(RTCConfiguration(iceServers=[server], iceTransportPolicy=policy))


async def connect(caller, callee):
    await caller.setLocalDescription(await caller.createOffer())
    await callee.setRemoteDescription(caller.localDescription)
    await callee.setLocalDescription(await callee.createAnswer())
    await caller.setRemoteDescription(callee.localDescription)


async def echoed(caller, callee):
    """How many of the messages came back."""
    came_back, done = [], asyncio.Event()

    @callee.on("datachannel")
    def _(channel):
        channel.on("message", channel.send)

    channel = caller.createDataChannel("echo")

    @channel.on("message")
    def _(message):
        came_back.append(message)
        if len(came_back) == MESSAGES:
            done.set()

    opened = asyncio.Event()
    channel.on("open", opened.set)
    await connect(caller, callee)
    await opened.wait()
    expected = [f"{number:06}".ljust(SIZE, ".") for number in range(MESSAGES)]
    for message in expected:
        channel.send(message)
        await asyncio.sleep(0.002)
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    assert came_back == expected, "the messages came back as they were"
    return len(came_back)


async def heard(track, frames):
    try:
        while True:
            await track.recv()
            frames.append(1)
    except MediaStreamError:
        return


def types(description):
    return set(re.findall(r"a=candidate.* typ (\w+)", description.sdp))


async def rtp(connection, kind):
    report = await connection.getStats()
    return next(entry for entry in report.values() if entry.type == kind)


async def main():
    arguments = sys.argv[1:4]
    transport = sys.argv[4] if len(sys.argv) > 4 else "udp"
    caller, callee = (peer(*arguments, transport) for _ in range(2))
    frames, listeners = [], []
    callee.on("track", lambda track: listeners.append(asyncio.ensure_future(heard(track, frames))))
    caller.addTrack(AudioStreamTrack())
    async with asyncio.timeout(3 * PATIENCE_S):
        messages = await echoed(caller, callee)
        await asyncio.sleep(SOUND_S)
    for connection in (caller, callee):
        assert types(connection.localDescription) == {"relay"}, connection.localDescription.sdp
    sent = (await rtp(caller, "outbound-rtp")).packetsSent
    inbound = await rtp(callee, "inbound-rtp")
    print(f"data channel: sent {MESSAGES}, came back {messages}, lost {MESSAGES - messages}")
    print(f"sound: sent {sent}, received {inbound.packetsReceived}, lost {inbound.packetsLost}, {len(frames)} frames heard")
    assert inbound.packetsReceived > 50 * SOUND_S * 0.8 and frames
    for connection in (caller, callee):
        await connection.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(__version__)
    else:
        asyncio.run(main())
