#!/bin/bash
# vmwatts model import and export at the command line: a bundle from Kepler's weights, its way to an honest interval, and back out.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-train" ]; then
	skip "import and export" "built without vmwatts-train"
	done_testing
	exit
fi
cd "$work" || exit 1
model() { "$vmwatts" model "$@"; }
import() { model import "$@" --out b.vmw --sign-key k.key; }
model keygen --out k >/dev/null
cat >kepler.json <<'END'
{"package":{"All_Weights":{"Bias_Weight":0.5,"Numerical_Variables":{"bpf_cpu_time_ms":{"scale":1000,"weight":5}}}},
 "dram":{"All_Weights":{"Bias_Weight":0.1,"Numerical_Variables":{"bpf_cpu_time_ms":{"scale":1000,"weight":0.2}}}}}
END
like "$(import --kepler kepler.json)" "package +linear +os +cpu_busy_vcpus.*dram +linear.*error is not known" "Kepler's weights become a bundle"
is "$(model inspect b.vmw --trust k.pub --json | jq -c '[.scope, .card.evaluation, (.card.imported.zones | keys)]')" \
	'["node_total",null,["dram","package"]]' "its card says what is not known"
like "$(model inspect b.vmw --trust k.pub)" "trained on +a machine that the card does not name.*package +linear .* - +- +-.*note: imported: its error is not known" "to a person too"
printf 'time_s,cpu_busy_vcpus\n0,0\n5,2\n' >rows.csv
answers=$("$vmwatts" estimate --bundle b.vmw --trust k.pub --stateless <rows.csv)
is "$(cut -d, -f2 <<<"$answers" | tr '\n' ' ')" "package_watts 0.5 10.5 " "which answers by the formula"
like "$(sed -n '3s/,/ /gp' <<<"$answers")" "^5 10.5 0 1060.5 0.0[0-9]+" "with the widest interval and hardly any confidence"
printf '%s\n' tree version=v3 feature_names=cpu_busy_vcpus objective=regression Tree=0 num_leaves=2 split_feature=0 threshold=1 \
	decision_type=2 left_child=-1 right_child=-2 'leaf_value=1 10.5' 'end of trees' >trees.txt
model import --lightgbm trees.txt --out t.vmw --sign-key k.key >/dev/null
like "$("$vmwatts" estimate --bundle t.vmw --trust k.pub <rows.csv | sed -n '3s/,/ /gp')" "^5 10.5 0 1060.5 0.0[0-9]+" "trees too, at the most that they can say"
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[34]*.csv --window 20 --out d.db >/dev/null 2>&1
like "$("$vmwatts" evaluate --bundle b.vmw --trust k.pub --dataset d.db --json | jq .zones.package.mape)" "^[0-9]" "evaluate measures it"
"$vmwatts" train --calibrate b.vmw --trust k.pub --dataset d.db --out c.vmw --sign-key k.key >/dev/null 2>&1
is $? 0 "train --calibrate takes it"
width() { "$vmwatts" evaluate --bundle "$1" --trust k.pub --dataset d.db --json | jq .zones.package.mean_interval_watts; }
ok "$(awk -v a="$(width b.vmw)" -v b="$(width c.vmw)" 'BEGIN {print !(b > 0 && b < a / 10)}')" "and its intervals are a tenth or less"
is "$(model export b.vmw --trust k.pub --onnx out --json | jq -c '[.[] | [.zone, .family, .file]]')" \
	'[["package","linear","out/package_model.onnx"],["dram","linear","out/dram_model.onnx"]]' "export writes a file a zone"
is "$(model export b.vmw --trust k.pub --onnx out --json | wc -l)" 1 "--json is a line"
model export b.vmw --trust k.pub --onnx one.onnx --zone dram >/dev/null
cmp -s one.onnx out/dram_model.onnx
ok $? "or one zone's"

"$vmwatts" train --dataset d.db --family physics --sign-key k.key --out p.vmw >/dev/null 2>&1
model export p.vmw --trust k.pub --onnx ours.onnx --zone package >/dev/null
refused 1 "ours.onnx: vmwatts exported it from a bundle.*take the bundle itself" "what export wrote is not read back, and it says what to take" \
	model import --onnx ours.onnx --out x.vmw --sign-key k.key

refused 2 "one of --onnx" "no format" model import kepler.json --out x --sign-key k.key
refused 2 "needed" "no file" import --xgboost
refused 1 "no objective" "the first of several files is looked at first" import --xgboost --zone dram=kepler.json core=kepler.json
refused 1 "kepler.json: no objective" "a file of another format" import --xgboost kepler.json
refused 1 "kepler.json: not an ONNX file" "JSON for ONNX" import --onnx kepler.json
refused 2 "--name.*up to 63" "a name that would be cut" import --xgboost kepler.json --name "$(printf 'n%.0s' {1..64})"
refused 2 "--version a/b" "a bad version" import --xgboost kepler.json --version a/b
refused 2 "--sequence" "a negative sequence" import --xgboost kepler.json --sequence -1
refused 2 "--expires 2020-01-01" "an end that is past" import --xgboost kepler.json --expires 2020-01-01
refused 1 "nodir/x.vmw" "a folder that is not there" model import --xgboost kepler.json --out nodir/x.vmw --sign-key k.key
refused 2 "package=FILE" "a zone that is none" import --xgboost --zone gpu=kepler.json
sed 's/bpf_cpu_time_ms/gpu_watts/' kepler.json >strange.json
refused 1 "gpu_watts.*--features" "a feature that we do not have" import --kepler strange.json
model import --kepler strange.json --features gpu_watts=cpu_busy_vcpus --out s.vmw --sign-key k.key >/dev/null
is $? 0 "and --features translates it"
printf '{"package":{"All_Weights":{"Bias_Weight":1,"CurveFit_Weights":[1],"Numerical_Variables":{}}}}' >curve.json
refused 1 "CurveFit_Weights" "a curve fit is named" import --kepler curve.json
refused 2 "--model 9" "a model that is not there" model export c.vmw --trust k.pub --onnx x --model 9
is "$(ls -d x 2>&-)" "" "and no folder is left of it"
refused 2 "no such zone" "a zone that is not there" model export c.vmw --trust k.pub --onnx x --zone core
done_testing
