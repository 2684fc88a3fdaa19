#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of `vmwatts evaluate`, computed a second time from their definitions.

  score.py TRUTH.csv ESTIMATES.csv ZONE   one JSON object; rows are joined by position
  score.py --golden                       the numbers in tests/golden/metrics.inc

Standard library only, and no code shared with vmwatts: both must agree.
"""
import csv
import json
import math
import random
import statistics
import sys


def figures(rows):
    """rows: (truth, estimate, low, high) with None for what is missing."""
    answered = [r for r in rows if r[0] is not None and r[1] is not None]
    y = [r[0] for r in answered]
    p = [r[1] for r in answered]
    floor = max(0.1, 0.02 * max(y))
    errors = [b - a for a, b in zip(y, p)]
    bounded = [r for r in answered if r[2] is not None and r[3] is not None]
    above = [abs(d) / a for a, d in zip(y, errors) if a > floor]
    mean = statistics.fmean(y)

    def winkler(t, lo, hi):
        return hi - lo + (20 * (lo - t) if t < lo else 20 * (t - hi) if t > hi else 0)

    def pinball(t, q, level):
        return (t - q) * level if t > q else (q - t) * (1 - level)

    def winkler_by_quantiles(t, lo, hi):
        """The same score, as the two quantiles an interval's ends are: 2/alpha x their pinball losses."""
        return 20 * (pinball(t, lo, 0.05) + pinball(t, hi, 0.95))

    return {
        "rows": len(answered),
        "mape": statistics.fmean(above),
        "mape_floor_watts": floor,
        "mae_watts": statistics.fmean(map(abs, errors)),
        "wmape": math.fsum(map(abs, errors)) / math.fsum(y),
        "rmse_watts": math.sqrt(statistics.fmean(d * d for d in errors)),
        "r2": 1 - math.fsum(d * d for d in errors) / math.fsum((a - mean) ** 2 for a in y),
        "bias_watts": statistics.fmean(errors),
        "energy_error": abs(math.fsum(p) - math.fsum(y)) / math.fsum(y),
        "coverage_90": statistics.fmean(lo <= t <= hi for t, _, lo, hi in bounded),
        "mean_interval_watts": statistics.fmean(hi - lo for _, _, lo, hi in bounded),
        "interval_score_watts": statistics.fmean(winkler(t, lo, hi) for t, _, lo, hi in bounded),
        "winkler_90_watts": statistics.fmean(winkler_by_quantiles(t, lo, hi) for t, _, lo, hi in bounded),
    }


def number(text):
    return float(text) if text else None


def from_files(truth, estimates, zone):
    with open(truth, newline="") as t, open(estimates, newline="") as e:
        a, b = list(csv.DictReader(t)), list(csv.DictReader(e))
    assert len(a) == len(b), "not the same number of rows"
    for x, y in zip(a, b):
        assert float(x["time_s"]) == float(y["time_s"]), "rows are not aligned"
    return figures([(number(x[zone + "_watts"]), number(y[zone + "_watts"]), number(y[zone + "_watts_low"]),
                     number(y[zone + "_watts_high"])) for x, y in zip(a, b)])


def golden():
    """Rows made up for this test, with gaps, values under the floor and zeros; as a C fragment."""
    rnd = random.Random(20)
    rows = []
    for i in range(40):
        y = round(rnd.choice([0, 0.5, 1, rnd.uniform(0, 90)]), 3)
        p = round(max(0, y * rnd.uniform(0.8, 1.25) + rnd.gauss(0, 1)), 3)
        h = round(rnd.uniform(0.2, 8), 3)
        rows.append([y, p, round(max(0, p - h), 3), round(p + h, 3)])
    rows[3][0] = rows[7][1] = rows[11][2] = rows[11][3] = rows[12][0] = rows[12][1] = None
    print("/* Written by tests/golden/score.py --golden. */")
    print("static const double golden_rows[][4] = {")
    for r in rows:
        print("\t{" + ", ".join("NAN" if v is None else repr(v) for v in r) + "},")
    print("};\n\nstatic const struct golden_figures {\n\tconst char *name;\n\tdouble value;\n} golden[] = {")
    for k, v in figures(rows).items():
        print('\t{"%s", %r},' % (k, v))
    print("};")


if __name__ == "__main__":
    if sys.argv[1:] == ["--golden"]:
        golden()
    else:
        print(json.dumps(from_files(*sys.argv[1:4])))
