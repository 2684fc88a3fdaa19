#!/bin/bash
# Runs of data/metalci that training did not see, and what the agent makes of such a bundle.
. "$(dirname "$0")/../tap.sh"
mapfile -t runs < <(ls "$top"/data/metalci/*.csv)
"$vmwatts" dataset import --joined "${runs[@]:0:18}" --window 20 --out "$work/train.db" 2>"$work/said" &&
	"$vmwatts" dataset import --joined "${runs[@]:18}" --window 20 --out "$work/test.db" 2>"$work/said"
ok $? "18 runs to train on, $((${#runs[@]} - 18)) to test on"
"$vmwatts" model keygen --out "$work/k" >/dev/null &&
	"$vmwatts" train --dataset "$work/train.db" --name metalci --out "$work/b.vmw" --sign-key "$work/k.key" >"$work/said" 2>&1
ok $? "train"
evaluate() { "$vmwatts" evaluate --bundle "$work/b.vmw" --trust "$work/k.pub" --dataset "$work/test.db" --json "$@" 2>"$work/said"; }
evaluate --stateless >"$work/stateless.json"
evaluate >"$work/history.json"
figure() { jq -r ".zones.package.$2" "$work/$1.json"; }
holds() { jq -e ".zones.package | $2" "$work/$1.json" >/dev/null; }
echo "# package, stateless: wMAPE $(figure stateless wmape), R2 $(figure stateless r2), coverage $(figure stateless coverage_90)"
echo "# package, with history: wMAPE $(figure history wmape), R2 $(figure history r2), coverage $(figure history coverage_90), energy error $(figure history energy_error)"
holds stateless '.wmape <= 0.12'
ok $? "package wMAPE at most 12 % stateless"
holds stateless '.r2 >= 0.93'
ok $? "package R2 at least 0.93 stateless"
holds history '.wmape <= 0.08'
ok $? "package wMAPE at most 8 % with history"
holds history '.coverage_90 >= 0.87'
ok $? "the 90 % interval covers at least 87 %"

# estimate, scored by nothing of ours, agrees with evaluate
for run in "${runs[@]:18}"; do
	"$vmwatts" estimate --bundle "$work/b.vmw" --trust "$work/k.pub" <"$run" >"$work/$(basename "$run").out" 2>/dev/null || break
done
python3 - "$work" "${runs[@]:18}" <<'PY' >"$work/independent.json"
import csv, json, os, sys
y, p, inside = [], [], 0
for path in sys.argv[2:]:
    truth = list(csv.DictReader(open(path)))
    said = list(csv.DictReader(open(os.path.join(sys.argv[1], os.path.basename(path) + ".out"))))
    assert [float(r["time_s"]) for r in truth] == [float(r["time_s"]) for r in said], path
    for t, e in zip(truth, said):
        if t["package_watts"] and e["package_watts"]:
            y.append(float(t["package_watts"])); p.append(float(e["package_watts"]))
            inside += float(e["package_watts_low"]) <= y[-1] <= float(e["package_watts_high"])
n, mean = len(y), sum(y) / len(y)
print(json.dumps({"rows": n, "wmape": sum(abs(a - b) for a, b in zip(y, p)) / sum(y),
    "r2": 1 - sum((a - b) ** 2 for a, b in zip(y, p)) / sum((a - mean) ** 2 for a in y),
    "energy_error": abs(sum(p) - sum(y)) / sum(y), "coverage_90": inside / n}))
PY
jq -es '.[0] as $a | .[1].zones.package as $b | [$a | keys[] | ($a[.] - $b[.]) | fabs < 1e-6] | all' \
	"$work/independent.json" "$work/history.json" >/dev/null
ok $? "estimate and an independent scorer say the same as evaluate"

# the agent with that bundle
mkdir -p "$work/models" "$work/keys" && cp "$work/k.pub" "$work/keys/"
"$vmwatts" model install "$work/b.vmw" --trust "$work/k.pub" --model-path "$work/models" >/dev/null
ok $? "install"
port=$((20000 + $$ % 12000))
printf 'vm_energy_modeling:\n  model_path: %s\n  trusted_keys: %s\n  feature_config: {sampling_interval: 100ms}\n' \
	"$work/models" "$work/keys" >"$work/config.yaml"
"$vmwatts" agent --config "$work/config.yaml" --listen 127.0.0.1:$port --state-dir "$work/state" 2>"$work/log" &
agent=$!
pids+=($agent)
wait_for 10 curl -sf "http://127.0.0.1:$port/readyz"
curl -s "http://127.0.0.1:$port/metrics" | grep -qF 'kepler_vm_zone_provenance{zone="package",provenance="trained"'
ok $? "the agent serves it"
like "$(cat "$work/log")" "another number of vCPUs" "and says that this machine is another (14 vCPUs in training)"
sleep 2
for i in 1 2 3 4 5 6 7 8 9 10; do curl -s "http://127.0.0.1:$port/metrics" >/dev/null; done
rss=$(awk '/VmRSS/ {print $2}' "/proc/$agent/status")
echo "# resident $rss KiB"
anonymous=$(awk "/RssAnon/ {print \$2}" "/proc/$agent/status")
echo "# of it anonymous $anonymous KiB"
ok $((rss > 8192)) "resident set at most 8 MB with a bundle loaded"
"$build/bench/bench_tick" --config "$work/config.yaml" 100 >"$work/bench.json"
is $? 0 "no allocation in 300 ticks once warm"
echo "# $(cat "$work/bench.json")"
said=$("$vmwatts" agent --config "$work/config.yaml" --replay "${runs[-1]}" 2>&1 >"$work/replayed")
like "$said" "package +error +[0-9.]+ % of mean watts" "a replay through the agent's path ends with its error"
is "$(grep -c '|' "$work/replayed")" $(($(wc -l <"${runs[-1]}") - 1 + ($(wc -l <"${runs[-1]}") + 38) / 40)) "and has a line for every row"
done_testing
