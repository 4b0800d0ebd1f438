#!/usr/bin/env python3
"""Views a room over WHEP with aiortc: view URL SECONDS. Prints what was decoded, as JSON; fails if nothing was."""
import asyncio
import json
import sys
import time
import urllib.parse
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError


async def main():
    url, seconds = sys.argv[1], float(sys.argv[2])
    peer = RTCPeerConnection()
    seen = {"audio": 0, "video": 0, "width": 0, "height": 0}
    tasks = []

    async def watch(track):
        try:
            while True:
                frame = await track.recv()
                seen[track.kind] += 1
                if track.kind == "video":
                    seen["width"], seen["height"] = frame.width, frame.height
        except MediaStreamError:
            pass

    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(watch(track))))
    for kind in ("audio", "video"):
        peer.addTransceiver(kind, direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    request = urllib.request.Request(
        url, peer.localDescription.sdp.encode(), {"Content-Type": "application/sdp"}, method="POST"
    )
    with urllib.request.urlopen(request) as response:
        location, answer = response.headers["Location"], response.read().decode()
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and min(seen["audio"], seen["video"]) < 50:
        await asyncio.sleep(0.1)
    session = urllib.request.Request(urllib.parse.urljoin(url, location), method="DELETE")
    with urllib.request.urlopen(session) as response:
        seen["delete"] = response.status
    await peer.close()
    print(json.dumps(seen))
    return 0 if min(seen["audio"], seen["video"]) > 0 else 1


sys.exit(asyncio.run(main()))
