#!/bin/bash
# A guest's recorder as a user meets it: labels, commands, kill -9, going on, full disks, bad input.
. "$(dirname "$0")/../tap.sh"
cd "$work"
record() { "$vmwatts" record guest --no-perf "$@"; }
rows() { "$vmwatts" dataset show "$1" --json | jq "[.recordings[].$2] | add"; }

help=$(record --help)
is $? 0 "--help exits 0"
like "$help" "VMWATTS_LABEL_FILE" "--help names the label file's variable"
refused 2 "--out" "no trace to write" record --duration 1s
refused 2 "--interval takes 100ms" "an interval that is too short" record --out a.vmt --interval 1ms
refused 2 "--duration" "a duration that is none" record --out a.vmt --duration soon
refused 2 "--duration" "a duration below 0" record --out a.vmt --duration -1s
refused 2 "--vm takes" "a name that no trace can hold" record --out a.vmt --duration 1s --vm $'a\tb'
refused 1 "nosuchdir" "a folder that is not there" record --out nosuchdir/a.vmt --duration 1s
echo "time_s,package_watts" >other.csv
refused 1 "not a trace" "a file that is no trace is left alone" record --out other.csv --duration 1s
is "$(cat other.csv)" "time_s,package_watts" "and is as it was"
refused 1 "nosuchprogram" "a command that is not there" record --out b.vmt -- nosuchprogram
record --out cut.vmt --interval 100ms --duration 300ms -- sleep 60 2>said
is $? 0 "a command that --duration stops is no failure"
like "$(cat said)" "sleep was stopped: --duration is over" "and is told"
json=$(record --out killed.vmt --interval 100ms --json -- sh -c 'kill -TERM $$' 2>/dev/null)
is "$? $(jq .command_status <<<"$json")" "1 143" "a command that a signal ended is one, also in JSON"

json=$(record --out a.vmt --interval 100ms --vm web --json -- sh -c \
	'for p in one two; do echo $p >"$VMWATTS_LABEL_FILE"; sleep 0.5; done')
is $? 0 "a command is recorded while it runs"
is "$(jq -r '[.labels, .command_status, .cut_bytes] | join(" ")' <<<"$json")" "2 0 0" "with its two labels"
ok "$(jq '.samples >= 9 and .samples <= 14 | not' <<<"$json" | sed 's/true/1/;s/false/0/')" "a second at 100 ms"
is "$("$vmwatts" dataset export a.vmt | awk -F, 'NR > 1 {print $NF}' | sort -u | xargs)" "one two" "the labels are the rows' groups"
is "$(stat -c %a a.vmt)" 600 "a trace is the user's own"
record --out a.vmt --interval 100ms --vm web -- false 2>said
is $? 1 "a command that fails: exit 1"
like "$(cat said)" "status 1.*kept" "and what was recorded is kept"

before=$(rows a.vmt samples)
"$vmwatts" record guest --no-perf --out a.vmt --interval 100ms --vm web --duration 30s 2>/dev/null &
pid=$!
pids+=($pid)
sleep 0.7
refused 1 "another recorder" "a second recorder of the same file" record --out a.vmt --duration 1s
kill -9 $pid
wait $pid 2>/dev/null
after=$(rows a.vmt samples)
[ "$after" -ge $((before + 5)) ]
ok $? "kill -9 keeps what was written ($before, then $after samples)"
printf 'half a fra' >>a.vmt
json=$(record --out a.vmt --interval 100ms --vm web --duration 300ms --json)
is "$(jq .cut_bytes <<<"$json")" 10 "a broken-off frame is cut off"
is "$("$vmwatts" dataset show a.vmt --json | jq .damaged_bytes)" 0 "and the file is whole again"
"$vmwatts" record guest --no-perf --out c.vmt --interval 100ms --duration 60s --json >json 2>/dev/null &
pid=$!
sleep 0.5
kill $pid
wait $pid
is $? 0 "SIGTERM ends a recording as it should"

record --out d.vmt --interval 100ms --duration 10s --max-size 4K 2>said
is $? 1 "a size limit ends the recording"
like "$(cat said)" "limit" "and is named"
[ "$(rows d.vmt samples)" -ge 2 ]
ok $? "with what fitted"
mkdir small
if mount -t tmpfs -o size=16k tmpfs small 2>/dev/null; then
	record --out small/e.vmt --interval 100ms --duration 20s 2>said
	is $? 1 "a full disk ends the recording"
	like "$(cat said)" "kept.*No space left" "and says what is kept"
	[ "$(rows small/e.vmt samples)" -ge 5 ]
	ok $? "whole rows"
	is "$("$vmwatts" dataset show small/e.vmt --json | jq .damaged_bytes)" 0 "and none broken off"
	umount small
else
	skip "a full disk" "no right to mount a small one"
fi
# CPU times that cannot be read
mkdir -p root/proc
cp /proc/cpuinfo root/proc
: >root/proc/stat
record --out f.vmt --interval 100ms --duration 300ms --root root 2>said
is "$?$(rows f.vmt samples)" 04 "an unreadable /proc/stat does not end a recording"
refused 1 "holds no host" "one side alone cannot be imported" "$vmwatts" dataset import --guest a.vmt --host a.vmt --out x.db
is "$(ls /tmp/vmwatts-label-* 2>/dev/null | wc -l)" 0 "no label file is left"
done_testing
