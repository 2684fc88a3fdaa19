#!/bin/bash
# docs/distributed.md: shards, XGBoost on two Dask workers, and back as a bundle that says the same.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/venv.sh"
if [ ! -x "$build/vmwatts-train" ] || ! venv; then
	skip "distributed training" "built without vmwatts-train, or its Python packages cannot be installed here"
	done_testing
	exit
fi
cd "$work" || exit 1
"$vmwatts" model keygen --out K >/dev/null
set -- "$top"/data/metalci/*.csv
"$vmwatts" dataset import --joined "${@:1:$#-2}" --window 20 --out D.db >/dev/null 2>&1
"$vmwatts" dataset import --joined "${@:$#-1}" --window 20 --out left-out.db >/dev/null 2>&1
rows=$("$vmwatts" dataset export D.db | tee all.csv | wc -l)
"$vmwatts" dataset export D.db --shards shards --shard-rows $((rows / 4)) >/dev/null
is "$? $(tail -qn +2 shards/*.csv | cmp - <(tail -n +2 all.csv) && head -qn 1 shards/*.csv | sort -u)" "0 $(head -1 all.csv)" "shards hold every row in order, each with the header"
refused 1 "shards/00000.csv exists: .* folder without" "shards that are there are not written over" "$vmwatts" dataset export D.db --shards shards
refused 2 "shard-rows takes" "no rows a shard" "$vmwatts" dataset export D.db --shards other --shard-rows 0
like "$(ls shards | wc -l)" "^[4-9]$" "a dataset becomes shards"
said=$(timeout 120 "$python" "$top/docs/examples/train_dask.py" --out package.ubj shards/*.csv 2>err)
like "$said" "package.ubj: 100 trees on [4-9] shards, 2 workers" "Dask trains on two workers"
tail -3 err | sed 's/^/# /'
"$python" -c "import dask.dataframe as d; d.read_csv('shards/*.csv').to_parquet('parquet')" 2>err &&
	said=$(timeout 120 "$python" "$top/docs/examples/train_dask.py" --out parquet.ubj parquet 2>>err)
like "$said" "parquet.ubj: 100 trees on [2-9] shards, 2 workers" "from Parquet too"
tail -3 err | sed 's/^/# /'
"$vmwatts" model import --xgboost package.ubj --window 20 --out fleet.vmw --sign-key K.key >/dev/null
# Rows of 3 s would be averaged over a window of 20 s before the model sees them: for its own numbers, none.
"$vmwatts" model import --xgboost package.ubj --window 3 --out rows.vmw --sign-key K.key >/dev/null
is $? 0 "the model comes back as a bundle"
"$vmwatts" dataset export left-out.db >left-out.csv
"$vmwatts" estimate --bundle rows.vmw --trust K.pub --stateless <left-out.csv >estimates.csv
like "$("$python" - <<'END'
import numpy, pandas, xgboost
rows, ours = pandas.read_csv("left-out.csv"), pandas.read_csv("estimates.csv")["package_watts"]
booster = xgboost.Booster(model_file="package.ubj")
theirs = booster.predict(xgboost.DMatrix(rows[booster.feature_names]))
print(len(ours), numpy.max(numpy.abs(ours - theirs) / theirs) < 1e-5)
END
)" "^[1-9][0-9]+ True" "and answers as XGBoost does"
"$vmwatts" train --calibrate fleet.vmw --trust K.pub --dataset left-out.db --out fleet-1.vmw --sign-key K.key >/dev/null 2>&1
is $? 0 "train --calibrate gives it intervals"
coverage=$("$vmwatts" evaluate --bundle fleet-1.vmw --trust K.pub --dataset left-out.db --json | jq '.zones.package | .coverage_90 > 0.8 and .mean_interval_watts < 50')
is "$coverage" true "which hold 80 % of the rows or more within 50 W"
done_testing
