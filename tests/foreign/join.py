#!/usr/bin/env python3
"""Joins a room of a node and takes the credentials of its relay, with nothing but Python's own library.

    join.py http://HOST:PORT [ROOM]      or https:// with whatever certificate

Writes one line, "USERNAME PASSWORD UDP-ADDRESS TCP-ADDRESS TLS-ADDRESS", with - for what is not offered, and stays a member until its standard input is closed:
whoever leaves takes their relays along.
"""

import base64
import json
import os
import select
import socket
import ssl
import struct
import sys
import time
import urllib.parse

PING_S = 10
TEXT, PONG = 0x1, 0xA


class WebSocket:
    """As much of RFC 6455 as a client of this node needs."""

    def __init__(self, url):
        host, port = url.hostname, url.port
        self.socket = socket.create_connection((host, port), timeout=10)
        if url.scheme == "https":
            self.socket = without_trust().wrap_socket(self.socket, server_hostname=host)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: motet.v1\r\n\r\n".encode()
        )
        self.stream = self.socket.makefile("rb")
        if b" 101 " not in self.stream.readline():
            raise ConnectionError("the node accepts no WebSocket")
        while self.stream.readline().strip():
            pass

    def send(self, text, opcode=TEXT):
        payload, mask = text if isinstance(text, bytes) else text.encode(), os.urandom(4)
        size = len(payload)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def frame(self):
        """The next frame: a message, or nothing where it was not one; pings are answered."""
        head = self.stream.read(2)
        if len(head) < 2:
            raise ConnectionError("the node is gone")
        opcode, size = (byte & 0x7F for byte in head)
        if size == 126:
            (size,) = struct.unpack("!H", self.stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.stream.read(8))
        payload = self.stream.read(size)
        match opcode & 0x0F:
            case 0x1:
                return json.loads(payload)
            case 0x8:
                raise ConnectionError("the node has closed the WebSocket")
            case 0x9:
                self.send(payload, PONG)

    def receive(self):
        """The next message."""
        while not (message := self.frame()):
            pass
        return message


def without_trust():
    """TLS with whoever is there: the node's certificate is of its own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def join(url, room):
    """A membership, and its `iceServers` entry with credentials."""
    websocket = WebSocket(urllib.parse.urlsplit(url))
    websocket.send(json.dumps({"type": "join", "id": 1, "room": room, "name": "Foreign"}))
    while (message := websocket.receive())["type"] != "joined":
        if message["type"] == "error":
            raise ConnectionError(message)
    return websocket, next(one for one in message["iceServers"] if "username" in one)


def address(urls, scheme, transport):
    """Where the relay is by that scheme and transport (RFC 7065)."""
    fitting = (url for url in urls if url.startswith(f"{scheme}:") and url.endswith(f"?transport={transport}"))
    return next((url.split(":", 1)[1].split("?")[0] for url in fitting), "-")


def stay(websocket):
    """Keeps the membership until standard input is closed."""
    due = time.monotonic() + PING_S
    while True:
        readable, _, _ = select.select([sys.stdin, websocket.socket], [], [], max(0, due - time.monotonic()))
        if sys.stdin in readable and not sys.stdin.readline():
            return
        if websocket.socket in readable:
            websocket.frame()
        if time.monotonic() >= due:
            websocket.send(json.dumps({"type": "ping", "id": 2}))
            due += PING_S


def main():
    websocket, server = join(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "foreign")
    ways = [("turn", "udp"), ("turn", "tcp"), ("turns", "tcp")]
    addresses = (address(server["urls"], *way) for way in ways)
    print(server["username"], server["credential"], *addresses, flush=True)
    try:
        stay(websocket)
    except ConnectionError:
        # The node has ended before us.
        pass


if __name__ == "__main__":
    main()
