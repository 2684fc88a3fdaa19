#!/bin/bash
# Models in and out: native numbers against XGBoost, LightGBM, scikit-learn and ONNX Runtime, 100,000 rows each.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/venv.sh"
if [ ! -x "$build/vmwatts-train" ]; then
	skip "models in and out" "built without vmwatts-train"
	done_testing
	exit
fi
if ! venv; then
	skip "models in and out" "the Python packages it compares with cannot be installed here"
	done_testing
	exit
fi
cd "$work" || exit 1
"$vmwatts" model keygen --out k >/dev/null
OMP_NUM_THREADS=1 timeout 400 "$python" "$top/tests/e2e/exchange.py" "$vmwatts" "$top/data" >said 2>err
is $? 0 "every library trained, wrote and answered"
tail -5 err | sed 's/^/# /'
while read -r status text; do
	ok "$status" "$text"
done <said
done_testing
