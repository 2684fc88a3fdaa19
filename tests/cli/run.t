#!/bin/bash
# vmwatts run: the command is left alone, and what it cost is told.
. "$(dirname "$0")/../tap.sh"

run() { "$vmwatts" run "$@"; }
json() { run --json --out "$work/j" "$@" && cat "$work/j"; } # the command's own stdout goes elsewhere
loop='i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'       # fixed work, most of a second
holds() { # JQ TEXT [FILE]: true of the report
	[ "$(jq -r "$1" "${3:-$work/j}")" = true ]
	local status=$?
	ok $status "$2"
	[ $status -eq 0 ] || jq -c 'del(.runs)' "${3:-$work/j}" | cut -c1-1000 | sed 's/^/# /'
}
cgroups_of() { find /sys/fs/cgroup -maxdepth 8 -name "vmwatts-run-$1-*" 2>/dev/null; } # PID: others may run too

# ---- bad input
refused 2 "no command" "no command" run
refused 2 "exclude" "--json with --csv" run --json --csv -- true
refused 2 "-n takes" "no runs" run -n 0 -- true
refused 2 "-n takes a number" "-n a word" run -n many -- true
refused 2 "100ms to 10s" "too short an interval" run --interval 1ms -- true
refused 2 "auto, cgroup or rusage" "an unknown way to count" run --accounting guess -- true
refused 2 "--log-level: .*'loud'" "an unknown log level" run --log-level loud -- true
refused 1 "No such file" "a report that cannot be written" run --out "$work/no/where" -- true
refused 127 "cannot run $work/nothere" "a command that is not there: 127" run -- "$work/nothere"
refused 126 "Permission denied" "a command that may not be run: 126" run -- /etc/passwd
echo 'vm_energy_modeling: {enabled: false}' >"$work/off.yaml"
refused 1 "enabled: false" "estimation that is switched off" run --config "$work/off.yaml" -- true
run --config "$work/off.yaml" --vm-energy-enabled true -- true 2>"$work/err"
is $? 0 "and switched on for once"

# ---- the command is left alone
is "$(run -- echo hello 2>"$work/err")" hello "stdout is the command's"
like "$(cat "$work/err")" "package .*90 % interval|zone +joules" "the report is on stderr"
is "$(echo through | run -- cat 2>/dev/null)" through "stdin too"
run -- sh -c 'exit 3' 2>/dev/null
is $? 3 "its exit code"
run -- sh -c 'kill -TERM $$' 2>/dev/null
is $? 143 "128 + signal"
is "$(run --json --out "$work/j" -- sh -c 'echo out; echo err >&2' 2>&1)" $'out\nerr' "--out: not a word of ours"
run --json --out "$work/j" -- printf %s $'a\xff' >/dev/null
is "$(iconv -f utf-8 -t utf-8 "$work/j" 2>&1 | jq -c .command)" '["printf","%s","a\\xff"]' "arguments that are no UTF-8 leave the report JSON"
"$vmwatts" run -- sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done' 2>"$work/err" &
pids+=($!)
sleep 1
kill -TERM $!
wait $!
is $? 9 "a signal to us is the command's"
like "$(cat "$work/err")" "package" "and the report comes all the same"

cat >"$work/terminal.py" <<'PY'
import os, pty, sys, time, signal
what = sys.argv[1]
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as in a terminal, whatever started the test
    os.execv(sys.argv[2], sys.argv[2:])
out, end = b"", time.time() + 20
while time.time() < end:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    out += got
    if b"ready" in out and what:
        os.write(fd, b"\x03" if what == "interrupt" else b"typed\n")
        what = ""
print(out.decode(errors="replace").replace("\r", ""))
status = os.waitpid(pid, 0)[1]
print("status", os.waitstatus_to_exitcode(status))
PY
out=$(python3 "$work/terminal.py" interrupt "$vmwatts" run -n 5 -- sh -c 'echo ready; exec sleep 30')
like "$out" $'package.*status 130' "Ctrl-C on a terminal: the command's end, the report, 130"
like "$out" "did not end with 0" "and no further run"
out=$(python3 "$work/terminal.py" type "$vmwatts" run -- sh -c 'test -t 0 && test -t 1 && echo ready && read -r a && echo "got $a"')
like "$out" "got typed.*status 0" "the terminal is the command's"
out=$(python3 "$work/terminal.py" type "$vmwatts" run -- bash -i -c 'echo ready; read -r a; echo "got $a"')
like "$out" "got typed.*status 0" "also of one that takes it for itself"

# ---- what it cost
json -- sh -c "$loop; sleep 0.4" >/dev/null
holds '[.zones.package, .zones.core, .zones.dram, .zones.uncore] | all(.joules_low <= .joules and .joules <= .joules_high)' "four zones, each inside its interval"
holds '.zones.package | .joules > 0 and .peak_watts >= .mean_watts' "joules, mean and peak"
holds '(.zones.package.joules / .seconds - .zones.package.mean_watts | fabs) < 1e-6' "mean watts are joules by seconds"
holds '.share > 0 and .share <= 1 and .cpu_seconds < .seconds and .seconds > 0.4' "share, seconds and CPU seconds"
holds '(.method == "cgroup" or .method == "rusage") and (.model_version | length) > 0 and .idle_charged == false' "how it was counted, by which model"
json -- true >/dev/null
holds '.zones.package | .joules_high - .joules_low > .joules' "shorter than a tick: a wide interval"
holds '.runs[0].rows == 1 and .zones.package.joules >= 0 and .zones.package.joules < 1' "from one row"
json -- sleep 0.5 >/dev/null
holds '.cpu_seconds < 0.1 and .zones.package.joules < 0.5' "sleeping costs next to nothing"
active=$(jq .zones.package.joules "$work/j")
json --idle -- sleep 0.5 >/dev/null
holds ".idle_charged and .zones.package.joules > $active and .runs[0].zones.package.idle_joules > 0" "unless idle power is charged"
holds '.runs[0].zones.package | .joules_high - .joules_low > .idle_joules / 2' "of which the interval knows no more than of the VM's"

# ---- children, by either way: each says itself what it used
cat >"$work/worker" <<SH
$loop
read -r line </proc/\$\$/stat
set -- \${line##*) }
echo \$((\${12} + \${13})) >>$work/used
SH
cat >"$work/tree" <<SH
sh $work/worker & sh $work/worker & wait
(setsid sh -c 'sh $work/worker; : >$work/done' &)
while [ ! -e $work/done ]; do sleep 0.05; done
SH
for way in cgroup rusage; do
	rm -f "$work/done" "$work/used"
	if ! run --json --accounting $way --out "$work/$way" -- sh "$work/tree" 2>"$work/err"; then
		skip "children by $way" "$(head -1 "$work/err")"
		skip "$way: what they used" "no cgroup may be made"
		continue
	fi
	used=$(awk '{ s += $1 } END { print s / 100 }' "$work/used")
	holds ".method == \"$way\"" "children: counted by $way" "$work/$way"
	holds ".cpu_seconds > 0.97 * $used - 0.03 and .cpu_seconds < 1.1 * $used + 0.1" "$way: children and an orphan say $used s, and that is in it" "$work/$way"
done
if [ -s "$work/cgroup" ]; then
	"$vmwatts" run -- sh -c 'sleep 20 >/dev/null 2>&1 & echo $!' 2>/dev/null >"$work/left" &
	runner=$!
	wait $runner
	pid=$(cat "$work/left")
	kill -0 "$pid"
	ok $? "what the command left behind lives on"
	kill "$pid"
	is "$(cgroups_of $runner)" "" "and no cgroup is left"
	"$vmwatts" run -- sh -c 'for i in $(seq 1500); do sleep 20 >/dev/null 2>&1 & echo $!; done' 2>/dev/null >"$work/left" &
	runner=$!
	wait $runner
	is "$(cgroups_of $runner)" "" "nor where more was left behind than one reading names"
	xargs kill <"$work/left"
else
	skip "what the command left behind lives on" "no cgroup may be made"
fi
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups "$vmwatts" --version >/dev/null 2>&1; then
	out=$(setpriv --reuid 65534 --clear-groups "$vmwatts" run --json -- true)
	like "$(jq -r '.method + " " + .method_reason' <<<"$out")" "^rusage .+" "without privilege: rusage, and why"
	refused 1 "cgroup" "or an error, where only a cgroup will do" setpriv --reuid 65534 --clear-groups "$vmwatts" run --accounting cgroup -- true
else
	skip "without privilege: rusage" "not root, or another user may not run the build"
fi

# ---- repeats
json -n 3 --warm-up 2 -- sh -c "echo once >>$work/count; exit 0" >/dev/null
is "$(wc -l <"$work/count")" 5 "-n and --warm-up: so many runs"
holds '.runs_measured == 3 and .warm_ups == 2 and (.runs | length) == 3 and .zones.package.joules_sd >= 0 and .seconds_cv >= 0' "mean and spread"
run -n 3 --csv --out "$work/c" -- sh -c 'exit 4'
is "$?/$(grep -cE '^[123],4,(package|core|dram|uncore),[0-9.]+,' "$work/c")" 4/12 "CSV: a line per run and zone; the exit code of the first that failed"
run --rows "$work/r" --interval 100ms -- sleep 1 2>/dev/null
is "$(head -1 "$work/r")" "run,time_s,seconds,cpu_seconds,share,package_watts,core_watts,dram_watts,uncore_watts" "--rows"
[ "$(wc -l <"$work/r")" -gt 4 ]
ok $? "row by row"

# ---- the same work costs the same
steady() { # NAME SCRIPT: ten times. Where the same work takes other CPU time each time, the host under this machine is shared: energy can only follow
	json -n 10 --warm-up 1 -- sh -c "$2" >/dev/null
	local cv own others
	cv=$(jq '100 * .zones.package.joules_cv' "$work/j")
	own=$(jq '100 * .cpu_seconds_cv' "$work/j")
	others=$(jq '[.runs[] | (.busy_seconds - .cpu_seconds) / .seconds] | add / length' "$work/j")
	echo "# $1: joules CV $cv %, CPU seconds CV $own %, others kept $others CPUs busy"
	if awk "BEGIN { exit !($cv >= 5 && ($others > 0.1 || $own >= 4)) }"; then
		skip "$1: ten runs within 5 %" "the command's own CPU seconds vary by $own %, others keep $others CPUs busy"
	else
		awk "BEGIN { exit !($cv < 5) }"
		ok $? "$1: ten runs within 5 %"
	fi
	awk "BEGIN { exit !($cv < $own + 5) }"
	ok $? "$1: joules vary little more than the command's CPU seconds"
}
steady "one CPU" "$loop"
if [ "$(nproc)" -ge 2 ]; then steady "two CPUs" "sh -c '$loop' & sh -c '$loop' & wait"; else skip "two CPUs" "one CPU"; fi

# ---- the same busy time costs the same, whatever the CPU got done in it
busy() { # NAME SCRIPT
	json -n 10 --warm-up 1 -- sh -c "$2" >/dev/null
	echo "# $1: joules CV $(jq '100 * .zones.package.joules_cv' "$work/j") %, CPU seconds CV $(jq '100 * .cpu_seconds_cv' "$work/j") %"
	if [ "$(jq '.cpu_seconds_cv >= 0.04' "$work/j")" = true ]; then
		skip "$1: ten runs within 5 %" "other processes took its CPUs from it"
	else
		holds '.zones.package.joules_cv < 0.05' "$1: ten runs within 5 %"
	fi
}
second='timeout 1 sh -c "while :; do :; done"'
busy "one CPU busy for a second" "$second; true"
if [ "$(nproc)" -ge 2 ]; then busy "two CPUs busy for a second" "$second & $second & wait; true"; else skip "two CPUs busy" "one CPU"; fi
done_testing
