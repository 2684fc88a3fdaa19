#!/bin/bash
# A real Prometheus scrapes the agent; joules are the integral of watts, across a kill -9 too.
. "$(dirname "$0")/../tap.sh"
port=$((20000 + $$ % 12000))
at=127.0.0.1:$port
prometheus=127.0.0.1:$((port + 1))
cat >"$work/agent.yaml" <<YAML
vm_energy_modeling:
  collection_interval: 1s
  feature_config: {sampling_interval: 1s}
YAML
start() {
	"$vmwatts" agent --config "$work/agent.yaml" --listen "$at" --state-dir "$work/state" --node-name n --log-level error &
	agent=$!
	pids+=($agent)
	wait_for 10 curl -sf "http://$at/readyz"
}
load() { # SECONDS of one busy CPU
	timeout "$1" sh -c 'while :; do :; done'
}
query() { curl -sfG "http://$prometheus/api/v1/query" --data-urlencode "query=$1"; }

# "time watts joules" of package at every tick for SECONDS
follow() {
	local end=$((SECONDS + $1))
	while [ $SECONDS -lt $end ]; do
		curl -sf "http://$at/api/v1/power" | jq -r '"\(.time_s) \(.zones.package.watts) \(.zones.package.joules_total)"'
		sleep 0.2
	done | uniq
}

# sum of watts x time of all ticks but the first, against the joules between the first and the last
integral() {
	awk 'NR > 1 {e += $2 * ($1 - t)} NR == 1 {j = $3} {t = $1; last = $3}
	     END {d = last - j; print (NR > 4 && d > 0 && (e - d < 0 ? d - e : e - d) <= 0.001 * d) ? "yes" : "no: " e " J against " d " J in " NR " ticks"}'
}

start
ok $? "the agent serves"
load 30 &
pids+=($!)
is "$(follow 8 | integral)" yes "joules are the integral of watts to 0.1 %"

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
	skip "a real Prometheus" "prometheus is not installed"
	done_testing
	exit
fi
curl -sf "http://$at/metrics" >"$work/metrics"
promtool check metrics <"$work/metrics" >"$work/said" 2>&1
is "$?$(cat "$work/said")" 0 "promtool check metrics is clean on a live scrape"
cat >"$work/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: vmwatts
    static_configs: [{targets: ['$at']}]
YAML
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" --web.listen-address="$prometheus" \
	--log.level=error >"$work/prometheus.log" 2>&1 &
pids+=($!)
zones='sum by (zone) (kepler_node_cpu_watts)'
four_zones() { [ "$(query "$zones" | jq '.data.result | length')" = 4 ]; }
wait_for 30 four_zones
ok $? "Prometheus answers: $zones"
is "$(query "$zones" | jq -r '[.data.result[].metric.zone] | sort | join(" ")')" "core dram package uncore" "with the four zones"
query 'kepler_node_cpu_watts{zone="package"} > 0' | jq -e '.data.result | length == 1' >/dev/null
ok $? "package watts are above 0 under load"
before=$(curl -sf "http://$at/api/v1/power" | jq .zones.package.joules_total)
kill -9 "$agent"
wait "$agent" 2>/dev/null
start
after=$(curl -sf "http://$at/api/v1/power" | jq .zones.package.joules_total)
ok "$(awk -v a="$after" -v b="$before" 'BEGIN {print !(b > 0 && a >= b)}')" "joules survive kill -9 ($before, then $after)"
sleep 3
is "$(query 'resets(kepler_node_cpu_joules_total{zone="package"}[1m])' | jq -r '.data.result[0].value[1]')" 0 \
	"Prometheus saw no counter reset"
is "$(query 'count(up == 1)' | jq -r '.data.result[0].value[1]')" 1 "and its target is up"
done_testing
