#!/bin/bash
# The container images: what they are made of, and how agent, model server and nightly training run where a runtime runs
# them. There is no engine here, so a layer is unpacked and run in namespaces of its own as its configuration and
# deploy/kubernetes say: no root, nothing writable but what is mounted so, keys, secrets and bundles as kubelet mounts them.
. "$(dirname "$0")/../tap.sh"
export BUILD=$build
port=9102 # of its own network
limit=25000000
k=$top/deploy/kubernetes
. "$top/tests/venv.sh"
judge() { "$python" "$top/tests/e2e/kubernetes.py" "$@"; }

if ! command -v dpkg-buildpackage >/dev/null || [ "$(id -u)" != 0 ] || ! unshare -mnp --fork true 2>/dev/null; then
	skip "the images" "no debhelper, not root, or no namespaces here"
	done_testing
	exit
fi
if ! venv; then
	skip "the images" "the Python packages that read the manifests cannot be installed here"
	done_testing
	exit
fi

# ---- the layouts are what the specification says
blob() { cat "$image/blobs/sha256/${1#sha256:}"; }
made() { # NAME: build/image/NAME, unpacked into $work/NAME
	local layer f bad=0 unpacked
	"$top/tools/image" "$1" >"$work/said" 2>&1
	ok $? "the image $1 is made"
	sed 's/^/# /' "$work/said" | tail -3
	image=$build/image/$1
	blob "$(jq -r .manifests[0].digest "$image/index.json")" >"$work/manifest.json"
	blob "$(jq -r .config.digest "$work/manifest.json")" >"$work/$1.json"
	layer=$(jq -r .layers[0].digest "$work/manifest.json")
	for f in "$image"/blobs/sha256/*; do [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "$(basename "$f")" ] || bad=1; done
	is $bad 0 "every blob has its checksum for a name"
	is "$(jq -r .layers[0].size "$work/manifest.json")" "$(blob "$layer" | wc -c)" "sizes are told as they are"
	blob "$layer" | gunzip >"$work/layer"
	is "$(jq -r .rootfs.diff_ids[0] "$work/$1.json")" "sha256:$(sha256sum <"$work/layer" | cut -d' ' -f1)" "the layer is the one that the configuration names"
	is "$(jq -r .config.User "$work/$1.json")" 65532:65532 "its user is not root"
	for f in title version licenses created; do
		like "$(jq -r ".config.Labels[\"org.opencontainers.image.$f\"]" "$work/$1.json")" . "label $f"
	done
	mkdir "$work/$1" && tar -xf "$work/layer" -C "$work/$1"
	is "$(find "$work/$1" -perm /6000 | wc -l)" 0 "nothing setuid"
	is "$(find "$work/$1" -name '*sh' -path '*bin*' -o -name 'apt*' -o -name 'dpkg' | wc -l)" 0 "neither shell nor package manager"
	[ "$(find "$work/$1" -xdev ! -path "$work/$1" ! -user 0 | grep -v '/state$' | wc -l)" = 0 ]
	ok $? "everything but /state is root's"
	cmp -s "$build/image/$1.spdx.json" "$work/$1/usr/share/sbom/$1.spdx.json"
	ok $? "its SBOM is in it"
	is "$(jq -r .spdxVersion "$build/image/$1.spdx.json")" SPDX-2.3 "in SPDX 2.3"
	jq -r '.files[] | (.checksums[] | select(.algorithm == "SHA256").checksumValue) + "  " + .fileName' "$build/image/$1.spdx.json" >"$work/sums"
	(cd "$work/$1" && sha256sum --quiet -c "$work/sums") >"$work/wrong" 2>&1
	ok $? "its checksums are those of the files"
	is "$(cd "$work/$1" && find . -type f \( -perm /100 -o -name '*.so*' \) | sort | comm -23 - <(jq -r .files[].fileName "$build/image/$1.spdx.json" | sort))" "" "and no program or library is left out"
}
made vmwatts
[ "$(wc -c <"$work/layer")" -le $limit ]
ok $? "at most 25 MB, unpacked ($(wc -c <"$work/layer") bytes)"
is "$(jq -r '.config.Entrypoint[0] + " " + (.config.Cmd | join(" "))' "$work/vmwatts.json")" "/usr/bin/vmwatts agent --listen :9102 --state-dir /state" "its command"
for p in vmwatts vmwatts-powercap libc6 libgnutls30 libmicrohttpd12 libsodium23; do
	like "$(jq -r ".packages[] | select(.name == \"$p\").versionInfo" "$build/image/vmwatts.spdx.json")" '^[0-9]' "$p has a version in it"
done

# ---- as a runtime runs it
"$vmwatts" model keygen --out "$work/k" >/dev/null 2>&1
"$vmwatts" dataset import --joined $(ls "$top"/data/metalci/*.csv | head -4) --window 20 --out "$work/d.db" >/dev/null 2>&1 &&
	"$vmwatts" train --dataset "$work/d.db" --name image --family linear --out "$work/image.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
ok $? "a bundle to serve"
mount_like_kubelet() { # FOLDER FILE...: links through ..data in a folder of mode 0777
	local at=$1
	shift
	mkdir -p "$at/..2026" && cp "$@" "$at/..2026/" && chmod 644 "$at"/..2026/* && ln -s ..2026 "$at/..data"
	for f; do ln -s "..data/$(basename "$f")" "$at/"; done
	chmod 777 "$at"
}
mount_secret() { # with defaultMode 0440 and an fsGroup: root's, and that group may read
	mount_like_kubelet "$@"
	chown -R :65532 "$1" && chmod 440 "$1"/..2026/*
}
mount_like_kubelet "$work/models" "$work/image.vmw" "$work/image.vmw.minisig"
mount_like_kubelet "$work/keys" "$work/k.pub"
judge config "$k/base/configmap.yaml" >"$work/vm-energy-config.yaml"
mount_like_kubelet "$work/etc" "$work/vm-energy-config.yaml"
cat >"$work/runtime" <<'SH'
# ROOT MOUNTS -- COMMAND: read-only root and mounts (FROM:TO, FROM:TO:rw, tmpfs:TO), then the command as the image's
# user without a capability. The command may begin with NAME=VALUE for its environment.
root=$1
shift
mount --bind "$root" "$root"
mkdir -p "$root/proc" "$root/sys" "$root/dev"
mount -t proc proc "$root/proc" && mount --rbind /sys "$root/sys" && mount -t tmpfs -o mode=755 dev "$root/dev" && mknod -m 666 "$root/dev/null" c 1 3
while [ "$1" != -- ]; do
	IFS=: read -r from to mode <<<"$1"
	mkdir -p "$root/$to"
	if [ "$from" = tmpfs ]; then
		mount -t tmpfs -o mode=777,size=16m tmpfs "$root/$to"
	else
		mount --bind "$from" "$root/$to"
		[ "$mode" = rw ] || mount -o remount,bind,ro "$root/$to"
	fi
	shift
done
shift
mount -o remount,bind,ro "$root"
ip link set lo up
# What a runtime does inside itself, two programs of this machine do here: /.setpriv and /.env.
exec chroot "$root" /.setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
	/.env -i PATH=/usr/bin "$@"
SH
contain() { # IMAGE MOUNTS... -- COMMAND...
	local root=$work/$1 tool lib
	shift
	for tool in setpriv env; do cp "$(command -v $tool)" "$root/.$tool"; done
	for lib in $(ldd "$(command -v setpriv)" | grep -oE '/\S+\.so\S*'); do
		mkdir -p "$root/$(dirname "$lib")" && cp -nL "$lib" "$root/$lib"
	done
	exec unshare --mount --pid --net --fork --kill-child bash "$work/runtime" "$root" "$@"
}
inside() { # IMAGE: the process id of what runs in it
	local pid
	for pid in $(pgrep -f -- '^/usr/bin/vmwatts|^vmwatts-serve|^/usr/libexec/vmwatts'); do
		[ "$(readlink "/proc/$pid/root")" = "$work/$1" ] && echo "$pid" && return
	done
	return 1
}
mapfile -t command < <(jq -r '.config | (.Entrypoint + .Cmd)[]' "$work/vmwatts.json")
contain vmwatts "$work/models:/models" "$work/keys:/keys" "$work/etc:/etc/kepler" tmpfs:/state -- \
	NODE_NAME=node-1 KEPLER_VM_ENERGY_ENABLED=true KEPLER_VM_MODEL_PATH=/models "${command[@]}" >/dev/null 2>"$work/log" &
container=$!
wait_for 10 inside vmwatts
agent=$(inside vmwatts)
[ -n "$agent" ] && pids+=("$agent")
scrape() { nsenter -t "$agent" -n curl -sf "http://127.0.0.1:$port/metrics"; }
watts() { scrape | awk '/^kepler_node_cpu_watts\{.*zone="package"/ && $2 > 0 {found = 1} END {exit !found}'; }
wait_for 10 watts
ok $? "it starts and is scraped"
sed 's/^/# /' "$work/log" | head -4
is "$(stat -c %u "/proc/$agent")" 65532 "not as root"
is "$(awk '/^CapEff|^CapPrm|^CapBnd/ {print $2}' "/proc/$agent/status" | sort -u)" 0000000000000000 "without a capability"
like "$(scrape | grep '^kepler_vm_model_version{zone="package"')" 'version="v?1.0.0"' "it serves the bundle of a ConfigMap, by a key of another"
like "$(scrape | grep '^kepler_node_cpu_watts{.*package')" 'node_name="node-1"' "under the node's name"
is "$(grep -ci 'read-only\|denied' "$work/log")" 0 "a read-only root is enough"
health=$(jq -r '.config.Healthcheck.Test[1:][]' "$work/vmwatts.json" | tr '\n' ' ')
nsenter -t "$agent" -n -m -r -w -S 65532 -G 65532 $health 2>/dev/null
ok $? "its health check says that it is well"
like "$(nsenter -t "$agent" -n -m -r -w /usr/bin/vmwatts --help 2>&1)" 'agent' "other commands are there"
nsenter -t "$agent" -n -m -r -w /usr/bin/vmwatts powercap --help >/dev/null 2>&1
ok $? "powercap too"
mkdir "$work/2.0.0"
"$vmwatts" train --dataset "$work/d.db" --name image --version 2.0.0 --family forest --out "$work/2.0.0/image.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
[ "$(stat -c %s "$work/2.0.0/image.vmw")" -gt 262144 ]
ok $? "a bundle over 256 KiB, which only a server-side apply can bring ($(stat -c %s "$work/2.0.0/image.vmw") bytes)"
mkdir "$work/models/..2027" && cp "$work"/2.0.0/image.vmw* "$work/models/..2027" && chmod 644 "$work"/models/..2027/*
ln -s ..2027 "$work/models/..data_tmp" && mv -T "$work/models/..data_tmp" "$work/models/..data" && rm -r "$work/models/..2026"
swapped() { scrape | grep -qE '^kepler_vm_model_version\{zone="package",version="v?2.0.0"'; }
wait_for 70 swapped
ok $? "is served when kubelet has swapped it in"
kill -TERM "$agent"
wait_for 5 bash -c "! kill -0 $container"
ok $? "it ends when it is told to"

# ---- the model server, as its Deployment says
made vmwatts-serve
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/tls.key" -out "$work/tls.crt" -subj "/CN=localhost" -days 2 \
	-addext subjectAltName=DNS:localhost 2>/dev/null
"$vmwatts" record token --vm web --tokens "$work/tokens" --out "$work/token" 2>/dev/null
mount_secret "$work/tls" "$work/tls.crt" "$work/tls.key"
mount_secret "$work/tokens.mount" "$work/tokens"
manifest=$k/model-server/deployment.yaml
mapfile -t command < <(judge command serve "$manifest")
contain vmwatts-serve "$work/models:/models" "$work/keys:/keys" "$work/tls:/tls" "$work/tokens.mount:/tokens" -- "${command[@]}" >/dev/null 2>"$work/log" &
wait_for 10 inside vmwatts-serve
server=$(inside vmwatts-serve)
[ -n "$server" ] && pids+=("$server")
there() { nsenter -t "$server" -n "$@"; }
wait_for 10 there curl -sf http://127.0.0.1:9103/metrics
ok $? "it starts, and its liveness probe is answered"
sed 's/^/# /' "$work/log" | head -4
is "$(stat -c %u "/proc/$server")" 65532 "not as root"
printf '%s\n' "vm_energy_modeling:" "  inference_method: python-bridge" "  model_path: $work/none" "  trusted_keys: $work/keys" \
	"  python_server:" "    url: \"https://localhost:50051\"" "    ca_file: $work/tls.crt" "    token_file: $work/token" >"$work/remote.yaml"
mkdir "$work/none"
nsenter -t "$server" -n "$vmwatts" agent --config "$work/remote.yaml" --listen 127.0.0.1:9104 --state-dir "$work/state" >/dev/null 2>"$work/log" &
pids+=($!)
answered() { there curl -s http://127.0.0.1:9104/metrics | grep -q '^kepler_vm_remote_fallback{reason="none"} 1'; }
wait_for 15 answered
ok $? "an agent is answered by it, over TLS with a token"
kill -TERM "$server"

# ---- the nightly training, as its CronJob says
made vmwatts-train
mkdir -m 777 "$work"/{recordings,round,publish}
cp "$work/k.key" "$work/sign.key"
mount_secret "$work/sign" "$work/sign.key"
cp $(ls "$top"/data/metalci/*.csv | head -4) "$work/recordings"
chmod 644 "$work/recordings"/*
manifest=$k/retrain-cronjob.yaml
judge config "$manifest" | sed '$a\  window: 20' >"$work/vmwatts-retrain.yaml"
mount_like_kubelet "$work/train-etc" "$work/vmwatts-retrain.yaml"
mapfile -t command < <(judge command retrain "$manifest")
(contain vmwatts-train "$work/train-etc:/etc/kepler" "$work/recordings:/recordings" "$work/round:/work:rw" "$work/publish:/publish:rw" \
	"$work/sign:/secret" tmpfs:/tmp -- "${command[@]}") >"$work/round.json" 2>"$work/log"
is $? 0 "a round runs to its end"
sed 's/^/# /' "$work/log" | tail -3
is "$(jq -r .decision "$work/round.json")" promoted "and what it trained is promoted"
"$vmwatts" model verify "$work/publish/$(sed -n 's/^file //p' "$work/publish/latest")" --trust "$work/k.pub" >/dev/null
is $? 0 "and published, signed"
done_testing
