#!/bin/bash
# What is shipped for the life of a model: alerts, units, the CronJob, its configuration.
. "$(dirname "$0")/../tap.sh"
deploy=$top/deploy
promtool check rules "$deploy/prometheus/vmwatts-alerts.yaml" >"$work/rules" 2>&1
is $? 0 "promtool takes the alerts" || cat "$work/rules"
promtool test rules "$deploy/prometheus/vmwatts-alerts.test.yaml" >"$work/rules" 2>&1
is $? 0 "and they fire when they should, and only then" || tail -20 "$work/rules"
missing=$(grep -ohE '(kepler_vm|vmwatts)_[a-z_]+' "$deploy/prometheus/vmwatts-alerts.yaml" | sort -u |
	while read -r metric; do grep -rqF "\"$metric\"" "$top/src/publish" || echo "$metric"; done)
is "$missing" "" "every metric in them is one that the agent exports"

for unit in retrain.service retrain.timer poll.service; do
	sed "s#/usr/bin/vmwatts#$vmwatts#" "$deploy/systemd/vmwatts-$unit" >"$work/vmwatts-$unit"
done
if command -v systemd-analyze >/dev/null; then
	for unit in retrain.service retrain.timer poll.service; do
		is "$(systemd-analyze verify --man=no "$work/vmwatts-$unit" 2>&1 | grep "vmwatts-$unit")" "" "systemd finds nothing in vmwatts-$unit"
	done
	for unit in retrain poll; do
		exposure=$(systemd-analyze security --offline=true "$work/vmwatts-$unit.service" 2>/dev/null |
			sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
		is "$(awk -v e="${exposure:-10}" 'BEGIN {print e < 2.5}')" 1 "vmwatts-$unit.service is exposed by $exposure of 10"
	done
else
	skip "the units" "there is no systemd-analyze"
fi

is "$(awk -F= '/^TasksMax=/ {print ($2 >= 32 + 12)}' "$deploy/systemd/vmwatts.service")" 1 "the agent's unit has room for gRPC's threads in its helper"

# The configuration inside the CronJob, with folders of our own.
mkdir "$work/rec"
"$vmwatts" model keygen --out "$work/sign" >/dev/null
sed -n '/^  vmwatts-retrain.yaml: |/,/^---/{/^    /s/^    //p}' "$deploy/kubernetes/retrain-cronjob.yaml" |
	sed "s#/recordings#$work/rec#; s#/work#$work/w#; s#/publish#$work/pub#; s#/secret/sign.key#$work/sign.key#" >"$work/c.yaml"
is "$("$vmwatts" retrain --config "$work/c.yaml" --json 2>/dev/null)" '{"round":null}' "retrain takes the CronJob's configuration"
sed -n '/^```yaml/,/^```/{/^```/!p}' "$top/docs/retraining.md" |
	sed "s#/srv/recordings#$work/rec#; s#/var/lib/vmwatts-retrain#$work/w#; s#/srv/vmwatts/models#$work/pub#; s#/etc/kepler/vmwatts-sign.key#$work/sign.key#" >"$work/d.yaml"
is "$("$vmwatts" retrain --config "$work/d.yaml" --json 2>/dev/null)" '{"round":null}' "and the one in docs/retraining.md"
done_testing
