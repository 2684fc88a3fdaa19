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
refused 1 "UTF-8" "a run name that is no UTF-8" dataset import --joined a.csv --run $'caf\xe9' --out d.db
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

is "$(dataset merge d.db c.db --out json.db --json | jq -c .)" '[{"file":"d.db","runs":2},{"file":"c.db","runs":1}]' "merge --json"
refused 1 "./d.db: is the dataset to copy into" "a dataset into itself" dataset merge ./d.db --out d.db
refused 1 "nothere.db" "a dataset that is not there" dataset merge nothere.db --out none.db
[ ! -e none.db ]
ok $? "leaves no empty one"

# what a CSV does not hold: --unordered and --window, told so that an import gives the same dataset
back() { dataset export "$1" 2>said >back.csv; }
shown() { dataset show "$1" --json | jq -c '[.runs[] | [.name, .ordered, .interval_s, .window_s]]'; }
back d.db
is "$(cat said)" "" "export of plain runs has nothing to tell"
back c.db
like "$(cat said)" "c.db: import the CSV with --unordered" "export of an unordered run tells the flag"
dataset import --joined back.csv --unordered --out back.db 2>/dev/null
is "$(shown back.db)" "$(shown c.db)" "with which it comes back the same"
dataset import --joined a.csv b.csv --window 20 --out w.db 2>/dev/null
awk -F, -v OFS=, 'NR > 1 {$1 *= 30} 1' a.csv >slow.csv
dataset import --joined slow.csv --window 20 --out w.db 2>/dev/null
back w.db
like "$(cat said)" "w.db: import the CSV with --window 20," "and so does one of rows that average over more"
dataset import --joined back.csv --window 20 --out wback.db 2>/dev/null
is "$(shown wback.db)" "$(shown w.db)" "with which it comes back the same, slow runs too"
back all.db
like "$(cat said)" "all.db: its runs .* dataset merge keeps them" "runs that differ are told what keeps them"
dataset import --joined c.csv --out w.db 2>/dev/null
back w.db
like "$(cat said)" "w.db: its runs .* dataset merge keeps them" "also where windows do"

# bad recordings
printf 'cpu_utilization,package_watts\n0.5,3\n' >x.csv
refused 1 "x.csv.*time_s" "no time_s column" dataset import --joined x.csv --out x.db
printf 'time_s,colour\n1,red\n' >x.csv
refused 1 "x.csv" "no feature at all" dataset import --joined x.csv --out x.db
printf 'time_s,cpu_utilization,cpu_utilization\n1,0.5,0.5\n' >x.csv
refused 1 "x.csv:1: .*both named cpu_utilization" "a column twice" dataset import --joined x.csv --out x.db
printf 'time_s,cpu_utilization,package_watts\n1,0.5,3\n1,0.5,3\n1,,3\n1,,3\n2,,3\n' >x.csv
said=$(dataset import --joined x.csv --out twice.db --json 2>said | jq -c '.[0] | [.rows, .bad_rows]')
is "$said $(grep -c 'once more' said)" "[3,2] 2" "a row that is there twice is told and left out"
like "$(cat said)" "x.csv:3: .*x.csv:5: " "by its line"
is "$(dataset import --joined x.csv --unordered --out once.db --json 2>/dev/null | jq -c '.[0] | [.rows, .bad_rows]')" "[5,0]" \
	"but rows that are no time series may be alike"
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
printf 'time_s,cpu_utilization,package_watts,\x1b[31mred\n1,\x1b[32m,3,\n2,0.5,3,\n' >x.csv
said=$(dataset import --joined x.csv --out esc.db 2>&1)
like "$said" "'.x1b.32m' is not a number.*columns not used: .x1b.31mred" "what a file holds is no command to the terminal"
said=$("$vmwatts" estimate 2>&1 >/dev/null <x.csv)
like "$said" "'.x1b.32m' is not a number" "neither for estimate"
printf 'not a database' >no.db
refused 1 "no.db" "a dataset that is none" dataset show no.db
refused 1 "nothere.db" "a dataset that is not there" dataset show nothere.db
refused 2 "--out" "import without --out" dataset import --joined a.csv
refused 2 "--joined|--guest" "import of nothing" dataset import --out y.db
refused 1 "directory" "a dataset that is a directory" dataset show .

# where nothing can be written: not the dataset, not beside it
plain() { # COMMAND...: as somebody who may write only what permissions allow
	if [ "$(id -u)" = 0 ]; then setpriv --bounding-set=-dac_override,-dac_read_search "$@"; else "$@"; fi
}
"$vmwatts" model keygen --out k >/dev/null
mkdir shelf && cp d.db shelf && chmod 444 shelf/d.db && chmod 555 shelf
if plain touch shelf/x 2>/dev/null; then
	skip "a dataset on a read-only disk" "permissions do not hold here"
else
	is "$(plain "$vmwatts" dataset show shelf/d.db --json | jq '[.runs[].rows] | add')" 50 "a dataset on a read-only disk: show"
	plain "$vmwatts" dataset export shelf/d.db | cmp -s - exported.csv
	ok $? "export"
	plain "$vmwatts" train --dataset shelf/d.db --family physics --sign-key k.key --out b.vmw >/dev/null 2>&1
	ok $? "train"
	plain "$vmwatts" evaluate --bundle b.vmw --trust k.pub --dataset shelf/d.db >/dev/null 2>&1
	ok $? "evaluate"
	chmod 755 shelf && cp d.db shelf/cut.db
	python3 - shelf/cut.db <<-'EOF'
		import os, sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("PRAGMA journal_mode = WAL")
		db.execute("UPDATE run SET window_s = 2")
		db.commit()
		os._exit(0)
	EOF
	rm -f shelf/cut.db-shm
	chmod 444 shelf/cut.db* && chmod 555 shelf
	refused 1 "not closed by who wrote it last.*copy it" "one that a killed import left there" plain "$vmwatts" dataset show shelf/cut.db
	chmod 755 shelf && chmod 644 shelf/cut.db*
	is "$(dataset show shelf/cut.db --json | jq '[.runs[].window_s] | unique | first')" 2 "which is read, whole, where the folder can be written"
	is "$(ls shelf | xargs)" "cut.db d.db" "reading leaves nothing beside a dataset"
fi
# a reader that takes its time is waited for, and not called a writer
hold() { # SECONDS
	python3 -c 'import sqlite3, sys, time
db = sqlite3.connect("h.db", isolation_level=None)
db.execute("BEGIN")
db.execute("SELECT count(*) FROM row").fetchone()
open("held", "w").close()
time.sleep(float(sys.argv[1]))' "$1" &
	holder=$!
	pids+=($holder)
	wait_for 10 test -e held
	rm -f held
}
cp d.db h.db
hold 1
dataset import --joined a.csv --run waited --out h.db 2>/dev/null
is $? 0 "an import waits for who reads"
hold 60
refused 1 "h.db: another process is using it; try again" "and says so where that takes too long" dataset import --joined a.csv --run late --out h.db
kill $holder
# an import that the disk is too small for
if unshare -m true 2>/dev/null; then
	mkdir tiny
	rows long.csv 30000
	left=$(unshare -m bash -c 'mount -t tmpfs -o size=200k none tiny && "$1" dataset import --joined long.csv --out tiny/t.db 2>/dev/null
		echo "$?" $(ls tiny)' - "$vmwatts")
	is "$left" 1 "nothing is left of an import that filled the disk"
else
	skip "nothing is left of an import that filled the disk" "no mount namespaces here"
fi
dataset export d.db >/dev/full 2>said
is $? 1 "export to a full disk"

# paired: a simulated guest, and its host whose clock is 7.3 s ahead; the gauge is refreshed every other read
simulate() { # NAME: NAME.guest.csv, NAME.host.csv
	awk -v name="$1" 'function load(t,  k) { k = int(t / 7); return ((k * k * 31 + k * 17) % 97) / 97 }
		BEGIN {
			print "time_s,vcpus,cpu_utilization,colour,half" >(name ".guest.csv")
			for (i = 1; i <= 240; i++) {
				u = (load(1000 + i - 0.25) + load(1000 + i - 0.75)) / 2
				printf "%d,4,%.4f,red,%d\n", 1000 + i, u, (i > 120) >(name ".guest.csv")
			}
			print "time_s,package_watts,core_watts,fan" >(name ".host.csv")
			for (i = 1; i <= 240; i++) {
				if (i % 2) w = (load(1000 + i - 0.25) + load(1000 + i - 0.75) + load(999.75 + i - 1) + load(999.25 + i - 1)) / 4
				printf (i == 100 ? "%.2f,,,\n" : "%.2f,%.5f,%.5f,9\n"), 1007.3 + i, 5 + 20 * w, 2 + 15 * w >(name ".host.csv")
			}
		}'
}
simulate lab
pair() { dataset import --guest lab.guest.csv --host lab.host.csv --out p.db "$@"; }
said=$(pair 2>&1)
is $? 0 "a guest and its host"
like "$said" "guest time is host time -[67]\.[0-9]+ s \(\+- 0\.[0-9]+ s" "says the lag and its uncertainty"
like "$said" "R2 of power against load (0\.9|1\.0)" "says how well they match"
like "$said" "repeat a refresh, 1 are empty; labels average over 2 s" "says what the host's rows are"
like "$said" "rows left out without a label: [0-9]+ outside the host's time, 0 in its gaps, [1-9]" "says which rows have no label, and why"
like "$said" "lab.guest.csv: columns not used: colour, half" "notes columns of the guest"
like "$said" "lab.host.csv: columns not used: fan" "notes columns of the host"
is "$(dataset show p.db --json | jq -c '[.runs[0].name, .runs[0].window_s]')" '["lab",1]' "the run is named after the guest's file, its window is its step"
refused 1 "lab.*already.*--replace" "a pair that is there already" pair
json=$(pair --replace --group half --json 2>/dev/null)
is "$(jq '.[0].pair | (.lag_seconds + 7.3 | fabs) <= ([0.3, .lag_uncertainty_seconds] | max)' <<<"$json")" true "--json: the lag is right"
is "$(jq '.[0] | .rows + (.pair.rows_left_out | add)' <<<"$json")" 240 "--json: every row is counted"
is "$(jq -c '.[0].pair | [.host_rows, .host_empty_rows, .host_repeated_rows > 100, .r2 > 0.9]' <<<"$json")" "[240,1,true,true]" "--json: the host's rows"
is "$(dataset show p.db --json | jq -c '[.groups, (.runs | length)]')" "[2,1]" "--group works for a pair, --replace too"
json=$(pair --run forced --lag -7.3 --json 2>/dev/null)
is "$(jq -c '.[0].pair | [.lag_seconds, .lag_uncertainty_seconds, .r2 > 0.9]' <<<"$json")" "[-7.3,null,true]" "--lag is taken as it is, and judged"
is "$(dataset show p.db --json | jq -r '[.runs[].name] | sort | join(" ")')" "forced lab" "--run names the run"
dataset export p.db >exported.csv
like "$(head -1 exported.csv)" "package_watts,core_watts" "export has the labels"
refused 2 "--host H is needed" "a guest without a host" dataset import --guest lab.guest.csv --out q.db
refused 2 "--guest G is needed" "a host without a guest" dataset import --host lab.host.csv --out q.db
refused 2 "one kind" "a pair and joined at once" dataset import --joined a.csv --guest lab.guest.csv --host lab.host.csv --out q.db
refused 2 "--unordered" "an unordered pair" pair --unordered
refused 2 "--lag" "a lag that is no number" pair --lag soon
refused 2 "--lag" "a lag without a pair" dataset import --joined a.csv --lag 1 --out q.db
refused 1 "no column of measured power" "a host without watts" dataset import --guest lab.guest.csv --host lab.guest.csv --out q.db
refused 1 "lab.guest.csv: --vm chooses within a trace" "a VM of a CSV" pair --vm web
refused 1 "lab.host.csv: --host-vm chooses within a trace" "on the host's side too" pair --host-vm web
for option in "--side host" "--vm web"; do
	refused 2 "for traces" "export of a dataset with ${option%% *}" dataset export p.db $option
done
refused 1 "known feature" "a guest without features" dataset import --guest lab.host.csv --host lab.host.csv --out q.db
refused 1 "nothere.csv" "a host that is not there" dataset import --guest lab.guest.csv --host nothere.csv --out q.db
awk -F, -v OFS=, 'NR > 1 {$1 += 100000} 1' lab.host.csv >late.csv
refused 1 "too little in common" "a host of another day" dataset import --guest lab.guest.csv --host late.csv --out q.db
refused 1 "covers no row" "and with a lag that is wrong" dataset import --guest lab.guest.csv --host late.csv --lag 0 --out q.db
awk -F, -v OFS=, 'NR > 1 {$3 = 0.5} 1' lab.guest.csv >idle.csv
refused 1 "load does not change.*--lag" "a load that never changes" dataset import --guest idle.csv --host lab.host.csv --out q.db
refused 1 "fewer than two" "an empty guest" dataset import --guest <(head -1 lab.guest.csv) --host lab.host.csv --out q.db
[ ! -e q.db ]
ok $? "nothing is left of a refused import"

# a kill in the middle of an import leaves what was there
rows big.csv 400000
dataset import --joined big.csv --out d.db >/dev/null 2>&1 &
pid=$!
sleep 0.3
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
is "$(dataset show d.db --json | jq '[.runs[] | select(.name != "big") | .rows] | add')" 50 "kill -9 during an import: the dataset is whole"
done_testing
