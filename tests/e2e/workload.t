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

while read -r plan scale; do
	"$counters" "$plan" "$scale" "$disk" >"$work/counters" 2>"$work/said"
	ok $? "$plan runs"
	sed 's/^/# /' "$work/said" "$work/counters"
	for class in $(awk '{print $1}' "$work/counters"); do
		case $class in
		# Half of what was asked for: stress-ng takes a part of such short phases to start.
		cpu) more cpu 3 "$(awk -v u="$(column cpu 8)" -v i="$(column idle 3)" 'BEGIN {print u * (1 - i) / 2}')" \
			"$plan: processor phases raise cpu_utilization by half of what they ask or more" ;;
		memory)
			more memory 4 1000 "$plan: memory phases raise page_fault_rate"
			more memory 5 0.5 "$plan: memory phases raise memory_usage_percent" ;;
		disk) more disk 6 1000000 "$plan: disk phases raise disk_write_bytes_rate" ;;
		network) more network 7 1000000 "$plan: network phases raise net_tx_bytes_rate" ;;
		esac
	done
done <<-'PLANS'
	cpu 0.016
	memory 0.02
	io 0.02
	mixed 0.02
	quick 0.04
	full 0.008
PLANS
done_testing
