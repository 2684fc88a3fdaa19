#!/bin/bash
# vmwatts top: watts and whose they are, as text, as JSON and on a terminal.
. "$(dirname "$0")/../tap.sh"

top() { timeout 30 "$vmwatts" top "$@"; }

# ---- bad input
refused 2 "200ms to 1m" "too short an interval" top --interval 10ms
refused 2 "watts or joules" "an unknown order" top --sort name
refused 2 "--log-level: .*'loud'" "an unknown log level" top --log-level loud --batch -n 1
refused 2 "exclude each other" "--batch with --json" top --batch --json -n 1
refused 2 "-n takes" "no interval" top --batch -n 0
echo "vm_energy_modeling: {enabled: false}" >"$work/off.yaml"
refused 1 "enabled: false" "estimation that is switched off" top --config "$work/off.yaml"

# ---- a load with a name that would clear the screen, and a child of it that comes and goes
load() { # SECONDS
	local end=$((SECONDS + $1))
	printf 'e\033[2Jvil\n' >/proc/$BASHPID/comm
	while [ $SECONDS -lt $end ]; do bash -c 'for ((i = 0; i < 20000; i++)); do :; done'; done
}
load 25 &
pids+=($!)
sleep 0.5

# ---- JSON: the parts are the whole
top --json -n 4 --interval 500ms >"$work/j"
is "$?/$(wc -l <"$work/j")" 0/4 "--json -n 4: four lines"
whole() { # LIST: relative error of its sum
	jq -s "[.[] | ((([.$1[].watts] | add // 0) + .idle_watts + .unattributed_watts) / .watts - 1) | fabs] | max < 0.01" "$work/j"
}
is "$(whole processes)" true "processes + idle + unattributed are the VM's total, to 1 %"
is "$(whole cgroups)" true "cgroups too"
is "$(jq -s '[.[] | .zones[] | .watts >= .watts_low and .watts <= .watts_high and .confidence > 0] | all' "$work/j")" true "zones inside their intervals"
is "$(jq -s '[.[].zones.package.joules] | . == sort' "$work/j")" true "joules never fall"
is "$(jq -s 'last | .elapsed_s > 1.9 and .interval_s > 0.4' "$work/j")" true "and time passes"
top --json -n 2 --idle --interval 500ms >"$work/j"
is "$(whole processes)/$(jq -s 'last.idle_watts > 0' "$work/j")" true/true "with idle power as well"
like "$(jq -r '.processes[].name' "$work/j")" 'e\\x1b\[2Jvil\\x0a' "a name that would move the cursor is escaped"
is "$(jq -s 'last | .processes | map(select(.name | test("vil"))) | first | .share > 0.2' "$work/j")" true "a process has what its ended children used"

# ---- text
out=$(top --batch -n 2 --interval 500ms)
is "$(grep -c '^after' <<<"$out")" 2 "--batch -n 2: two blocks"
like "$out" $'package +[0-9.]+.*uncore.*unattributed.*pid +watts.*cgroup' "zones, sum, processes, cgroups"
like "$out" 'e\\x1b\[2Jvil' "the name is escaped there too"
! grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$out"
ok $? "nothing in it moves the cursor"
like "$(TERM=dumb top -n 1 --interval 300ms)" "after 0" "no terminal: plain text"

# ---- a user who sees no other's process
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
	out=$(timeout 30 unshare --mount sh -c 'mount -o remount,hidepid=2 /proc 2>/dev/null || mount -t proc -o hidepid=2 proc /proc || exit 9
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" top --json -n 2 --interval 500ms' "$vmwatts" 2>"$work/err")
	if [ $? -ne 0 ]; then
		skip "hidepid" "it cannot be set here: $(head -1 "$work/err")"
	else
		echo "$out" >"$work/j"
		is "$(whole processes)/$(jq -s 'last | (.processes | length) < 3 and .unattributed_watts > 0.5 * .watts' "$work/j")" true/true \
			"hidepid: what is hidden is unattributed, and the sum holds"
	fi
else
	skip "hidepid" "no mount namespace"
fi

# ---- a terminal
if command -v tmux >/dev/null; then
	export LC_ALL=C.UTF-8
	terminal() { tmux -L "vmwatts-$$" "$@"; }
	screen() { terminal capture-pane -p -t 0; }
	shows() { screen | grep -q "$1"; }
	terminal -u new-session -d -x 80 -y 24 "$vmwatts top --interval 300ms"
	wait_for 20 shows "by watts  c by"
	out=$(screen)
	like "$out" $'^vmwatts top .*\nmodel .*features .*scope .*\nzone +watts.*package.*core.*dram.*uncore.*unattributed.*PID.*cgroup.*q quit' "80 x 24: everything is on it"
	like "$out" '\[ *-*#-* *\]' "intervals as bars"
	like "$out" '[▁▂▃▄▅▆▇█]' "history"
	is "$(awk '{ if (length($0) > 80) n++ } END { print n + 0 }' <<<"$out")/$(wc -l <<<"$out")" 0/24 "no line is too long"
	terminal send-keys c
	wait_for 5 shows "by joules$"
	ok $? "c sorts by joules"
	terminal send-keys ' '
	wait_for 5 shows PAUSED
	ok $? "space pauses"
	terminal send-keys ' ' h
	wait_for 5 shows "sort by watts"
	ok $? "h helps"
	terminal send-keys h
	terminal resize-window -x 120 -y 40
	wait_for 5 eval '[ "$(screen | wc -l)" = 40 ] && screen | tail -1 | grep -q "q quit"'
	ok $? "a larger window: the keys are at its end"
	terminal resize-window -x 50 -y 10
	wait_for 5 shows "needs"
	ok $? "one that is too small says so"
	terminal send-keys q
	gone() { ! terminal ls; }
	wait_for 5 gone
	ok $? "q leaves"
	NO_COLOR=1 terminal -u new-session -d -x 80 -y 24 "env NO_COLOR=1 $vmwatts top --interval 300ms"
	wait_for 20 shows "by watts  c by"
	! terminal capture-pane -p -e -t 0 | grep -qP '\x1b\[(3[0-8]|4[0-8])m'
	ok $? "NO_COLOR: no colour"
	terminal kill-server
else
	skip "a terminal" "tmux is not installed"
fi
done_testing
