#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A simulated web server for a publishing location, on a free port of 127.0.0.1, which is written to PORT_FILE.

  publish.py FOLDER PORT_FILE LOG_FILE [--plain] [--token T] [--tls CERT KEY]

Answers with ETags (unless --plain) and 304 to If-None-Match. Each request is a line of LOG_FILE: path, status, bytes.
"""
import hashlib
import http.server
import os
import ssl
import sys

FOLDER, PORT_FILE, LOG_FILE = sys.argv[1:4]
TOKEN = sys.argv[sys.argv.index("--token") + 1] if "--token" in sys.argv else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", etag=None):
        with open(LOG_FILE, "a") as log:
            print(self.path, status, len(body), file=log)
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if TOKEN and self.headers.get("Authorization") != "Bearer " + TOKEN:
            return self.answer(401)
        path = os.path.join(FOLDER, os.path.basename(self.path))
        if not os.path.isfile(path):
            return self.answer(404)
        with open(path, "rb") as f:
            body = f.read()
        etag = None if "--plain" in sys.argv else '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
        if etag and self.headers.get("If-None-Match") == etag:
            return self.answer(304, b"", etag)
        return self.answer(200, body, etag)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # a client that had enough
            pass

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if "--tls" in sys.argv:
    at = sys.argv.index("--tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[at + 1], sys.argv[at + 2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(PORT_FILE + ".new", "w") as f:
    print(server.server_address[1], file=f)
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
