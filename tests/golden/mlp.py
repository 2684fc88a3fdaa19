#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Networks, inputs and the watts they give, computed from the formula in docs/formats/bundle.md.

  mlp.py > mlp.inc

Standard library only, sums by math.fsum, and no code shared with vmwatts: both must agree.
"""
import math
import random


def answer(net, x):
    h = []
    for v, (mean, sd) in zip(x, net["inputs"]):
        h.append(min(max((v - mean) / sd, -net["clamp"]), net["clamp"]))
    w = iter(net["weights"])
    for units in net["units"]:
        below, h = h, []
        for _ in range(units):
            products = [next(w) * v for v in below]
            total = math.fsum(products + [next(w)])
            h.append(math.tanh(total) if net["activation"] == "TANH" else max(total, 0.0))
    products = [next(w) * v for v in h]
    return net["mean"] + net["scale"] * math.fsum(products + [next(w)])


def network(r, activation, n_inputs, units):
    width, n = n_inputs, 0
    for u in units:
        n += u * (width + 1)
        width = u
    return {
        "activation": activation,
        "units": units,
        "clamp": r.choice([3.0, 4.0, 8.0]),
        "mean": r.uniform(10, 90),
        "scale": r.uniform(1, 20),
        "inputs": [(r.uniform(-5, 5), 10 ** r.uniform(-2, 2)) for _ in range(n_inputs)],
        "weights": [r.gauss(0, 0.6) for _ in range(n + width + 1)],
    }


def listed(numbers):
    return ", ".join(repr(float(v)) for v in numbers)


def main():
    r = random.Random(20240914)
    shapes = [("TANH", 1, [1]), ("TANH", 3, [5]), ("RELU", 4, [6]), ("TANH", 7, [9, 4]), ("RELU", 12, [16, 8])]
    print("/* Written by mlp.py: do not edit. */")
    for k, (activation, n_inputs, units) in enumerate(shapes):
        net = network(r, activation, n_inputs, units)
        rows = [[m + sd * r.gauss(0, 3) for m, sd in net["inputs"]] for _ in range(6)]
        print(f"static const double golden_means_{k}[] = {{{listed(m for m, _ in net['inputs'])}}};")
        print(f"static const double golden_sds_{k}[] = {{{listed(s for _, s in net['inputs'])}}};")
        print(f"static const double golden_weights_{k}[] = {{{listed(net['weights'])}}};")
        print(f"static const double golden_rows_{k}[] = {{{listed(v for row in rows for v in row)}}};")
        print(f"static const double golden_watts_{k}[] = {{{listed(answer(net, row) for row in rows)}}};")
        net["k"] = k
        shapes[k] = net
    print("static const struct golden_network golden_networks[] = {")
    for net in shapes:
        k, units = net["k"], net["units"] + [0]
        print(f"\t{{ACTIVATION_{net['activation']}, {len(net['inputs'])}, {len(net['units'])}, "
              f"{{{units[0]}, {units[1]}}}, {net['clamp']!r}, {net['mean']!r}, {net['scale']!r}, "
              f"golden_means_{k}, golden_sds_{k}, golden_weights_{k}, 6, golden_rows_{k}, golden_watts_{k}}},")
    print("};")


if __name__ == "__main__":
    main()
