#!/bin/bash
# Every query of the Grafana dashboard, the recording rules and Kepler's own dashboard, asked of a real Prometheus that scrapes a
# real agent with a bundle.
. "$(dirname "$0")/../tap.sh"
port=$((10000 + $$ % 20000))
at=127.0.0.1:$port
prometheus=127.0.0.1:$((port + 1))
cd "$work" || exit 1
"$top/tools/dashboard" | cmp -s - "$top/deploy/grafana/vmwatts.json"
ok $? "the dashboard is what tools/dashboard prints"
if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
	skip "a real Prometheus" "prometheus is not installed"
	done_testing
	exit
fi
promtool check rules "$top"/deploy/prometheus/vmwatts-rules.yaml "$top"/deploy/prometheus/vmwatts-alerts.yaml >said 2>&1
ok $? "promtool accepts the rules" || cat said
mkdir models keys
"$vmwatts" model keygen --out k >/dev/null && mv k.pub keys/
"$vmwatts" dataset import --joined "$top"/data/metalci/20240913*.csv --window 20 --out d.db >/dev/null 2>&1
"$vmwatts" train --dataset d.db --name m --family linear --search none --sign-key k.key --out b.vmw >/dev/null 2>&1
"$vmwatts" model install b.vmw --model-path models --trust keys/k.pub >/dev/null
cat >agent.yaml <<YAML
vm_energy_modeling:
  model_path: $work/models
  trusted_keys: $work/keys
  collection_interval: 1s
  cpu_pinning: {recommendation_mode: true}
YAML
"$vmwatts" agent --config agent.yaml --listen "$at" --state-dir state --node-name n --log-level error &
pids+=($!)
sed 's/interval: 30s/interval: 1s/; s/\[5m\]/[10s]/; s/\[1h\]/[10s]/' "$top/deploy/prometheus/vmwatts-rules.yaml" >rules.yaml
cat >prometheus.yml <<YAML
global: {scrape_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: vmwatts
    static_configs: [{targets: ['$at']}]
YAML
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address="$prometheus" --log.level=error >prometheus.log 2>&1 &
pids+=($!)
timeout 30 sh -c 'while :; do :; done' >/dev/null 2>&1 & # ends by itself
ready() { # enough for every rate, and for the score of pinning
	[ "$(curl -sfG "http://$prometheus/api/v1/query" --data-urlencode 'query=count(count_over_time(kepler_vm_pinning_recommendation_score[20s]) > 4)' |
		jq '.data.result | length')" = 1 ]
}
wait_for 40 ready
ok $? "Prometheus scrapes the agent"
"$top/tests/e2e/dashboard.py" "http://$prometheus" "$top/deploy/grafana/vmwatts.json" "$top/deploy/prometheus/vmwatts-rules.yaml" >asked
while read -r verdict; do # numbered anew, behind ours
	case $verdict in
	ok\ *) ok 0 "${verdict#* - }" ;;
	not\ ok\ *) ok 1 "${verdict#* - }" ;;
	esac
done <asked
like "$(tail -1 asked)" '^1\.\.[1-9][0-9]' "all were asked"
done_testing
