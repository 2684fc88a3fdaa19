#!/bin/bash
# The container image: what it is made of and how it runs where a runtime runs it. There is no engine here, so its layer is
# unpacked and run in namespaces of its own as its configuration and deploy/kubernetes say: no root, nothing writable but
# /state, keys and bundle from mounts as kubelet makes them.
. "$(dirname "$0")/../tap.sh"
export BUILD=$build
port=9102 # of its own network
limit=25000000

if ! command -v dpkg-buildpackage >/dev/null || [ "$(id -u)" != 0 ] || ! unshare -mnp --fork true 2>/dev/null; then
	skip "the image" "no debhelper, not root, or no namespaces here"
	done_testing
	exit
fi
"$top/tools/image" >"$work/said" 2>&1
ok $? "the image is made"
sed 's/^/# /' "$work/said" | tail -3
image=$build/image/vmwatts
blob() { cat "$image/blobs/sha256/${1#sha256:}"; }
jq -r .manifests[0].digest "$image/index.json" >"$work/digest"
blob "$(cat "$work/digest")" >"$work/manifest.json"
blob "$(jq -r .config.digest "$work/manifest.json")" >"$work/config.json"
layer=$(jq -r .layers[0].digest "$work/manifest.json")

# ---- the layout is what the specification says
bad=0
for f in "$image"/blobs/sha256/*; do [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "$(basename "$f")" ] || bad=1; done
is $bad 0 "every blob has its checksum for a name"
is "$(jq -r .layers[0].size "$work/manifest.json")" "$(blob "$layer" | wc -c)" "sizes are told as they are"
is "$(jq -r .rootfs.diff_ids[0] "$work/config.json")" "sha256:$(blob "$layer" | gunzip | sha256sum | cut -d' ' -f1)" "the layer is the one that the configuration names"
unpacked=$(blob "$layer" | gunzip | wc -c)
[ "$unpacked" -le $limit ]
ok $? "at most 25 MB, unpacked ($unpacked bytes)"
is "$(jq -r .config.User "$work/config.json")" 65532:65532 "its user is not root"
is "$(jq -r '.config.Entrypoint[0] + " " + (.config.Cmd | join(" "))' "$work/config.json")" "/usr/bin/vmwatts agent --listen :9102 --state-dir /state" "its command"
for l in title version licenses created; do
	like "$(jq -r ".config.Labels[\"org.opencontainers.image.$l\"]" "$work/config.json")" . "label $l"
done
mkdir "$work/root" && blob "$layer" | gunzip | tar -x -C "$work/root"
is "$(find "$work/root" -perm /6000 | wc -l)" 0 "nothing setuid"
is "$(find "$work/root" -name '*sh' -path '*bin*' -o -name 'apt*' -o -name 'dpkg' | wc -l)" 0 "neither shell nor package manager"
[ "$(find "$work/root" -xdev ! -path "$work/root" ! -user 0 | grep -v '/state$' | wc -l)" = 0 ]
ok $? "everything but /state is root's"

# ---- SBOM
cmp -s "$build/image/vmwatts.spdx.json" "$work/root/usr/share/sbom/vmwatts.spdx.json"
ok $? "the SBOM is in the image too"
is "$(jq -r .spdxVersion "$build/image/vmwatts.spdx.json")" SPDX-2.3 "in SPDX 2.3"
jq -r '.files[] | (.checksums[] | select(.algorithm == "SHA256").checksumValue) + "  " + .fileName' "$build/image/vmwatts.spdx.json" >"$work/sums"
(cd "$work/root" && sha256sum --quiet -c "$work/sums") >"$work/wrong" 2>&1
ok $? "its checksums are those of the files"
is "$(cd "$work/root" && find . -type f \( -perm /100 -o -name '*.so*' \) | sort | comm -23 - <(jq -r .files[].fileName "$build/image/vmwatts.spdx.json" | sort))" "" "and no program or library is left out"
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
mkdir "$work/etc" "$work/state" "$work/models" "$work/keys"
mount_like_kubelet "$work/models" "$work/image.vmw" "$work/image.vmw.minisig"
mount_like_kubelet "$work/keys" "$work/k.pub"
python3 - "$top/deploy/kubernetes/base/configmap.yaml" >"$work/config.yaml" <<'PY'
import sys
lines = open(sys.argv[1]).read().split('  vm-energy-config.yaml: |\n')[1]
print('\n'.join(l[4:] for l in lines.split('\n')))
PY
mount_like_kubelet "$work/etc" "$work/config.yaml"
ln -s ..data/config.yaml "$work/etc/vm-energy-config.yaml"
cat >"$work/runtime" <<'SH'
# ROOT WORK: read-only root and mounts, then the command of the image as its user without a capability
root=$1 work=$2
shift 2
mount --bind "$root" "$root"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/models" "$root/keys" "$root/etc/kepler"
mount -t proc proc "$root/proc" && mount --rbind /sys "$root/sys" && mount -t tmpfs -o mode=755 dev "$root/dev" && mknod -m 666 "$root/dev/null" c 1 3
for m in models:models keys:keys etc:etc/kepler; do
	mount --bind "$work/${m%%:*}" "$root/${m#*:}" && mount -o remount,bind,ro "$root/${m#*:}"
done
mount -t tmpfs -o mode=777,size=16m state "$root/state"
mount -o remount,bind,ro "$root"
ip link set lo up
echo ready >"$work/ready"
# What a runtime does inside itself, two programs of this machine do here: /.setpriv and /.env.
exec chroot "$root" /.setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
	/.env -i PATH=/usr/bin NODE_NAME=node-1 KEPLER_VM_ENERGY_ENABLED=true KEPLER_VM_MODEL_PATH=/models "$@"
SH
for tool in setpriv env; do cp "$(command -v $tool)" "$work/root/.$tool"; done
for lib in $(ldd "$(command -v setpriv)" | grep -oE '/\S+\.so\S*'); do
	mkdir -p "$work/root/$(dirname "$lib")" && cp -nL "$lib" "$work/root/$lib"
done
command=$(jq -r '.config | (.Entrypoint + .Cmd)[]' "$work/config.json" | tr '\n' ' ')
unshare --mount --pid --net --fork --kill-child bash "$work/runtime" "$work/root" "$work" $command >/dev/null 2>"$work/log" &
container=$!
daemon_pid() {
	local pid
	for pid in $(pgrep -f -- "^/usr/bin/vmwatts agent --listen :$port"); do
		[ "$(readlink "/proc/$pid/root")" = "$work/root" ] && echo "$pid" && return
	done
	return 1
}
wait_for 10 daemon_pid
inside=$(daemon_pid)
[ -n "$inside" ] && pids+=("$inside")
scrape() { nsenter -t "$inside" -n curl -sf "http://127.0.0.1:$port/metrics"; }
watts() { scrape | awk '/^kepler_node_cpu_watts\{.*zone="package"/ && $2 > 0 {found = 1} END {exit !found}'; }
wait_for 10 watts
ok $? "it starts and is scraped"
sed 's/^/# /' "$work/log" | head -4
is "$(stat -c %u "/proc/$inside")" 65532 "not as root"
is "$(awk '/^CapEff|^CapPrm|^CapBnd/ {print $2}' "/proc/$inside/status" | sort -u)" 0000000000000000 "without a capability"
like "$(scrape | grep '^kepler_vm_model_version{zone="package"')" 'version="v?1.0.0"' "it serves the bundle of a ConfigMap, by a key of another"
like "$(scrape | grep '^kepler_node_cpu_watts{.*package')" 'node_name="node-1"' "under the node's name"
is "$(grep -ci 'read-only\|denied' "$work/log")" 0 "a read-only root is enough"
health=$(jq -r '.config.Healthcheck.Test[1:][]' "$work/config.json" | tr '\n' ' ')
nsenter -t "$inside" -n -m -r -w -S 65532 -G 65532 $health 2>/dev/null
ok $? "its health check says that it is well"
like "$(nsenter -t "$inside" -n -m -r -w /usr/bin/vmwatts --help 2>&1)" 'agent' "other commands are there"
nsenter -t "$inside" -n -m -r -w /usr/bin/vmwatts powercap --help >/dev/null 2>&1
ok $? "powercap too"
kill -TERM "$inside"
wait_for 5 bash -c "! kill -0 $container"
ok $? "it ends when it is told to"
done_testing
