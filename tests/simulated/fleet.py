#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A simulated fleet of VMs under Kepler: backfill for a store, and the check of what was read back.

  fleet.py write FORMAT VMS HOURS END_S     samples every 15 s up to END_S, as openmetrics or prometheus text
  fleet.py check VMS HOURS END_S TRACE      every sample against the trace; prints count and checksum

Counters are multiples of 1/16 J, which survive any store's text and compression. Every seventh VM was restarted
half-way (its counters begin again), every eleventh has an hour without samples. Times are a VM's own by some ms.
"""
import struct
import sys
import zlib

STEP_MS = 15000
ZONES = (("package", 16), ("core", 11), ("dram", 3))
METRIC = "kepler_vm_cpu_joules_total"


def times(vm, hours, end_s):
    n = hours * 3600 * 1000 // STEP_MS
    first = end_s * 1000 - (n - 1) * STEP_MS - (vm * 37) % 1000
    for i in range(n):
        if vm % 11 == 5 and n // 3 <= i < n // 3 + 240 and n > 480:
            continue
        yield i, first + i * STEP_MS


def value(vm, i, n, weight):
    """sixteenths of a joule: some 5 W with steps of load"""
    i = i - n // 2 if vm % 7 == 3 and i >= n // 2 else i
    return (i * 80 + (i // 40 % 2) * (vm % 9) * 100 + (i * i * (vm + 1)) % 23) * weight


def labels(vm, zone):
    node = vm // 20
    return (f'{{hypervisor="kvm",instance="node{node}:28282",job="kepler",node_name="node{node}",state="running",'
            f'vm_id="00000000-0000-4000-8000-{vm:012d}",vm_name="vm-{vm:04d}",zone="{zone}"}}')


def series(vms, hours, end_s):
    n = hours * 3600 * 1000 // STEP_MS
    for vm in range(vms):
        for zone, weight in ZONES:
            yield vm, zone, [(t, value(vm, i, n, weight) / 16) for i, t in times(vm, hours, end_s)]


def write(style, vms, hours, end_s):
    out = sys.stdout
    if style == "openmetrics":
        out.write("# TYPE kepler_vm_cpu_joules counter\n")
    for vm, zone, samples in series(vms, hours, end_s):
        name = METRIC + labels(vm, zone)
        if style == "openmetrics":
            out.write("".join(f"{name} {v!r} {t / 1000:.3f}\n" for t, v in samples))
        else:
            out.write("".join(f"{name} {v!r} {t}\n" for t, v in samples))
    if style == "openmetrics":
        out.write("# EOF\n")


def read_text(b, at):
    n = struct.unpack_from("<H", b, at)[0]
    return b[at + 2:at + 2 + n].decode(), at + 2 + n


def rows(path):
    """(vm, [zone], t_ms, values) of a trace, by its format alone."""
    data, at, streams = open(path, "rb").read(), 8, {}
    while at + 9 <= len(data):
        length, kind = struct.unpack_from("<IB", data, at)
        b, end = data[at + 5:at + 5 + length], at + 5 + length
        assert zlib.crc32(data[at:end]) == struct.unpack_from("<I", data, end)[0], f"damaged at {at}"
        at = end + 4
        if kind == 1:
            vm, k = read_text(b, 3)
            n = struct.unpack_from("<H", b, k)[0]
            k += 2
            for _ in range(2 * n):
                _, k = read_text(b, k)
            n, names = struct.unpack_from("<H", b, k)[0], []
            k += 2
            for _ in range(n):
                name, k = read_text(b, k)
                names.append(name.removesuffix("_joules"))
            streams[struct.unpack_from("<H", b)[0]] = int(vm.removeprefix("vm-")), names
        elif kind == 2:
            ident, t_ns, n = struct.unpack_from("<HqH", b)
            yield *streams[ident], t_ns // 1000000, struct.unpack_from(f"<{n}d", b, 12)


def check(vms, hours, end_s, path):
    n = hours * 3600 * 1000 // STEP_MS
    wanted = {vm: times(vm, hours, end_s) for vm in range(vms)}
    weights, count, crc = dict(ZONES), 0, 0
    for vm, zones, t_ms, values in rows(path):
        i, t = next(wanted[vm], (None, None))
        assert t == t_ms, f"vm {vm}: a row at {t_ms}, where {t} comes next"
        assert sorted(zones) == sorted(weights), f"vm {vm}: zones {zones}"
        for zone, v in zip(zones, values):
            assert v == value(vm, i, n, weights[zone]) / 16, f"vm {vm} {zone} at {t}: {v}"
            count += 1
        crc += zlib.crc32(struct.pack("<iqd", vm, t_ms, sum(values)))  # in any order of VMs
    left = sum(1 for w in wanted.values() for _ in w)
    assert left == 0, f"{left} rows are missing"
    print(f"{count} samples, checksum {crc % 2**32:08x}")


if sys.argv[1] == "write":
    write(sys.argv[2], *map(int, sys.argv[3:6]))
else:
    try:
        check(*map(int, sys.argv[2:5]), sys.argv[5])
    except AssertionError as e:
        print(e)
        sys.exit(1)
