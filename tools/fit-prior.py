#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fit the prior: watts per logical CPU of machines that nobody trained on.

  tools/fit-prior.py DIR            the C table, src/model/prior_table.c
  tools/fit-prior.py DIR --errors   the leave-one-out errors, for docs/prior.md

DIR holds measured data as CSV (docs/formats/recordings.md), one folder a set; docs/prior.md says which and how they
are used. Only sums and medians over many machines leave this script. Standard library and numpy.

Method. SPECpower gives, for some 500 servers, wall watts at 0..100 % load: from them the slope (full load minus idle)
and idle per logical CPU of an architecture, how both grow with nominal frequency (one exponent), and the shape of power
against load. A few machines whose package power was measured and whose CPU is known give the factor from those wall
watts to package watts as deployed (other load, turbo on, no supply and fans). Shares of core and dram come from the
sets that have these zones. The relative half width is the 90 % quantile of the errors when one CPU model, one measured
machine and one load curve at a time are left out.
"""
import csv
import glob
import math
import os
import sys

import numpy as np

# Bare-metal machines with measured package power whose CPU is known: row of the table, nominal MHz (published).
KNOWN = {"m5": ("intel-cascade-lake", 2500), "c5": ("intel-cascade-lake", 3000), "m5zn": ("intel-cascade-lake", 3800),
         "i3": ("intel-broadwell-ep", 2300), "metalci": ("intel-skylake-client", 3400)}

# Row: (architecture in the data, client CPU or None for both); then the CPUID ranges that select it, as
# (family, first model, last model[, first stepping, last stepping]). A row without data of its own is fitted on its
# relatives, named here, and gets the error between architectures of its vendor on top.
ROWS = [
    ("intel-core", "intel", [("core", None)], [(6, 0x0f, 0x0f), (6, 0x16, 0x17), (6, 0x1d, 0x1d)]),
    ("intel-nehalem", "intel", [("nehalem", None)], [(6, 0x1a, 0x1f), (6, 0x25, 0x25), (6, 0x2c, 0x2c), (6, 0x2e, 0x2f)]),
    ("intel-sandy-bridge-ep", "intel", [("sandybridge", False)], [(6, 0x2d, 0x2d)]),
    ("intel-sandy-bridge", "intel", [("sandybridge", True)], [(6, 0x2a, 0x2a)]),
    ("intel-ivy-bridge-ep", "intel", [("ivybridge", False)], [(6, 0x3e, 0x3e)]),
    ("intel-ivy-bridge", "intel", [("ivybridge", True)], [(6, 0x3a, 0x3a)]),
    ("intel-haswell-ep", "intel", [("haswell", False)], [(6, 0x3f, 0x3f)]),
    ("intel-haswell", "intel", [("haswell", True)], [(6, 0x3c, 0x3d), (6, 0x45, 0x47)]),
    ("intel-broadwell-ep", "intel", [("broadwell", False)], [(6, 0x4f, 0x4f), (6, 0x56, 0x56)]),
    ("intel-skylake-sp", "intel", [("skylake", False)], [(6, 0x55, 0x55, 0, 4)]),
    ("intel-cascade-lake", "intel", [("cascadelake", False)], [(6, 0x55, 0x55, 5, 7)]),
    ("intel-cooper-lake", "intel", [("cooperlake", False)], [(6, 0x55, 0x55, 8, 15)]),
    ("intel-ice-lake-sp", "intel", [("icelake", False)], [(6, 0x6a, 0x6a), (6, 0x6c, 0x6c)]),
    ("intel-sapphire-rapids", "intel", "icelake cooperlake", [(6, 0x8f, 0x8f), (6, 0xad, 0xaf), (6, 0xcf, 0xcf)]),
    ("intel-skylake-client", "intel", [("skylake", True), ("kabylabe", True), ("coffeelake", True)],
     [(6, 0x4e, 0x4e), (6, 0x5e, 0x5e), (6, 0x8e, 0x8e), (6, 0x9e, 0x9e), (6, 0xa5, 0xa6)]),
    ("intel-client", "intel", [("rocketlake", True)], [(6, 0x7d, 0x7e), (6, 0x8c, 0x8d), (6, 0x97, 0x9a), (6, 0xa7, 0xac),
     (6, 0xb5, 0xbf), (6, 0xc5, 0xc6)]),
    ("amd-opteron", "amd", [("opteron", None)], [(0x0f, 0, 255), (0x10, 0, 255), (0x15, 0, 255)]),
    ("amd-zen1", "amd", [("epyc-gen1", None)], [(0x17, 0x00, 0x2f)]),
    ("amd-zen2", "amd", [("epyc-gen2", None)], [(0x17, 0x30, 255)]),
    ("amd-zen3", "amd", [("epyc-gen3", None), ("epyc", None)], [(0x19, 0x00, 0x0f), (0x19, 0x20, 0x5f)]),
    ("amd-zen4", "amd", "epyc-gen2 epyc-gen3 epyc", [(0x19, 0x10, 0x1f), (0x19, 0x60, 0xaf)]),
    ("amd-zen5", "amd", "epyc-gen2 epyc-gen3 epyc", [(0x1a, 0, 255)]),
    ("intel", "intel", "*", [(0, 0, 255)]),
    ("amd", "amd", "*", [(0, 0, 255)]),
    ("generic", "", "*", []),
]
RECENT = 2012  # frequency and load curves are taken from here on
POOLED = 2015  # the rows for a CPU that is not in the table stand for machines from here on
LEVELS = range(0, 101, 10)


def read(path):
    """Columns as arrays; text and empty fields are NaN."""
    def number(s):
        try:
            return float(s)
        except ValueError:
            return math.nan
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    return {k: np.array([number(r[k]) for r in rows]) for k in rows[0]}


def read_set(d, name):
    files = [read(p) for p in sorted(glob.glob(os.path.join(d, name, "*.csv")))]
    keys = set.intersection(*(set(f) for f in files))
    return {k: np.concatenate([f[k] for f in files]) for k in keys}


class Server:
    """One SPECpower result: wall watts per logical CPU."""
    def __init__(self, rows):
        r, watts = rows[0], {int(x["load_percent"]): float(x["platform_watts"]) for x in rows}
        threads = int(r["threads"])
        self.vendor, self.architecture, self.model = r["cpu_vendor"], r["architecture"], r["cpu_model"]
        self.client = self.model.startswith(("corei", "xeone3", "xeone-"))
        self.year, self.mhz = int(r["year"]), float(r["base_mhz"] or "nan")
        self.slope, self.idle = (watts[100] - watts[0]) / threads, watts[0] / threads
        self.curve = np.array([(watts[x] - watts[0]) / (watts[100] - watts[0]) for x in LEVELS])


def read_servers(d):
    with open(os.path.join(d, "specpower", "specpower.csv"), newline="") as f:
        rows = list(csv.DictReader(f))
    by = {}
    for r in rows:
        by.setdefault(r["server"], []).append(r)
    return [s for s in map(Server, by.values()) if s.mhz > 0 and s.slope > 0]


class Machine:
    """A bare-metal machine with package power per logical CPU; full and idle are 99 % and 1 % quantiles."""
    def __init__(self, name, c, package="package_watts"):
        self.name, self.threads = name, float(np.nanmax(c["vcpus"]))
        p = c[package]
        low, high = np.nanquantile(p, 0.01), np.nanquantile(p, 0.99)
        self.slope, self.idle = (high - low) / self.threads, low / self.threads
        self.dram_share = self.dram_idle = self.core_share = self.core_idle_share = math.nan
        self.columns = c
        if "dram_watts" in c and package == "package_watts":
            self.dram_share = slope_of(p, c["dram_watts"])
            self.dram_idle = np.nanquantile(c["dram_watts"], 0.05) / self.threads
        if "core_watts" in c:
            self.core_share = slope_of(c["package_watts"], c["core_watts"])
            self.core_idle_share = np.nanquantile(c["core_watts"], 0.05) / max(np.nanquantile(c["package_watts"], 0.05), 1e-9)


def slope_of(x, y):
    ok = np.isfinite(x + y)
    return float(np.polyfit(x[ok], y[ok], 1)[0])


def measured_curve(c):
    """Active power against busy share, both 0..1: medians around each level, made monotone."""
    u, p = c["cpu_utilization"], c["package_watts"]
    low = np.nanquantile(p, 0.01)
    near = [p[np.abs(u - x / 100) <= 0.05] for x in LEVELS]
    watts = np.array([np.median(v) - low if len(v) > 4 else np.nan for v in near])
    ok = np.isfinite(watts)
    watts = np.interp(np.array(LEVELS), np.array(LEVELS)[ok], watts[ok])
    watts[0] = 0
    watts = np.maximum.accumulate(watts)
    return watts / watts[-1]


def read_machines(d):
    out = {n: Machine(n, read(os.path.join(d, "ec2metal", n + ".csv"))) for n in ("m5", "c5", "m5zn", "i3")}
    c = read_set(d, "metalci")
    # The host's own package counter; the label is a VM's share and holds no idle. 14 vCPUs ran on 16 logical CPUs.
    out["metalci"] = Machine("metalci", {"vcpus": np.array([16.0]), "host": c["host_package_watts"]}, "host")
    out["metalci"].core_share = slope_of(c["package_watts"], c["core_watts"])
    out["metalci"].dram_share = slope_of(c["package_watts"], c["dram_watts"])
    for n in ("web8", "nx12", "haswell"):
        out[n] = Machine(n, read_set(d, n))
    out["languages"] = Machine("languages", read_set(d, "languages"))
    h = [read(p) for p in sorted(glob.glob(os.path.join(d, "ep003", "*.host.csv")))]
    c = {k: np.concatenate([x[k] for x in h]) for k in ("package_watts", "core_watts")}
    c["vcpus"] = np.array([4.0])
    out["ep003"] = Machine("ep003", c)  # a VM's share as Kepler gave it: no idle
    out["ep003"].idle = out["ep003"].core_idle_share = math.nan
    curves = [measured_curve(c) for c in (read_set(d, "metalci"), read_set(d, "web8"), read_set(d, "nx12"))]
    return out, curves


def model_medians(servers, exponent, field):
    """One value per CPU model: the logarithm at 1 MHz, so that frequency is taken out."""
    by = {}
    for s in servers:
        by.setdefault(s.model, []).append(math.log(getattr(s, field)) - exponent * math.log(s.mhz))
    return {m: float(np.median(v)) for m, v in by.items()}


def frequency_exponent(servers, field):
    """Within an architecture and class, over CPU models: d log(field) / d log(MHz)."""
    x, y = [], []
    for key in {(s.vendor, s.architecture, s.client) for s in servers if s.year >= RECENT}:
        group = [s for s in servers if (s.vendor, s.architecture, s.client) == key]
        models = sorted({s.model for s in group})
        lx = np.array([np.median([math.log(s.mhz) for s in group if s.model == m]) for m in models])
        ly = np.array([np.median([math.log(getattr(s, field)) for s in group if s.model == m]) for m in models])
        x += list(lx - lx.mean())
        y += list(ly - ly.mean())
    x, y = np.array(x), np.array(y)
    return float(x @ y / (x @ x))


class Fit:
    def __init__(self, d):
        self.servers = read_servers(d)
        self.machines, self.measured_curves = read_machines(d)
        self.exponent = frequency_exponent(self.servers, "slope")
        recent = [s for s in self.servers if s.year >= RECENT]
        arch = sorted({(s.vendor, s.architecture) for s in recent})
        self.wall_curves = [np.median([s.curve for s in recent if (s.vendor, s.architecture) == a], axis=0) for a in arch]
        self.curve = (np.median(self.wall_curves, axis=0) + np.median(self.measured_curves, axis=0)) / 2
        self.curve[0], self.curve[-1] = 0, 1
        self.factors = {f: self.factors_of(f) for f in ("slope", "idle")}
        self.shares()

    def servers_of(self, row):
        _, vendor, sources, _ = row
        if sources == "*":
            return [s for s in self.servers if s.year >= POOLED and vendor in ("", s.vendor)]
        if isinstance(sources, str):
            return [s for s in self.servers if s.vendor == vendor and not s.client and s.architecture in sources.split()]
        return [s for s in self.servers if s.vendor == vendor and any(
            s.architecture == a and c in (None, s.client) for a, c in sources)]

    def row(self, name):
        return next(r for r in ROWS if r[0] == name)

    def exponent_of(self, field):
        return self.exponent if field == "slope" else 0.0

    def wall(self, row, field, mhz, without=None):
        """Wall watts per logical CPU of a row at a frequency."""
        k = self.exponent_of(field)
        medians = model_medians(self.servers_of(row), k, field)
        rest = [v for m, v in medians.items() if m != without]
        return math.exp(np.median(rest or list(medians.values())) + k * math.log(mhz))

    def factors_of(self, field):
        return {n: getattr(self.machines[n], field) / self.wall(self.row(r), field, mhz) for n, (r, mhz) in KNOWN.items()}

    def factor(self, field, without=None):
        return math.exp(np.median([math.log(v) for n, v in self.factors[field].items() if n != without]))

    def shares(self):
        m = self.machines.values()
        self.dram = {x.name: x.dram_share for x in m if x.dram_share > 0}
        self.dram_idle = {x.name: x.dram_idle for x in m if x.dram_idle > 0}
        self.core = {x.name: min(x.core_share, 1.0) for x in m if x.core_share > 0}
        self.core_idle = {x.name: x.core_idle_share for x in m if x.core_idle_share > 0}

    def mhz(self, row):
        return float(np.median([s.mhz for s in self.servers_of(row)]))

    def errors(self, row, field):
        """Relative errors |measured / prior - 1| with CPU model, measured machine and curve left out in turn."""
        servers, k, out = self.servers_of(row), self.exponent_of(field), []
        curves = self.wall_curves + self.measured_curves * (len(self.wall_curves) // len(self.measured_curves))
        models = model_medians(servers, k, field)
        if len(models) < 4:  # too few to know how its models differ: take the whole vendor's differences
            pool = [r for r in ROWS if r[1] == row[1] and isinstance(r[2], list) and
                    max(s.year for s in self.servers_of(r)) >= RECENT + 1]
            logs = [v - np.median(list(model_medians(self.servers_of(r), k, field).values()))
                    for r in pool for v in model_medians(self.servers_of(r), k, field).values()]
        else:
            logs = [v - np.median([w for n, w in models.items() if n != m]) for m, v in models.items()]
        if isinstance(row[2], str) and row[2] != "*":  # relatives: add how architectures differ
            arch = {a: [math.exp(v) for v in model_medians([s for s in servers if s.architecture == a], k, field).values()]
                    for a in row[2].split()}
            mid = {a: np.median([math.log(x) for x in v]) for a, v in arch.items() if v}
            step = [mid[a] - np.median([v for b, v in mid.items() if b != a]) for a in mid]
            logs = [x + y for x in logs for y in step]
        shapes = [1.0]
        if field == "slope":
            shapes = [c[i] / self.curve[i] for c in curves for i in range(1, len(self.curve))]
        for f in KNOWN:
            ratio = self.factors[field][f] / self.factor(field, f)
            out += [abs(math.exp(x) * ratio * s - 1) for x in logs for s in shapes]
        if row[2] == "*" and row[1] != "amd" and field == "slope":  # every machine measured, against the pooled row
            p = self.wall(row, field, self.mhz(row)) * self.factor(field)
            own = [m.slope / p for m in self.machines.values()]
            out += [abs(x * s - 1) for x in own for s in shapes] * (len(out) // (len(own) * len(shapes)) + 1)
        return np.array(out)

    def half_width(self, row, field):
        return float(np.quantile(self.errors(row, field), 0.9))

    def median_and_half(self, values, level=0.9):
        """The median, and a quantile of the relative error of the median of the others."""
        v = list(values.values())
        errors = [abs(x / np.median([y for j, y in enumerate(v) if j != i]) - 1) for i, x in enumerate(v)]
        return float(np.median(v)), float(np.quantile(errors, level))


def c_number(x):
    return "%.4g" % x


def print_table(fit):
    core, core_half = fit.median_and_half(fit.core, 1)  # 4 sources have no 90 % quantile: the largest
    core_idle, _ = fit.median_and_half(fit.core_idle)
    dram, dram_half = fit.median_and_half(fit.dram)
    dram_idle, _ = fit.median_and_half(fit.dram_idle)
    print("""// SPDX-License-Identifier: Apache-2.0
/*
 * The prior's figures. Written by tools/fit-prior.py from measured data; do not
 * edit. docs/prior.md says what they are, where from, and how far off they were
 * for machines that were left out.
 */
#include "model/prior_table.h"

const double prior_curve[PRIOR_CURVE_POINTS] = {%s};

const struct prior_shares prior_shares = {
\t.mhz_exponent = %s,
\t.core = %s,
\t.core_half = %s,
\t.core_idle = %s,
\t.dram = %s,
\t.dram_half = %s,
\t.dram_idle_w = %s,
};

/* name, nominal MHz, slope and idle in W per logical CPU, their half widths, CPU models, results */
const struct prior_row prior_rows[] = {""" % (", ".join(c_number(x) for x in fit.curve), c_number(fit.exponent), c_number(core),
                                      c_number(core_half), c_number(core_idle), c_number(dram), c_number(dram_half),
                                      c_number(dram_idle)))
    for row in ROWS:
        s, mhz = fit.servers_of(row), fit.mhz(row)
        figures = [mhz, fit.wall(row, "slope", mhz) * fit.factor("slope"), fit.wall(row, "idle", mhz) * fit.factor("idle"),
                   fit.half_width(row, "slope"), fit.half_width(row, "idle")]
        print('\t{"%s", %s, %d, %d},' % (row[0], ", ".join(map(c_number, figures)), len({x.model for x in s}), len(s)))
    print("};\n\n/* The first line that matches a CPU selects its row; family 0 is any. */\nconst struct prior_match prior_matches[] = {")
    for i, (name, vendor, _, matches) in enumerate(ROWS):
        for m in matches:
            print('\t{"%s", %s, %s}, /* %s */' % ({"intel": "GenuineIntel", "amd": "AuthenticAMD"}[vendor], ", ".join(
                "0x%x" % x for x in (m + (0, 255))[:5]), i, name))
    print("};\n\nconst unsigned prior_n_rows = sizeof(prior_rows) / sizeof(prior_rows[0]);")
    print("const unsigned prior_n_matches = sizeof(prior_matches) / sizeof(prior_matches[0]);")


def print_errors(fit):
    print("Frequency exponent of the slope: %.2f. Factor from SPECpower wall watts to package watts as deployed:" % fit.exponent)
    print("slope %.2f, idle %.2f (medians over the five machines below).\n" % (fit.factor("slope"), fit.factor("idle")))
    print("| machine left out | row | slope W/CPU measured | prior without it | error | idle measured | prior | error |")
    print("|---|---|---|---|---|---|---|---|")
    for n, m in fit.machines.items():
        row, mhz = KNOWN.get(n, ("intel", None))
        r = fit.row(row)
        p = [fit.wall(r, f, mhz or fit.mhz(r)) * fit.factor(f, n) for f in ("slope", "idle")]
        idle = "%.2f | %.2f | %+.0f %%" % (m.idle, p[1], 100 * (p[1] / m.idle - 1)) if m.idle > 0 else "- | %.2f | -" % p[1]
        print("| %s | %s | %.2f | %.2f | %+.0f %% | %s |" % (n, row, m.slope, p[0], 100 * (p[0] / m.slope - 1), idle))
    print("\n| row | CPU models | results | slope W/CPU | idle W/CPU | at MHz | error of a CPU model left out (slope, median / 90 %) | 90 % of all errors, slope | idle |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        s, mhz = fit.servers_of(row), fit.mhz(row)
        m = model_medians(s, fit.exponent, "slope")
        e = [abs(math.exp(v - np.median([w for n, w in m.items() if n != k])) - 1) for k, v in m.items()] if len(m) > 1 else [math.nan]
        print("| %s | %d | %d | %.2f | %.2f | %.0f | %s | %.0f %% | %.0f %% |" % (
            row[0], len(m), len(s), fit.wall(row, "slope", mhz) * fit.factor("slope"), fit.wall(row, "idle", mhz) * fit.factor("idle"), mhz,
            "%.0f %% / %.0f %%" % (100 * np.median(e), 100 * np.quantile(e, 0.9)) if len(m) > 1 else "one model only",
            100 * fit.half_width(row, "slope"), 100 * fit.half_width(row, "idle")))
    print("\n| share of package power | sources | median | error of a machine left out (90 %) |\n|---|---|---|---|")
    for name, values in (("core, of active", fit.core), ("core, of idle", fit.core_idle), ("dram, of active", fit.dram),
                         ("dram idle, W per logical CPU", fit.dram_idle)):
        m, h = fit.median_and_half(values)
        print("| %s | %s | %.3f | %.0f %% |" % (name, ", ".join("%s %.3f" % kv for kv in values.items()), m, 100 * h))
    print("\nShape: share of the slope at 0, 10, ... 100 % busy: " + ", ".join("%.2f" % x for x in fit.curve) + ".")


def main():
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--errors"]):
        sys.exit(__doc__.split("\n\n")[1])
    fit = Fit(sys.argv[1])
    (print_errors if sys.argv[2:] else print_table)(fit)


if __name__ == "__main__":
    main()
