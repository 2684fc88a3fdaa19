#!/bin/bash
# vmwatts train and evaluate: what they write, and what they refuse.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[3-6]*.csv --window 20 --out d.db >/dev/null 2>&1
train() { "$vmwatts" train --sign-key k.key "$@"; }
evaluate() { "$vmwatts" evaluate "$@"; }
SOURCE_DATE_EPOCH=1700000000 train --dataset d.db --name t --version 2.0.1 --sequence 7 --out one.vmw --json >card.json 2>said
is $? 0 "train"
is "$(ls one.vmw*)" "one.vmw
one.vmw.minisig" "writes exactly FILE and FILE.minisig"
jq -e . card.json >/dev/null
ok $? "--json is JSON"
card() { "$vmwatts" model inspect "$@" --trust k.pub; }
like "$(card one.vmw)" "recordings +2696 rows of 8 runs in 8 groups, 2024-09-13 16:16:57 UTC to 2024-09-16 23:" "inspect shows a person how much was recorded, and when"
SOURCE_DATE_EPOCH=1700000000 train --dataset d.db --name t --version 2.0.1 --sequence 7 --out two.vmw >/dev/null 2>&1
cmp -s one.vmw two.vmw
ok $? "the same data give the same bytes"
[ "$(stat -c %s one.vmw)" -le 921600 ]
ok $? "at most 900 KiB"
for family in linear physics mlp; do
	train --dataset d.db --family $family --out f.vmw >/dev/null 2>&1
	ok $? "--family $family"
done
evaluate --bundle one.vmw --trust k.pub --dataset d.db --json >report.json
is "$(jq -r '.bundle.name + " " + .bundle.version' report.json)" "t 2.0.1" "the report names the bundle"
is "$(jq '[.zones.package | has("rows", "mape", "mape_floor_watts", "mae_watts", "wmape", "rmse_watts", "r2", "bias_watts", "energy_error", "coverage_90", "mean_interval_watts", "by_run")] | all' report.json 2>/dev/null ||
	jq '.zones.package | [has("rows"), has("mape"), has("mape_floor_watts"), has("mae_watts"), has("wmape"), has("rmse_watts"), has("r2"), has("bias_watts"), has("energy_error"), has("coverage_90"), has("mean_interval_watts"), has("by_run")] | all' report.json)" \
	true "with every figure of the contract"
is "$(jq '.zones.package.by_run | length' report.json)" "$(ls "$top"/data/metalci/2024091[3-6]*.csv | wc -l)" "and every run"
evaluate --dataset d.db --json | jq -e '.zones.package.rows > 0' >/dev/null
ok $? "without a bundle the prior is evaluated"

# what cannot be trained on
small() { # ROWS of a recording to x.db
	awk -v n="$1" 'BEGIN {print "time_s,vcpus,cpu_utilization,package_watts"; for (i = 0; i < n; i++) printf "%d,4,%.2f,%.2f\n", i, i / n, 3 + i}' >x.csv
	rm -f x.db
	"$vmwatts" dataset import --joined x.csv --out x.db >/dev/null 2>&1
}
small 80
for family in forest gbdt hybrid; do
	said=$(train --dataset x.db --family $family --scope node_total --out f.vmw 2>/dev/null)
	is $? 0 "--family $family"
	like "$said" "package +$family " "and its table says so"
	like "$("$vmwatts" model inspect f.vmw --trust k.pub)" "package +$family " "and so does model inspect"
	rm -f f.vmw*
done
for family in gbdt mlp; do
	search() { SOURCE_DATE_EPOCH=1700000000 train --dataset x.db --family $family --search bayes "$@"; }
	search --trials 4 --out s.vmw --json >card.json 2>/dev/null
	is "$(jq -c '.card.zones.package.search | [.method, .of, .trials, .cut]' card.json)" \
		"[\"bayes\",\"$family\",4,false]" "--search bayes --trials 4 --family $family, and the card says so"
	is "$(jq '.card.zones.package.search | .error_best <= .error_before' card.json)" true "it is no worse than where it began"
	is "$(ls s.vmw*)" "s.vmw
s.vmw.minisig" "the trials are gone with success"
	search --trials 4 --out again.vmw >/dev/null 2>&1
	cmp -s s.vmw again.vmw
	ok $? "the same trials give the same bytes"
	# Broken off behind the search: the trials stay, and are not made again.
	search --trials 4 --out full.vmw --max-size 1K >/dev/null 2>&1
	is $? 1 "a bundle that does not fit is not written"
	is "$(grep -c '^package,' full.vmw.trials)" 4 "its trials are kept"
	sed -i '3s/,[^,]*$/,0.00025/' full.vmw.trials
	search --trials 4 --out full.vmw --json 2>/dev/null >card.json
	is "$(jq -c '.card.zones.package.search.error_best' card.json)" 0.00025 "and the same command takes them up"
	search --budget 1ms --out cut.vmw --json 2>/dev/null >card.json
	is "$(jq -c '.card.zones.package.search | [.trials, .cut]' card.json)" "[1,true]" "a budget that is cut says how far it came"
	rm -f s.vmw* again.vmw* full.vmw* cut.vmw*
done
refused 2 "none, grid or bayes are allowed" "an unknown search" train --dataset x.db --out x.vmw --search magic
refused 2 "1 to 1000" "no trials" train --dataset x.db --out x.vmw --search grid --trials 0
refused 2 "3m or 90s" "a budget that is none" train --dataset x.db --out x.vmw --search grid --budget long
refused 2 "need --search" "trials without a search" train --dataset x.db --out x.vmw --trials 5
refused 2 "need --search" "a budget without a search" train --dataset x.db --out x.vmw --budget 3m --search none
refused 2 "auto, blend, gbdt or mlp" "a family with nothing to search" train --dataset x.db --out x.vmw --search grid --family linear
# a few rows of another machine
"$vmwatts" model keygen --out other >/dev/null
awk -F, 'BEGIN {OFS = ","} NR == 1 {for (i = 1; i <= NF; i++) c[$i] = i; print; next} NR % 17 == 3 {$c["package_watts"] *= 1.7; print}' \
	"$top"/data/metalci/20240913-1616.csv >few.csv
"$vmwatts" dataset import --joined few.csv --unordered --out few.db >/dev/null 2>&1
said=$(train --calibrate one.vmw --trust k.pub --dataset few.db --out few.vmw --version 3.0.0 2>&1)
is $? 0 "--calibrate"
like "$said" "package +[0-9]+ rows, (local|affine|gain): relative error" "says what it did and how good that is"
is "$("$vmwatts" model inspect few.vmw --trust k.pub --json 2>/dev/null | jq -r '[.. | objects | select(has("calibrated")) | .from.version][0]')" 2.0.1 \
	"the card names the bundle it came from"
like "$(card few.vmw)" "calibrated +from t 2.0.1 on [0-9]+ rows" "for a person too"
is "$(card few.vmw | grep -cw nan)" 0 "where what is not known is not called nan"
before=$(evaluate --bundle one.vmw --trust k.pub --dataset few.db --json | jq .zones.package.wmape)
after=$(evaluate --bundle few.vmw --trust k.pub --dataset few.db --json | jq .zones.package.wmape)
ok "$(awk -v a="$after" -v b="$before" 'BEGIN {print !(a < b / 2)}')" "and is nearer to that machine ($before to $after)"
is "$(train --calibrate one.vmw --trust k.pub --dataset few.db --out again.vmw 2>/dev/null | grep -cw nan)" 0 "and prints no nan"
ln -sf d.db same.db
refused 2 "same.db is named twice" "one dataset twice" train --dataset d.db same.db --family linear --out x.vmw
refused 2 "named twice" "which evaluate refuses too" evaluate --dataset d.db d.db
refused 2 "needs --trust" "--calibrate without a key" train --calibrate one.vmw --dataset few.db --out x.vmw
refused 2 "excludes --family" "--calibrate with a family" train --calibrate one.vmw --trust k.pub --family linear --dataset few.db --out x.vmw
refused 2 "belongs to --calibrate" "--trust alone" train --trust k.pub --dataset few.db --out x.vmw
refused 1 "not trusted" "a bundle of another key" train --calibrate one.vmw --trust other.pub --dataset few.db --out x.vmw
for option in "--scope node_total" "--uncore pp1" "--stateless"; do
	refused 2 "excludes .*${option%% *}" "--calibrate with ${option%% *}, which is the bundle's" \
		train --calibrate one.vmw --trust k.pub $option --dataset few.db --out x.vmw
done
is "$("$vmwatts" model inspect few.vmw --trust k.pub --json | jq -r .name)" t "what is adapted keeps its name"
train --calibrate one.vmw --trust k.pub --dataset few.db --out few.vmw --name here >/dev/null 2>&1
is "$("$vmwatts" model inspect few.vmw --trust k.pub --json | jq -r .name)" here "unless --name gives another"
rm -f few.vmw*
# a bundle that ends
ending() { SOURCE_DATE_EPOCH=1700000000 train --dataset x.db --family physics --out e.vmw "$@"; }
expires() { "$vmwatts" model inspect "$1" --trust k.pub --json | jq .expires; }
ending --expires 2099-01-01 >/dev/null 2>&1
is "$? $(expires e.vmw)" "0 4070908800" "--expires with a day"
like "$("$vmwatts" model inspect e.vmw --trust k.pub)" "expires +2099-01-01 00:00:00 UTC" "is on the card"
train --calibrate e.vmw --trust k.pub --dataset few.db --out few.vmw >/dev/null 2>&1
is "$? $(expires few.vmw)" "0 4070908800" "and stays when the bundle is adapted"
train --calibrate e.vmw --trust k.pub --dataset few.db --out few.vmw --expires 2098-01-01 >/dev/null 2>&1
is "$? $(expires few.vmw)" "0 4039372800" "unless another is given"
ending --expires 180d >/dev/null 2>&1
is "$? $(expires e.vmw)" "0 $((1700000000 + 180 * 86400))" "--expires with a span"
mkdir store
refused 1 "expired" "which is not installed afterwards" "$vmwatts" model install e.vmw --trust k.pub --model-path store
refused 2 "--expires soon: a day to come.*180d" "an end that is none" ending --expires soon
refused 2 "--expires 2020-01-01: a day to come" "an end that is past" ending --expires 2020-01-01
rm -rf few.vmw* e.vmw* store
# a zone that draws nothing has no relative error
awk 'BEGIN {print "time_s,cpu_utilization,uncore_watts,package_watts"; for (i = 0; i < 80; i++) printf "%d,%.2f,0,%.2f\n", i, i / 80, 3 + i}' >zero.csv
"$vmwatts" dataset import --joined zero.csv --out zero.db >/dev/null 2>&1
said=$(train --dataset zero.db --scope node_total --family gbdt --out zero.vmw 2>/dev/null
	train --dataset zero.db --scope node_total --out zero.vmw 2>/dev/null
	card zero.vmw
	train --calibrate zero.vmw --trust k.pub --dataset zero.db --out zero.vmw 2>/dev/null
	evaluate --dataset zero.db --bundle zero.vmw --trust k.pub)
like "$said" "uncore +gbdt .* uncore " "a zone at 0 W is trained and evaluated"
is "$(grep -cwE 'nan|inf' <<<"$said")" 0 "and no figure of it is nan"
rm -f zero.*
small 1
said=$(train --dataset x.db --out x.vmw 2>&1)
is $? 1 "a dataset with one row: exit 1"
like "$said" "no zone can be trained: at least 20 rows" "and why"
awk 'BEGIN {print "time_s,cpu_utilization,package_watts"; for (i = 0; i < 60; i++) printf "%.0f,%.2f,%.2f\n", 17e11 + i * 5000, i % 7 / 7, 3 + i % 7}' >ms.csv
"$vmwatts" dataset import --joined ms.csv --out ms.db >/dev/null 2>&1
said=$(train --dataset ms.db --out x.vmw 2>&1)
is $? 1 "times in milliseconds"
like "$said" "rows are 5000 s apart .* is time_s in seconds[?]" "and what is asked"
refused 1 "nothere.db" "a dataset that is not there" train --dataset nothere.db --out x.vmw
refused 1 "nothere.key" "a key that is not there" "$vmwatts" train --dataset d.db --out x.vmw --sign-key nothere.key
refused 2 "--dataset" "no dataset" train --out x.vmw
refused 2 "auto, blend.*mlp" "an unknown family" train --dataset d.db --out x.vmw --family magic
refused 2 "scope" "an unknown scope" train --dataset d.db --out x.vmw --scope all
refused 1 "nodir" "a folder that is not there" train --dataset d.db --out nodir/x.vmw
# what would be found only when the work is done is looked at before: the dataset is not even opened
refused 1 "nodir" "a folder that is not there, before training" train --dataset nothere.db --out nodir/x.vmw
refused 1 "is a directory" "an --out that is a folder" train --dataset nothere.db --out .
long=$(printf 'n%.0s' {1..64})
refused 2 "--name a/b: up to 63 letters" "a bad name" train --dataset nothere.db --out x.vmw --name a/b
refused 2 "--name $long.*63" "a name that would be cut" train --dataset nothere.db --out x.vmw --name "$long"
refused 2 "--name : " "no name" train --dataset nothere.db --out x.vmw --name ""
refused 2 "--version .1: up to 31 letters" "a bad version" train --dataset nothere.db --out x.vmw --version .1
refused 2 "--version.*31" "a version that would be cut" train --dataset nothere.db --out x.vmw --version "${long:32}"
refused 2 "--sequence takes a number from 0" "a negative sequence" train --dataset nothere.db --out x.vmw --sequence -1
train --dataset d.db --out x.vmw --max-size 1500 >/dev/null 2>said
is $? 1 "a bundle that does not fit"
like "$(tail -1 said)" "allows 1500: .*--family physics" "and what to do"
refused 1 "allows 1024: allow more\$" "and advises no family that it is already" train --dataset d.db --family physics --out x.vmw --max-size 1K
train --dataset d.db --out small.vmw --max-size 100K >/dev/null 2>said
is "$? $(($(stat -c %s small.vmw) <= 102400))" "0 1" "a small one does, with one blend a zone"
like "$(cat said)" "room for one blend a zone" "and says what was left out"
refused 2 "max-size" "a size that is none" train --dataset d.db --out x.vmw --max-size big
[ ! -e x.vmw ]
ok $? "and nothing is left behind"
is "$("$vmwatts" dataset show d.db --json | jq -r '.zones | has("uncore")' 2>/dev/null || echo false)" false "no uncore label in this dataset"
is "$(jq -r '.zones | has("uncore")' report.json)" false "a zone with no label is not in the report"
refused 2 "--trust belongs to --bundle" "evaluate with a key and no bundle" evaluate --trust k.pub --dataset d.db
refused 1 "x.vmw" "evaluate of a bundle that is not there" evaluate --bundle x.vmw --trust k.pub --dataset d.db
done_testing
