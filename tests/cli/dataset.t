#!/bin/bash
# vmwatts dataset: import, show, export, merge, and every kind of bad recording.
. "$(dirname "$0")/../tap.sh"
dataset() { "$vmwatts" dataset "$@"; }
cd "$work" || exit 1
rows() { # FILE N: a small good recording
	awk -v n="$2" 'BEGIN {print "time_s,vcpus,cpu_utilization,package_watts,colour"
		for (i = 0; i < n; i++) printf "%d,4,%.3f,%.2f,red\n", 1000 + i, (i % 10) / 10, 5 + (i % 10) * 2}' >"$1"
}
rows a.csv 30
rows b.csv 20
for action in import show export merge; do
	dataset $action --help | grep -q "usage: vmwatts dataset $action"
	ok $? "$action --help"
done
refused 2 "unknown|action" "an unknown action" dataset improt
said=$(dataset import --joined a.csv b.csv --out d.db 2>&1)
is $? 0 "import of two files"
like "$said" "a.csv: 30 rows" "says how many rows"
like "$said" "columns not used: colour" "columns outside the catalogue are noted"
is "$(dataset show d.db --json | jq -r '[.runs[].name] | join(" ")')" "a b" "a run is named after its file"
refused 1 "a.*already.*--replace|--replace" "a run that is there already" dataset import --joined a.csv --out d.db
dataset import --joined a.csv --out d.db --replace >/dev/null 2>&1
is "$?$(dataset show d.db --json | jq '[.runs[].rows] | add')" 050 "--replace replaces it"
dataset export d.db >exported.csv 2>/dev/null
like "$(head -1 exported.csv)" "^time_s,.*run|^run|,run" "export has a run column"
dataset import --joined exported.csv --out again.db >/dev/null 2>&1
dataset export again.db >again.csv 2>/dev/null
cmp -s exported.csv again.csv
ok $? "export and import again: the same file"
rows c.csv 12
dataset import --joined c.csv --out c.db --unordered >/dev/null 2>&1
dataset merge d.db c.db --out all.db >/dev/null 2>&1
is "$?$(dataset show all.db --json | jq -r '[.runs[].name] | sort | join(" ")')" "0a b c" "merge"
is "$(dataset show all.db --json | jq '[.runs[] | select(.name == "c") | .ordered] | first')" false "--unordered is kept"

# bad recordings
printf 'cpu_utilization,package_watts\n0.5,3\n' >x.csv
refused 1 "x.csv.*time_s" "no time_s column" dataset import --joined x.csv --out x.db
printf 'time_s,colour\n1,red\n' >x.csv
refused 1 "x.csv" "no feature at all" dataset import --joined x.csv --out x.db
printf 'time_s,cpu_utilization,cpu_utilization\n1,0.5,0.5\n' >x.csv
refused 1 "x.csv:1: .*both named cpu_utilization" "a column twice" dataset import --joined x.csv --out x.db
printf 'time_s,vcpus,cpu_utilization\n1,4,0.5\n' >x.csv
refused 1 "x.csv.*label" "a recording without a label" dataset import --joined x.csv --out x.db
: >x.csv
refused 1 "x.csv" "an empty file" dataset import --joined x.csv --out x.db
refused 1 "nothere.csv" "a file that is not there" dataset import --joined nothere.csv --out x.db
refused 1 "$work|directory" "a directory" dataset import --joined "$work" --out x.db
head -c 5000 /dev/urandom >x.csv
refused 1 "x.csv" "random bytes" dataset import --joined x.csv --out x.db
printf 'time_s,cpu_utilization,package_watts\n1,0.5,3\n2,abc,3\n3,"0.5",3\n4,0.5\n5,1.7,3\n6,nan,3\n7,0.5,3\n8,0.6,4\n' >x.csv
said=$(dataset import --joined x.csv --out x.db 2>&1)
for line in 3 4 5 6 7; do like "$said" "x.csv:$line: " "a bad row is named: line $line"; done
is "$(dataset show x.db --json | jq '[.runs[].rows] | add')" 3 "and the good ones are kept"
like "$said" "5 " "and the bad ones counted"
printf 'not a database' >no.db
refused 1 "no.db" "a dataset that is none" dataset show no.db
refused 1 "nothere.db" "a dataset that is not there" dataset show nothere.db
refused 2 "--out" "import without --out" dataset import --joined a.csv
refused 2 "--joined|--guest" "import of nothing" dataset import --out y.db
dataset export d.db >/dev/full 2>said
is $? 1 "export to a full disk"

# a kill in the middle of an import leaves what was there
rows big.csv 400000
dataset import --joined big.csv --out d.db >/dev/null 2>&1 &
pid=$!
sleep 0.3
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
is "$(dataset show d.db --json | jq '[.runs[] | select(.name != "big") | .rows] | add')" 50 "kill -9 during an import: the dataset is whole"
done_testing
