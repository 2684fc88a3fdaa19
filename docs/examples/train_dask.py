#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train one zone on shards of a dataset with XGBoost on Dask: train_dask.py --label package_watts --out package.ubj SHARD...

Two workers of this machine by default; --scheduler ADDRESS uses a cluster that is there. See docs/distributed.md.
"""
import argparse

import dask.dataframe
import dask.distributed
import xgboost.dask


def read(shards, columns):
    """CSV files, or a folder of Parquet."""
    if all(s.endswith(".csv") for s in shards):
        return dask.dataframe.read_csv(shards, usecols=columns, dtype="float64")
    return dask.dataframe.read_parquet(shards, columns=columns).astype("float64")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("shards", nargs="+", help="CSV files with the same columns, or a folder of Parquet")
    p.add_argument("--label", default="package_watts")
    p.add_argument("--features", default="cpu_utilization,cpu_busy_vcpus", help="catalogue names (vmwatts dataset show)")
    p.add_argument("--out", required=True, help="model to write: .json or .ubj")
    p.add_argument("--scheduler", help="address of a Dask scheduler; none: workers of this machine")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--rounds", type=int, default=100)
    a = p.parse_args()
    features = a.features.split(",")
    local = None
    if not a.scheduler:
        local = dask.distributed.LocalCluster(n_workers=a.workers, threads_per_worker=1, host="127.0.0.1",
                                              dashboard_address=None)
    with dask.distributed.Client(a.scheduler or local) as client:
        frame = read(a.shards, [*features, a.label]).dropna().repartition(npartitions=max(a.workers, len(a.shards)))
        # In the order of the features, which the file keeps by name.
        data = xgboost.dask.DaskDMatrix(client, frame[features], frame[a.label])
        result = xgboost.dask.train(client, {"objective": "reg:squarederror", "tree_method": "hist", "max_depth": 6,
                                             "eta": 0.1}, data, num_boost_round=a.rounds)
        result["booster"].save_model(a.out)
        used = len(client.scheduler_info(n_workers=-1)["workers"])
    if local:
        local.close()
    print(f"{a.out}: {a.rounds} trees on {frame.npartitions} shards, {used} workers")


if __name__ == "__main__":
    main()
