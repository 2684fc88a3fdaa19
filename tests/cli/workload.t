#!/bin/bash
# workload as an operator meets it: plans, labels, refusals, and that nothing outlives a run.
. "$(dirname "$0")/../tap.sh"
disk=${TMPDIR:-/var/tmp}
if [ "$(stat -f -c %T "$disk")" = tmpfs ]; then disk=$top; fi
mkdir "$work/dir"
plan() { printf 'name: p\nphases:\n%s\n' "$1" >"$work/plan.yaml"; }
run() { "$vmwatts" workload run "$@"; }
# Processes of stress-ng that write below our own folder.
ours() { pgrep -f -- "--temp-path $work/dir" | wc -l; }
left() { [ "$(ours)" = 0 ] && [ -z "$(ls "$work/dir")" ]; }

# ---- plans
is "$("$vmwatts" workload list --json | jq -r '[.plans[].name] | join(" ")')" "cpu memory io mixed full quick" "list: the plans"
like "$("$vmwatts" workload list)" "cpu-prime" "list: the kinds of load"
is "$("$vmwatts" workload list --json | jq '[.plans[] | select(.name == "full")][0].seconds')" 1800 "full takes 30 minutes"
is "$("$vmwatts" workload list --json | jq '[.plans[] | select(.name == "quick")][0].seconds')" 180 "quick takes 3 minutes"
for name in cpu memory io mixed full quick; do
	"$vmwatts" workload show "$name" >"$work/$name.yaml"
	sed -i 's/duration: [0-9]*s/duration: 100ms/' "$work/$name.yaml"
	timeout -s INT 1 "$vmwatts" workload run "$work/$name.yaml" --dir "$disk" 2>&1 | grep -q '^phase 1/'
	ok $? "show $name: run reads it back"
done

# ---- ports that others have
hold() { # until fd 9 is closed: what stress-ng would take by itself
	python3 -c 'import socket, sys
for kind, port in ((socket.SOCK_STREAM, 5000), (socket.SOCK_DGRAM, 7000)):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
    try:
        s.bind(("", port))
        kind == socket.SOCK_STREAM and s.listen()
    except OSError:
        pass  # somebody has it already
    globals()[f"s{port}"] = s
print("held", flush=True)
sys.stdin.read()'
}
mkfifo "$work/hold"
hold <"$work/hold" >"$work/held" &
exec 9>"$work/hold"
wait_for 5 grep -q held "$work/held"
plan '  - {name: tcp, duration: 600ms, loads: [{kind: network, workers: 1}]}
  - {name: udp, duration: 600ms, loads: [{kind: network-udp, workers: 1}]}'
run "$work/plan.yaml" --dir "$work/dir" 2>"$work/err"
ok $? "network phases run beside who has stress-ng's ports" || tail -1 "$work/err"
exec 9>&-

# ---- bad input
refused 2 "did you mean|no command" "an unknown action" "$vmwatts" workload rum
refused 2 "workload list" "no plan" run
refused 1 "did you mean 'memory'" "a misspelt plan" run memroy
refused 2 "scale" "a scale of 0" run quick --scale 0
refused 1 "nodir" "a folder that is not there" run quick --dir "$work/nodir"
refused 1 "label file" "a label file in a folder that is not there" run quick --label-file "$work/nodir/label"
mkfifo "$work/pipe"
refused 1 "not a regular file" "a label file that is a device or a pipe" run quick --scale 0.001 --label-file "$work/pipe"
[ -p "$work/pipe" ]
ok $? "which is still there"
plan '  - {name: a, duration: 1s, loads: [{kind: cpu-prim}]}'
refused 1 "plan.yaml:3:44: kind: found 'cpu-prim'; did you mean 'cpu-prime'" "a misspelt kind" run "$work/plan.yaml"
plan '  - {name: a, duration: soon}'
refused 1 "plan.yaml:3:25: duration: found 'soon', allowed: .*30s" "a duration that is none" run "$work/plan.yaml"
plan '  - {name: a, duration: 1s, loads: [{kind: memory-random, size: 99%}]}'
refused 1 "phase a asks for .* MiB of memory.*lower its size" "memory that would swap" run "$work/plan.yaml"
plan '  - {name: a, duration: 1s, loads: [{kind: disk-write, size: 900000000M}]}'
refused 1 "phase a asks for .* MiB of disk.*(--dir|free)" "a disk that would fill" run "$work/plan.yaml" --dir "$disk"
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ]; then
	plan '  - {name: a, duration: 1s, loads: [{kind: disk-write, size: 1M}]}'
	refused 1 "in memory.*--dir" "a disk phase in memory" run "$work/plan.yaml" --dir /dev/shm
fi
refused 1 "install the package stress-ng" "no stress-ng" env PATH="$work" "$vmwatts" workload run quick

# ---- a run
plan '  - {name: first, duration: 1s}
  - {name: second, duration: 1500ms, loads: [{kind: cpu-int64, load: 30}]}'
VMWATTS_LABEL_FILE=$work/label "$vmwatts" workload run "$work/plan.yaml" --json --dir "$work/dir" >"$work/out" 2>"$work/said" &
pids+=($!)
wait_for 5 grep -qx first "$work/label"
ok $? "the label is the phase's name (VMWATTS_LABEL_FILE)"
wait_for 5 grep -qx second "$work/label"
ok $? "and then the next one's"
wait $!
is $? 0 "exit 0"
is "$(stat -c %s "$work/label")" 0 "the label is emptied at the end"
is "$(cat "$work/said")" $'phase 1/2 first\nphase 2/2 second' "no terminal: a line a phase"
is "$(jq -r '[.phases[] | .name, (.end_s - .begin_s | . * 2 | round)] | join(" ")' "$work/out")" "first 2 second 3" "--json: when each phase was"
left
ok $? "nothing is left"

# ---- ends
plan '  - {name: long, duration: 1h, loads: [{kind: cpu-prime, load: 10}, {kind: network, workers: 1, load: 20}, {kind: disk-write, workers: 1, size: 16M}]}'
start() {
	"$vmwatts" workload run "$work/plan.yaml" --dir "$work/dir" --label-file "$work/label" 2>"$work/said" &
	keeper=$!
	pids+=($keeper)
	wait_for 10 eval '[ "$(ours)" -ge 4 ]'
	worker=$(pgrep -P $keeper)
}
for signal in TERM HUP; do
	start
	kill -$signal $keeper
	wait $keeper
	is "$?" 1 "SIG$signal: exit 1"
	left
	ok $? "SIG$signal: nothing is left"
	is "$(stat -c %s "$work/label")" 0 "SIG$signal: the label is empty"
done
start
kill -9 $keeper
wait_for 5 left
ok $? "kill -9: nothing is left"
is "$(stat -c %s "$work/label")" 0 "kill -9: the label is empty"
start
kill -9 "$worker"
wait $keeper
is $? 1 "kill -9 of the child: exit 1"
left
ok $? "kill -9 of the child: nothing is left"
start
kill -STOP $keeper # or whichever is killed second may clean up before it is
kill -9 "$worker" $keeper
wait_for 5 eval '[ "$(ours)" = 0 ]'
ok $? "kill -9 of both: no stress-ng is left"
is "$(ls "$work/dir" | wc -l)" 1 "kill -9 of both: a folder is"
plan '  - {name: short, duration: 100ms}'
run "$work/plan.yaml" --dir "$work/dir" 2>/dev/null
left
ok $? "and the next run removes it"
done_testing
