#!/usr/bin/env python3
"""Passes POST requests on to a node and prints its answers, for a client that keeps to itself what it is told.

    overhear.py http://HOST:PORT      listens at another port of the same host, and prints that URL first
"""

import http.server
import sys
import urllib.error
import urllib.parse
import urllib.request

PASSED_ON = ["Content-Type", "Authorization"]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        request = urllib.request.Request(sys.argv[1] + self.path, body, headers, method="POST")
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        print(answer.status, text.decode(), flush=True)
        self.send_response(answer.status)
        for name in ["Content-Type", "Location", "ETag"]:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    host = urllib.parse.urlsplit(sys.argv[1]).hostname
    with http.server.ThreadingHTTPServer((host, 0), Handler) as server:
        print(f"http://{host}:{server.server_port}", flush=True)
        server.serve_forever()
