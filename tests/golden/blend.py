#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers of tests/unit/sets.h's blend_model(), worked out apart from src/: python3 blend.py > blend.inc

Rows of blend.inc: {inputs x 4}, {physics, kernel, boosted residual, forest, boosted trees}, z, watts.
"""
import math
import random


def points(salt):
    v = [(i * 7 + salt) % 13 / 4 - 1.5 for i in range(24)]
    return [v[i:i + 2] for i in range(0, 24, 2)]


def place(columns):
    at = []
    for c, mean, sd, weight in ((0, 1.5, 0.75, 0.9), (1, 3, 2, 0.4)):
        root = math.copysign(math.sqrt(abs(columns[c])), columns[c])
        at.append(max(-8, min(8, (root - mean) / sd)) * weight)
    return at


def trees(columns, base, scale):
    one = -1.25 * scale if columns[0] < 2.5 else 0.5 * scale if columns[2] < 4.5 else 2.25 * scale
    two = -0.125 * scale if columns[2] < 3 else scale / 3
    return base + one + two


def blend(x):
    now, _, past, switches = x
    p = max(0.1, min(1, 2) * 2 + 3 * min(max(now, 0), 16)
            + 0.5 * max(-8, min(8, min(max(now, 0), 4) - min(max(past, 0), 4))))
    columns = [now, switches / (abs(now) + 0.5), past]
    at = place(columns)
    log = 0
    for i, c in enumerate(points(0)):
        r = math.sqrt(3) * math.dist(at, c) / 0.8
        log += (i * 5 % 9 - 4) / 10 * (1 + r) * math.exp(-r)
    clip = lambda v: max(-0.3, min(0.4, v))
    w = [p, p * math.exp(clip(log)), p * math.exp(clip(trees(columns, 0.05, 0.1))), trees(columns, 12, 4),
         trees(columns, 11, 5)]
    near5 = sorted(math.dist(at, c) ** 2 for c in points(3))[:5]
    z = math.log(1e-3 + math.sqrt(sum(near5) / 5) / 1.1)
    near = sum(a * b for a, b in zip((0.1, 0.2, 0.3, 0.25, 0.15), w))
    middle = sorted([w[0], w[1], (w[3] + w[4]) / 2])[1]
    safe = 0.4 * middle + 0.6 * w[0]
    gate = 0.75 * max(0, min(1, (z + 2) / 2.5))
    return w, z, max(0, min(60, near + gate * (safe - near)))


random.seed(5)
for _ in range(40):
    x = [random.uniform(0, 9), random.random(), random.uniform(0, 9), random.uniform(0, 300)]
    w, z, watts = blend(x)
    print("{{%s}, {%s}, %.17g, %.17g}," % (", ".join("%.17g" % v for v in x), ", ".join("%.17g" % v for v in w), z, watts))
