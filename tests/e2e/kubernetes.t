#!/bin/bash
# deploy/kubernetes: plain manifests, kustomize and chart, by the API schemas of three versions of Kubernetes, by Helm's and
# kustomize's own code, by the "restricted" standard, and by the agent, which takes the configuration in them.
. "$(dirname "$0")/../tap.sh"
k=$top/deploy/kubernetes
render=$build/render
plain=("$k"/base/*.yaml)
judge() { "$python" "$top/tests/e2e/kubernetes.py" "$@"; }
clean() { # TEXT VERB FILE...
	local text=$1
	shift
	is "$(judge "$@" 2>&1)" "" "$text"
}

. "$top/tests/venv.sh"
if ! venv; then
	skip "manifests" "the Python packages that judge them cannot be installed here"
	done_testing
	exit
fi

# ---- plain manifests
clean "the base is right by the schemas of 1.28, 1.31 and 1.33" schema "${plain[@]}"
clean "so is what comes on top, and the nightly training" schema "$k"/monitoring/*.yaml "$k"/model-server/*.yaml "$k/retrain-cronjob.yaml"
clean "the base is restricted" restricted "${plain[@]}"
clean "so are the model server and the training" restricted "$k"/model-server/*.yaml "$k/retrain-cronjob.yaml"
clean "the base hangs together" whole "${plain[@]}"
clean "with monitoring and a model server too" whole "${plain[@]}" "$k"/monitoring/*.yaml "$k"/model-server/*.yaml
clean "so does the nightly training" whole "$k/retrain-cronjob.yaml"
clean "the PrometheusRule is deploy/prometheus" rules "$k/monitoring/prometheusrule.yaml" \
	"$top/deploy/prometheus/vmwatts-rules.yaml" "$top/deploy/prometheus/vmwatts-alerts.yaml"
is "$(grep -c hostPath "${plain[@]}" | grep -cv ':0$')" 1 "hostPath is only spoken of"

# ---- the judge finds what is wrong
wrong() { # TEXT VERB SED
	sed "$3" "$k/base/daemonset.yaml" >"$work/wrong.yaml"
	cmp -s "$work/wrong.yaml" "$k/base/daemonset.yaml"
	[ $? -eq 1 ] && ! judge "$2" "$work/wrong.yaml" >/dev/null
	ok $? "$1"
}
wrong "a misspelt key is found" schema 's/tolerations:/tolerationz:/'
wrong "a word for a number is found" schema 's/containerPort: 9102/containerPort: many/'
wrong "a container that may gain privileges is found" restricted 's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/'
wrong "a root container is found" restricted 's/runAsUser: 65532/runAsUser: 0/'
wrong "a probe of no port is found" whole 's/port: http$/port: https/'
wrong "a mount of no volume is found" whole 's/- name: state$/- name: stage/;t;'

sed /fsGroupChangePolicy/d "$k/retrain-cronjob.yaml" >"$work/wrong.yaml"
like "$(judge whole "$work/wrong.yaml")" "lets the group write" "a claim whose files become the group's is found"

# ---- the names of the proposal
for n in 'kind: DaemonSet' 'name: kepler-vm-energy' 'namespace: kepler-system' 'app: kepler-vm-energy' 'kepler-vm-models' 'kepler-vm-config' \
	'KEPLER_VM_ENERGY_ENABLED' 'KEPLER_VM_MODEL_PATH'; do
	grep -q "$n" "$k/base/daemonset.yaml"
	ok $? "$n"
done

# ---- the agent takes the configuration
judge config "$k/base/configmap.yaml" >"$work/config.yaml"
"$vmwatts" agent --once --json --config "$work/config.yaml" --vm-model-path "$work" --state-dir "$work/state" >"$work/once" 2>"$work/said"
ok $? "the agent takes the configuration of the ConfigMap"
like "$(cat "$work/once")" '"package"' "and estimates by it"

# ---- chart and kustomize, by their own code
if [ ! -x "$render" ] || [ "$top/tests/render/main.go" -nt "$render" ]; then
	(cd "$top/tests/render" && GOFLAGS=-buildvcs=false GOTOOLCHAIN=local timeout 400 go build -o "$render" .) >"$work/go" 2>&1
fi
if [ -x "$render" ]; then
	for overlay in base overlays/proposal overlays/pmu overlays/powercap overlays/full; do
		"$render" kustomize "$k/$overlay" >"$work/$(basename $overlay).yaml" 2>"$work/said"
		ok $? "kustomize builds $overlay"
		sed 's/^/# /' "$work/said" | head -3
		clean "$overlay is right by the schemas" schema "$work/$(basename $overlay).yaml"
		clean "$overlay hangs together" whole "$work/$(basename $overlay).yaml"
	done
	for file in "${plain[@]}"; do cat "$file" && echo ---; done >"$work/plain"
	clean "kustomize's base is the plain manifests" equal "$work/base.yaml" "$work/plain"
	"$render" helm kepler-vm-energy "$k/chart" kepler-system >"$work/chart.yaml" 2>"$work/said"
	ok $? "helm renders the chart"
	sed 's/^/# /' "$work/said" | head -3
	clean "with default values it is the plain manifests" equal "$work/chart.yaml" "$work/plain"
	"$render" helm kepler-vm-energy "$k/chart" kepler-system monitoring.enabled=true modelServer.enabled=true >"$work/chart-full.yaml" 2>&1
	clean "with all switched on it is overlays/full" equal "$work/chart-full.yaml" "$work/full.yaml"
	"$render" helm r "$k/chart" other models.secret=mine config.idle=share labels.team=x image.tag=9 monitoring.enabled=true \
		priorityClassName=p 'imagePullSecrets[0].name=s' namespace.create=false >"$work/other.yaml" 2>&1
	ok $? "with other values too"
	clean "which is right by the schemas" schema "$work/other.yaml"
	clean "restricted" restricted "$work/other.yaml"
	like "$(cat "$work/other.yaml")" 'secretName: mine' "takes bundles from a secret"
	is "$(grep -c 'kepler-system\|kind: Namespace' "$work/other.yaml")" 0 "and stays in its namespace"
	"$render" helm r "$k/chart" other monitoring.enabled=true monitoring.interval=2s >"$work/quick.yaml" 2>&1
	clean "a ServiceMonitor of any interval is one that the operator takes" schema "$work/quick.yaml"
	"$render" helm r "$k/chart" other config.enabled=false >"$work/off.yaml" 2>&1
	is "$(grep -A1 'name: KEPLER_VM_ENERGY_ENABLED' "$work/off.yaml" | tail -1 | xargs)" "value: false" "config.enabled=false is not overruled by the environment"
	"$render" helm r "$k/chart" other modelServer.enabled=true modelServer.agentSecret=s config.inference_method=python-bridge \
		config.python_server.token_file=/model-server/token >"$work/remote.yaml" 2>&1
	clean "agents that ask a model server: right by the schemas" schema "$work/remote.yaml"
	clean "restricted" restricted "$work/remote.yaml"
	clean "and whole" whole "$work/remote.yaml"
	is "$(grep -c 'secretName: s$\|mountPath: /model-server$' "$work/remote.yaml") $(grep -c 'image: .*/vmwatts-serve:' "$work/remote.yaml")" "2 2" \
		"they have the image that can ask, and a place for token and authority"
	"$render" helm r "$k/chart" other modelServer.enabled=true networkPolicy.enabled=false >"$work/open.yaml" 2>&1
	is "$?$(grep -c 'kind: NetworkPolicy' "$work/open.yaml")" 00 "without network policies there is none, of the model server's either"
	grep -q 'hostPath' "$work/proposal.yaml" && grep -q -- '- --root' "$work/proposal.yaml" && grep -q -- '- PERFMON' "$work/pmu.yaml" &&
		grep -q '/run/kepler/powercap' "$work/powercap.yaml"
	ok $? "the overlays bring what they are for"
else
	skip "chart and kustomize" "Helm's modules are not to be had or Go is too old: $(tail -1 "$work/go" | cut -c1-80)"
fi
done_testing
