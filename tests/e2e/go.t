#!/bin/bash
# The Go modules against the C tool: the same bits from the same features, races, cgo's rules, Prometheus, YAML.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/golang.sh"
if ! golang; then
	skip "the Go module" "there is no Go here"
	done_testing
	exit
fi

# ---- what the C tool says: a bundle, and its answers to a recording, in full digits
cd "$work" || exit 1
csv=$top/data/metalci/20240913-1616.csv
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[4-6]*.csv --window 20 --out d.db >/dev/null 2>&1
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" train --dataset d.db --name e --out b.vmw --sign-key k.key >/dev/null 2>&1
mkdir keys
cp k.pub keys/
"$vmwatts" model install b.vmw --trust k.pub --model-path store >/dev/null
"$vmwatts" estimate --json --stateless --bundle b.vmw --trust k.pub <"$csv" >stateless.json
"$vmwatts" estimate --json --bundle b.vmw --trust k.pub <"$csv" >session.json
is "$(wc -l <session.json)" "$(($(wc -l <"$csv") - 1))" "the C tool answers every row"
at=127.0.0.1:$((20000 + $$ % 12000))
printf 'vm_energy_modeling:\n  model_path: %s\n  trusted_keys: %s\n' "$work/store" "$work/keys" >agent.yaml
"$vmwatts" agent --config agent.yaml --listen "$at" --state-dir "$work/state" --node-name node 2>agent.log &
pids+=($!)
wait_for 10 curl -sf "http://$at/readyz"
wait_for 10 bash -c "curl -sf http://$at/metrics | grep -q '^kepler_node_cpu_watts'"
curl -sf "http://$at/metrics" >metrics
ok $? "the agent serves that bundle"
kill "${pids[-1]}"
export VMWATTS_TEST_BUNDLE=$work/b.vmw VMWATTS_TEST_KEY=$work/k.pub VMWATTS_TEST_KEYS=$work/keys VMWATTS_TEST_STORE=$work/store \
	VMWATTS_TEST_CSV=$csv VMWATTS_TEST_STATELESS=$work/stateless.json VMWATTS_TEST_SESSION=$work/session.json \
	VMWATTS_TEST_STEP=3 VMWATTS_TEST_METRICS=$work/metrics

# ---- Go
go_tests() { # NAME FLAGS...: every test of this module as a line of TAP
	local name=$1 status line verdict test
	shift
	"$go" test -count=1 -timeout 120s -v "$@" . >"$said" 2>&1
	status=$?
	ok $status "$name"
	[ $status -eq 0 ] || tail -30 "$said" | sed 's/^/# /'
	grep -E ' ns in C' "$said" | sed 's/^ *[a-z_]*\.go:[0-9]*:/#/'
	while read -r line; do
		verdict=${line#--- }
		test=${verdict#*: }
		test=${test% (*}
		case $verdict in
		PASS*) ok 0 "$name: $test" ;;
		SKIP*) skip "$name: $test" "$(grep -A1 -F "=== RUN   $test" "$said" | tail -1 | sed 's/^ *//')" ;;
		*) ok 1 "$name: $test" ;;
		esac
	done < <(grep -E '^--- (PASS|FAIL|SKIP)' "$said")
}
cd "$top/go" || exit 1
tree=$(find . -type f -exec sha256sum {} + | sort)
said=$work/said
gofmt=$("$go" env GOROOT)/bin/gofmt
is "$("$gofmt" -l .)" "" "gofmt has nothing to say"
is "$("$go" vet ./... 2>&1)" "" "go vet has nothing to say"
is "$("$go" list -m all)" "vmwatts.dev/go" "the core module needs no other"
go_tests "core"
is "$(grep -c '^--- SKIP' "$said")" 0 "none of them is skipped"
go_tests "race detector" -race
version=$("$go" env GOVERSION)
if [[ ${version#go1.} =~ ^([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 21 ]; then
	GOEXPERIMENT=cgocheck2 go_tests "cgocheck 2"
else
	GODEBUG=cgocheck=2 go_tests "cgocheck 2"
fi
for module in promcollector yamltest pythonbridge; do
	cd "$top/go/$module" || exit 1
	if ! timeout 60 "$go" mod download >"$said" 2>&1; then
		skip "$module" "its modules are out of reach"
		continue
	fi
	is "$("$go" vet ./... 2>&1)" "" "go vet has nothing to say of $module"
	go_tests "$module" -race
done
cd "$top/go" || exit 1
is "$(find . -type f -exec sha256sum {} + | sort)" "$tree" "the tree is as it was"
done_testing
