#!/bin/bash
# A simulated fleet in a real Prometheus and a real VictoriaMetrics, read back sample by sample. FLEET_VMS x FLEET_HOURS
# at 15 s: 10 x 2 by default, 200 x 24 with `make fleet`.
. "$(dirname "$0")/../tap.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
vms=${FLEET_VMS:-10} hours=${FLEET_HOURS:-2}
fleet() { python3 "$top/tests/simulated/fleet.py" "$@"; }
if ! command -v prometheus >/dev/null || ! command -v victoria-metrics >/dev/null || [ ! -x "$build/vmwatts-net" ]; then
	skip "a fleet" "prometheus, victoria-metrics or vmwatts-net is not installed"
	done_testing
	exit
fi
cd "$work" || exit 1
chunk=1m # small enough that a kill comes in between
[ "$vms" -gt 50 ] && chunk=20m
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
end=$(($(date +%s) / 7200 * 7200 - 15))
range=(--from "$((end - hours * 3600))" --to "$end")
mib() { jq -r '.peak_rss_kib / 1024 | floor' "$1"; }
host() { timeout 600 "$vmwatts" record host --source prometheus "$@"; }

both_ways() { # NAME URL: read it back whole, and again with a kill in between
	local name=$1 url=$2 got n
	host --url "$url" --all "${range[@]}" --out "$name.vmt" --json >"$name.json" 2>"$name.said"
	is $? 0 "$name: the whole fleet"
	got=$(fleet check "$vms" "$hours" "$end" "$name.vmt")
	ok $? "$name: every sample is as written ($got)"
	echo "# $name: $(jq -r '"\(.rows) rows, \(.rows_per_second) rows/s, \(.rows_per_second * 3) samples/s"' "$name.json")," \
		"peak resident $(mib "$name.json") MiB"
	ok "$(($(mib "$name.json") > 96))" "$name: in bounded memory ($(mib "$name.json") MiB of 96)"
	host --url "$url" --all "${range[@]}" --out "$name.vmt" --json 2>/dev/null | jq .rows >again
	is "$(cat again)" 0 "$name: the same again finds nothing new"
	"$vmwatts" record host --source prometheus --url "$url" --all "${range[@]}" --chunk "$chunk" --parallel 2 --out killed.vmt \
		2>/dev/null &
	local recorder=$!
	pids+=($recorder)
	timeout 60 sh -c 'until [ "$(stat -c %s killed.vmt 2>/dev/null || echo 0)" -gt '$(($(stat -c %s "$name.vmt") / 4))' ]; do :; done'
	kill -9 $recorder 2>/dev/null
	wait $recorder 2>/dev/null
	n=$(stat -c %s killed.vmt)
	ok "$((n >= $(stat -c %s "$name.vmt")))" "$name: killed after $n of $(stat -c %s "$name.vmt") bytes"
	truncate -s -7 killed.vmt # and a frame that was half written
	host --url "$url" --all "${range[@]}" --out killed.vmt >/dev/null 2>said
	like "$(cat said)" "broken-off row were cut off" "$name: the same command goes on"
	is "$(fleet check "$vms" "$hours" "$end" killed.vmt)" "$got" "$name: with the same result"
	rm -f killed.vmt
}

fleet write openmetrics "$vms" "$hours" "$end" >fleet.om
promtool tsdb create-blocks-from openmetrics fleet.om tsdb >promtool.log 2>&1
ok $? "backfill of Prometheus: $(wc -l <fleet.om) lines"
rm -f fleet.om
echo 'global: {scrape_interval: 1h}' >prometheus.yml
at=127.0.0.1:$(free_port)
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --storage.tsdb.retention.time=30d --web.listen-address="$at" \
	--log.level=error >prometheus.log 2>&1 &
pids+=($!)
wait_for 60 curl -sf "http://$at/-/ready"
ok $? "Prometheus is ready"
both_ways prometheus "http://$at"
p=http://$at
host --url "$p" --vm vm-0001 "${range[@]}" --step 15s --out grid.vmt --json >grid.json 2>/dev/null
is "$?$(jq '.vms | length' grid.json)" 01 "--step: query_range on a grid, one VM"
ok "$(jq ".rows < $hours * 240 - 25 or .rows > $hours * 240 + 21" grid.json | sed 's/true/1/;s/false/0/')" "of about as many rows"
refused 1 "no VM 'mail'" "a VM that is not there" host --url "$p" --vm mail "${range[@]}" --out x.vmt
refused 1 "no series of Kepler's" "a time without samples" host --url "$p" --all --from 1000 --to 2000 --out x.vmt
refused 1 "says: .*parse error" "a matcher that is none, in the store's words" host --url "$p" --all "${range[@]}" --match 'a=' --out x.vmt
host --url "$p" --all "${range[@]}" --match 'node_name="node0",vm_name=~"vm-000[12]"' --out some.vmt --json 2>/dev/null |
	jq -r '[.vms[].vm] | sort | join(" ")' >some
is "$(cat some)" "vm-0001 vm-0002" "--match narrows"
script -qec "$vmwatts record host --source prometheus --url $p --all ${range[*]} --chunk 10m --out bar.vmt" bar.log >/dev/null
like "$(tr '\r' '\n' <bar.log)" "\[#+\.*\] +[0-9]+ %  [0-9]+ rows  [0-9]+ rows/s  [0-9]+ s left" "a progress bar on a terminal"

at=127.0.0.1:$(free_port)
victoria-metrics -storageDataPath=vmdata -httpListenAddr="$at" -retentionPeriod=1 -loggerLevel=ERROR >vm.log 2>&1 &
pids+=($!)
wait_for 60 curl -sf "http://$at/health"
ok $? "VictoriaMetrics is ready"
fleet write prometheus "$vms" "$hours" "$end" | curl -sf -T - -X POST \
	"http://$at/api/v1/import/prometheus" >/dev/null
curl -sf "http://$at/internal/force_flush" >/dev/null
both_ways victoria-metrics "http://$at"
done_testing
