#!/bin/bash
# A served agent takes new bundles by inotify, SIGHUP and POST /-/reload, and under a scrape load no
# request fails, no joule counter steps back and memory returns to where it was.
# RELOADS (default 100) and SCRAPES a second (default 500); `make reloads`: 1000 and 2000.
. "$(dirname "$0")/../tap.sh"
port=$((20000 + $$ % 12000))
at=127.0.0.1:$port
reloads=${RELOADS:-100}
rate=${SCRAPES:-500}
cd "$work" || exit 1

scrape() { curl -sf "http://$at/metrics"; }
metric() { scrape | awk -v name="$1" 'index($0, name " ") == 1 {print $2; exit}'; }
ready() { curl -sf "http://$at/readyz"; }
reloaded() { [ "$(metric 'vmwatts_bundle_reloads_total{result="success"}')" -ge "$1" ]; }
serves() { [ "$(metric vmwatts_bundle_sequence)" = "$1" ]; }
model() { "$vmwatts" model "$@" --model-path models --trust keys/k.pub; }
post() { curl -s -o /dev/null -w '%{http_code}' -X POST "$@" "http://$at/-/reload"; }

mkdir models keys
"$vmwatts" model keygen --out k >/dev/null
mv k.pub keys/
"$vmwatts" dataset import --joined "$top"/data/metalci/20240913*.csv --window 20 --out d.db >/dev/null 2>&1
for v in 1 2; do
	"$vmwatts" train --dataset d.db --name m --family linear --search none --sign-key k.key --version $v.0.0 \
		--sequence $v --out b$v.vmw >/dev/null 2>&1
done
head -c 24 /dev/urandom | base64 >token
cat >config.yaml <<END
vm_energy_modeling:
  model_path: $work/models
  trusted_keys: $work/keys
  state_directory: $work/state
  reload_token_file: $work/token
  feature_config: {sampling_interval: 100ms}
END
"$vmwatts" agent --config config.yaml --listen "$at" 2>log &
agent=$!
pids+=($agent)
wait_for 10 ready
ok $? "the agent serves, with the prior"

# ---- each way to tell it
model install b1.vmw >/dev/null
wait_for 5 serves 1
ok $? "inotify: an installed bundle is served within seconds"
is "$(metric vmwatts_bundle_on_probation)" 1 "on probation"
is "$(model list --json | jq -r '.[0].state')" probation "and model list says so"
is "$(post)" 401 "POST /-/reload without a token"
is "$(post -H 'Authorization: Bearer wrong')" 401 "and with a wrong one"
is "$(post -H "Authorization: Bearer $(cat token)")" 202 "and with the right one"
wait_for 5 reloaded 2
ok $? "reloads"
kill -HUP $agent
wait_for 5 reloaded 3
ok $? "SIGHUP reloads"
is "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$at/metrics")" 405 "nothing else is posted to"
wait_for 15 grep -q "has served through its probation" log
ok $? "it passes its probation"
is "$(model list --json | jq -r '.[0].state')" proven "and is proven"

# ---- a bad one
head -c 3000 /dev/urandom >models/bad
mv models/bad models/m-1.0.0.vmw
failed() { [ "$(metric 'vmwatts_bundle_reloads_total{result="failure"}')" -ge 1 ]; }
wait_for 5 failed
ok $? "a bad bundle is counted"
is "$(metric vmwatts_bundle_sequence)$(metric vmwatts_bundle_last_reload_successful)" 10 "the old one serves on"
grep -q "reload: .*m-1.0.0.vmw" log
ok $? "and the log says why"
cp b1.vmw models/x && mv models/x models/m-1.0.0.vmw
succeeded() { [ "$(metric vmwatts_bundle_last_reload_successful)" = 1 ]; }
model install b2.vmw >/dev/null
wait_for 5 serves 2
ok $? "a good one is taken over"
wait_for 3 succeeded
ok $? "and the metric says so"

# ---- a command is the operator's word
model rollback >/dev/null
wait_for 5 serves 1
ok $? "model rollback is followed"
is "$(model list --json | jq -r '.[1] | .state + " " + .reason')" "rolled-back operator" "and listed with its reason"
model activate m-2.0.0 >/dev/null
wait_for 5 serves 2
ok $? "model activate too"
like "$(model list --history)" "rolled-back +m-2.0.0" "the history tells it"

# ---- a bad one with good signatures: it was taught kilowatts
awk -F, -v OFS=, 'NR == 1 {for (i = 1; i <= NF; i++) w[i] = $i ~ /_watts$/} NR > 1 {for (i in w) if (w[i]) $i *= 1e5} 1' \
	"$top"/data/metalci/20240913*.csv >absurd.csv
"$vmwatts" dataset import --joined absurd.csv --window 20 --out absurd.db >/dev/null 2>&1
"$vmwatts" train --dataset absurd.db --name m --family linear --search none --sign-key k.key --version 3.0.0 \
	--sequence 3 --out b3.vmw >/dev/null 2>&1
model install b3.vmw >/dev/null
rolled_back() { [ "$(metric 'kepler_vm_model_rollbacks_total{reason="out_of_range"}')" = 1 ]; }
wait_for 10 rolled_back
ok $? "a bundle that is out of range is rolled back by itself, and counted"
is "$(metric vmwatts_bundle_sequence)" 2 "the version before serves"
grep -q "bundle m 3.0.0 is rolled back: out_of_range; version 2.0.0 serves" log
ok $? "the log says so"
is "$(model list --json | jq -r '.[] | select(.version == "3.0.0") | .state + " " + .reason')" "rolled-back out_of_range" "and model list"
is "$(model list --json | jq -r '.[] | select(.active) | .version')" 2.0.0 "which names the version before as active"
kill -HUP $agent
sleep 1
is "$(metric vmwatts_bundle_sequence)" 2 "and it does not come back by itself"
rolled_back
ok $? "once"

# ---- under load
memory() { sleep 0.5; metric process_resident_memory_bytes; }
"$build"/tests/e2e/scrape_load "$port" "$rate" >load.json &
load=$!
pids+=($load)
reload_all() { # N: by POST, SIGHUP, and every tenth time another version
	local i
	for ((i = 1; i <= $1; i++)); do
		case $((i % 10)) in
		0) model activate m-$((1 + i / 10 % 2)).0.0 >/dev/null ;;
		5) kill -HUP $agent ;;
		*) post -H "Authorization: Bearer $(cat token)" >/dev/null ;;
		esac
		[ $((i % 10)) -eq 0 ] && sleep 0.25 # the store is read once it rests
	done
}
reload_all 20
before=$(memory)
at_first=$(metric 'vmwatts_bundle_reloads_total{result="success"}')
reload_all "$reloads"
enough() { reloaded $((at_first + reloads * 9 / 10)); }
wait_for 10 enough
ok $? "$reloads reloads"
after=$(memory)
kill $load
wait $load
ok $? "no request failed and no counter stepped back: $(cat load.json)"
[ "$(jq .per_second load.json)" -ge $((rate * 9 / 10)) ]
ok $? "at $rate scrapes a second"
[ "${after%.*}" -le $((${before%.*} + 1048576)) ]
ok $? "memory returns to where it was ($before, then $after bytes)"
is "$(scrape | awk '/^kepler_vm_model_rollbacks_total/ {n += $2} END {print n}')" 1 "nothing else was rolled back by itself"
kill $agent
wait $agent

# ---- a ConfigMap: links through ..data, swapped by a rename
mkdir -p map/..one map/..two
cp b1.vmw map/..one/m.vmw && cp b1.vmw.minisig map/..one/m.vmw.minisig
cp b2.vmw map/..two/m.vmw && cp b2.vmw.minisig map/..two/m.vmw.minisig
chmod 644 map/..one/* map/..two/*
(cd map && ln -s ..one ..data && ln -s ..data/m.vmw . && ln -s ..data/m.vmw.minisig .)
sed "s,model_path: .*,model_path: $work/map,; s,state_directory: .*,state_directory: $work/state2," config.yaml >map.yaml
"$vmwatts" agent --config map.yaml --listen "$at" 2>log &
agent=$!
pids+=($agent)
wait_for 10 serves 1
ok $? "a ConfigMap is served"
(cd map && ln -s ..two ..tmp && mv -T ..tmp ..data)
wait_for 10 serves 2
ok $? "and its swap is noticed"
kill $agent
wait $agent

# ---- a bundle whose day comes while it serves
mkdir short
"$vmwatts" train --dataset d.db --name m --family linear --search none --sign-key k.key --version 3.0.0 --sequence 3 \
	--expires 4s --out b3.vmw >/dev/null 2>&1
"$vmwatts" model install b3.vmw --model-path short --trust keys/k.pub >/dev/null
sed "s,model_path: .*,model_path: $work/short,; s,state_directory: .*,state_directory: $work/state3," config.yaml >short.yaml
"$vmwatts" agent --config short.yaml --listen "$at" 2>log &
agent=$!
pids+=($agent)
wait_for 10 serves 3
is "$? $(metric vmwatts_bundle_expired)" "0 0" "a bundle with some seconds left serves"
expired() { [ "$(metric vmwatts_bundle_expired)" = 1 ]; }
wait_for 10 expired
ok $? "and is flagged when they are over"
is "$(metric vmwatts_bundle_sequence) $(grep -c "bundle m 3.0.0 has expired: it serves on" log)" "3 1" "it serves on, and one line of the log says so"
done_testing
