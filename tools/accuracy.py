#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How accurate `vmwatts train` is on measured data that it did not see.

  tools/accuracy.py DATA [--only NAME]... [--write docs/accuracy.md]

DATA is a folder of recordings, one folder a set (docs/accuracy.md says which).
Every row of the table is one protocol: what is left out is trained without, by
the real commands with one command line for all sets, and scored by `evaluate`;
intervals are scored here, from what `estimate` answers. --write replaces the
figures in a document. Standard library only.
"""
import argparse
import csv
import glob
import json
import os
import random
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


def run(*command):
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


def by_machine(data, name, folder):
    """A set's files by machine, the first part of their names; it is a column `server` of the copies."""
    machines = {}
    for path in sorted(glob.glob(os.path.join(data, name, "*.csv"))):
        machine = os.path.basename(path).split(".")[0]
        copy = os.path.join(folder, os.path.basename(path))
        write(copy, [dict(r, server=machine) for r in read(path)])
        machines.setdefault(machine, []).append(copy)
    return machines


def end_of_pair(pair, share, folder):
    """The rows of a pair up to a share of its time to train on, those after it to test on."""
    path = os.path.join(folder, os.path.basename(pair))
    dataset([pair], [], path + ".db")
    rows = list(csv.DictReader(run("dataset", "export", path + ".db").splitlines()))
    at = [float(r["time_s"]) for r in rows]
    cut = at[0] + share * (at[-1] - at[0])
    write(path + "-begin.csv", [r for r, t in zip(rows, at) if t < cut])
    write(path + "-end.csv", [r for r, t in zip(rows, at) if t >= cut])
    return Fold([path + "-begin.csv"], [path + "-end.csv"])


def top_of_load(path, column, share, folder):
    """The rows of a file up to a share of its load to train on, those above it to test on."""
    rows = read(path)
    cut = sorted(float(r[column]) for r in rows)[int(share * (len(rows) - 1))]
    parts = []
    for part, keep in (("low", lambda v: v <= cut), ("top", lambda v: v > cut)):
        parts.append(os.path.join(folder, f"{part}-{os.path.basename(path)}"))
        write(parts[-1], [r for r in rows if keep(float(r[column]))])
    return Fold(parts[:1], parts[1:], ["--unordered"])


def protocols(data, folder):
    def files(name, pattern="*.csv"):
        return sorted(glob.glob(os.path.join(data, name, pattern)))

    if files("metalci"):
        yield "metalci", ["package", "core", "dram"], by_files(files("metalci"), 5), []
    if files("web8"):
        yield "web8", ["package", "core", "dram"], by_files(files("web8"), 5), ["--scope", "node_total"]
    docker, podman = files("web8", "*-docker.csv"), files("web8", "*-podman.csv")
    if docker and podman:
        yield "web8 runtime", ["package", "dram"], [Fold(docker, podman), Fold(podman, docker)], ["--scope", "node_total"]
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
        folds = []
        for config in sorted({r["config"] for r in rows}):
            of_it = [r for r in rows if r["config"] == config]
            n = min(5, len({r["family"] for r in of_it}))
            folds += by_value(of_it, lambda r: r["family"], n, f"languages-{config}", flags, folder) if n > 1 else []
        yield "languages by config", ["package", "dram"], folds, node
    if files("ec2metal"):
        yield "ec2metal", ["package", "dram"], by_files(files("ec2metal"), 4, ["--unordered"]), node
        folds = [top_of_load(path, "cycles_rate", 0.6, folder) for path in files("ec2metal")]
        yield "ec2metal top", ["package", "dram"], folds, node
    if files("ep003", "*.guest.csv"):
        runs = [f[:-len(".guest.csv")] for f in files("ep003", "*.guest.csv")]
        yield "ep003", ["package", "core"], [Fold([a], [b]) for a, b in (runs, runs[::-1])], []
        yield "ep003 end", ["package", "core"], [end_of_pair(r, 0.6, folder) for r in runs], []
    if files("servers2012"):
        wall = ["--scope", "platform"]
        by_server = by_machine(data, "servers2012", folder)
        folds = [Fold([f for s in by_server for f in by_server[s] if s != out], by_server[out], ["--group", "server"])
                 for out in by_server]
        yield "servers2012", ["platform"], folds, wall
        folds = []
        for paths in by_server.values():
            folds += by_files(paths, 3)
        yield "servers2012 workload", ["platform"], folds, wall


def dataset(names, flags, out):
    for name in names:
        if os.path.exists(name + ".guest.csv"):
            run("dataset", "import", "--guest", name + ".guest.csv", "--host", name + ".host.csv", *flags, "--out", out)
    joined = [n for n in names if n.endswith(".csv")]
    if joined:
        run("dataset", "import", "--joined", *joined, *flags, "--out", out)


def clear(work):
    for f in glob.glob(os.path.join(work, "fold*")):
        os.remove(f)


def train(names, flags, options, work):
    """A bundle from recordings; its path and the seconds that training took."""
    data, bundle = (os.path.join(work, "fold" + s) for s in ("-train.db", ".vmw"))
    dataset(names, flags, data)
    begin = time.time()
    run("train", "--dataset", data, "--out", bundle, "--sign-key", os.path.join(work, "k.key"), *options)
    return bundle, time.time() - begin


def evaluate(bundle, test, work, *flags):
    trust = ["--trust", os.path.join(work, "k.pub")]
    return json.loads(run("evaluate", "--bundle", bundle, *trust, "--dataset", test, "--json", *flags))["zones"]


def answers(bundle, test, work):
    """Rows of the test set with what `estimate` says of each, side by side."""
    truth = run("dataset", "export", test)
    p = subprocess.run([VMWATTS, "estimate", "--bundle", bundle, "--trust", os.path.join(work, "k.pub")], input=truth,
                       capture_output=True, text=True, check=True)
    return zip(csv.DictReader(truth.splitlines()), csv.DictReader(p.stdout.splitlines()))


class Intervals:
    """Coverage by group and the interval score, beside split-conformal intervals of one width for all rows."""

    def __init__(self):
        self.groups, self.score, self.misses = {}, 0, []  # misses by fold

    def next_fold(self):
        self.misses.append([])

    def add(self, truth, said, zone):
        y, w, low, high = (float(v) if v else None for v in (truth.get(zone + "_watts"), *(said[f"{zone}_watts{s}"]
                                                                                          for s in ("", "_low", "_high"))))
        if y is None or w is None:
            return
        group = self.groups.setdefault(truth.get("group") or truth["run"], [0, 0])
        group[0] += low <= y <= high
        group[1] += 1
        self.score += high - low + 20 * max(low - y, 0, y - high)
        self.misses[-1].append(abs(y - w))

    def coverage(self):
        return sum(g[0] for g in self.groups.values()) / max(sum(g[1] for g in self.groups.values()), 1)

    def worst(self):
        return min(g[0] / g[1] for g in self.groups.values())

    def ratio(self):
        """Interval score over that of one width: in each fold the 90 % quantile of what was missed in the others."""
        constant = 0
        for k, here in enumerate(self.misses):
            others = sorted(m for i, fold in enumerate(self.misses) if i != k for m in fold)
            if not others:
                return float("nan")
            half = others[int(0.9 * (len(others) - 1))]
            constant += sum(2 * half + 20 * max(m - half, 0) for m in here)
        return self.score / constant if constant else float("nan")


class Total:
    """Folds of one zone, pooled over their rows."""

    def __init__(self):
        self.rows = self.error = self.truth = self.bias = self.stateless = 0
        self.runs, self.intervals, self.windows = [], Intervals(), {}

    def add(self, z, stateless):
        n = z["rows"]
        mean = z["mae_watts"] / z["wmape"]
        self.rows += n
        self.error += n * z["mae_watts"]
        self.truth += n * mean
        self.bias += n * z["bias_watts"]
        self.stateless += n * stateless["mae_watts"]
        self.runs += [r["energy_error"] for r in z["by_run"].values() if r.get("energy_error") is not None]
        for w, m in z.get("by_window", {}).items():
            if m.get("wmape") is not None:
                self.windows.setdefault(w, []).append((m["wmape"], n * mean))

    def window(self, w):
        parts = self.windows.get(w)
        return f"{100 * sum(e * t for e, t in parts) / sum(t for _, t in parts):.2f}" if parts else "-"


class Table:
    def __init__(self, *columns):
        self.lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        print("  ".join(columns), flush=True)

    def add(self, *cells):
        self.lines.append("| " + " | ".join(map(str, cells)) + " |")
        print("  ".join(map(str, cells)), flush=True)


def score(fold, options, work, totals):
    clear(work)
    bundle, seconds = train(fold.train, fold.flags, options, work)
    test = os.path.join(work, "fold-test.db")
    dataset(fold.test, fold.flags, test)
    scored, stateless = evaluate(bundle, test, work), evaluate(bundle, test, work, "--stateless")
    zones = [z for z in totals if z in scored and scored[z]["rows"]]
    for z in zones:
        totals[z].add(scored[z], stateless[z])
    for z in zones:
        totals[z].intervals.next_fold()
    for truth, said in answers(bundle, test, work):
        for z in zones:
            totals[z].intervals.add(truth, said, z)
    return seconds


SHIFTED = ("nx12 stressor", "nx12 tail", "haswell", "ec2metal", "languages")


def summary(ratios):
    lines = []
    for text, keep in (("rows of the reference", lambda n: not n.startswith(("nx12 stressor", "nx12 tail"))),
                       ("shifted tests (a stressor, a time, a workload, a machine, a language never seen)",
                        lambda n: n.startswith(SHIFTED))):
        r = [(v, n) for v, n in ratios if keep(n)]
        if r:
            lines.append(f"Ratio to the best reference over the {len(r)} {text}: mean {sum(v for v, _ in r) / len(r):.3f}, "
                         f"worst {max(r)[0]:.2f} ({max(r)[1]}).")
    return lines


def main_table(a, work):
    t = Table("set, zone", "rows", "wMAPE %", "reference %", "ratio", "energy %", "per run %", "worst run %", "in 90 % %",
              "worst group %", "interval score", "stateless %", "5 s %", "15 s %", "60 s %", "train s")
    ratios = []
    for name, zones, folds, options in protocols(a.data, work):
        if a.only and name not in a.only:
            continue
        totals = {z: Total() for z in zones}
        slowest = max([score(fold, options, work, totals) for fold in folds] or [0])
        for z, v in totals.items():
            if not v.rows:
                continue
            reference = REFERENCE.get(f"{name} {z}")
            wmape = 100 * v.error / v.truth
            if reference:
                ratios.append((wmape / reference, f"{name} {z}"))
            t.add(f"{name} {z}", v.rows, f"{wmape:.2f}", reference or "-", f"{wmape / reference:.2f}" if reference else "-",
                  f"{100 * abs(v.bias) / v.truth:.1f}", f"{100 * sum(v.runs) / len(v.runs):.2f}", f"{100 * max(v.runs):.1f}",
                  f"{100 * v.intervals.coverage():.0f}", f"{100 * v.intervals.worst():.0f} of {len(v.intervals.groups)}",
                  f"{v.intervals.ratio():.2f}".replace("nan", "-"), f"{100 * v.stateless / v.truth:.2f}", v.window("5"), v.window("15"),
                  v.window("60"), f"{slowest:.0f}")
    print("\n".join(summary(ratios)), flush=True)
    return t.lines + [""] + summary(ratios)


PMU = ("cycles_rate", "instructions_rate", "ref_cycles_rate", "cache_references_rate", "cache_misses_rate", "branches_rate",
       "branch_misses_rate", "instructions_per_cycle", "cache_miss_ratio", "branch_miss_ratio")


def without_pmu(rows):
    return [{k: v for k, v in r.items() if k not in PMU} for r in rows]


def tiers(a, work):
    """What perf events buy: the same folds with their columns left out, of what is tested and of what is trained on."""
    path = os.path.join(a.data, "nx12", "nx12.csv")
    if (a.only and "tiers" not in a.only) or not os.path.exists(path):
        return []
    t = Table("nx12 by block, tested without perf events", "trained without: wMAPE %", "stateless %", "trained with: wMAPE %",
              "stateless %")
    zones = ("package", "dram", "platform")
    totals = [{z: Total() for z in zones} for _ in range(2)]
    for fold in by_value(read(path), lambda r: int(r["block"]), 5, "nx12os", ["--group", "block"], work):
        for part in (fold.test, fold.train):
            write(part[0] + ".os.csv", without_pmu(read(part[0])))
        test = [fold.test[0] + ".os.csv"]
        for train_on, total in zip((fold.train[0] + ".os.csv", fold.train[0]), totals):
            score(Fold([train_on], test, fold.flags), ["--scope", "node_total"], work, total)
    for z in zones:
        t.add(z, *[f"{100 * e / v[z].truth:.2f}" for v in totals for e in (v[z].error, v[z].stateless)])
    return t.lines


def few_shot(a, work, seeds=5, rows_of_it=20):
    """A machine nobody trained on, then again with a few random rows of it."""
    if a.only and "few" not in a.only:
        return []
    t = Table("machine, zone", "zero-shot %", f"with {rows_of_it} rows of it, mean of {seeds} draws %", "worst %", "in 90 % %")
    for name, zones, flags, options in (("ec2metal", ["package", "dram"], ["--unordered"], ["--scope", "node_total"]),
                                        ("servers2012", ["platform"], ["--group", "server"], ["--scope", "platform"])):
        machines = by_machine(a.data, name, work)
        for machine in machines:
            clear(work)
            bundle, _ = train([f for m in machines if m != machine for f in machines[m]], flags, options, work)
            rows, few, zero = [r for f in machines[machine] for r in read(f)], [], []
            for seed in range(seeds):
                chosen = set(random.Random(seed).sample(range(len(rows)), rows_of_it))
                parts = [os.path.join(work, f"fold-{n}") for n in ("few", "rest")]
                for part, keep in zip(parts, (lambda i: i in chosen, lambda i: i not in chosen)):
                    write(part + ".csv", [r for i, r in enumerate(rows) if keep(i)])
                    run("dataset", "import", "--joined", part + ".csv", "--unordered", "--replace", "--out", part + ".db")
                adapted = os.path.join(work, "fold-adapted.vmw")
                run("train", "--calibrate", bundle, "--trust", os.path.join(work, "k.pub"), "--dataset", parts[0] + ".db",
                    "--out", adapted, "--sign-key", os.path.join(work, "k.key"))
                zero.append(evaluate(bundle, parts[1] + ".db", work))
                few.append(evaluate(adapted, parts[1] + ".db", work))
            for z in zones:
                mean = lambda of, key: 100 * sum(v[z][key] for v in of) / len(of)
                t.add(f"{name} {machine} {z}", f"{mean(zero, 'wmape'):.1f}", f"{mean(few, 'wmape'):.1f}",
                      f"{100 * max(v[z]['wmape'] for v in few):.1f}", f"{mean(few, 'coverage_90'):.0f}")
    return t.lines if len(t.lines) > 2 else []


def few_runs(a, work, draws=3, others=12):
    """How many recordings are enough: trained on a few runs of a set, tested on others of it."""
    if a.only and "runs" not in a.only:
        return []
    t = Table("set, runs trained on", f"wMAPE %, {draws} draws", "in 90 % %", "interval score")
    for name, options in (("metalci", []), ("web8", ["--scope", "node_total"])):
        files = sorted(glob.glob(os.path.join(a.data, name, "*.csv")))
        for runs in (1, 2, 3, 5, 7) if files else ():
            total = Total()
            for draw in range(draws):
                drawn = random.Random(f"{name} {runs} {draw}").sample(files, min(runs + others, len(files)))
                score(Fold(drawn[:runs], drawn[runs:]), options, work, {"package": total})
            t.add(f"{name} package, {runs}", f"{100 * total.error / total.truth:.1f}", f"{100 * total.intervals.coverage():.0f}",
                  f"{total.intervals.ratio():.2f}")
    return t.lines if len(t.lines) > 2 else []


def replace_figures(path, lines):
    begin, end = "<!-- figures -->", "<!-- end of figures -->"
    with open(path) as f:
        text = f.read()
    head, tail = text.split(begin)[0], text.split(end)[1]
    with open(path, "w") as f:
        f.write(head + begin + "\n\n" + "\n".join(lines) + "\n\n" + end + tail)


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("data")
    a.add_argument("--only", action="append", help="names of protocols, such as nx12; tiers; runs; few")
    a.add_argument("--write", help="document whose figures are replaced")
    a = a.parse_args()
    begin = time.time()
    with tempfile.TemporaryDirectory() as work:
        run("model", "keygen", "--out", os.path.join(work, "k"))
        lines = main_table(a, work)
        for part in (tiers, few_runs, few_shot):
            more = part(a, work)
            lines += ["", *more] if more else []
    print(f"{(time.time() - begin) / 60:.1f} minutes")
    if a.write:
        replace_figures(a.write, lines + ["", f"All of it in {(time.time() - begin) / 60:.0f} minutes on "
                                              f"{os.cpu_count()} CPUs."])


main()
