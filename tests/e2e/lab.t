#!/bin/bash
# The whole way, closed: a real QEMU guest and a SIMULATED meter (lab/closed-loop). `lab.t full` (make e2e)
# takes the plans at full length and judges by the figures we mean to reach; without, the short form, plans at
# a third, judges errors by a multiple of them, and prints how often the interval held: a minute of training
# and 40 scrapes cannot prove 90 %. Either only where this machine had little else to do: a neighbour moves a
# VM's label, and no guest can see it.
. "$(dirname "$0")/../tap.sh"
figures=$work/lab/figures.json

full=${1:-short}
scale=0.35 most=0.25 most_dram=0.35 most_energy=0.25
[ "$full" = full ] && scale=${LAB_SCALE:-1.5} most=0.08 most_dram=0.12 most_energy=0.04
"$top/lab/closed-loop" "$work/lab" --scale "$scale" >"$work/out" 2>"$work/log"
is $? 0 "a guest is recorded, aligned, trained on, and a fresh one serves the model" || tail -20 "$work/log"
is "$(jq -r '.[0].pair.guest_trace.vm' "$work/lab/import.json")" lab-train "both sides of the recording are paired"
is "$(jq '.[0].pair | .lag_seconds > -10 and .lag_seconds < -4' "$work/lab/import.json")" true "the lag is that of a guest whose clock is 7 s behind"
is "$(pgrep -f "$work/lab" | wc -l)" 0 "no process is left behind"
jq -r '.zones | to_entries[] | "# \(.key): seen \(.value.seen.wmape) absent \(.value.absent.wmape) energy \(.value.energy_error) coverage \(.value.all.coverage_90) confidence \(.value.seen.confidence) then \(.value.absent.confidence)"' "$figures"
others=$(jq .busy_cores_of_others "$figures")
echo "# others kept $others cores busy"

judged() { # CONDITION TEXT: of figures.json
	if [ "$(jq ".busy_cores_of_others > 0.25" "$figures")" = true ]; then
		skip "$2" "other processes kept $others cores busy"
	else
		is "$(jq "$1" "$figures")" true "$2"
	fi
}

percent() { awk "BEGIN {print 100 * $1}"; }

judged ".zones.package.seen.wmape <= $most" "package: at most $(percent $most) % on phase types of training"
judged ".zones.core.seen.wmape <= $most" "core: at most $(percent $most) %"
judged ".zones.dram.seen.wmape <= $most_dram" "dram: at most $(percent $most_dram) %"
judged ".zones.package.energy_error | fabs <= $most_energy" "package: energy of the run within $(percent $most_energy) %"
if [ "$full" = full ]; then
	judged '.zones.package.all.coverage_90 >= 0.85' "package: the 90 % interval holds in 85 % or more"
	judged '.zones.package.absent.coverage_90 >= 0.85' "the absent phase type: its interval holds"
	judged '.zones.package.absent.confidence < .zones.package.seen.confidence' "and its confidence drops"
fi
done_testing
