#!/bin/bash
# vmwatts record host: a simulated Kepler, a simulated RAPL host, and what goes wrong with either.
. "$(dirname "$0")/../tap.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
if [ ! -x "$build/vmwatts-net" ]; then
	skip "record host" "vmwatts-net was not built"
	done_testing
	exit
fi
cd "$work" || exit 1
sim=$top/tests/simulated
host() { "$vmwatts" record host "$@"; }
trace() { python3 "$sim/trace.py" "$@"; }
kepler() { # MODE [options]: a simulated Kepler; $url, $kepler
	rm -f port
	echo "$1" >mode
	shift
	python3 "$sim/kepler.py" port mode "$@" 2>kepler.log &
	kepler=$!
	pids+=($kepler)
	wait_for 10 test -s port
	port=$(cat port)
	url=http://127.0.0.1:$port/metrics
}
mode() { echo "$1" >mode; }
stop() {
	kill "$1"
	wait "$1" 2>/dev/null
}
finished() { ! kill -0 "$1" 2>/dev/null; }
# the mean power of a counter, from its first and last row
watts() { trace "$1" | awk -v vm="$2" -v c="$3" '$1 == vm && $3 == c {if (!n++) {t = $2; v = $4} T = $2; V = $4}
	END {printf "%.1f", (V - v) / ((T - t) / 1e9)}'; }

# usage
refused 2 "--vm NAME or --all" "neither --vm nor --all" host --out x.vmt
refused 2 "exclude each other" "both --vm and --all" host --vm a --all --out x.vmt
refused 2 "--out HOST.vmt" "no --out" host --all
refused 2 "--source takes" "an unknown source" host --source ipmi --all --out x.vmt
refused 2 "--url is needed" "a store without --url" host --source prometheus --all --out x.vmt
refused 2 "--user-file" "a password on the command line" host --url http://me:secret@h/ --all --out x.vmt
refused 2 "http://HOST" "an URL that is none" host --url h:28282 --all --out x.vmt
refused 2 "--interval takes" "an interval that is none" host --interval fast --all --out x.vmt
refused 2 "--from and --to" "a time that is none" host --source prometheus --url http://h --from yesterday --all --out x.vmt
refused 2 "not before" "from behind to" host --source prometheus --url http://h --from now --to -1h --all --out x.vmt
refused 2 "--parallel" "too many at once" host --all --out x.vmt --parallel 99
"$vmwatts" record --help | grep -q "host"
ok $? "record --help names both sides"
host --help | grep -q "usage: vmwatts record host"
ok $? "record host --help"
refused 2 "did you mean 'host'" "a misspelt action" "$vmwatts" record hots

# Kepler
kepler "vms=web/u-1/20,db/u-2/5 gpu"
host --url "$url" --vm web --interval 200ms --duration 2s --out a.vmt --json >a.json 2>said
is $? 0 "two seconds of one VM"
is "$(jq -r '[.source, .vms[].vm, .vms[].falls] | join(" ")' a.json)" "kepler web 0" "the summary"
ok "$(jq '.rows >= 9 and .rows <= 12 | not' a.json | sed 's/true/1/;s/false/0/')" "11 rows or so"
is "$(trace a.vmt --streams | sed 's/.*: //')" "boot_ns package_joules core_joules dram_joules platform_joules" \
	"a column for each zone; psys is platform"
like "$(trace a.vmt --streams)" "source=kepler.*kepler_version=v0.11.4-simulated.*uuid=u-1.*node=sim.*hypervisor=kvm" "what the stream says"
like "$(cat said)" "zone 'gpu' is none of ours" "a zone that is none of ours is told"
is "$(watts a.vmt web package_joules | awk '{print ($1 > 19.5 && $1 < 20.5) ? "yes" : $1}')" yes "its counter grows by 20 W"
mode "vms=web/u-1/20,db/u-2/5"
host --url "$url" --vm u-1 --interval 200ms --duration 1s --out a.vmt >/dev/null 2>&1
is "$?$(trace a.vmt --streams | wc -l)" 01 "the same again goes on with the same stream"
host --url "$url" --all --interval 200ms --duration 500ms --out all.vmt 2>/dev/null
is "$?$(trace all.vmt | cut -d' ' -f1 | sort -u | tr '\n' ' ')" "0db web " "--all takes every VM"
refused 1 "no VM 'mail' in $url; there are: web, db" "a VM that is not there" host --url "$url" --vm mail --out x.vmt
ok "$([ -e x.vmt ]; echo $((! $?)))" "which leaves no file behind"
mode $'vms=we\e[31mb/u-1/20'
refused 1 "there are: we[?].31mb" "a name on the page is no command to the terminal" host --url "$url" --vm mail --out x.vmt
mode "vms=web/u-1/20,db/u-2/5"
mode "vms=web/u-1,web/u-2"
refused 1 "'web' is 2 VMs.*web \(uuid u-1, node sim\); web \(uuid u-2" "a name that two VMs have: both are listed" \
	host --url "$url" --vm web --out x.vmt
host --url "$url" --vm u-2 --duration 300ms --out two.vmt 2>/dev/null
is "$?$(trace two.vmt | cut -d' ' -f1 | sort -u)" 0u-2 "the uuid tells them apart"
mode "watts sockets"
host --url "$url" --vm web --duration 300ms --out w.vmt 2>/dev/null
is "$?$(trace w.vmt | awk '$3 == "package_watts" {print $4; exit}')" 020.0 "gauges where there is no counter; sockets are summed"
mode both
host --url "$url" --vm web --duration 300ms --out b.vmt 2>/dev/null
is "$(trace b.vmt --streams | grep -o '[a-z]*_[jw][a-z]*$\|package_[a-z]*' | sort | tr '\n' ' ')" \
	"package_joules package_watts platform_watts " "both where there are both"
mode "vms= process=77/qemu-system-x86,78/bash"
host --url "$url" --vm 77 --duration 300ms --out p.vmt 2>/dev/null
is "$?$(trace p.vmt | cut -d' ' -f1 | sort -u)" 0qemu-77@sim "QEMU in a container, by its pid"
like "$(trace p.vmt --streams)" "series=process.*pid=77 container=c1" "which says so"
refused 1 "no VM '78'" "a process that is no QEMU" host --url "$url" --vm 78 --out x.vmt
mode "vms="
refused 1 "shows no VM.*is a VM running" "a page without a VM" host --url "$url" --all --out x.vmt
mode garbage
refused 1 "is no page of metrics: line 1" "a page that is none" host --url "$url" --all --out x.vmt
mode cut
refused 1 "line [0-9]*: the text is cut off" "a page that is cut off" host --url "$url" --all --out x.vmt
mode big
refused 1 "larger than 32 MiB" "a page without end" host --url "$url" --all --out x.vmt
mode slow
refused 1 "no whole answer within 0.5 s" "a slow answer" host --url "$url" --timeout 0.5 --all --out x.vmt
mode error
refused 1 "answers 500" "an error of the server's" host --url "$url" --all --out x.vmt
mode redirect
refused 1 "answers 302: it points to another place" "a redirect is not followed" host --url "$url" --all --out x.vmt
mode both
refused 1 "a.txt: .*trace" "a file that is no trace is left alone" sh -c "echo text >a.txt; '$vmwatts' record host --url $url --all --out a.txt"
is "$(cat a.txt)" text "as it was"
rm said # the one before says "records web" too
"$vmwatts" record host --url "$url" --vm web --interval 200ms --duration 40s --out long.vmt 2>said &
recorder=$!
pids+=($recorder)
wait_for 5 grep -q "records web" said
refused 1 "another recorder" "a trace that is being written" host --url "$url" --vm web --out long.vmt

# a VM that goes, garbage for a while, a Kepler that is restarted, Ctrl-C
mode "vms=db/u-2"
wait_for 5 grep -q "web is gone" said
ok $? "a VM that disappears is told"
mode both
wait_for 5 grep -q "web is back" said
ok $? "and that it is back"
mode garbage
wait_for 5 grep -q "no page of metrics.*trying again" said
ok $? "garbage for a while does not end it"
mode both
wait_for 5 grep -q "answers again" said
stop $kepler
wait_for 5 grep -q "connect.*trying again" said
ok $? "a Kepler that is gone is told"
python3 "$sim/kepler.py" port mode --port "$port" &
pids+=($!)
kepler=$!
wait_for 10 grep -q "counters of 1 VM fell: Kepler was restarted" said
ok $? "a Kepler that was restarted is told"
sleep 0.5
kill -INT $recorder
wait_for 5 finished $recorder
wait $recorder
is $? 0 "Ctrl-C ends cleanly"
is "$(trace long.vmt | awk '$3 == "package_joules" {n += $4 < v; v = $4} END {print n}')" 1 "the counters are written as they are"
like "$(tail -1 said)" "long.vmt: [0-9]+ rows of 1 VMs in .* rows/s" "the last line says how much"
stop $kepler
refused 1 "[Cc]onnect" "nobody there" host --url "$url" --all --out x.vmt

# access
kepler both --user me:secret
echo me:secret >user
echo me:wrong >wrong
echo secret >none
refused 1 "answers 401: it wants a user" "no password" host --url "$url" --all --out x.vmt
refused 1 "401: the user and password of --user-file are refused" "a wrong one" host --url "$url" --user-file wrong --all --out x.vmt
refused 1 "not user:password" "a file that holds none" host --url "$url" --user-file none --all --out x.vmt
refused 1 "nothere" "a file that is not there" host --url "$url" --user-file nothere --all --out x.vmt
chmod 666 user
refused 1 "chmod go-w" "a file that others may write" host --url "$url" --user-file user --all --out x.vmt
chmod 600 user
host --url "$url" --user-file user --all --duration 200ms --out u.vmt 2>/dev/null
is $? 0 "the right one"
stop $kepler
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null
kepler both --user me:secret --tls cert.pem key.pem
url=https://127.0.0.1:$port/metrics
refused 1 "certificate is not trusted.*--cacert" "a certificate nobody knows" host --url "$url" --user-file user --all --out x.vmt
refused 1 "nothere" "a --cacert that is not there" host --url "$url" --cacert nothere --all --out x.vmt
host --url "$url" --user-file user --cacert cert.pem --all --duration 200ms --out t.vmt 2>/dev/null
is $? 0 "TLS with its --cacert"
host --url "$url" --user-file user --insecure --all --duration 200ms --out t.vmt 2>said
is $? 0 "or with --insecure"
like "$(cat said)" "--insecure: whoever answers is believed" "which warns"
stop $kepler

# RAPL and QEMU processes of a simulated host
mkdir -p root/proc/100 root/proc/1 root/sys/class/powercap
refused 1 "no RAPL zone: record on the bare-metal host" "a host without RAPL" host --source rapl --root root --all --out x.vmt
zone() { # DIRECTORY NAME UJ
	mkdir -p "root/sys/class/powercap/$1"
	echo "$2" >"root/sys/class/powercap/$1/name"
	echo 262143328850 >"root/sys/class/powercap/$1/max_energy_range_uj"
	echo "$3" >"root/sys/class/powercap/$1/energy_uj.new"
	mv "root/sys/class/powercap/$1/energy_uj.new" "root/sys/class/powercap/$1/energy_uj"
}
process() { # PID TICKS
	echo "$1 (x) S 1 1 1 0 -1 0 0 0 0 0 $2 0 0 0 20 0 3 0 500 0 0" >"root/proc/$1/new"
	mv "root/proc/$1/new" "root/proc/$1/stat"
}
busy() { echo "cpu  $1 0 0 $2 0 0 0 0 0 0" >root/proc/new && mv root/proc/new root/proc/stat; }
zone intel-rapl:0 package-0 262140000000
zone intel-rapl:1 package-1 5000000
zone intel-rapl:0:0 dram 1000000
process 1 50
process 100 1000
busy 1000 9000
refused 1 "no QEMU process here: start the VM" "a host without QEMU" host --source rapl --root root --all --out x.vmt
is "$(host --list --root root --json)" "[]" "and --list --json says so"
like "$(host --list --root root 2>&1)" "no QEMU process here" "in words too"
printf '/usr/bin/kvm\0-id\0100\0-name\0web,debug-threads=on\0-smbios\0type=1,uuid=u-100\0' >root/proc/100/cmdline
echo "0::/qemu.slice/100.scope" >root/proc/100/cgroup
printf 'Name:\tkvm\nThreads:\t3\n' >root/proc/100/status
is "$(host --list --root root --json | jq -c '.[0]')" \
	'{"pid":100,"name":"web","uuid":"u-100","manager":"proxmox","threads":3,"in_container":false}' "--list of a Proxmox VM"
refused 1 "no VM 'db' in this host's QEMU processes; there are: web" "a QEMU of another name" \
	host --source rapl --root root --vm db --out x.vmt
if ! perf stat -e cycles true >/dev/null 2>&1; then
	refused 1 "--weight perf: .*use --weight time" "no cycles to weigh by" \
		host --source rapl --root root --all --weight perf --out x.vmt
fi
rm said
"$vmwatts" record host --source rapl --root root --vm web --interval 2s --duration 60s --out r.vmt 2>said &
recorder=$!
pids+=($recorder)
wait_for 5 grep -q "records web" said
# one step: 40 J of package (a wrap in it), 10 of dram; half of the CPU time busy, 60 of 80 ticks QEMU's
zone intel-rapl:0 package-0 $((262140000000 + 30000000 - 262143328850))
zone intel-rapl:1 package-1 15000000
zone intel-rapl:0:0 dram 11000000
process 1 70
process 100 1060
busy 1100 9100
rows() { trace r.vmt | grep -c ' package_joules '; }
two_rows() { [ "$(rows)" -ge 2 ]; }
wait_for 10 two_rows
last() { trace r.vmt | awk '$3 == "'"$1"'" {v = $4} END {printf "%.4f", v}'; }
is "$(last package_joules) $(last dram_joules)" "15.0000 3.7500" "Kepler's formula over two sockets and a wrap"
is "$(last node_package_joules) $(last vm_cpu_seconds) $(last node_cpu_seconds)" "40.0000 0.6000 0.8000" "and the node's own figures"
zone intel-rapl:0:0 dram 500000
wait_for 10 grep -q "1 counter went backwards: that step is left out" said
ok $? "a counter that goes backwards is told"
rm root/sys/class/powercap/intel-rapl:0:0/energy_uj
twice_unread() { [ "$(grep -c "1 counter cannot be read: that step is left out" said)" -ge 2 ]; }
wait_for 10 twice_unread
ok $? "and so is one that cannot be read, step by step"
kill -TERM $recorder
wait_for 5 finished $recorder
is "$(last dram_joules) $(last package_joules)" "0.0000 15.0000" "and sets that zone's counter back, not the others"
is "$(trace r.vmt | awk '$3 == "dram_joules" {print $4}' | tail -3 | awk 'NR > 1 && !($1 < before) {n++} {before = $1} END {print n + 0}')" 0 \
	"by each step that is not known further: none stands for 0 W"
like "$(trace r.vmt --streams)" "source=rapl interval_s=2 weight=time name=web uuid=u-100 pid=100 hypervisor=proxmox" "what the stream says"
done_testing
