#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What two instants of a root must give: written from docs/formats/recordings.md, not from the C code.

  tests/roots/expect.py DIR...     (re)writes DIR/expected from DIR/0, DIR/1 and DIR/elapsed

A feature that the root cannot say is not in the file; the test wants it missing then.
"""
import os
import re
import sys


def text(root, path):
    try:
        with open(os.path.join(root, path)) as f:
            return f.read()
    except OSError:
        return None


def stat(root):
    cpus, named = {}, {}
    for line in text(root, "proc/stat").splitlines():
        word, *rest = line.split()
        if word.startswith("cpu"):
            t = [int(x) for x in rest[:8]] + [0] * (8 - len(rest))
            cpus[word[3:]] = dict(zip("user nice system idle iowait irq softirq steal".split(), t))
        else:
            named[word] = int(rest[0])
    return cpus, named


def words(root, path, sep):
    found = {}
    for line in (text(root, path) or "").splitlines():
        key, _, rest = line.partition(sep)
        found[key.strip()] = int(rest.split()[0])
    return found


def disk_bytes(root):
    read = written = 0
    for line in text(root, "proc/diskstats").splitlines():
        f = line.split()
        if re.fullmatch(r"([shv]d|xvd)[a-z]+|nvme\d+n\d+|mmcblk\d+", f[2]):
            read += 512 * int(f[5])
            written += 512 * int(f[9])
    return read, written


def net_bytes(root):
    received = sent = 0
    for line in text(root, "proc/net/dev").splitlines()[2:]:
        f = line.partition(":")[2].split()
        received += int(f[0])
        sent += int(f[8])
    return received, sent


def psi(root, what):
    t = text(root, "proc/pressure/" + what)
    return int(re.search(r"some .*total=(\d+)", t).group(1)) if t else None


def shares(a, b):
    """Ticks that passed by kind; idle and iowait may fall a little on a tickless kernel."""
    return {k: max(b[k] - a[k], 0) for k in b}


def busy(t):
    return 1 - (t["idle"] + t["iowait"] + t["steal"]) / sum(t.values())


def expect(d):
    seconds = float(open(os.path.join(d, "elapsed")).read())
    a, b = os.path.join(d, "0"), os.path.join(d, "1")
    e = {}
    (cpus_a, named_a), (cpus_b, named_b) = stat(a), stat(b)
    online = [c for c in cpus_b if c]
    both = [c for c in online if c in cpus_a]
    each = {c: shares(cpus_a[c], cpus_b[c]) for c in both}
    if set(cpus_a) == set(cpus_b):
        total = shares(cpus_a[""], cpus_b[""])
    else:  # CPUs came or went: those that were there all the time
        total = {k: sum(t[k] for t in each.values()) for k in cpus_b[""]}
    n = sum(total.values())
    for k in total:
        e["cpu_steal_time" if k == "steal" else "cpu_" + k] = total[k] / n
    e["vcpus"] = len(online)
    e["cpu_utilization"] = busy(total)
    e["cpu_busy_vcpus"] = busy(total) * len(online)
    e["cpu_busy_max"] = max(busy(t) for t in each.values() if sum(t.values()))
    for column, word in (("context_switch_rate", "ctxt"), ("interrupt_rate", "intr"), ("fork_rate", "processes")):
        if word in named_b:
            e[column] = (named_b[word] - named_a[word]) / seconds
    soft_a, soft_b = (re.search(r"^softirq (.*)", text(root, "proc/stat"), re.M) for root in (a, b))
    if soft_b:
        kinds = "total hi timer irq_net_tx irq_net_rx irq_block".split()
        x, y = (dict(zip(kinds, map(int, s.group(1).split()))) for s in (soft_a, soft_b))
        for kind in kinds[3:]:
            e[kind + "_rate"] = (y[kind] - x[kind]) / seconds
    for word in ("procs_running", "procs_blocked"):
        if word in named_b:
            e[word] = named_b[word]
    load = text(b, "proc/loadavg").split()
    for column, word in zip(("load_average_1m", "load_average_5m", "load_average_15m"), load):
        e[column] = float(word)
    e["process_count"] = int(load[3].split("/")[1])
    memory = words(b, "proc/meminfo", ":")
    if "MemAvailable" in memory:
        e["memory_available_bytes"] = memory["MemAvailable"] * 1024
        e["memory_usage_percent"] = 100 * (1 - memory["MemAvailable"] / memory["MemTotal"])
    va, vb = words(a, "proc/vmstat", " "), words(b, "proc/vmstat", " ")
    for column, word in (("page_fault_rate", "pgfault"), ("major_fault_rate", "pgmajfault"), ("page_in_rate", "pgpgin"),
                         ("page_out_rate", "pgpgout"), ("swap_in_rate", "pswpin"), ("swap_out_rate", "pswpout")):
        if word in vb:
            e[column] = (vb[word] - va[word]) / seconds
    for what, read in (("disk", disk_bytes), ("net", net_bytes)):
        first, second = (("read", "write") if what == "disk" else ("rx", "tx"))
        x, y = read(a), read(b)
        e[f"{what}_{first}_bytes_rate"] = (y[0] - x[0]) / seconds
        e[f"{what}_{second}_bytes_rate"] = (y[1] - x[1]) / seconds
    for what in ("cpu", "memory", "io"):
        if psi(b, what) is not None:
            e[f"psi_{what}_some_ratio"] = min((psi(b, what) - psi(a, what)) / seconds / 1e6, 1)
    khz = [int(t) for c in online if (t := text(b, f"sys/devices/system/cpu/cpufreq/policy{c}/scaling_cur_freq"))]
    if khz:
        e["cpu_frequency_mhz"] = sum(khz) / len(khz) / 1000
    counters = [c for c in ("cycles", "instructions", "cache_references", "cache_misses", "branches", "branch_misses",
                            "ref_cycles")]
    pa, pb = words(a, "perf", " "), words(b, "perf", " ")  # what the fake kernel of the test counts
    rates = {c: (pb[c] - pa[c]) / seconds for c in counters if c in pb}
    for c in rates:
        e[c + "_rate"] = rates[c]
    for column, x, y in (("instructions_per_cycle", "instructions", "cycles"),
                         ("cache_miss_ratio", "cache_misses", "cache_references"),
                         ("branch_miss_ratio", "branch_misses", "branches")):
        if x in rates and rates.get(y):
            e[column] = rates[x] / rates[y]
    with open(os.path.join(d, "expected"), "w") as f:
        for column in sorted(e):
            f.write(f"{column} {e[column]!r}\n")


for directory in sys.argv[1:]:
    expect(directory)
