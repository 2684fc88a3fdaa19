#!/bin/bash
# A noisy neighbour on the CPU of a measured load moves the score across 0.5; pinning it to another CPU brings it back.
# Both are processes of one machine here, and the counters are the whole machine's: the neighbour's own time is in
# cpu_utilization wherever it runs, so what pinning changes is the context switches of two tasks that share a CPU.
. "$(dirname "$0")/../tap.sh"
seconds=15

light() { # CPU: a fifth of its time, ten times a second
	exec taskset -c "$1" python3 -c '
import time
while True:
    end = time.monotonic() + 0.02
    while time.monotonic() < end: pass
    time.sleep(0.08)'
}
neighbour() { # CPU: busy for 3 s, away for 3 s
	exec taskset -c "$1" python3 -c '
import time
while True:
    end = time.monotonic() + 3
    while time.monotonic() < end: pass
    time.sleep(3)'
}
analyze() { # NAME: figures of one condition
	"$vmwatts" pinning analyze --guest --duration ${seconds}s --json >"$work/$1"
	jq -r --arg name "$1" '"# \($name): score \(.score), utilization sd \(.rules.cpu_utilization.found), context switches cv \(.rules.context_switch_variability.found) of \(.context_switch_rate_mean)/s, mean utilization \(.cpu_utilization_mean), clock probe preempted \(.clock_missing_ratio)"' "$work/$1"
}
score() { jq .score "$work/$1"; }
above() { ok "$(jq 'if .score > 0.5 then 0 else 1 end' "$work/$1")" "$2 ($(score "$1"))"; }
below() { ok "$(jq 'if .score <= 0.5 then 0 else 1 end' "$work/$1")" "$2 ($(score "$1"))"; }

if [ "$(nproc)" -lt 2 ]; then
	skip "a neighbour and a second CPU" "one CPU"
	done_testing
	exit
fi
first=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
second=$((first + 1))
light "$first" &
pids+=($!)
sleep 1
analyze alone
neighbour "$first" &
pids+=($!)
analyze shared
kill "${pids[-1]}"
neighbour "$second" &
pids+=($!)
analyze apart
kill "${pids[-1]}"
analyze alone-again
quiet=$(jq -s '[.[] | .cpu_utilization_mean < 0.25 and .score <= 0.5] | all' "$work/alone" "$work/alone-again")
if [ "$quiet" = true ]; then
	below alone "alone: no reason to pin"
	above shared "a neighbour on the same CPU: pinning is recommended"
	below apart "a CPU of its own: no reason to pin"
else
	skip "a neighbour on the same CPU moves the score" "others keep this machine busy"
fi
done_testing
