#!/bin/bash
# vmwatts doctor: over every captured machine, over what is set up wrong, and a report that gives nothing away.
. "$(dirname "$0")/../tap.sh"
port=$((20000 + $$ % 12000))
mkdir "$work/keys" "$work/models" "$work/state"
config() { # KEY: VALUE...: a configuration with these, the rest below $work
	printf 'vm_energy_modeling:\n  model_path: %s\n  trusted_keys: %s\n  state_directory: %s\n  listen: 127.0.0.1:%s\n' \
		"$work/models" "$work/keys" "$work/state" $port >"$work/c.yaml"
	printf '  %s\n' "$@" >>"$work/c.yaml"
}
doctor() { "$vmwatts" doctor --config "$work/c.yaml" "$@"; }
verdict() { jq -r --arg c "$1" '.checks[] | select(.check == $c) | .verdict' "$work/out"; }
said() { jq -r --arg c "$1" '.checks[] | select(.check == $c) | .said + " / " + (.remedy // "")' "$work/out"; }
examine() { # ARGUMENTS...: JSON into $work/out; sets status
	doctor --json "$@" >"$work/out" 2>"$work/err"
	status=$?
}
config ""

# ---- this machine, and every captured one
examine
is "$status" 0 "nothing fails on this machine"
jq -e '.ok + .warn + .fail == (.checks | length) and .fail == 0' "$work/out" >/dev/null
ok $? "counts are those of the checks"
is "$(jq -r '[.checks[].check] | map(select(. == "hypervisor" or . == "tier" or . == "vpmu" or . == "bundle" or . == "fuse")) | length' "$work/out")" 5 \
	"it says what the machine is, its tier, and what is set up"
for root in "$top"/tests/roots/*/1; do
	[ -d "$root" ] || continue
	examine --root "$root"
	is "$status $(verdict tier) $(verdict listen)" "0 ok ok" "$(basename "$(dirname "$root")"): examined"
done
examine --root "$top/tests/roots/steal-heavy/1"
is "$(verdict steal)" warn "stolen time is told"
examine --root "$top/tests/roots/no-psi/1"
is "$(verdict psi)" warn "no pressure information: a warning"
like "$(said psi)" "psi=1" "with what to do"
like "$(said hypervisor)" "gcp" "the platform is told by its firmware"
examine --root "$top/tests/roots/one-vcpu/1"
is "$(verdict psi)" ok "a machine that has it: none"
mkdir "$work/empty"
examine --root "$work/empty"
is "$status $(verdict counters) $(verdict cpu)" "1 fail fail" "without /proc: failures"
refused 1 "nothere" "a root that is not there" "$vmwatts" doctor --root "$work/nothere"
refused 2 "" "an unknown option" "$vmwatts" doctor --fix
mkdir -p "$work/slow/sys/devices/system/clocksource/clocksource0"
cp -r "$top/tests/roots/one-vcpu/1/." "$work/slow"
echo hpet >"$work/slow/sys/devices/system/clocksource/clocksource0/current_clocksource"
examine --root "$work/slow"
is "$(verdict clocksource)" warn "a slow clock source"
mkdir -p "$work/slow/sys/class/powercap/intel-rapl:0"
echo package-0 >"$work/slow/sys/class/powercap/intel-rapl:0/name"
examine --root "$work/slow"
is "$(verdict rapl)" warn "RAPL zones of the machine's own"
# the figures it tells are those of the document
read -r without with < <(tr -d '"\n\t\\' <"$top/src/doctor/guest.c" | grep -oE '[0-9.]+ % of mean watts without perf events, [0-9.]+' |
	grep -oE '[0-9]+\.[0-9]+' | xargs)
grep -qE "^\| package \| $without \|" "$top/docs/accuracy.md" && grep -qE "^\| nx12 package \| [0-9]+ \| $with \|" "$top/docs/accuracy.md"
ok $? "what a missing PMU costs ($without %, with it $with %) is what docs/accuracy.md says"

# ---- configuration
config "samplingInterval: 1s"
examine
is "$status $(verdict configuration)" "1 fail" "a bad configuration fails"
like "$(said configuration)" "c.yaml:6:" "by file, line and column"
is "$(verdict listen)$(verdict fuse)" okok "the rest is still examined"
examine --config "$work/nothere.yaml"
is "$(verdict configuration)" fail "a configuration that is not there"
config "enabled: false"
examine
is "$status $(verdict enabled)" "0 warn" "switched off: a warning"
config "feature_config: {perf_counters_enabled: false}"
examine
like "$(said vpmu)" "switched off by the configuration / set feature_config.perf_counters_enabled" "perf events switched off"

# ---- keys
config ""
examine
is "$(verdict trusted_keys) $(verdict bundle)" "warn warn" "no key and no bundle: warnings"
"$vmwatts" model keygen --out "$work/k" >/dev/null
cp "$work/k.pub" "$work/keys/"
examine
is "$(verdict trusted_keys)" ok "a key"
config "signature_threshold: 2"
examine
is "$status $(verdict trusted_keys)" "1 fail" "fewer keys than must sign"
config ""
chmod 777 "$work/keys"
examine
is "$status $(verdict trusted_keys)" "1 fail" "a key directory that anyone may write"
like "$(said trusted_keys)" "chmod go-w" "and how to mend it"
chmod 755 "$work/keys"
echo garbage >"$work/keys/bad.pub"
examine
is "$(verdict trusted_keys)" fail "a file that is no key"
rm "$work/keys/bad.pub"
mv "$work/keys" "$work/models/keys" && ln -s models/keys "$work/keys"
examine
is "$status $(verdict trusted_keys)" "1 fail" "keys that are in model_path"
like "$(said trusted_keys)" "is in model_path" "by name"
rm "$work/keys" && mv "$work/models/keys" "$work/keys"

# ---- bundle
"$vmwatts" dataset import --joined "$top"/data/metalci/20240914-1616.csv --window 20 --out "$work/d.db" >/dev/null 2>&1
"$vmwatts" train --dataset "$work/d.db" --name secretbundle --family linear --out "$work/b.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
"$vmwatts" model install "$work/b.vmw" --trust "$work/k.pub" --model-path "$work/models" >/dev/null
examine
is "$(verdict bundle)" ok "a bundle that is signed and installed"
like "$(said bundle)" "secretbundle 1.0.0" "by name and version"
is "$(verdict applicability)" warn "trained on a machine with 14 vCPUs: told"
config "minimum_sequence: 8999999999999999999"
examine
is "$status $(verdict bundle)" "1 fail" "below minimum_sequence"
config ""
"$vmwatts" model keygen --out "$work/other" >/dev/null
cp "$work/other.pub" "$work/keys/k.pub"
examine
is "$status $(verdict bundle)" "1 fail" "signed by a key that is not trusted"
cp "$work/k.pub" "$work/keys/k.pub"

# ---- port and state directory
python3 -c '
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(8)
while True:
    c, _ = s.accept(); c.recv(100); c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello\n"); c.close()' $port &
pids+=($!)
wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
examine
is "$status $(verdict listen)" "1 fail" "a port that something else has"
kill "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null
"$vmwatts" agent --config "$work/c.yaml" 2>/dev/null &
pids+=($!)
wait_for 10 curl -sf "http://127.0.0.1:$port/readyz"
examine
is "$status $(verdict listen)" "0 ok" "a port that the agent has is right"
like "$(said listen)" "an agent serves" "and said"
kill "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null
examine --listen 192.0.2.1:9102
is "$status $(verdict listen)" "1 fail" "an address that is not this machine's"
echo file >"$work/file"
examine --state-dir "$work/file/below"
is "$(verdict state_directory)" warn "a state directory that cannot be made"

# ---- powercap
config "powercap: {mode: files, path: $work/tree}"
examine
is "$status $(verdict powercap)" "1 fail" "a powercap tree that is not there"
mkdir -p "$work/tree/class/powercap/intel-rapl:0"
for f in name energy_uj max_energy_range_uj; do echo 1 >"$work/tree/class/powercap/intel-rapl:0/$f"; done
examine
is "$status $(verdict powercap)" "0 ok" "one that is there"
like "$(said powercap)" "host.sysfs: $work/tree" "and how Kepler is pointed at it"
config "powercap: {mode: fuse, path: $work/tree}"
examine --root "$work/slow"
is "$status $(verdict fuse)" "1 fail" "mode fuse without /dev/fuse"

# ---- the report
refused 1 "^vmwatts doctor: $work/nowhere/r.json: No such file" "a report where none can be is refused by the name that was given" \
	"$vmwatts" doctor --report "$work/nowhere/r.json"
secret=$work/secret
cp -r "$top/tests/roots/steal-heavy/1" "$secret"
mkdir -p "$secret/etc" "$secret/proc/sys/kernel" "$secret/proc/4242" "$secret/sys/class/dmi/id"
echo secrethost >"$secret/etc/hostname"
echo secrethost >"$secret/proc/sys/kernel/hostname"
echo 6.1.0-secretbuild >"$secret/proc/sys/kernel/osrelease"
echo secretprocess >"$secret/proc/4242/comm"
echo 'root=UUID=secretuuid secretoption' >"$secret/proc/cmdline"
for f in sys_vendor product_name product_serial product_uuid board_serial chassis_asset_tag; do echo "secretdmi$f" >"$secret/sys/class/dmi/id/$f"; done
sed -i 's/\<eth0\>/secretnet/' "$secret/proc/net/dev"
sed -i 's/\<vda\>/secretdisk/' "$secret/proc/diskstats"
sed -i 's/^model name.*/model name\t: secret; CPU of secretowner, 10.9.8.7/; s/^vendor_id.*/vendor_id\t: secretvendor/' "$secret/proc/cpuinfo"
mkdir -p "$secret/sys/devices/system/clocksource/clocksource0"
echo secretclock >"$secret/sys/devices/system/clocksource/clocksource0/current_clocksource"
mkdir "$work/secretmodels"
cp -r "$work/models/." "$work/secretmodels"
cp "$work/keys/k.pub" "$work/keys/secretkey.pub"
config "node_name: secretnode" "python_server: {url: secretserver:50051}" "powercap: {mode: files, path: /run/secretpath}"
sed -i "s|model_path: .*|model_path: $work/secretmodels|; s|listen: .*|listen: 10.9.8.7:1|" "$work/c.yaml"
HOSTNAME=secrethost USER=secretuser NODE_NAME=secretnode doctor --root "$secret" --report "$work/report.json" >/dev/null
is "$(stat -c %a "$work/report.json")" 600 "the report is the caller's to give away"
jq -e '.cpu.vcpus > 0 and .kernel == "6.1.0" and .rerooted and (.sources | length) == 10 and .configuration.enabled == true and .bundle.present' \
	"$work/report.json" >/dev/null
ok $? "it has the facts"
is "$(grep -ciE "secret|10\.9\.8\.7|$work|\"$(uname -n)\"|uuid|serial" "$work/report.json")" 0 "and nothing of the planted names, addresses and numbers"
is "$(jq -r '[.configuration.node_name, .configuration.listen, .cpu.vendor, .cpu.model_name, .clock_source] | join(" ")' "$work/report.json")" \
	"set set other other other" "strings of others stand as such"
refused 1 "nothere/r.json" "a report that cannot be written" "$vmwatts" doctor --config "$work/c.yaml" --report "$work/nothere/r.json"
mkfifo "$work/pipe"
timeout 20 cat "$work/pipe" >"$work/piped.json" &
doctor --report "$work/pipe" >/dev/null
wait $!
is "$(test -p "$work/pipe" && jq -r .configuration.node_name "$work/piped.json")" "$(jq -r .configuration.node_name "$work/report.json")" \
	"a pipe is written to, not replaced"
done_testing
