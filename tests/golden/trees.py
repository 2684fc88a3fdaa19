#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees grown and evaluated by XGBoost's own Python package, for tests/unit/test_boost.c.

  trees.py > trees.inc        needs xgboost 1.7.4 and numpy

The trees are taken from XGBoost's JSON model, laid out breadth first as struct trees wants them, and
written with every bit of their float32; the watts are what XGBoost's predict says.
"""
import json

import numpy
import xgboost

LEAF = 65535


def grow(forest, x, y):
    parameters = {
        "tree_method": "hist", "max_bin": 64, "objective": "reg:squarederror", "nthread": 1, "seed": 7,
        "base_score": float(numpy.float32(y.mean())), "max_depth": 6 if forest else 4, "lambda": 0 if forest else 2,
        "eta": 1 if forest else 0.2, "subsample": 0.63 if forest else 0.8, "min_child_weight": 3,
        "num_parallel_tree": 6 if forest else 1,
        "colsample_bynode" if forest else "colsample_bytree": 0.6,
    }
    return xgboost.train(parameters, xgboost.DMatrix(x, label=y), 1 if forest else 12)


def laid_out(tree):
    """[value, column, left] of every node, the two children of a node side by side."""
    left, right = tree["left_children"], tree["right_children"]
    queue, nodes = [0], []
    for at in queue:
        leaf = left[at] < 0
        nodes.append([numpy.float32(tree["split_conditions"][at]),
                      LEAF if leaf else tree["split_indices"][at], 0 if leaf else len(queue)])
        if not leaf:
            queue += [left[at], right[at]]
    return nodes


def number(value):
    return float(value).hex()


def listed(items):
    return ", ".join(items)


def main():
    r = numpy.random.default_rng(5)
    x = r.normal(size=(800, 4)).astype(numpy.float32) * numpy.float32([1, 10, 1e6, 0.01])
    y = (40 + 8 * x[:, 0] + 0.9 * x[:, 1] + 5 * numpy.sin(x[:, 2] / 1e6) + r.normal(size=800)).astype(numpy.float32)
    print("/* Written by trees.py with xgboost " + xgboost.__version__ + ": do not edit. */")
    print(f"#define GOLDEN_COLUMNS {x.shape[1]}")
    for name, forest in (("forest", True), ("boosted", False)):
        booster = grow(forest, x, y)
        model = json.loads(booster.save_raw("json").decode())["learner"]
        trees = [laid_out(t) for t in model["gradient_booster"]["model"]["trees"]]
        # Rows of the training, rows on a tree's thresholds, rows far out.
        edges = [[n[0] for t in trees for n in t if n[1] == c] or [0] for c in range(4)]
        rows = list(x[:20]) + [[e[k % len(e)] for e in edges] for k in range(20)] + list(x[20:30] * 50)
        rows = numpy.array(rows, dtype=numpy.float32)
        watts = booster.predict(xgboost.DMatrix(rows))
        firsts = numpy.cumsum([0] + [len(t) for t in trees[:-1]])
        base = numpy.float32(float(model["learner_model_param"]["base_score"]))
        nodes = [f"{{{number(n[0])}f, {n[1]}, {n[2]}}}" for t in trees for n in t]
        print(f"static const float golden_{name}_base = {number(base)}f;")
        print(f"static const uint32_t golden_{name}_first[] = {{{listed(map(str, firsts))}}};")
        print(f"static const struct tree_node golden_{name}_nodes[] = {{{listed(nodes)}}};")
        print(f"static const float golden_{name}_rows[] = {{{listed(number(v) for row in rows for v in row)}}};")
        print(f"static const double golden_{name}_watts[] = {{{listed(map(number, watts))}}};")


if __name__ == "__main__":
    main()
