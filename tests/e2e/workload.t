#!/bin/bash
# Each ready-made plan, scaled down, moves the counters it is meant to move; nothing outlives a run.
. "$(dirname "$0")/../tap.sh"
counters=$build/tests/e2e/plan_counters
disk=${TMPDIR:-/var/tmp}
if [ "$(stat -f -c %T "$disk")" = tmpfs ]; then disk=$top; fi

column() { # CLASS COLUMN of the last plan
	awk -v class="$1" -v column="$2" '$1 == class {print $column}' "$work/counters"
}
more() { # CLASS COLUMN LEAST TEXT: that much more than in the idle phases
	awk -v a="$(column "$1" "$2")" -v b="$(column idle "$2")" -v least="$3" 'BEGIN {exit !(a >= b + least)}'
	ok $? "$4 ($(column "$1" "$2"), idle $(column idle "$2"))"
}

# The least of what phases other than memory's had: an idle one of 0.3 s may still have what went before it.
least() { awk -v k="$1" '$1 != "memory" && (n == "" || $k < n) {n = $k} END {print n}' "$work/counters"; }

busy() { awk '$1 == "idle" {exit !($3 > 0.3)}' "$work/counters"; }
run_plan() { "$counters" "$1" "$2" "$disk" >"$work/counters" 2>"$work/said"; }

while read -r plan scale; do
	run_plan "$plan" "$scale"
	status=$?
	[ $status -eq 0 ] && busy && { run_plan "$plan" "$scale"; status=$?; }
	ok $status "$plan runs"
	sed 's/^/# /' "$work/said" "$work/counters"
	for class in $(awk '{print $1}' "$work/counters"); do
		case $class in
		cpu) # half of what was asked for: stress-ng takes a part of such short phases to start
			text="$plan: processor phases raise cpu_utilization by half of what they ask or more"
			if busy; then
				skip "$text" "others keep this machine busy: idle $(column idle 3)"
			else
				more cpu 3 "$(awk -v u="$(column cpu 8)" -v i="$(column idle 3)" 'BEGIN {print u * (1 - i) / 2}')" "$text"
			fi
			;;
		memory)
			more memory 4 1000 "$plan: memory phases raise page_fault_rate"
			text="$plan: memory phases raise memory_usage_percent"
			if busy; then
				skip "$text" "others keep this machine busy"
			else
				awk -v a="$(column memory 5)" -v b="$(least 5)" 'BEGIN {exit !(a >= b + 0.5)}'
				ok $? "$text ($(column memory 5), least of the others $(least 5))"
			fi
			;;
		disk) more disk 6 1000000 "$plan: disk phases raise disk_write_bytes_rate" ;;
		network) more network 7 1000000 "$plan: network phases raise net_tx_bytes_rate" ;;
		esac
	done
done <<-'PLANS'
	cpu 0.015
	memory 0.015
	io 0.015
	mixed 0.015
	quick 0.03
	full 0.012
PLANS
done_testing
