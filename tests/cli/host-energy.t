#!/bin/bash
# Energy that the host hands in: a simulated guest whose powercap zones rise at a known power.
. "$(dirname "$0")/../tap.sh"
port=$((20000 + $$ % 12000))
at=127.0.0.1:$port
state=$work/state
root=$work/root
zones=$root/sys/class/powercap
mkdir -p "$root"
cp -r "$top/tests/roots/one-vcpu/1/." "$root"

zone() { # DIRECTORY NAME: a zone that stands, not yet at its wrap
	mkdir -p "$1"
	echo "$2" >"$1/name"
	echo 262143328850 >"$1/max_energy_range_uj"
	echo 262140000000 >"$1/energy_uj"
}

# A half busy CPU, and every DIRECTORY=WATTS; energy_uj is written anew in place, and never made.
cat >"$work/guest.py" <<'EOT'
import sys, time
root, zones = sys.argv[1], [z.rsplit("=", 1) for z in sys.argv[2:]]
stat = open(root + "/proc/stat").read().split("\n", 2)[2]
start = [int(open(z + "/energy_uj").read()) for z, _ in zones]
def write(path, text):
    try:
        with open(path, "r+") as f:
            f.write(text)
            f.truncate()
    except FileNotFoundError:
        pass
begin = time.monotonic()
while True:
    t = time.monotonic() - begin
    busy = 10000 + int(50 * t)
    times = f" {busy} 0 0 {busy} 0 0 0 0 0 0\n"
    write(root + "/proc/stat", "cpu " + times + "cpu0" + times + stat)
    for (z, watts), uj in zip(zones, start):
        write(z + "/energy_uj", "%d\n" % ((uj + float(watts) * t * 1e6) % 262143328850))
    time.sleep(0.02)
EOT
guest() { # DIRECTORY=WATTS...
	python3 "$work/guest.py" "$root" "$@" &
	guest=$!
	pids+=($guest)
}
config() { printf 'vm_energy_modeling:\n  state_directory: %s\n  listen: %s\n%s\n' "$state" "$at" "$1" >"$work/c.yaml"; }
once() { "$vmwatts" agent --once --json --config "$work/c.yaml" --root "$root" >"$work/once" 2>"$work/log"; }
of() { jq -r ".zones.$1" "$work/once"; }
near() { # GOT WANTED TEXT: within 2 %
	ok "$(awk -v g="$1" -v w="$2" 'BEGIN {print !(g > w * 0.98 && g < w * 1.02)}')" "$3 (got $1, wanted $2)"
}
scrape() { curl -sf "http://$at/metrics" >"$work/metrics"; }
metric() { awk -v name="$1" 'index($0, name) == 1 {print $NF; exit}' "$work/metrics"; }
provenance() { grep -oE '^kepler_vm_zone_provenance\{.*zone="'"$1"'".*\} 1' "$work/metrics" | grep -oE 'provenance="[a-z]*"' | cut -d '"' -f 2; }
has_provenance() { scrape && [ "$(provenance package)" = "$1" ]; }
doctor() { "$vmwatts" doctor --json --config "$work/c.yaml" --root "$root" 2>"$work/err" | jq -r '.checks[] | select(.check == "rapl" or .check == "tier") | .verdict + " " + .said'; }

# ---- zones of the guest's own kernel
config "  collection_interval: 4s"
zone "$zones/intel-rapl:0" package-0
zone "$zones/intel-rapl:1" package-1
zone "$zones/intel-rapl:0:0" core
zone "$zones/intel-rapl:0:2" dram
guest "$zones/intel-rapl:0=7" "$zones/intel-rapl:1=3" "$zones/intel-rapl:0:0=6"
once
near "$(of package.watts)" 10 "package is both sockets, over the wrap"
near "$(of core.watts)" 6 "core"
is "$(of package.provenance) $(of core.provenance)" "host host" "their provenance"
is "$(of package.active_watts)" "$(of package.watts)" "all of it is active"
is "$(of dram.provenance) $(of uncore.provenance)" "derived derived" "a zone that stands, and one that is not there, are derived"
is "$(jq -r .tier "$work/once")" host "the tier"
is "$(jq '.zones | .core.watts + .uncore.watts <= .package.watts * (1 + 1e-9)' "$work/once")" true "core + uncore <= package"
like "$(doctor)" "ok the host hands in the energy of package.*ok host: " "the doctor says so"

# ---- served, and counted
"$vmwatts" agent --config "$work/c.yaml" --root "$root" --node-name n 2>"$work/log" &
agent=$!
pids+=($agent)
wait_for 15 has_provenance host
ok $? "the agent takes it once it has risen"
energy() { echo $(($(cat "$zones/intel-rapl:0/energy_uj") + $(cat "$zones/intel-rapl:1/energy_uj"))); }
joules='kepler_node_cpu_joules_total{node_name="n",zone="package",path="vmwatts/package"}'
scrape
before="$(metric "$joules") $(energy)"
sleep 6
scrape
after="$(metric "$joules") $(energy)"
# a tick before the last is not counted yet: at most 1.2 s of 10 W at either end
ok "$(awk -v b="$before" -v a="$after" 'BEGIN {
	split(b, x); split(a, y); d = y[1] - x[1] - (y[2] - x[2]) / 1e6; print !(d < 12 && d > -12)}')" \
	"joules are those of the counters ($before, then $after)"
near "$(metric 'kepler_node_cpu_watts{node_name="n",zone="package"')" 10 "watts"
is "$(metric 'kepler_vm_feature_tier{tier="host"}')" 1 "the tier as a metric"
"$vmwatts" powercap --config "$work/c.yaml" --mode files --path "$work/tree" 2>"$work/tree.log" &
tree=$!
pids+=($tree)
wait_for 5 test -s "$work/tree/class/powercap/intel-rapl:0/energy_uj"
is "$(stat -c %a "$state/counters" "$work/tree/class/powercap/intel-rapl:0/energy_uj" | xargs)" "600 400" \
	"what is re-exported is the owner's alone"
kill $tree
wait $tree 2>/dev/null

kill -HUP "$agent"
wait_for 5 grep -q reloaded "$work/log"
scrape
is "$(provenance package) $(grep -c 'hands in' "$work/log")" "host 1" "a reload goes on with it"
near "$(metric 'kepler_node_cpu_watts{node_name="n",zone="package"')" 10 "and with its watts"

# ---- gone, and back
rm "$zones/intel-rapl:0/energy_uj"
wait_for 10 has_provenance prior
ok $? "without its file: as if it had never been there"
is "$(provenance core)" host "other zones go on"
is "$(metric 'kepler_vm_feature_tier{tier="host"}')" 1 "and so does the tier"
echo 5 >"$zones/intel-rapl:0/energy_uj"
wait_for 10 has_provenance host
ok $? "it comes back by itself"
like "$(cat "$work/log")" "hands in the energy of core.*hands in the energy of package, core" "each change is a line in the log"
kill "$agent" "$guest"
wait "$agent" "$guest" 2>/dev/null

# ---- what is no energy of the host
guest
once
is "$(of package.provenance) $(jq -r .tier "$work/once")" "prior os" "counters that stand are absent, not zero"
like "$(doctor)" "warn .*none rises" "the doctor says so"
kill "$guest"
wait "$guest" 2>/dev/null
mkdir "$zones/intel-rapl"
echo 0.1.0 >"$zones/intel-rapl/vmwatts"
guest "$zones/intel-rapl:0=10"
once
is "$(of package.provenance) $(jq -r .tier "$work/once")" "prior os" "a tree of our own is no host's"
like "$(doctor)" "ok .*estimates of our own" "the doctor says so"
kill "$guest"
wait "$guest" 2>/dev/null
if [ "$(id -u)" = 0 ]; then
	user=$(id -u nobody)
	chmod 755 "$work" && mkdir -p "$work/there" && chmod -R a+rX "$root"
	rm -r "$zones/intel-rapl"
	chmod 400 "$zones"/*/energy_uj
	like "$(setpriv --reuid "$user" --clear-groups "$vmwatts" doctor --root "$root" 2>&1 | grep '^warn  rapl')" \
		"may not read" "without permission: the doctor says why"
else
	skip "without permission: the doctor says why" "only root can become another user"
fi

# ---- a folder that the host shares
zone "$work/shared/intel-rapl:0" package-0
config "  collection_interval: 4s
  host_energy_path: $work/shared"
guest "$work/shared/intel-rapl:0=25"
once
near "$(of package.watts)" 25 "host_energy_path names another folder"
is "$(of package.provenance)" host "and its zones are the host's"
config "  host_energy_path: $work/nothere"
like "$(doctor)" "fail host_energy_path $work/nothere has no zone" "one that is not there"
done_testing
