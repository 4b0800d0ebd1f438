#!/usr/bin/env python3
"""A bad link in user space, for kernels without netem: joins two TUN devices in two network namespaces.

    impair.py NAMESPACE DEVICE NAMESPACE DEVICE --loss PERCENT --delay MILLISECONDS [--jitter MILLISECONDS] [--seed N]

All of it is for either way. The delay varies by the jitter, up and down; packets keep their order. Says "ready"
once the devices are there, and at SIGTERM one line of JSON: packets that came, were lost, and went on, for each way.
"""

import argparse
import collections
import ctypes
import fcntl
import json
import os
import random
import select
import signal
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_MAX = 65535
# What waits beyond this is dropped, as a full queue would.
QUEUE_MAX = 10_000

libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    """Moves this process into a network namespace."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


def open_tun(namespace, device):
    """A TUN device in that namespace; it stays there."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        enter(f"/run/netns/{namespace}")
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
        return tun
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)


class Way:
    """Packets from one device to the other."""

    def __init__(self, source, sink, loss, delay, jitter, seed):
        self.source, self.sink = source, sink
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.last = 0.0
        self.random = random.Random(seed)
        self.queue = collections.deque()
        self.counts = {"came": 0, "lost": 0, "passed": 0}

    def receive(self, now):
        """Takes what has come. A device that is gone ends the process."""
        while True:
            try:
                packet = os.read(self.source, PACKET_MAX)
            except BlockingIOError:
                return
            except OSError:
                sys.exit(0)
            self.counts["came"] += 1
            if self.random.random() * 100 < self.loss or len(self.queue) >= QUEUE_MAX:
                self.counts["lost"] += 1
            else:
                delay = max(0.0, self.delay + self.random.uniform(-self.jitter, self.jitter))
                self.last = max(self.last, now + delay)
                self.queue.append((self.last, packet))

    def send(self, now):
        """Passes on what has waited long enough."""
        while self.queue and self.queue[0][0] <= now:
            _, packet = self.queue.popleft()
            try:
                os.write(self.sink, packet)
                self.counts["passed"] += 1
            except OSError:
                self.counts["lost"] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ends", nargs=4)
    parser.add_argument("--loss", type=float, default=0)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--jitter", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    near, far = open_tun(*options.ends[:2]), open_tun(*options.ends[2:])
    flaws = (options.loss, options.delay / 1000, options.jitter / 1000)
    ways = [
        Way(near, far, *flaws, options.seed),
        Way(far, near, *flaws, options.seed + 1),
    ]

    def stop(*_):
        print(json.dumps([way.counts for way in ways]), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while True:
        waiting = [way.queue[0][0] for way in ways if way.queue]
        patience = max(0, min(waiting) - time.monotonic()) if waiting else None
        readable, _, _ = select.select([near, far], [], [], patience)
        now = time.monotonic()
        for way in ways:
            if way.source in readable:
                way.receive(now)
            way.send(now)


main()
