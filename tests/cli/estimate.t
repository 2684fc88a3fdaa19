#!/bin/bash
# vmwatts estimate: row for row, with the prior and with a bundle; bad input.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
estimate() { "$vmwatts" estimate "$@"; }
run=$top/data/metalci/20240913-1616.csv
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[4-6]*.csv --window 20 --out d.db >/dev/null 2>&1
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" train --dataset d.db --name e --out b.vmw --sign-key k.key >/dev/null 2>&1
header=time_s
for zone in package core dram uncore; do
	header+=,${zone}_watts,${zone}_watts_low,${zone}_watts_high,${zone}_confidence
done

estimate <"$run" >prior.csv 2>said
is $? 0 "without a bundle the prior answers"
is "$(head -1 prior.csv)" "$header" "the header of the contract"
is "$(wc -l <prior.csv)" "$(wc -l <"$run")" "row for row"
is "$(cut -d, -f1 prior.csv | tail -n +2)" "$(cut -d, -f1 "$run" | tail -n +2 | tr -d '\r')" "time_s as it came"
estimate --bundle b.vmw --trust k.pub <"$run" >whole.csv 2>said
is $? 0 "with a bundle"
while IFS= read -r line; do printf '%s\n' "$line"; sleep 0.001; done <"$run" | estimate --bundle b.vmw --trust k.pub >slow.csv 2>/dev/null
cmp -s whole.csv slow.csv
ok $? "a slow pipe gives the same"
is "$(awk -F, 'NR > 1 && !($3 <= $2 && $2 <= $4 && $3 >= 0 && $5 > 0 && $5 <= 1)' whole.csv | wc -l)" 0 "0 <= low <= watts <= high, confidence in (0, 1]"
estimate --bundle b.vmw --trust k.pub --json <"$run" | jq -es 'length == 337 and (.[0].zones.package.provenance == "trained")' >/dev/null
ok $? "--json: one object a line"
# labels and unknown columns change nothing
cut -d, -f1-4 "$run" >features.csv
estimate --bundle b.vmw --trust k.pub <features.csv >unlabelled.csv 2>/dev/null
cmp -s whole.csv unlabelled.csv
ok $? "labels and unknown columns are ignored"
# a gap starts anew: the row behind it is answered as a first row
{ sed -n 1,31p features.csv; awk -F, -v OFS=, 'NR > 31 {$1 += 5000; print}' features.csv; } >gap.csv
{ sed -n 1p features.csv; sed -n '32,$p' features.csv; } >second.csv
estimate --bundle b.vmw --trust k.pub <gap.csv 2>/dev/null | tail -n +32 | cut -d, -f2- >behind.csv
estimate --bundle b.vmw --trust k.pub <second.csv 2>/dev/null | tail -n +2 | cut -d, -f2- >fresh.csv
cmp -s behind.csv fresh.csv
ok $? "a gap starts a new series"
# rows whose step nobody can tell are what the bundle was trained on, as for evaluate
sed -n '1p;60p' features.csv >one.csv
sed -n '1p;60p;60p' features.csv >same.csv
sed -n 60p features.csv | awk -F, -v OFS=, '{print; $1 -= 3; print}' | cat <(sed -n 1p features.csv) - >falling.csv
for f in one same falling; do
	is "$(estimate --bundle b.vmw --trust k.pub --json <$f.csv 2>/dev/null | jq -r '.zones.package.provenance' | sort -u)" \
		trained "$f.csv: the bundle answers rows without a step, not the prior"
	cmp -s <(estimate --bundle b.vmw --trust k.pub <$f.csv 2>/dev/null | cut -d, -f2-) \
		<(estimate --bundle b.vmw --trust k.pub --window 20 <$f.csv 2>/dev/null | cut -d, -f2-)
	ok $? "$f.csv: as rows that average over the trained window"
done
printf 'time_s,vcpus,cpu_utilization\n1,4,0.5\n2,4,x\n3,4,0.5\n4,4,\n' >x.csv
estimate <x.csv >out.csv 2>said
is $? 1 "bad rows: exit 1"
is "$(wc -l <out.csv)" 5 "but every row is answered"
is "$(sed -n 3p out.csv)" "2,,,,,,,,,,,,,,,," "a bad one with empty fields"
like "$(cat said)" "stdin:3: .*'x'" "and named"
is "$(sed -n 5p out.csv)" "4,,,,,,,,,,,,,,,," "a missing value is not 0"
like "$(cat said)" "1 rows are not answered: cpu_utilization.*, and vcpus" "how many are not answered, and why"
# the prior is this machine's: where nothing says vcpus, its own
printf 'time_s,cpu_utilization\n1,0.5\n2,\n' >x.csv
printf 'time_s,vcpus,cpu_utilization\n1,%d,0.5\n2,,\n' "$(getconf _NPROCESSORS_ONLN)" >y.csv
estimate <x.csv >out.csv 2>said
is "$? $(estimate <y.csv 2>/dev/null | cmp out.csv && wc -l <out.csv)" "0 3" "without vcpus the prior takes this machine's"
is "$(cat said)" "vmwatts estimate: 1 rows are not answered: cpu_utilization or cpu_busy_vcpus is needed, and vcpus" "and tells what it could not answer"
mkdir -p other/proc other/sys/devices/system/cpu && echo 0-2 >other/sys/devices/system/cpu/online
estimate --root other <x.csv 2>/dev/null | cmp -s - <(sed 's/^1,[0-9]*/1,3/' y.csv | estimate --root other 2>/dev/null)
ok $? "or those of the machine that --root shows"
refused 1 "time_s" "no time_s" bash -c "printf 'cpu_utilization\n1\n' | '$vmwatts' estimate"
refused 1 "stdin" "an empty input" "$vmwatts" estimate
refused 2 "--trust" "a bundle without a key" estimate --bundle b.vmw
refused 2 "--trust belongs to --bundle" "a key without a bundle" estimate --trust k.pub
refused 1 "nothere.vmw" "a bundle that is not there" estimate --bundle nothere.vmw --trust k.pub
refused 2 "0 to 3600" "a negative window" estimate --window -1
estimate <"$run" >/dev/full 2>said
is $? 1 "a full disk"
is "$(grep -c . said)" 1 "in one sentence"
LC_ALL=C.UTF-8 LC_NUMERIC=de_DE.UTF-8 estimate <"$run" 2>/dev/null | cmp -s - prior.csv
ok $? "the same in any locale"
done_testing
