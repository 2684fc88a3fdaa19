#!/bin/bash
# Drift, on real recordings: runs of the same guest that nobody trained on raise nothing in over 24 hours;
# a recording of another machine (this one) does within 60 samples. And a machine that changes under an agent.
. "$(dirname "$0")/../tap.sh"
mapfile -t runs < <(ls "$top"/data/metalci/*.csv)
trained=12

cd "$work"
"$vmwatts" dataset import --joined "${runs[@]:0:trained}" --window 20 --out d.db >/dev/null 2>&1
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" train --dataset d.db --name drift --out d.vmw --sign-key k.key --seed 1 >/dev/null 2>&1
is $? 0 "a bundle of $trained runs"
mkdir keys models
cp k.pub keys/
"$vmwatts" model install d.vmw --trust k.pub --model-path models >/dev/null
printf 'vm_energy_modeling:\n  model_path: %s\n  trusted_keys: %s\n' "$work/models" "$work/keys" >config.yaml

raised() { # CSV: how often, and at which row first where it was
	"$vmwatts" agent --config config.yaml --log-level error --replay "$1" 2>&1 >/dev/null |
		sed -nE 's/^drift raised ([0-9]+) times(, the first at row ([0-9]+))?.*/\1 \3/p'
}

rows=0 false=0
for run in "${runs[@]:trained}"; do
	rows=$((rows + $(wc -l <"$run") - 1))
	read -r times _ <<<"$(raised "$run")"
	false=$((false + times))
done
echo "# $rows rows of 20 s that were not trained on: $((rows * 20 / 3600)) h, raised $false times"
[ $((rows * 20)) -ge 86400 ]
ok $? "over 24 hours that nobody trained on"
is "$false" 0 "raise nothing"
said=$("$vmwatts" agent --config config.yaml --replay "$run" 2>&1 >/dev/null)
is "$(grep -c "first at row" <<<"$said")" 0 "and there is no first"
like "$said" "serving bundle drift" "a replay says what serves"
is "$(grep -c "trained on another machine" <<<"$said")" 0 "the rows' machine is that of training, whatever this one is"

"$vmwatts" record guest --out here.vmt --interval 100ms --duration 5s --no-perf 2>/dev/null
"$vmwatts" dataset export here.vmt >here.csv
read -r times first <<<"$(raised here.csv)"
echo "# this machine: raised $times times, the first at row $first"
[ "$times" -ge 1 ] && [ "$first" -le 60 ]
ok $? "another machine's recording is raised within 60 samples"

# a machine that changes under a running agent: looked at every 5 minutes, and at once after the set of CPUs changed
mkdir -p root/sys/devices/system/cpu root/proc/pressure
cp -r "$top"/tests/roots/one-vcpu/0/. root/
port=$((20000 + $$ % 20000))
"$vmwatts" agent --config config.yaml --listen "127.0.0.1:$port" --root root --state-dir state 2>log &
pids+=($!)
wait_for 10 curl -sf "http://127.0.0.1:$port/readyz"
# the moved VM has the other root's CPU and CPUs; its counters go on
cp "$top"/tests/roots/epyc-2vcpu/1/proc/cpuinfo root/proc/cpuinfo
sed 's/^cpu0 \(.*\)/cpu0 \1\ncpu1 \1/' root/proc/stat >stat
cat stat >root/proc/stat # in place: the agent keeps its files open
moved() { curl -s "http://127.0.0.1:$port/metrics" | grep -E "^kepler_vm_migrations_total 1"; }
wait_for 15 moved
status=$?
echo "# $(curl -s "http://127.0.0.1:$port/metrics" | grep -E '^kepler_vm_(migrations_total|drift)' | tr '\n' ' ')"
ok $status "a move to another machine is seen"
like "$(cat log)" "another machine than before" "and said in the log"
done_testing
