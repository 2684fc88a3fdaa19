#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How accurate `vmwatts train` is on measured data that it did not see.

  tools/accuracy.py DATA [--only NAME]... [--markdown] [--keep DIR]

DATA is a folder of recordings, one folder a set (docs/accuracy.md says which).
Every row of the table is one protocol: what is left out is trained without,
by the real commands with one command line for all sets, and scored by `evaluate`.
Standard library only.
"""
import argparse
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VMWATTS = os.path.join(TOP, os.environ.get("BUILD", "build"), "vmwatts")

# Best published textbook method on the same protocol, wMAPE in percent; None: noise, not counted.
REFERENCE = {
    "ep003 package": 11.0, "ep003 core": 11.8, "metalci package": 5.7, "metalci core": 5.7, "metalci dram": None,
    "web8 package": 5.9, "web8 core": 6.1, "web8 dram": 3.8, "web8 uncore": None,
    "nx12 package": 4.5, "nx12 dram": 2.3, "nx12 platform": 2.9,
    "nx12 stressor package": 8.3, "nx12 stressor dram": 2.8, "nx12 tail package": 5.8, "nx12 tail dram": 3.9,
    "haswell package": 18.4, "haswell dram": 13.4, "haswell core": None, "haswell uncore": None,
    "languages package": 10.5, "languages dram": 2.3, "ec2metal package": 20.8, "ec2metal dram": None,
    "servers2012 platform": 24.1,
}


def run(*command, quiet=True):
    p = subprocess.run([VMWATTS, *command], capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit(f"vmwatts {' '.join(command)}\n{p.stderr}")
    return p.stdout


def read(path):
    with open(path) as f:
        return list(csv.DictReader(f))


def write(path, rows):
    with open(path, "w") as f:
        w = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
        w.writeheader()
        w.writerows(rows)


class Fold:
    """Files to train on and files to test on, and how both are imported."""

    def __init__(self, train, test, flags=()):
        self.train, self.test, self.flags = train, test, list(flags)


def spread(sizes, n):
    """Groups to n folds of about as many rows: the largest first, always to the smallest fold."""
    load, fold = [0] * n, {}
    for name in sorted(sizes, key=lambda g: (-sizes[g], g)):
        k = load.index(min(load))
        fold[name], load[k] = k, load[k] + sizes[name]
    return fold


def by_files(files, n, flags=()):
    """n folds of whole files; every file is left out once."""
    fold = spread({f: sum(1 for _ in open(f)) for f in files}, n)
    for k in range(n):
        yield Fold([f for f in files if fold[f] != k], [f for f in files if fold[f] == k], flags)


def by_value(rows, key, n, name, flags, folder):
    """Folds of one file by the value of key(row); n None: one fold a value."""
    sizes = {}
    for r in rows:
        sizes[key(r)] = sizes.get(key(r), 0) + 1
    n = n or len(sizes)
    fold = spread(sizes, n)
    for k in range(n):
        out = {v for v in sizes if fold[v] == k}
        parts = []
        for part, keep in (("train", lambda r: key(r) not in out), ("test", lambda r: key(r) in out)):
            path = os.path.join(folder, f"{name}-{k}-{part}.csv")
            write(path, [r for r in rows if keep(r)])
            parts.append([path])
        yield Fold(*parts, flags)


def protocols(data, folder):
    def files(name, pattern="*.csv"):
        return sorted(glob.glob(os.path.join(data, name, pattern)))

    if files("metalci"):
        yield "metalci", ["package", "core", "dram"], by_files(files("metalci"), 5), []
    if files("web8"):
        yield "web8", ["package", "core", "dram"], by_files(files("web8"), 5), ["--scope", "node_total"]
    node = ["--scope", "node_total"]
    for path in files("nx12"):
        rows = read(path)
        block = ["--group", "block"]
        times = sorted(float(r["time_s"]) for r in rows)
        cut = times[int(len(times) * 0.7)]
        zones = ["package", "dram", "platform"]
        yield "nx12", zones, by_value(rows, lambda r: int(r["block"]), 5, "nx12", block, folder), node
        yield "nx12 stressor", zones[:2], by_value(rows, lambda r: int(r["block"]) // 18, None, "nx12s", block, folder), node
        tail = list(by_value(rows, lambda r: float(r["time_s"]) >= cut, None, "nx12t", block, folder))
        yield "nx12 tail", zones[:2], tail[1:], node
    if files("haswell"):
        yield "haswell", ["package", "dram", "core"], by_files(files("haswell"), 5), node
    for path in files("languages"):
        rows = read(path)
        flags = ["--unordered", "--group", "family"]
        folds = by_value(rows, lambda r: r["family"], 5, "languages", flags, folder)
        yield "languages", ["package", "dram"], folds, node
    if files("ec2metal"):
        yield "ec2metal", ["package", "dram"], by_files(files("ec2metal"), 4, ["--unordered"]), node
    if files("ep003", "*.guest.csv"):
        runs = [f[:-len(".guest.csv")] for f in files("ep003", "*.guest.csv")]
        yield "ep003", ["package", "core"], [Fold([a], [b]) for a, b in (runs, runs[::-1])], []
    if files("servers2012"):
        folds = []
        for server in sorted({os.path.basename(f).split(".")[0] for f in files("servers2012")}):
            folds += by_files(files("servers2012", server + ".*.csv"), 3)
        yield "servers2012", ["platform"], folds, ["--scope", "platform"]


def dataset(names, flags, out):
    for name in names:
        if os.path.exists(name + ".guest.csv"):
            run("dataset", "import", "--guest", name + ".guest.csv", "--host", name + ".host.csv", *flags, "--out", out)
    joined = [n for n in names if n.endswith(".csv")]
    if joined:
        run("dataset", "import", "--joined", *joined, *flags, "--out", out)


def score(fold, options, work):
    """One fold: `evaluate`'s zones, and the seconds that training took."""
    for f in glob.glob(os.path.join(work, "fold*")):
        os.remove(f)
    train, test, bundle = (os.path.join(work, "fold" + s) for s in ("-train.db", "-test.db", ".vmw"))
    dataset(fold.train, fold.flags, train)
    dataset(fold.test, fold.flags, test)
    begin = time.time()
    run("train", "--dataset", train, "--out", bundle, "--sign-key", os.path.join(work, "k.key"), *options)
    seconds = time.time() - begin
    report = json.loads(run("evaluate", "--bundle", bundle, "--trust", os.path.join(work, "k.pub"), "--dataset", test,
                            "--json"))
    return report["zones"], seconds


class Total:
    """Folds of one zone, pooled over their rows."""

    def __init__(self):
        self.rows = self.error = self.truth = self.bias = self.inside = 0
        self.runs = []

    def add(self, z):
        n = z["rows"]
        mean = z["mae_watts"] / z["wmape"]
        self.rows += n
        self.error += n * z["mae_watts"]
        self.truth += n * mean
        self.bias += n * z["bias_watts"]
        self.inside += n * (z["coverage_90"] or 0)
        self.runs += [r["energy_error"] for r in z["by_run"].values() if r.get("energy_error") is not None]


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("data")
    a.add_argument("--only", action="append", help="names of protocols, such as nx12")
    a.add_argument("--markdown", action="store_true")
    a = a.parse_args()
    bar = "|" if a.markdown else ""
    columns = ["set zone", "rows", "wMAPE %", "reference %", "ratio", "energy %", "per run %", "worst %", "in 90 % %", "train s"]
    print(bar + " " + f" {bar} ".join(f"{c:>11}" for c in columns) + f" {bar}", flush=True)
    if a.markdown:
        print("|---" * len(columns) + "|")
    ratios = []
    with tempfile.TemporaryDirectory() as work:
        run("model", "keygen", "--out", os.path.join(work, "k"))
        for name, zones, folds, options in protocols(a.data, work):
            if a.only and name not in a.only:
                continue
            totals, slowest = {z: Total() for z in zones}, 0
            for fold in folds:
                scored, seconds = score(fold, options, work)
                slowest = max(slowest, seconds)
                for z in zones:
                    if z in scored and scored[z]["rows"]:
                        totals[z].add(scored[z])
            for z, t in totals.items():
                if not t.rows:
                    continue
                reference = REFERENCE.get(f"{name} {z}")
                wmape = 100 * t.error / t.truth
                if reference:
                    ratios.append((wmape / reference, f"{name} {z}"))
                cells = [f"{name} {z}", t.rows, f"{wmape:.2f}", reference or "-",
                         f"{wmape / reference:.2f}" if reference else "-", f"{100 * abs(t.bias) / t.truth:.1f}",
                         f"{100 * sum(t.runs) / len(t.runs):.1f}", f"{100 * max(t.runs):.1f}",
                         f"{100 * t.inside / t.rows:.0f}", f"{slowest:.0f}"]
                print(bar + " " + f" {bar} ".join(f"{c:>11}" for c in cells) + f" {bar}", flush=True)
    if ratios:
        print(f"\nratio to the best reference: mean {sum(r for r, _ in ratios) / len(ratios):.3f}, "
              f"worst {max(ratios)[0]:.2f} ({max(ratios)[1]})")


main()
