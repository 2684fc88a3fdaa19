#!/bin/bash
# A noisy neighbour on the host's CPU of a real QEMU guest raises the score of `pinning analyze` inside that guest; pinned to
# another CPU, the neighbour no longer does. The guest starts short processes for 40 ms of its CPU's time and rests for 60 ms;
# the neighbour, two loops of three times its weight (nice -5), is busy for 3 s and away for 3 s. What moves is the rule on
# context switches, 0.4; the one on utilization does not (QEMU's emulated CPUs lose ticks while they wait, and there is no
# steal). The third needs an evaluation: `pinning.t full` (make e2e) makes two with lab/pinning-loop, prints what the neighbour did to
# the residuals and what pinning made of them, and with these the score crosses 0.5 and comes back.
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
full=${1:-short}
shared="" apart=""
if [ "$full" = full ]; then
	"$top/lab/pinning-loop" "$work/loop" >"$work/residuals" 2>"$work/said"
	is $? 0 "nine recordings beside a neighbour, a model, two evaluations" || tail -5 "$work/said"
	sed 's/^/# residuals: /' "$work/residuals"
	cp "$work"/loop/{shared,apart}.json "$job/"
	shared="--report /job/shared.json" apart="--report /job/apart.json"
fi
cat >"$job/run" <<JOB
work() { i=0; while [ \$i -lt \$1 ]; do /bin/true; i=\$((i + 1)); done; }
now() { cut -d' ' -f1 /proc/uptime | tr -d .; } # hundredths
# how many take 40 ms when nobody is in the way
begin=\$(now); work 300; end=\$(now)
turns=\$((300 * 4 / (end - begin + 1)))
(while usleep 60000; do work \$turns; done) &
sleep 2
for condition in alone shared apart alone-again; do
	echo \$condition >\$LABEL_PORT
	sleep 2
	case \$condition in shared) report="$shared" ;; apart) report="$apart" ;; *) report= ;; esac
	vmwatts pinning analyze --guest --duration ${seconds}s \$report --json >/out/\$condition
done
exit 0
JOB
neighbour() { # CPU
	exec nice -n -5 taskset -c "$1" bash -c 'busy() { while :; do end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do :; done; sleep 3; done; }
		busy & busy & wait'
}
score() { jq .score "$out/$1"; }
rule() { jq .rules.context_switch_variability.found "$out/$1"; }
holds() { # JQ TEXT: of the three conditions, in order
	is "$(jq -s "$1" "$out/alone" "$out/shared" "$out/apart")" true "$2"
}

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
	holds '.[0].score <= 0.3' "alone: little reason to pin"
	holds '.[1].rules.context_switch_variability.found > 0.2 and .[1].score >= .[0].score + 0.4' \
		"a neighbour on the guest's CPU: context switches vary by $(rule shared), and the score rises by 0.4"
	holds '.[2].rules.context_switch_variability.found < 0.2 and .[2].score <= .[0].score' \
		"the neighbour pinned to another CPU: $(rule apart), and the score is back"
	[ "$full" = full ] && holds '.[0].score <= 0.5 and .[1].score > 0.5 and .[2].score <= 0.5' \
		"with the residuals of both the score crosses 0.5 ($(score alone), $(score shared), $(score apart))"
else
	skip "a neighbour on the guest's CPU moves the score, pinning brings it back" "others keep this machine busy"
fi
done_testing
