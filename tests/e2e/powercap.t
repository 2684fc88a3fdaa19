#!/bin/bash
# The powercap tree under its readers: a million reads that race with a page written a thousand times a
# second by a SIMULATED agent that is killed over and over, and the module by which Kepler reads RAPL.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-powercap" ]; then
	skip "powercap trees" "needs vmwatts-powercap"
	done_testing
	exit
fi
powercap() { # MODE ROOT PAGE: in the background, until it shows
	"$vmwatts" powercap --mode "$1" --path "$2" --page "$3" 2>>"$work/said" &
	pids+=($!)
	wait_for 10 test -s "$2/class/powercap/intel-rapl/vmwatts"
}
unmount() { mountpoint -q "$1" && { umount "$1" || fusermount3 -u "$1"; } 2>/dev/null; }
trap 'unmount "$work/fuse"; unmount "$work/race-fuse"; tap_cleanup' EXIT
modes="files"
if "$vmwatts" powercap --mode fuse --path "$work/try" --page "$work/none" 2>"$work/try.said" & try=$!
	wait_for 3 test -s "$work/try/class/powercap/intel-rapl/vmwatts"; then
	modes="fuse files"
else
	skip "trees by FUSE" "$(tail -1 "$work/try.said")"
fi
kill "$try" 2>/dev/null
wait "$try" 2>/dev/null

# ---- races ----
cat >"$work/agents" <<'SH'
#!/bin/bash
# Agents that die: killed in the middle of a page, each seventh time the page is lost with it.
n=0
trap 'kill -9 $agent; exit' TERM
while :; do
	"$1" "$2" 2000 1 1 & agent=$!
	sleep 0.2
	kill -9 $agent
	wait $agent 2>/dev/null
	n=$((n + 1))
	[ $((n % 7)) = 0 ] && rm -f "$2"
done
SH
bash "$work/agents" "$build/tests/e2e/simulated_page" "$work/race-page" 2>/dev/null &
agents=$!
pids+=("$agents")
wait_for 5 test -s "$work/race-page"
for mode in $modes; do
	powercap $mode "$work/race-$mode" "$work/race-page"
	server=${pids[-1]}
	said=$("$build/tests/e2e/rapl_race" "$work/race-$mode" 1000000 4 4)
	code=$?
	echo "# $mode: $said"
	is "$code" 0 "$mode: of a million reads none is torn, empty, missing or lower than before"
	ok "$(($(jq .reads <<<"$said") < 1000000 || $(jq .moved <<<"$said") < 1000))" "$mode: which saw the counters move"
	kill "$server"
	wait "$server"
	is $? 0 "$mode: ends when told"
done
kill "$agents"
wait "$agents" 2>/dev/null
is "$(mount | grep -c "$work")" 0 "and nothing stays mounted"

# ---- as Kepler reads ----
if ! command -v go >/dev/null; then
	skip "Kepler's reader" "needs go"
elif ! (cd "$top/tests/procfs" && GOTOOLCHAIN=local GOFLAGS=-buildvcs=false timeout 120 go build -o "$work/procfs" .) 2>"$work/go.said"; then
	skip "Kepler's reader" "its module cannot be had: $(tail -1 "$work/go.said")"
else
	"$build/tests/e2e/simulated_page" "$work/page" 20 1000 &
	pids+=($!)
	sleep 1.2
	for mode in $modes; do powercap $mode "$work/$mode" "$work/page"; done
	sleep 1
	readers=()
	for mode in $modes; do
		"$work/procfs" "$work/$mode" 5s 5 >"$work/$mode-5s" & readers+=($!)
		"$work/procfs" "$work/$mode" 1s 12 >"$work/$mode-1s" & readers+=($!)
	done
	# Half a step of the files away, for where the other read just as they were replaced: see docs/powercap.md.
	sleep 0.025
	"$work/procfs" "$work/files" 1s 12 >"$work/files-1s-shifted" & readers+=($!)
	wait "${readers[@]}"
	steadier() { jq -e '.[0].sd_watts < 0.1' "$1" >/dev/null && echo "$1" || echo "$2"; }
	for mode in $modes; do
		for cadence in 1s 5s; do
			got=$work/$mode-$cadence
			[ $mode-$cadence = files-1s ] && got=$(steadier "$got" "$got-shifted")
			echo "# $mode at $cadence: $(jq -c '[.[] | .name, .mean_watts, .sd_watts]' "$got")"
			is "$(jq -r '[.[].name] | join(" ")' "$got")" "package-0 core-0 uncore-0 dram-0" "$mode at $cadence: Kepler's reader finds four zones"
			ok "$(jq '[[20, 15, 2, 2], [.[].mean_watts]] | transpose | if all(.[1] / .[0] - 1 | fabs < 0.01) then 0 else 1 end' "$got")" \
				"$mode at $cadence: power within 1 %"
			ok "$(jq 'if .[0].sd_watts < 0.1 then 0 else 1 end' "$got")" "$mode at $cadence: its deviation under 0.1 W at 20 W"
		done
	done
	kill "${pids[@]:2}" 2>/dev/null
	wait 2>/dev/null
fi
done_testing
