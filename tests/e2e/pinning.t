#!/bin/bash
# A noisy neighbour on the host's CPU of a real QEMU guest moves the score of `pinning analyze` inside that guest across
# 0.5; pinned to another CPU, the neighbour no longer does. The guest does a fixed piece of work ten times a second.
. "$(dirname "$0")/../tap.sh"
seconds=${PINNING_SECONDS:-15}
job=$work/job out=$work/out

if [ "$(nproc)" -lt 2 ]; then
	skip "a neighbour and a second CPU" "one CPU"
	done_testing
	exit
fi
first=$(taskset -pc $$ | sed 's/.*: //; s/[-,].*//')
second=$((first + 1))
mkdir "$job"
cat >"$job/run" <<JOB
work() { i=0; while [ \$i -lt \$1 ]; do i=\$((i + 1)); done; }
now() { cut -d' ' -f1 /proc/uptime | tr -d .; } # hundredths
# how many turns take 40 ms when nobody is in the way
begin=\$(now); work 100000; end=\$(now)
turns=\$((100000 * 4 / (end - begin + 1)))
(while usleep 100000; do echo; done) | (while read -r _; do work \$turns; done) &
sleep 2
for condition in alone shared apart alone-again; do
	echo \$condition >\$LABEL_PORT
	sleep 2
	vmwatts pinning analyze --guest --duration ${seconds}s --json >/out/\$condition
done
exit 0
JOB
neighbour() { # CPU: busy for 3 s, away for 3 s
	exec taskset -c "$1" bash -c 'while :; do end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do :; done; sleep 3; done'
}
score() { jq .score "$out/$1"; }
above() { ok "$(jq 'if .score > 0.5 then 0 else 1 end' "$out/$1")" "$2 ($(score "$1"))"; }
below() { ok "$(jq 'if .score <= 0.5 then 0 else 1 end' "$out/$1")" "$2 ($(score "$1"))"; }

taskset -c "$first" "$top/lab/guest" "$job" "$out" --name pinned --cpus 1 2>"$work/said" &
guest=$!
pids+=($guest)
was=""
while kill -0 $guest 2>/dev/null; do
	label=$(tail -1 "$out/labels" 2>/dev/null)
	if [ "$label" != "$was" ]; then
		[ -n "${other:-}" ] && { pkill -P "$other"; kill "$other"; wait "$other"; other=""; } 2>/dev/null
		case $label in
		shared) neighbour "$first" & other=$! ;;
		apart) neighbour "$second" & other=$! ;;
		esac
		[ -n "${other:-}" ] && pids+=("$other")
		was=$label
	fi
	sleep 0.1
done
wait $guest
is $? 0 "the guest ran" || cat "$work/said"
for condition in alone shared apart alone-again; do
	jq -r --arg name $condition '"# \($name): score \(.score), utilization sd \(.rules.cpu_utilization.found), context switches cv \(.rules.context_switch_variability.found), mean utilization \(.cpu_utilization_mean)"' "$out/$condition"
done
if [ "$(jq -s 'map(.score <= 0.5) | all' "$out/alone" "$out/alone-again")" = true ]; then
	below alone "alone: no reason to pin"
	above shared "a neighbour on the guest's CPU: pinning is recommended"
	below apart "the neighbour pinned to another CPU: no reason any more"
else
	skip "a neighbour on the guest's CPU moves the score, pinning brings it back" "others keep this machine busy"
fi
done_testing
