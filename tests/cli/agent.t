#!/bin/bash
# The agent as an operator meets it: flags, configuration, bad input, signals, energy.
. "$(dirname "$0")/../tap.sh"
port=$((20000 + $$ % 12000))
at=127.0.0.1:$port
state=$work/state

scrape() { curl -sf "http://$at/metrics"; }
metric() { scrape | awk -v name="$1" 'index($0, name) == 1 {print $2; exit}'; }
ready() { curl -sf "http://$at/readyz"; }
start() { # arguments: starts the agent, $agent is its pid
	"$vmwatts" agent --listen "$at" --state-dir "$state" "$@" 2>"$work/log" &
	agent=$!
	pids+=($agent)
	wait_for 10 ready
}
stop() {
	kill "$agent"
	wait "$agent" 2>/dev/null
}
yaml() { printf 'vm_energy_modeling:\n%s\n' "$1" >"$work/config.yaml"; }
package='kepler_node_cpu_joules_total{node_name="n",zone="package",path="vmwatts/package"}'

# ---- is it well?
refused 1 "nobody serves at $at" "--health where nobody serves" "$vmwatts" agent --health --listen "$at"
start --node-name n
"$vmwatts" agent --health --listen "$at" && "$vmwatts" agent --health --listen ":$port"
ok $? "--health of an agent that serves"
stop
python3 -m http.server --bind 127.0.0.1 $port >/dev/null 2>&1 &
other=$!
pids+=($other)
wait_for 5 curl -s "http://$at/" >/dev/null
refused 1 "is not well" "--health of something else" "$vmwatts" agent --health --listen "$at"
kill $other
wait $other 2>/dev/null
refused 2 "exclude each other" "--health and --once" "$vmwatts" agent --health --once

# ---- silent clients, as many as the page takes, of an agent that ticks once an hour; judged below
silent=$((port + 7))
printf 'vm_energy_modeling:\n  feature_config: {sampling_interval: 1h}\n  collection_interval: 1h\n' >"$work/hourly.yaml"
"$vmwatts" agent --config "$work/hourly.yaml" --listen "127.0.0.1:$silent" --state-dir "$work/hourly" 2>/dev/null &
hourly=$!
pids+=($hourly)
wait_for 10 curl -s "http://127.0.0.1:$silent/" >/dev/null
python3 - $silent <<'PEER' &
import socket, sys, time
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(80)]
time.sleep(60)
PEER
crowd=$!
pids+=($crowd)
crowded=$SECONDS

# ---- usage and bad input
help=$("$vmwatts" agent --help)
is $? 0 "--help exits 0"
for option in config once json listen root state-dir vm-energy-enabled vm-model-path log-level log-format node-name replay; do
	[[ $help =~ --$option ]]
	ok $? "--help names --$option"
done
refused 2 "did you mean|unknown" "an unknown option" "$vmwatts" agent --lisen x
refused 2 "exclude" "--once with --replay" "$vmwatts" agent --once --replay x.csv
refused 2 "json" "--json alone" "$vmwatts" agent --json
refused 1 "nothere.yaml" "a configuration that is not there" "$vmwatts" agent --config "$work/nothere.yaml"
yaml '  sampling_intervall: 1s'
refused 1 "config.yaml:2:.*did you mean.*sampling_interval" "an unknown key suggests the near one" \
	"$vmwatts" agent --config "$work/config.yaml"
yaml '  collection_interval: -5s'
refused 1 "config.yaml:2:24: .*collection_interval: found '-5s', allowed: .*100ms" "a negative interval" \
	"$vmwatts" agent --config "$work/config.yaml"
yaml '  validation: {confidence_threshold: high}'
refused 1 "config.yaml:2:.*found 'high', allowed" "text where a number should be" "$vmwatts" agent --config "$work/config.yaml"
refused 1 "nodir" "a root that is not there" "$vmwatts" agent --root "$work/nodir"
mkdir "$work/emptyroot"
refused 1 "proc/stat" "a root without /proc" "$vmwatts" agent --once --root "$work/emptyroot" --log-level error
refused 1 "model_path $work/nomodels" "a model path that is not there" "$vmwatts" agent --vm-model-path "$work/nomodels"
touch "$work/file"
refused 1 "not a directory" "a model path that is a file" "$vmwatts" agent --vm-model-path "$work/file"
refused 2 "--listen: found 'nowhere'" "a listen address without a port" "$vmwatts" agent --listen nowhere
refused 2 "--log-level: .*'loud'" "an unknown log level" "$vmwatts" agent --log-level loud
refused 2 "--log-format: .*'x'" "an unknown log format" "$vmwatts" agent --log-format x
refused 2 "--vm-energy-enabled: .*'maybe'" "a switch that is none" "$vmwatts" agent --vm-energy-enabled=maybe
refused 2 "--node-name: " "an empty node name" "$vmwatts" agent --node-name=
printf 'vm_energy_modeling:\n  log_level: loud\n' >"$work/bad.yaml"
refused 1 "bad.yaml:2:.*'loud'" "the same in the configuration is no usage error" "$vmwatts" agent --config "$work/bad.yaml"
refused 1 "enabled" "an environment that is no switch" env KEPLER_VM_ENERGY_ENABLED=perhaps "$vmwatts" agent
printf 'time_s,cpu_utilization\n1,abc\n2,0.5\n3,0.5\n' >"$work/bad.csv"
said=$("$vmwatts" agent --replay "$work/bad.csv" 2>&1 >/dev/null)
is $? 1 "a bad row in a replay: exit 1"
like "$said" "bad.csv:2: " "a bad row in a replay is named"
refused 1 "time_s" "a replay without time_s" "$vmwatts" agent --replay "$work/config.yaml" --log-level error

# ---- once
once=$("$vmwatts" agent --once --json --log-level error)
is $? 0 "--once exits 0"
is "$(jq -r '.node_cpu_watts | keys | join(" ")' <<<"$once")" "core dram package uncore" "--once --json holds four zones"
is "$(jq '[.zones[] | .watts_low <= .watts and .watts <= .watts_high] | all' <<<"$once")" true "watts lie inside their interval"
is "$(jq '.node_cpu_watts.core + .node_cpu_watts.uncore <= .node_cpu_watts.package * (1 + 1e-9)' <<<"$once")" true \
	"core + uncore <= package"
is "$(jq -r '[.zones[].provenance] | unique | join(" ")' <<<"$once")" prior "provenance is the prior's"
"$vmwatts" agent --once --json --log-level error >/dev/full 2>"$work/said"
is $? 1 "a full disk on stdout: exit 1"

# ---- serving
start --node-name n
ok $? "serves and gets ready"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://$at/healthz")" 200 "/healthz"
is "$(curl -s "http://$at/api/v1/power" | jq -r .node_name)" n "/api/v1/power"
is "$(scrape | grep -c '^kepler_node_cpu_watts')" 4 "four zones of kepler_node_cpu_watts"
refused 1 "$at is in use" "a port in use" "$vmwatts" agent --listen "$at" --state-dir "$work/other" --log-level error
"$vmwatts" agent --listen "127.0.0.1:$((port + 1))" --state-dir "$state" 2>"$work/second" &
second=$!
pids+=($second)
wait_for 10 curl -sf "http://127.0.0.1:$((port + 1))/readyz"
like "$(cat "$work/second")" "in use by another agent" "a second agent on one state directory says so"
is "$(curl -s "http://127.0.0.1:$((port + 1))/metrics" | grep -c '^vmwatts_state_kept 0')" 1 "and shows it"
kill $second
wait $second
is $? 0 "SIGTERM: exit 0"
is "$(metric vmwatts_state_kept)" 1 "the first one keeps its joules"
before=$(metric "$package")
kill -9 "$agent"
wait "$agent" 2>/dev/null
start --node-name n
after=$(metric "$package")
ok "$(awk -v a="$after" -v b="$before" 'BEGIN {print !(b > 0 && a >= b && a < b + 1000)}')" "joules survive kill -9 ($before, then $after)"
stop

# ---- between ticks
yaml "  collection_interval: 1m
  feature_config: {sampling_interval: 1m}"
slow() { # an agent whose first tick is far away
	"$vmwatts" agent --listen "$at" --state-dir "$work/slow" --node-name n --config "$work/config.yaml" 2>"$work/log" &
	agent=$!
	pids+=($agent)
	wait_for 10 curl -sf "http://$at/healthz"
}
slow
sleep 1.5
stop
slow
counted=$(metric "$package")
ok "$(awk -v j="$counted" 'BEGIN {print !(j > 0)}')" "what was used since the last tick is counted at SIGTERM ($counted J)"
stop

# ---- reload
yaml "  node_name: first"
start --config "$work/config.yaml"
like "$(scrape)" 'node_name="first"' "the file's node name"
yaml "  node_name: [second]"
kill -HUP "$agent"
wait_for 5 grep -q "reload:.*config.yaml:2" "$work/log"
ok $? "a bad configuration is told on reload"
sleep 1.1
like "$(scrape)" 'node_name="first"' "and the old one stays"
is "$(metric vmwatts_config_reload_failures_total)" 1 "and is counted"
yaml "  node_name: third
  listen: 127.0.0.1:$((port + 2))"
kill -HUP "$agent"
wait_for 5 grep -q "reloaded" "$work/log"
like "$(scrape)" 'node_name="third"' "a good one is taken over (and flags stay stronger: listen)"
stop
yaml "  enabled: false"
start --config "$work/config.yaml"
is "$(scrape | grep -c '^kepler_node_cpu_watts')" 0 "enabled: false publishes no power"
is "$(metric kepler_vm_energy_enabled)" 0 "and says so"
first=$(scrape | grep '^kepler_node_cpu_joules_total')
sleep 1.2
is "$(scrape | grep '^kepler_node_cpu_joules_total')" "$first" "and joules stand"
stop
KEPLER_VM_ENERGY_ENABLED=true start --config "$work/config.yaml"
is "$(metric kepler_vm_energy_enabled)" 1 "environment before file"
stop
KEPLER_VM_ENERGY_ENABLED=true start --config "$work/config.yaml" --vm-energy-enabled false --log-format json
is "$(metric kepler_vm_energy_enabled)" 0 "flag before environment"
jq -es 'all(.level and .msg and .time)' <"$work/log" >/dev/null
ok $? "JSON logs are JSON"
stop

# ---- between a model server and native models, by SIGHUP
if [ -x "$build/vmwatts-serve" ]; then
	server="  python_server: {url: \"127.0.0.1:1\"}"
	serves() { scrape | grep -qF "$1"; }
	yaml "  inference_method: python-bridge
$server"
	start --config "$work/config.yaml"
	wait_for 10 serves "kepler_vm_remote_fallback{reason=\"unreachable\"} 1"
	ok $? "a model server that is not there is a reason to fall back"
	yaml "  inference_method: native
$server"
	kill -HUP "$agent"
	wait_for 5 grep -q "asked no more" "$work/log"
	sleep 1.2
	is "$(scrape | grep -cE '^kepler_vm_remote|reason="remote"} 1')" 0 "inference_method: native by SIGHUP: nobody is asked, nothing falls back from it"
	yaml "  inference_method: remote
$server"
	kill -HUP "$agent"
	wait_for 10 serves "kepler_vm_remote_fallback{reason=\"unreachable\"} 1"
	ok $? "and back"
	stop
fi

# ---- bundles the agent must not use
mkdir -p "$work/models" "$work/keys"
head -c 3000 /dev/urandom >"$work/models/x-1.0.0.vmw"
yaml "  model_path: $work/models
  trusted_keys: $work/keys"
start --config "$work/config.yaml"
like "$(cat "$work/log")" "holds no key; the built-in prior serves" "no key: no bundle, the prior"
is "$(metric vmwatts_bundle_load_failures_total)" 1 "counted"
"$vmwatts" model keygen --out "$work/k" >/dev/null
cp "$work/k.pub" "$work/keys/"
kill -HUP "$agent"
wait_for 5 grep -q "reload:.*x-1.0.0.vmw" "$work/log"
ok $? "an unsigned bundle is refused in one sentence"
is "$(scrape | grep -c '^kepler_node_cpu_watts')" 4 "and the agent goes on"
stop

mkdir "$work/models/keys" && cp "$work/k.pub" "$work/models/keys"
yaml "  model_path: $work/models
  trusted_keys: $work/models/keys"
start --config "$work/config.yaml"
like "$(cat "$work/log")" "models/keys is in model_path .*move it out of there; the built-in prior serves" "keys in the store: none is trusted"
stop
yaml "  model_path: $work/nowhere"
refused 1 "config.yaml:2:15: model_path .*nowhere cannot be read" "a model_path that is not there, by file, line and column" \
	"$vmwatts" agent --once --config "$work/config.yaml"
refused 1 "agent: model_path .*other cannot be read" "and a flag's without" \
	"$vmwatts" agent --once --config "$work/config.yaml" --vm-model-path "$work/other"

# ---- a machine with more CPUs and interrupts than this one
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
	awk '{print} /^cpu0 / {for (i = 1000; i < 1400; i++) print "cpu" i, "1000000000 2000 3000000000 4000000000 5 6 7 8 9 10"}' /proc/stat >"$work/stat"
	seen=$(timeout 30 unshare --mount sh -c 'mount --bind "$1" /proc/stat || exit 9
		"$2" agent --listen "$3" --state-dir "$4" 2>/dev/null &
		for i in $(seq 50); do curl -sf "http://$3/metrics" | grep "^process_start_time_seconds" && break; sleep 0.1; done
		kill $!' sh "$work/stat" "$vmwatts" "$at" "$work/large")
	if [ $? = 9 ]; then skip "process_start_time_seconds of a large machine" "nothing can be mounted over /proc/stat"; else
		like "$seen" "^process_start_time_seconds [0-9.e+]+$" "process_start_time_seconds where /proc/stat is long ($(wc -c <"$work/stat") bytes)"
	fi
else
	skip "process_start_time_seconds of a large machine" "only root may mount"
fi

# ---- footprint
libraries=$(ldd "$vmwatts")
for heavy in xgboost lapack blas sqlite curl grpc; do
	[[ ! $libraries =~ $heavy ]]
	ok $? "does not link $heavy"
done

# ---- the silent clients of above
while [ $((SECONDS - crowded)) -lt 25 ]; do sleep 0.2; done
kill -0 $crowd && curl -sf -m 5 "http://127.0.0.1:$silent/healthz" >/dev/null
ok $? "silent clients have to go though no tick comes for an hour"
kill $crowd $hourly
done_testing
