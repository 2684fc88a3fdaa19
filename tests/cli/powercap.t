#!/bin/bash
# vmwatts powercap beside a real agent: bad input, energy that agrees with /metrics, restarts, wiring.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-powercap" ]; then
	skip "powercap" "needs vmwatts-powercap"
	done_testing
	exit
fi
port=$((20000 + $$ % 12000))
state=$work/state
trap 'for m in fuse empty; do umount "$work/$m" || fusermount3 -u "$work/$m"; done 2>/dev/null; tap_cleanup' EXIT
yaml() { printf 'vm_energy_modeling:\n%s\n' "$1" >"$work/config.yaml"; }

# ---- usage and bad input
help=$("$vmwatts" powercap --help)
is $? 0 "--help exits 0"
for option in config mode path page state-dir hwmon allow-other; do
	[[ $help =~ --$option ]]
	ok $? "--help names --$option"
done
refused 2 "powercap.mode is off.*--mode" "no mode, and none configured" "$vmwatts" powercap --state-dir "$state"
refused 2 "fuse or files, not 'both'" "an unknown mode" "$vmwatts" powercap --mode both
refused 2 "--log-level: .*'loud'" "an unknown log level" "$vmwatts" powercap --mode files --log-level loud
refused 2 "unexpected word" "a word too many" "$vmwatts" powercap --mode files here
refused 1 "nothere.yaml" "a configuration that is not there" "$vmwatts" powercap --config "$work/nothere.yaml"
yaml '  powercap: {mode: sometimes}'
refused 1 "config.yaml:2:.*off, files or fuse" "an unknown mode in the configuration" "$vmwatts" powercap --config "$work/config.yaml"
touch "$work/file"
refused 1 "$work/file" "a path that is a file" "$vmwatts" powercap --mode files --path "$work/file/x" --log-level error
refused 1 "$work/file" "and by FUSE" "$vmwatts" powercap --mode fuse --path "$work/file/x" --log-level error

# ---- before there is an agent
yaml "  state_directory: $state
  powercap: {mode: files, path: $work/files, hwmon: true}"
"$vmwatts" powercap --config "$work/config.yaml" 2>"$work/files.said" &
files=$!
pids+=($files)
zone=class/powercap/intel-rapl:0
wait_for 5 test -s "$work/files/$zone/energy_uj"
is "$(cat "$work/files/$zone/energy_uj" "$work/files/$zone/name")" $'0\npackage-0' "files: mode, path and page from the configuration; zeros without an agent"
like "$(cat "$work/files.said")" "level=warn msg=\"$state/counters is not there: counters stand until an agent writes it;" "a page that is not there is told once"
echo garbage >"$work/garbage"
timeout 1 "$vmwatts" powercap --mode files --path "$work/other" --page "$work/garbage" 2>"$work/other.said"
like "$(cat "$work/other.said")" "garbage is no counter page" "and one that is none"
tree=$work/files
"$vmwatts" powercap --mode fuse --path "$work/fuse" --page "$state/counters" --hwmon 2>"$work/fuse.said" &
fuse=$!
pids+=($fuse)
if wait_for 3 test -s "$work/fuse/$zone/energy_uj"; then
	is "$(cat "$work/fuse/$zone/energy_uj")" 0 "fuse: zeros without an agent"
	is "$(cd "$work/fuse" && find . | sort)" "$(cd "$work/files" && find . | sort)" "both trees hold the same"
	is "$(cd "$work/fuse/class/powercap/intel-rapl:0" && stat -c %a:%n energy_uj name ../intel-rapl/vmwatts)" \
		$'444:energy_uj\n444:name\n444:../intel-rapl/vmwatts' "everyone reads, nobody writes"
	refused 1 "." "not even root" bash -c "echo 5 >'$work/fuse/$zone/energy_uj'"
	tree=$work/fuse
else
	skip "the tree by FUSE" "$(tail -1 "$work/fuse.said")"
fi

# ---- with an agent
start() {
	"$vmwatts" agent --listen "127.0.0.1:$port" --node-name n --config "$work/config.yaml" "$@" 2>"$work/agent.said" &
	agent=$!
	pids+=($agent)
	wait_for 10 curl -sf "http://127.0.0.1:$port/readyz"
}
metrics() { curl -sf "http://127.0.0.1:$port/metrics"; }
joules() { metrics | awk '/^kepler_node_cpu_joules_total.*zone="package"/ {print $2; exit}'; }
energy() { cat "$tree/$zone/energy_uj"; }
start
sh -c 'while :; do :; done' &
load=$!
pids+=($load)
moves() { [ "$(energy)" -gt 100000 ]; }
wait_for 10 moves
ok $? "the counter moves once there is one"
# Both at once, twice; the tree is one tick late, and the load is steady.
sleep 2
e1=$(energy) j1=$(joules)
sleep 5
e2=$(energy) j2=$(joules)
echo "# tree $(((e2 - e1) / 1000)) mJ, metrics $j1 to $j2 J"
# A tick of the joules more or less in five seconds.
ok "$(awk -v t=$((e2 - e1)) -v j1="$j1" -v j2="$j2" 'BEGIN {r = t / 1e6 / (j2 - j1); print !(r > 0.75 && r < 1.25)}')" \
	"at the pace of the joules that the agent serves"
like "$(cat "$tree/class/hwmon/hwmon0/power1_input")" '^[1-9][0-9]+$' "hwmon has the power"
kill -9 "$agent"
wait "$agent" 2>/dev/null
sleep 1.2
e3=$(energy)
sleep 1
is "$(energy)" "$e3" "killed: the counter stands"
ok "$((e3 < e2))" "and did not fall"
start --log-level error
e4=$(energy)
ok "$((e4 < e3))" "started again: it goes on from there"
ok "$((e4 > e3 + 60000000))" "and does not leap"
sleep 2.5
ok "$(($(energy) <= e4))" "and moves again"
kill "$agent"
wait "$agent"
wait_for 3 test "$(sleep 1.2; cat "$work/files/$zone/energy_uj")" = "$(cat "$work/files/$zone/energy_uj")"
last=$(cat "$work/files/$zone/energy_uj")
kill "$files"
wait "$files"
is $? 0 "files: ends when told"
is "$(cat "$work/files/$zone/energy_uj")" "$last" "and leaves its files"
rm "$state/counters"
"$vmwatts" powercap --config "$work/config.yaml" 2>"$work/files.said" &
files=$!
pids+=($files)
sleep 0.5
is "$(cat "$work/files/$zone/energy_uj")" "$last" "from which the next goes on, though the page is lost"
kill "$files" "$fuse" "$load"
wait "$fuse"
is "$(mount | grep -c "$work/")" 0 "fuse: unmounted when told"

# ---- a server that was killed leaves a dead mount, which the next one takes over
if [ "$tree" = "$work/fuse" ] && [ "$(id -u)" = 0 ]; then
	"$vmwatts" powercap --mode fuse --path "$work/fuse" --page "$work/none" 2>/dev/null &
	fuse=$!
	wait_for 3 cat "$work/fuse/$zone/name"
	refused 1 "serves there already" "fuse: a second one at the same place is refused" \
		timeout 5 "$vmwatts" powercap --mode fuse --path "$work/fuse" --page "$work/none" --log-level error
	kill -9 "$fuse"
	wait "$fuse" 2>/dev/null
	"$vmwatts" powercap --mode fuse --path "$work/fuse" --page "$work/none" 2>/dev/null &
	fuse=$!
	pids+=($fuse)
	wait_for 3 cat "$work/fuse/$zone/name"
	ok $? "fuse: a dead mount is taken over"
	is "$(awk '/^Cap(Prm|Eff)/ {print $2}' /proc/$fuse/status | paste -sd' ')" "0000000000200004 0000000000000004" \
		"of root's capabilities two are left, one of them in force"
	kill "$fuse"
	wait "$fuse"
	is "$? $(mount | grep -c "$work/")" "0 0" "and leaves no mount behind"
fi
done_testing
