#!/bin/bash
# A real QEMU guest pushes over virtio-serial into its host's recorder (with a SIMULATED meter): one
# file holds both sides, also where the recorder is killed in between.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-net" ] || [ ! -x "$build/vmwatts-train" ] || ! command -v qemu-system-x86_64 >/dev/null; then
	skip "a guest that pushes" "needs vmwatts-net, vmwatts-train and QEMU"
	done_testing
	exit
fi
export BUILD=$build
export BUILD=${BUILD#"$top"/}
mkdir "$work/job" "$work/out"
cat >"$work/job/run" <<'JOB'
for seconds in "3 1" "1 2" "2 3" "4 0"; do # of work and of rest, never alike: a load that repeats fits at several lags
	timeout ${seconds% *} sh -c 'while :; do :; done'
	sleep ${seconds#* }
done &
vmwatts record guest --push virtio:vmwatts.push --vm liar --interval 250ms --duration 16s --json >/out/guest.json 2>/out/said
JOB
# A longer path is no name of a socket.
socket=$(mktemp -u /tmp/vmwatts-push-XXXXXX)
"$top/lab/simulated-host" "$work/host" "$work/truth" --guest "$work/out" 2>/dev/null &
pids+=($!)
wait_for 10 test -s "$work/truth"
"$top/lab/guest" "$work/job" "$work/out" --name lab-push --cpus 1 --push "$socket" 2>"$work/lab.said" &
guest=$!
pids+=($guest)
listed() { "$vmwatts" record host --list 2>/dev/null | grep -q lab-push; }
wait_for 60 listed
record() {
	"$vmwatts" record host --source rapl --root "$work/host" --vm lab-push --interval 250ms --out "$work/both.vmt" \
		--receive "virtio:lab-push=$socket" --json >"$work/host.json" 2>>"$work/host.said" &
	host=$!
	pids+=($host)
}
pushes() { grep -q "pushes what it records" "$work/host.said"; }
record
wait_for 60 pushes
ok $? "the guest's recorder greets over the port"
sleep 5
kill -9 "$host"
wait "$host" 2>/dev/null
sleep 1
record
wait "$guest"
is $? 0 "the guest ends as it should"
kill "$host"
wait "$host"
is $? 0 "and the host's recorder"
rm -f "$socket"
sed 's/^/# /' "$work/host.said" "$work/out/said" "$work/lab.said"
is "$(jq -c '[.push.dropped, .push.undelivered]' "$work/out/guest.json")" "[0,0]" "nothing was dropped"
trace() { python3 "$top/tests/simulated/trace.py" "$@"; }
is "$(trace "$work/both.vmt" --streams | cut -d' ' -f1 | sort -u)" lab-push "one file, one VM, whatever the guest called it"
rows=$(jq .push.delivered "$work/out/guest.json")
is "$(trace "$work/both.vmt" | awk '$3 == "mono_ns" {print $4}' | sort -u | wc -l)" "$rows" "with the guest's $rows rows"
ok "$((rows < 60))" "which are those of 15 s and more"
ok "$(($(trace "$work/both.vmt" | grep -c ' package_joules ') < 40))" "and its host's"
"$vmwatts" dataset import --guest "$work/both.vmt" --host "$work/both.vmt" --out "$work/lab.db" >"$work/said" 2>&1
is "$?" 0 "dataset import pairs the file with itself"
sed 's/^/# /' "$work/said"
like "$("$vmwatts" dataset show "$work/lab.db" 2>&1)" "package" "dataset show lists it"
ok "$(($("$vmwatts" dataset export "$work/lab.db" | wc -l) < 10))" "dataset export reads it"
done_testing
