#!/usr/bin/env python3
"""Publishes by WHIP as aiortc_whip.py does, with sender reports that are bent by one field.

    aiortc_bent.py ENDPOINT TOKEN ahead|growing|zero|none     until it is told to end (SIGTERM)

ahead      RTP times are five seconds of a picture ahead
growing    RTP times run at about twice their rate
zero       RTP times are 0
none       they are as they should be
"""

import asyncio
import sys
import time

from aiortc import rtcrtpsender

import aiortc_whip

RATE_HZ = 90_000
BENDS = {
    "ahead": lambda rtp, _: rtp + 5 * RATE_HZ,
    "growing": lambda rtp, passed: rtp + int(passed * RATE_HZ),
    "zero": lambda *_: 0,
    "none": lambda rtp, _: rtp,
}


def bend(how):
    make, began = rtcrtpsender.RtcpSenderInfo, time.monotonic()

    def bent(**fields):
        rtp = BENDS[how](fields["rtp_timestamp"], time.monotonic() - began)
        return make(**{**fields, "rtp_timestamp": rtp % 2**32})

    rtcrtpsender.RtcpSenderInfo = bent


if __name__ == "__main__":
    endpoint, token, how = sys.argv[1:]
    bend(how)
    asyncio.run(aiortc_whip.publish(endpoint, token, "vp8"))
