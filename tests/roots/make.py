#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The roots that stand for machines we do not have: kernel text of the real layout with made-up counts.

  tests/roots/make.py      rewrites every simulated shape beside this script, then run expect.py on all

epyc-2vcpu is no simulation: it was captured on a 2-vCPU KVM guest.
"""
import os
import random
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = "user nice system idle iowait irq softirq steal guest guest_nice".split()


def write(root, path, content):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(content)


def stat(cpus, c, old=False):
    n = 7 if old else 10
    lines = []
    total = [sum(t[k] for t in cpus.values()) for k in range(10)]
    lines.append("cpu  " + " ".join(map(str, total[:n])))
    lines += [f"cpu{i} " + " ".join(map(str, t[:n])) for i, t in sorted(cpus.items())]
    lines.append(f"intr {c['intr']} 35 9 0 0 {c['intr'] // 3} 0 0 0 1 0 0 0 144 0 0 0")
    lines += [f"ctxt {c['ctxt']}", "btime 1700000000", f"processes {c['forks']}",
              f"procs_running {c['running']}", f"procs_blocked {c['blocked']}",
              f"softirq {c['intr'] // 2} 0 {c['intr'] // 5} {c['intr'] // 9} {c['intr'] // 4} {c['ctxt'] // 8} 0 17 4402 0 90"]
    return "\n".join(lines) + "\n"


def meminfo(total, available, old=False):
    lines = [f"MemTotal:       {total:8d} kB", f"MemFree:        {available // 2:8d} kB"]
    if not old:
        lines.append(f"MemAvailable:   {available:8d} kB")
    lines += ["Buffers:           20584 kB", "Cached:           711236 kB", "SwapCached:            0 kB",
              "SwapTotal:             0 kB", "SwapFree:              0 kB", "Dirty:               164 kB"]
    return "\n".join(lines) + "\n"


def vmstat(c):
    return ("nr_free_pages 3021945\nnr_zone_inactive_anon 2124\nnr_mlocked 0\n"
            f"pgpgin {c['pgpgin']}\npgpgout {c['pgpgout']}\npswpin {c['pswpin']}\npswpout {c['pswpout']}\n"
            f"pgalloc_normal 84120094\npgfree 88120733\npgfault {c['pgfault']}\npgmajfault {c['pgmajfault']}\n"
            "pgrefill 0\npgscan_kswapd 0\noom_kill 0\n")


def diskstats(c):
    def line(major, minor, name, read, written):
        return (f"{major:4d} {minor:7d} {name} {read // 8} 12 {read} 1402 {written // 9} 88 {written} 5120 0 2200 6522"
                " 0 0 0 0 310 44\n")
    return (line(7, 0, "loop0", 902, 0) + line(1, 0, "ram0", 0, 0)
            + line(254, 0, "vda", c["read"], c["written"]) + line(254, 1, "vda1", c["read"] - 200, c["written"])
            + line(259, 0, "nvme0n1", c["read"] // 2, c["written"] // 2)
            + line(259, 1, "nvme0n1p1", c["read"] // 2, c["written"] // 2)
            + line(252, 0, "dm-0", c["read"], c["written"]) + line(11, 0, "sr0", 30, 0))


def netdev(c, names):
    head = ("Inter-|   Receive                                                |  Transmit\n"
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls"
            " carrier compressed\n")
    rows = ""
    for i, name in enumerate(names):
        rows += (f"{name:>6}: {c['rx'] // (i + 1):7d} {c['rx'] // 900:7d}    0    0    0     0          0         0 "
                 f"{c['tx'] // (i + 1):8d} {c['tx'] // 700:7d}    0    0    0     0       0          0\n")
    return head + rows


def pressure(us):
    return (f"some avg10=1.20 avg60=0.40 avg300=0.10 total={us}\n"
            f"full avg10=0.00 avg60=0.00 avg300=0.00 total={us // 3}\n")


def cpuinfo(n, vendor, family, model, name, mhz):
    return "".join(f"processor\t: {i}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
                   f"model name\t: {name}\nstepping\t: 4\ncpu MHz\t\t: {mhz}\nphysical id\t: {i // 32}\nsiblings\t: {n}\n"
                   f"core id\t\t: {i // 2}\nflags\t\t: fpu vme hypervisor\n\n" for i in n_range(n))


def n_range(n):
    return range(n) if isinstance(n, int) else n


def shape(name, cpus=(0, 1), gone=(), seconds=5.0, busy=0.4, steal=0.0, psi=True, nets=("lo", "eth0"), perf=False,
          old=False, freq=False, dmi=("QEMU", "Standard PC (Q35 + ICH9, 2009)"), identity=None, seed=1):
    r = random.Random(seed)
    d = os.path.join(HERE, name)
    shutil.rmtree(d, ignore_errors=True)
    write(d, "elapsed", f"{seconds}\n")
    times = {i: [r.randrange(10 ** 5, 10 ** 6) for _ in KINDS] for i in cpus}
    c = {k: r.randrange(10 ** 6, 10 ** 8) for k in
         "intr ctxt forks pgpgin pgpgout pswpin pswpout pgfault pgmajfault read written rx tx psi_cpu psi_memory psi_io"
         .split()}
    c.update(running=r.randrange(1, 9), blocked=r.randrange(3))
    p = {k: r.randrange(10 ** 9, 10 ** 12) for k in
         "cycles instructions cache_references cache_misses branches branch_misses ref_cycles".split()}
    for instant in range(2):
        root = os.path.join(d, str(instant))
        shown = {i: t for i, t in times.items() if not (instant and i in gone)}
        write(root, "proc/stat", stat(shown, c, old))
        write(root, "proc/meminfo", meminfo(8148952, 5210444 + 4096 * instant, old))
        write(root, "proc/vmstat", vmstat(c))
        write(root, "proc/loadavg", f"{busy * len(cpus):.2f} 0.{40 + instant} 0.21 3/{211 + instant} 40712\n")
        write(root, "proc/diskstats", diskstats(c) if not old else "")
        write(root, "proc/net/dev", netdev(c, nets))
        if psi:
            for what in ("cpu", "memory", "io"):
                write(root, "proc/pressure/" + what, pressure(c["psi_" + what]))
        write(root, "proc/cpuinfo", cpuinfo(shown, *(identity or ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8259CL "
                                            "CPU @ 2.50GHz", 2499.998))))
        if perf:
            write(root, "perf", "".join(f"{k} {v}\n" for k, v in p.items()))
        if freq:
            for i in shown:
                write(root, f"sys/devices/system/cpu/cpufreq/policy{i}/scaling_cur_freq", f"{2100000 + 50000 * i}\n")
        if dmi:
            write(root, "sys/class/dmi/id/sys_vendor", dmi[0] + "\n")
            write(root, "sys/class/dmi/id/product_name", dmi[1] + "\n")
            write(root, "sys/devices/system/cpu/possible", f"0-{max(cpus)}\n")
        ticks = round(100 * seconds)
        for i, t in times.items():
            if i in gone and instant:
                continue
            stolen = round(ticks * steal * r.uniform(0.9, 1.1))
            work = round((ticks - stolen) * busy * r.uniform(0.2, 1.3))
            work = min(work, ticks - stolen - 3)
            parts = {"user": work * 6 // 10, "system": work * 3 // 10, "softirq": work // 20, "irq": work // 50,
                     "nice": work // 100}
            parts["steal"] = stolen
            parts["iowait"] = 2
            parts["idle"] = ticks - sum(parts.values())
            for k, v in parts.items():
                t[KINDS.index(k)] += v
        for k in c:
            if k.startswith("psi_"):
                c[k] += r.randrange(int(seconds * 3e5))
            elif k not in ("running", "blocked"):
                c[k] += r.randrange(10 ** 3, 10 ** 5)
        for k in p:
            p[k] += r.randrange(10 ** 7, 10 ** 9)


shape("one-vcpu", cpus=(0,), seconds=1.0, seed=2)
shape("sixty-four-vcpu", cpus=range(64), seconds=2.0, nets=("lo", "ens5", "docker0", "veth1@if4"), freq=True, seed=3,
      dmi=("Amazon EC2", "m5.16xlarge"))
shape("no-psi", psi=False, cpus=range(4), old=False, seed=4, dmi=("Google", "Google Compute Engine"))
shape("old-kernel", psi=False, cpus=range(2), old=True, seed=5, dmi=("VMware, Inc.", "VMware7,1"))
shape("perf", perf=True, cpus=range(8), seed=6, identity=("AuthenticAMD", 25, 1, "AMD EPYC 7763 64-Core Processor",
                                                          2445.406))
shape("steal-heavy", steal=0.55, busy=0.9, cpus=range(4), seed=7)
shape("hot-unplugged", cpus=range(4), gone=(3,), seed=8)
shape("container", nets=("eth0",), dmi=None, cpus=range(2), seed=9)
