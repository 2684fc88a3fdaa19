#!/bin/bash
# pinning as an operator meets it: a guest's score, simulated hosts, the agent's metrics and log.
. "$(dirname "$0")/../tap.sh"

# A simulated host: 8 CPUs, two threads a core (0-1, 2-3, ...), two NUMA nodes, no VM yet.
host=$work/simulated-host
cpu=$host/sys/devices/system/cpu
mkdir -p "$host/proc" "$cpu" "$host"/sys/devices/system/node/node{0,1}
echo 0-7 >"$cpu/online"
echo >"$cpu/isolated"
echo 0-3 >"$host/sys/devices/system/node/node0/cpulist"
echo 4-7 >"$host/sys/devices/system/node/node1/cpulist"
echo 'BOOT_IMAGE=/vmlinuz quiet' >"$host/proc/cmdline"
for i in {0..7}; do
	mkdir -p "$cpu/cpu$i/topology"
	echo "$((i / 2 * 2))-$((i / 2 * 2 + 1))" >"$cpu/cpu$i/topology/thread_siblings_list"
done
thread() { # PID TID NAME CPUS
	mkdir -p "$host/proc/$1/task/$2"
	echo "$3" >"$host/proc/$1/task/$2/comm"
	printf 'Name:\t%s\nState:\tS (sleeping)\nCpus_allowed_list:\t%s\n' "$3" "$4" >"$host/proc/$1/task/$2/status"
}
process() { # PID NAME LAST_CPU TICKS
	mkdir -p "$host/proc/$1"
	echo "$2" >"$host/proc/$1/comm"
	echo "$1 ($2) S 1 1 1 0 -1 4194560 0 0 0 0 $4 0 0 0 20 0 1 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 $3 0 0 0" >"$host/proc/$1/stat"
}
vm() { # PID NAME VCPUS CPUS: vCPUs CPUS apart or together, I/O threads on 0-1 or everywhere
	process "$1" qemu-system-x86 2 100
	printf 'qemu-system-x86_64\0-name\0guest=%s,debug-threads=on\0' "$2" >"$host/proc/$1/cmdline"
	echo "0::/machine.slice/$2" >"$host/proc/$1/cgroup"
	thread "$1" "$1" qemu-system-x86 "$5"
	for ((i = 0; i < $3; i++)); do
		if [ "$4" = pinned ]; then thread "$1" $(($1 + 1 + i)) "CPU $i/KVM" $((2 + i)); else thread "$1" $(($1 + 1 + i)) "CPU $i/TCG" "$4"; fi
	done
	thread "$1" $(($1 + 50)) "IO iothread0" "$5"
}
pinning() { "$vmwatts" pinning "$@"; }

# ---- bad input
refused 2 "no command" "an unknown action" pinning analyse-it
refused 2 "5s to 1h" "too short a time" pinning analyze --duration 1s
refused 2 "exclude" "--host with --guest" pinning analyze --host --guest
refused 1 "nothere.json" "a report that is not there" pinning analyze --guest --duration 5s --report "$work/nothere.json"
echo '{"zones": {"package": [' >"$work/bad.json"
refused 1 "bad.json:[12]:" "a report that is none" pinning analyze --guest --duration 5s --report "$work/bad.json"
refused 2 "go together" "--before without --after" pinning recommend --before "$work/bad.json"
refused 1 "no QEMU process" "a host without VMs" pinning recommend --root "$host"

# ---- a host
vm 100 web 2 0-7 0-7
vm 300 db 2 0-7 0-7
process 77 cruncher 3 5000
mkdir -p "$host/sys/fs/cgroup/machine.slice/web"
echo 0-5 >"$host/sys/fs/cgroup/machine.slice/web/cpuset.cpus.effective"
out=$(pinning analyze --root "$host" --json)
is "$(jq -r '.where + " " + ([.vms[].name] | sort | join(","))' <<<"$out")" "host db,web" "QEMU processes make it a host"
is "$(jq -r '.vms[] | select(.name == "web") | [.cgroup_cpus, (.threads | map(select(.kind == "vcpu")) | length), .threads[0].allowed] | join(" ")' <<<"$out")" \
	"0-5 2 0-7" "cgroup, vCPU threads and affinity of a VM"
is "$(jq -r '.others[0].name' <<<"$out")" cruncher "who else ran there"
findings=$(jq -r '.findings[]' <<<"$out")
for words in "2 of 2 vCPUs may run on more than one CPU" "on 2 NUMA nodes" "emulator and I/O" "vCPUs on the same CPUs: 0-7" \
	"not isolated: 0-7" "no nohz_full" "most of all cruncher"; do
	like "$findings" "$words" "found: $words"
done
like "$(pinning analyze --root "$host")" "what is amiss" "as text"
is "$(pinning recommend --root "$host" --json | jq -c '[.fits, .system, .isolate, ([.vms[] | .vcpupin] | sort), .measured]')" \
	'[true,"0-1","2-5",[[2,3],[4,5]],null]' "recommend: whole cores, one node, system's core left alone"
text=$(pinning recommend --root "$host")
for words in 'virsh vcpupin (web|db) 0 2 --live --config' "<vcpupin vcpu='1' cpuset='5'/>" 'isolcpus=managed_irq,domain,2-5 nohz_full=2-5 rcu_nocbs=2-5' \
	'machine.slice AllowedCPUs=0-1,2-5' 'not known: measure it'; do
	like "$text" "$words" "recommend prints: $words"
done
echo '{"zones":{"package":{"wmape":0.12}}}' >"$work/before.json"
echo '{"zones":{"package":{"wmape":0.09}}}' >"$work/after.json"
like "$(pinning recommend --root "$host" --before "$work/before.json" --after "$work/after.json")" "package +12.00 -> +9.00 \(-25.0 %\)" \
	"what it brought, from two reports"
mv "$host/proc/300/cmdline" "$work/db"
printf 'qemu-system-x86_64\0-name\0guest=my db; it'"'"'s $(reboot)\n\033[2J,debug-threads=on\0' >"$host/proc/300/cmdline"
like "$(pinning recommend --root "$host")" "virsh vcpupin 'my db; it'\\\\''s \\\$\\(reboot\\)\\?\\?\\[2J' 0 [24] --live --config" \
	"whoever named a VM does not say what root's shell does"
is "$(pinning analyze --root "$host" | tr -dc '\033')" "" "nor what root's terminal does"
mv "$work/db" "$host/proc/300/cmdline"
rm -r "$host/proc/300"
vm 100 web 2 pinned 0-1
rm "$host/proc/77/stat"
echo 2-3 >"$cpu/isolated"
echo 'quiet isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3' >"$host/proc/cmdline"
like "$(pinning analyze --root "$host")" "nothing is amiss" "the same VM as recommended: nothing is amiss"
vm 400 huge 6 0-7 0-7
out=$(pinning recommend --root "$host" --json)
is $? 1 "a VM that does not fit: exit 1"
like "$(jq -r '.vms[].problem' <<<"$out")" "huge: its 6 vCPUs do not fit.*at most" "and it is said why"

# ---- a guest
out=$(pinning analyze --guest --duration 5s --json)
is $? 0 "a guest's score"
is "$(jq -r '[.where, (.rules | keys | length), (.score >= 0 and .score <= 1), .should_pin == (.score > 0.5)] | join(" ")' <<<"$out")" \
	"guest 3 true true" "with its three rules"
echo '{"zones":{"package":{"wmape":0.2,"by_run":{"a":{"wmape":0.05},"b":{"wmape":0.35}}}}}' >"$work/r.json"
out=$(pinning analyze --guest --duration 5s --json --report "$work/r.json")
is "$(jq -c '[(.rules.accuracy_variance.found * 1000 | round), .score >= 0.3]' <<<"$out")" "[150,true]" "a report whose runs differ adds 0.3"

# ---- the agent
at=127.0.0.1:$((20000 + $$ % 12000))
agent() { # YAML below cpu_pinning
	printf 'vm_energy_modeling:\n  cpu_pinning: {%s}\n  feature_config: {sampling_interval: 200ms}\n' "$1" >"$work/config.yaml"
	"$vmwatts" agent --config "$work/config.yaml" --listen "$at" --state-dir "$work/state" 2>"$work/log" &
	pids+=($!)
	wait_for 10 curl -sf "http://$at/readyz"
}
scrape() { curl -sf "http://$at/metrics" | grep -E "^$1 "; }
agent 'enabled: true, isolated_cpus: [900]'
is "$(scrape kepler_vm_cpu_pinning_enabled)" "kepler_vm_cpu_pinning_enabled 1" "enabled is exported"
like "$(scrape kepler_vm_cpu_isolation_ratio)" "^kepler_vm_cpu_isolation_ratio [01]" "the isolation ratio is exported"
like "$(cat "$work/log")" "isolated_cpus says 900, the kernel isolates" "isolated_cpus is checked against the kernel"
wait_for 15 scrape kepler_vm_pinning_recommendation_score
ok $? "the score is exported"
kill "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null
agent 'recommendation_mode: false'
is "$(scrape kepler_vm_cpu_pinning_enabled)" "kepler_vm_cpu_pinning_enabled 0" "not enabled: 0"
sleep 7
is "$(scrape kepler_vm_pinning_recommendation_score)" "" "recommendation_mode: false: no score"
kill "${pids[-1]}"
done_testing
