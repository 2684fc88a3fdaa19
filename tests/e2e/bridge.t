#!/bin/bash
# The Python bridge, installed from the tree: a real gRPC client over TLS with a token; what it must refuse.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/venv.sh"
if ! venv; then
	skip "the bridge" "the Python packages it needs cannot be installed here"
	done_testing
	exit
fi
cd "$work" || exit 1
cp -r "$top/bridge" "$top/proto" . # pip builds in place
"$python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --target site ./bridge >pip.log 2>&1
is $? 0 "pip installs it from the tree"
export PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1
(cd bridge && MYPYPATH="" "$python" -m mypy --cache-dir="$build/mypy" vmwatts_bridge) >mypy.log 2>&1
is $? 0 "mypy has nothing to say"
head -5 mypy.log | sed 's/^/# /'

bridge() { timeout 60 "$python" -m vmwatts_bridge "$@"; }
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
	-keyout tls.key -out tls.crt 2>/dev/null
chmod 600 tls.key
bridge --new-token tester >tokens 2>token
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" model keygen --out other >/dev/null
"$python" "$top/tests/e2e/bridge_peer.py" make >made.log 2>&1
is $? 0 "models of ONNX, XGBoost and scikit-learn"
sign() { # minisign signs what is no bundle
	local f
	for f in "$@"; do "$python" "$top/tests/e2e/bridge_peer.py" sign "$f" k.key; done
}
sign m/* p/* e/* a/* b/* s/*
serve() { # ARGUMENTS: starts it on a port of its own, sets $port
	rm -f served # or the last one's port is read before the shell below empties the file
	"$python" -m vmwatts_bridge --trust k.pub --tls-cert tls.crt --tls-key tls.key --tokens tokens --listen 127.0.0.1:0 "$@" >served 2>said &
	pids+=($!)
	wait_for 30 grep -q "on port" served || { head -3 said; return 1; }
	port=$(sed -n 's/.* on port //p' served)
}
peer() { timeout 60 "$python" "$top/tests/e2e/bridge_peer.py" "$@"; }

serve --models m p
is $? 0 "it starts with signed models"
like "$(peer good "$port" 2>&1)" "^same 200 rows" "a client over TLS with a token gets the models' own watts"
like "$(peer denied "$port" 2>&1)" "^UNAUTHENTICATED UNAUTHENTICATED UNAUTHENTICATED" "no token, a wrong one, a stream without: refused"
is "$(peer health "$port" 2>&1 | xargs)" "1 UNAUTHENTICATED" "health is told to everyone (SERVING), reflection to those with a token"
is "$(peer idle "$port" 2>&1)" "12 UNAUTHENTICATED OK" "calls that stay open and say nothing keep nobody else from an answer, and a stranger is not waited for"
like "$(peer plain "$port" 2>&1)" "^UNAVAILABLE" "a client without TLS is refused"
like "$(peer missing "$port" 2>&1)" "^INVALID_ARGUMENT" "a row without the features is refused, not answered with 0"
like "$(peer load "$port" /etc 2>&1)" "^PERMISSION_DENIED" "LoadModels of another folder is denied"
like "$(peer load "$port" "$work/p" 2>&1)" "^False .*allow-pickle" "LoadModels of pickles without the flag fails, with the reason"
like "$(peer info "$port" 2>&1)" "onnx\+xgboost" "GetModelInfo says what runs"

# our own client: an agent, which takes its watts from there
http=$((20000 + $$ % 12000))
printf '%s\n' "vm_energy_modeling:" "  inference_method: python-bridge" "  model_path: $work/none" "  trusted_keys: $work/k.pub" \
	"  validation: {confidence_threshold: 0.0}" "  python_server:" "    url: \"https://localhost:$port\"" "    ca_file: $work/tls.crt" >open.yaml
cp open.yaml agent.yaml
tail -1 token >agent.token
echo "    token_file: $work/agent.token" >>agent.yaml
mkdir none
for who in agent open; do
	"$vmwatts" agent --config $who.yaml --listen 127.0.0.1:$http --state-dir "$work/$who.state" >/dev/null 2>$who.log &
	pids+=($!)
	reason() { curl -s http://127.0.0.1:$http/metrics | grep -q "^kepler_vm_remote_fallback{reason=\"$1\"} 1"; }
	if [ $who = agent ]; then
		wait_for 15 reason none
		ok $? "our agent takes its watts from it, over TLS with a token"
		like "$(curl -s http://127.0.0.1:$http/metrics)" 'kepler_vm_model_version\{zone="package",version="2.0"\}' "under the version of its models"
	else
		wait_for 15 reason denied
		ok $? "and without a token it is denied"
	fi
	kill "${pids[-1]}"
	wait "${pids[-1]}" 2>/dev/null
done

# what may not be loaded, each in one sentence
deny() { refused 1 "$1" "$2" bridge --models "$3" --trust k.pub --tls-cert tls.crt --tls-key tls.key --tokens tokens --listen 127.0.0.1:0 "${@:4}"; }
cp -r m x && rm x/package_model.onnx.minisig
deny "not signed" "an unsigned model" x
cp -r m/. x && printf x >>x/package_model.onnx
deny "signature does not fit" "a changed model" x
cp m/package_model.onnx x/ && chmod o+w x/package_model.onnx
deny "may write" "a model that anybody may write" x
chmod o-w x/package_model.onnx && chmod o+w x
deny "may write" "a folder that anybody may write" x
chmod o-w x
"$python" "$top/tests/e2e/bridge_peer.py" sign x/package_model.onnx other.key
deny "not trusted" "a model signed by another key" x
deny "allow-pickle" "a signed pickle without the flag" p
cp -r m y && echo '{"confidence": "high"}' >y/card.json && sign y/card.json
deny "confidence: zones and numbers" "a card whose confidence is no number" y
rm p/package_model.pkl.minisig
deny "not signed" "an unsigned pickle with the flag" p --allow-pickle
sign p/package_model.pkl
python3 -m http.server --bind 127.0.0.1 $http >/dev/null 2>&1 &
pids+=($!)
wait_for 5 curl -s "http://127.0.0.1:$http/" >/dev/null
plain() { # CODE REGEX TEXT OPTIONS...
	local said status
	said=$(bridge --models m --trust k.pub --plaintext --no-token "${@:4}" 2>&1)
	status=$?
	is "$status $(grep -c Traceback <<<"$said")" "$1 0" "$3"
	like "$said" "$2" "$3: one sentence"
}
plain 1 "listen 127.0.0.1:$http: in use" "a port that is in use" --listen 127.0.0.1:$http
plain 1 "listen 127.0.0.1:99999: ADDRESS:PORT" "a port that is none" --listen 127.0.0.1:99999
plain 2 "threads takes 1 or more" "no threads" --threads 0
printf x >junk.pem && chmod 600 junk.pem
like "$(bridge --models m --trust k.pub --tls-cert junk.pem --tls-key junk.pem --tokens tokens --listen 127.0.0.1:0 2>&1 | tail -1)" \
	"junk.pem and junk.pem are no certificate" "a certificate that is none"
refused 1 "nowhere.pem: No such file" "and one that is not there" bridge --models m --trust k.pub --tls-cert nowhere.pem --tls-key tls.key --tokens tokens --listen 127.0.0.1:0
refused 1 "loopback|127.0.0.1" "plaintext for other machines" bridge --models m --trust k.pub --plaintext --no-token --listen 0.0.0.0:0
refused 1 "tls-cert" "no certificate and no --plaintext" bridge --models m --trust k.pub --tokens tokens

serve --models p e a b s --allow-pickle
like "$(cat said)" "a pickle is a program" "a pickle is served with a warning"
like "$(peer pickle "$port" 2>&1)" "^same 200 rows" "a signed pickle with its scaler answers as scikit-learn does"
like "$(peer load "$port" "$work/e" 2>&1)" "^True" "a signed pickle that attacks is loaded, and the server lives"
is "$(ls proof 2>/dev/null)" "" "it left no file"
like "$(peer attack "$port" 2>&1)" "system=EPERM.* socket=EPERM.* write=EPERM.* fork=EPERM" "inside: no program, no network, no writing, no process"
like "$(peer attack "$port" 2>&1)" "signal=EPERM limits=EPERM terminal=own" "no signal to the server, none of its limits, not its terminal"
peer load "$port" "$work/a" >/dev/null 2>&1
like "$(peer attack "$port" 2>&1)" "did not answer within 5 s" "a model that drips its answer has 5 s all the same"
peer load "$port" "$work/b" >/dev/null 2>&1
like "$(peer attack "$port" 2>&1)" "says more than 16 MiB" "one that answers without end is broken off"
peer load "$port" "$work/s" >/dev/null 2>&1
is "$(peer stall "$port" 2>&1 | xargs)" "INTERNAL INTERNAL OK" "one that was late once answers again a little later"
done_testing
