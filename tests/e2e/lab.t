#!/bin/bash
# The whole way, closed: a real QEMU guest and a SIMULATED meter (lab/closed-loop). The figures are only
# judged where this machine had little else to do: a neighbour moves a VM's label, and no guest can see it.
. "$(dirname "$0")/../tap.sh"
figures=$work/lab/figures.json

if [ -n "${VMWATTS_NO_LAB:-}" ]; then
	echo "1..0 # skip VMWATTS_NO_LAB is set"
	exit 0
fi
"$top/lab/closed-loop" "$work/lab" --scale "${LAB_SCALE:-1}" >"$work/out" 2>"$work/log"
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

judged '.zones.package.seen.wmape <= 0.08' "package: at most 8 % on phase types of training"
judged '.zones.core.seen.wmape <= 0.08' "core: at most 8 %"
judged '.zones.dram.seen.wmape <= 0.12' "dram: at most 12 %"
judged '.zones.package.energy_error | fabs <= 0.04' "package: energy of the run within 4 %"
judged '.zones.package.all.coverage_90 >= 0.85' "package: the 90 % interval holds in 85 % or more"
judged '.zones.package.absent.coverage_90 >= 0.8' "the absent phase type: its interval holds"
judged '.zones.package.absent.confidence < .zones.package.seen.confidence' "and its confidence drops"
done_testing
