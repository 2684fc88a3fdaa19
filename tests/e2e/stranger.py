#!/usr/bin/env python3
"""A stranger at a model server's plaintext port, frame by frame (HTTP/2, RFC 9113), without a library.

hoard PORT PATH CONNECTIONS SECONDS: on each connection STREAMS calls of PATH, each with a message of a MiB of
which the last byte never comes; prints the MiB that the server took in all. In the middle of that one whole
call of health's Check is made by somebody else: "answered" or "not answered".
drip PORT SECONDS: a byte a second of an HTTP/1 header; prints after how many seconds the connection is closed.
"""
import socket
import struct
import sys
import threading
import time

STREAMS, MESSAGE, FRAME_MAX = 128, 1 << 20, 16384
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, body=b""):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + body


def headers(path):
    """Literals, never indexed: no table is needed to write them."""
    pairs = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
             ("content-type", "application/grpc"), ("te", "trailers"))
    return b"".join(b"\x10" + b"".join(bytes([len(x)]) + x.encode() for x in pair) for pair in pairs)


class Peer:
    """One connection: what is on its way, and what flow control lets through."""

    def __init__(self, port, path, messages, ends):
        self.left = {1 + 2 * i: m for i, m in enumerate(messages)}
        self.flags = END_STREAM if ends else 0
        self.windows = dict.fromkeys(self.left, 65535)
        self.connection, self.initial, self.sent, self.inbox, self.answered = 65535, 65535, 0, b"", False
        self.s = socket.create_connection(("127.0.0.1", port), timeout=2)
        self.s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        for stream in self.left:
            self.s.sendall(frame(HEADERS, END_HEADERS, stream, headers(path)))

    def send(self):
        for stream, left in list(self.left.items()):
            n = min(len(left), self.windows[stream], self.connection, FRAME_MAX)
            if n <= 0:
                continue
            self.s.sendall(frame(DATA, self.flags if n == len(left) else 0, stream, left[:n]))
            self.left[stream] = left[n:]
            self.windows[stream] -= n
            self.connection -= n
            self.sent += n

    def receive(self, timeout_s):
        self.s.settimeout(timeout_s)
        try:
            data = self.s.recv(1 << 16)
        except TimeoutError:
            return True
        finally:
            self.s.settimeout(2)
        self.inbox += data
        while len(self.inbox) >= 9 + int.from_bytes(self.inbox[:3], "big"):
            n = int.from_bytes(self.inbox[:3], "big")
            self.take(self.inbox[3], self.inbox[4], int.from_bytes(self.inbox[5:9], "big"), self.inbox[9:9 + n])
            self.inbox = self.inbox[9 + n:]
        return bool(data)

    def take(self, kind, flags, stream, body):
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", body):
                if name == 4:
                    for i in self.windows:
                        self.windows[i] += value - self.initial
                    self.initial = value
            self.s.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.s.sendall(frame(PING, ACK, 0, body))
        elif kind == WINDOW_UPDATE:
            if stream:
                if stream in self.windows:
                    self.windows[stream] += int.from_bytes(body, "big")
            else:
                self.connection += int.from_bytes(body, "big")
        elif kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM):
            self.left.pop(stream, None)  # refused: nothing more of it
        elif kind == DATA and body:
            self.answered = True


def hoard(port, path, seconds, sent):
    end = time.monotonic() + seconds
    peer = Peer(port, path, [b"\0" + struct.pack(">I", MESSAGE) + bytes(MESSAGE - 1)] * STREAMS, False)
    try:
        while time.monotonic() < end:
            peer.send()
            if not peer.receive(0.05):
                break
    except OSError:
        pass  # sent away
    sent.append(peer.sent)


def is_healthy(port):
    peer = Peer(port, "/grpc.health.v1.Health/Check", [bytes(5)], True)
    end = time.monotonic() + 5
    while not peer.answered and time.monotonic() < end:
        peer.send()
        if not peer.receive(0.05):
            break
    return peer.answered


def drip(port, seconds):
    begin = time.monotonic()
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(1)
    while time.monotonic() < begin + seconds:
        try:
            s.sendall(b"G")
            if not s.recv(1):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    print(round(time.monotonic() - begin))


def main():
    verb, port, *more = sys.argv[1:]
    if verb == "drip":
        return drip(int(port), int(more[0]))
    path, connections, seconds = more[0], int(more[1]), int(more[2])
    sent = []
    threads = [threading.Thread(target=hoard, args=(int(port), path, seconds, sent)) for _ in range(connections)]
    for t in threads:
        t.start()
    time.sleep(seconds / 2)
    print("answered" if is_healthy(int(port)) else "not answered", flush=True)
    for t in threads:
        t.join()
    print(sum(sent) >> 20)
    return None


main()
