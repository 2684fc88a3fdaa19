#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A trace as text, read by the description of its format alone (src/trace/trace.h).

  trace.py FILE             "VM TIME_NS COLUMN VALUE" a line, in the order of the file
  trace.py FILE --streams   "VM key=value... : column..." a line
"""
import struct
import sys
import zlib


def frames(data):
    if data[:8] != b"VMWTRC1\n":
        sys.exit("no trace")
    at = 8
    while at + 9 <= len(data):
        length, kind = struct.unpack_from("<IB", data, at)
        end = at + 5 + length
        if end + 4 > len(data) or zlib.crc32(data[at:end]) != struct.unpack_from("<I", data, end)[0]:
            sys.exit(f"damaged at byte {at}")
        yield kind, data[at + 5:end]
        at = end + 4
    if at != len(data):
        sys.exit(f"{len(data) - at} bytes behind the last frame")


def text(b, at):
    n = struct.unpack_from("<H", b, at)[0]
    return b[at + 2:at + 2 + n].decode(), at + 2 + n


def stream(b):
    ident, _kind = struct.unpack_from("<HB", b)
    vm, at = text(b, 3)
    n = struct.unpack_from("<H", b, at)[0]
    at += 2
    meta = []
    for _ in range(n):
        key, at = text(b, at)
        value, at = text(b, at)
        meta.append((key, value))
    n = struct.unpack_from("<H", b, at)[0]
    at += 2
    columns = []
    for _ in range(n):
        column, at = text(b, at)
        columns.append(column)
    return ident, vm, meta, columns


def main():
    streams = {}
    out = []
    for kind, b in frames(open(sys.argv[1], "rb").read()):
        if kind == 1:
            ident, vm, meta, columns = stream(b)
            streams[ident] = vm, columns
            if "--streams" in sys.argv:
                print(vm, *(f"{k}={v}" for k, v in meta), ":", *columns)
        elif kind == 2 and "--streams" not in sys.argv:
            ident, t_ns, n = struct.unpack_from("<HqH", b)
            vm, columns = streams[ident]
            for column, value in zip(columns, struct.unpack_from(f"<{n}d", b, 12), strict=True):
                out.append(f"{vm} {t_ns} {column} {value!r}\n")
            if len(out) > 100000:
                sys.stdout.write("".join(out))
                out.clear()
    sys.stdout.write("".join(out))


main()
