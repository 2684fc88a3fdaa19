#!/bin/bash
# Brings vmwatts onto this machine, or takes it off again: as Debian packages where there are some (build/deb, --deb DIR),
# else from the build folder. Running it twice changes nothing; a configuration that is there stays.
set -euo pipefail

usage() {
	cat <<TEXT
usage: deploy_vm_energy.sh [--deb DIR | --build DIR] [--config FILE] [--trust KEY.pub]... [--bundle FILE.vmw] [--prefix /usr/local] [--no-start]
       deploy_vm_energy.sh --uninstall [--keep-data]

  --deb DIR        install the packages in DIR (default: build/deb, where it has some)
  --build DIR      install what was built in DIR, for systems without dpkg (default: build)
  --config FILE    becomes /etc/kepler/vm-energy-config.yaml
  --trust KEY.pub  bundles signed by this key are believed
  --bundle FILE    install this bundle; FILE.minisig stands beside it
  --no-start       do not start the service
  --uninstall      remove programs, unit, user, configuration, models and counters
  --keep-data      with --uninstall: configuration, keys, models and counters stay
TEXT
}

fail() {
	echo "deploy_vm_energy.sh: $*" >&2
	exit 1
}
say() { echo "deploy_vm_energy.sh: $*" >&2; }

here=$(cd "$(dirname "$0")/.." && pwd)
deb= build= config= bundle= prefix=/usr/local start=yes uninstall= keep=
trust=()
while [ $# -gt 0 ]; do
	case $1 in
	--deb | --build | --config | --bundle | --prefix | --trust)
		[ $# -ge 2 ] || { usage >&2; exit 2; }
		case $1 in
		--trust) trust+=("$2") ;;
		*) declare "${1#--}=$2" ;;
		esac
		shift
		;;
	--no-start) start= ;;
	--uninstall) uninstall=yes ;;
	--keep-data) keep=yes ;;
	--help) usage; exit ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
# What cannot work is said before anything is installed.
[ -z "$bundle" ] || [ ${#trust[@]} -gt 0 ] || fail "--bundle needs --trust: the key that signed it"
[ "$(id -u)" = 0 ] || fail "not root; run it with sudo"

etc=/etc/kepler state=/var/lib/kepler unit=/etc/systemd/system/vmwatts.service
packaged() { command -v dpkg-query >/dev/null && [ "$(dpkg-query -W -f '${db:Status-Abbrev}' vmwatts 2>/dev/null)" = "ii " ]; }
managed() { [ -d /run/systemd/system ]; }

if [ -n "$uninstall" ]; then
	if managed; then systemctl disable --now vmwatts.service >/dev/null 2>&1 || true; fi
	if packaged; then
		verb=purge
		[ -z "$keep" ] || verb=remove
		# Those that stand on it first; only what is installed.
		names=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 'vmwatts*' 'libvmwatts*' 'golang-vmwatts*' 2>/dev/null | sed -n 's/^ii //p' || true)
		DEBIAN_FRONTEND=noninteractive apt-get "$verb" -y -qq $names >/dev/null
	fi
	rm -f "$prefix"/bin/vmwatts "$prefix"/bin/vmwatts-{top,train,net,powercap,serve} "$unit"
	if managed; then systemctl daemon-reload; fi
	if [ -z "$keep" ]; then
		rm -rf "$etc/vm-energy-config.yaml" "$etc/vm-model-keys" "$state/vm-energy" "$state/vm-models"
		rmdir "$etc" "$state" 2>/dev/null || true
		if getent passwd vmwatts >/dev/null; then userdel vmwatts; fi
		if getent group vmwatts >/dev/null; then groupdel vmwatts; fi
	fi
	say "removed"
	exit
fi

for file in ${config:+"$config"} ${bundle:+"$bundle" "$bundle.minisig"} "${trust[@]}"; do
	[ -r "$file" ] || fail "$file: cannot be read"
done
[ -n "$deb$build" ] || { ls "$here"/build/deb/vmwatts_*.deb >/dev/null 2>&1 && command -v dpkg >/dev/null && deb=$here/build/deb; } || build=$here/build

if [ -n "$deb" ]; then
	file=$(ls "$deb"/vmwatts_*.deb 2>/dev/null | tail -1) || true # or pipefail ends it here, without a word
	[ -n "$file" ] || fail "$deb: no vmwatts_*.deb in it; make deb builds it"
	if packaged && [ "$(dpkg-query -W -f '${Version}' vmwatts)" = "$(dpkg-deb -f "$file" Version)" ]; then
		say "$(basename "$file") is installed"
	else
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$(realpath "$file")" >/dev/null
		say "installed $(basename "$file")"
	fi
	program=/usr/bin/vmwatts
else
	[ -x "$build/vmwatts" ] || fail "$build/vmwatts: not there; run make, or name the packages with --deb"
	program=$prefix/bin/vmwatts
	getent passwd vmwatts >/dev/null || useradd --system --user-group --no-create-home --home-dir "$state/vm-energy" --shell /usr/sbin/nologin vmwatts
	install -D -m 755 "$build/vmwatts" "$program"
	install -d -m 755 "$etc" "$etc/vm-model-keys" "$state"
	install -d -m 755 -o vmwatts -g vmwatts "$state/vm-energy" "$state/vm-models"
	for helper in top train net powercap serve; do
		# Beside the program, where it looks first.
		[ ! -x "$build/vmwatts-$helper" ] || install -m 755 "$build/vmwatts-$helper" "$prefix/bin/"
	done
	[ -e "$etc/vm-energy-config.yaml" ] || install -m 644 "$here/deploy/vm-energy-config.yaml" "$etc/"
	if [ -d /etc/systemd/system ]; then
		sed "s|/usr/bin/vmwatts|$program|" "$here/deploy/systemd/vmwatts.service" >"$unit"
	fi
	say "installed $program"
fi

[ -z "$config" ] || install -m 644 "$config" "$etc/vm-energy-config.yaml"
for key in "${trust[@]}"; do install -m 644 "$key" "$etc/vm-model-keys/"; done
if [ -n "$bundle" ]; then
	"$program" model install "$bundle" --trusted-keys "$etc/vm-model-keys" --model-path "$state/vm-models" >/dev/null
fi

# A configuration that the agent refuses is told here, not by a service that does not come up.
checked=$(mktemp -d)
trap 'rm -rf "$checked"' EXIT
"$program" agent --once --state-dir "$checked" >/dev/null || fail "$etc/vm-energy-config.yaml: the agent cannot work with it, see above"
if [ -n "$start" ] && managed; then
	systemctl daemon-reload
	systemctl enable vmwatts.service >/dev/null 2>&1
	systemctl restart vmwatts.service
	say "running; curl -s http://localhost:9102/metrics | grep kepler_node_cpu_watts"
else
	say "not started: $program agent"
fi
