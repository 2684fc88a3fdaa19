#!/bin/bash
# deploy_vm_energy.sh in a bare Debian: packages, twice, another configuration, a wrong one, and off again.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/chroot.sh"
export BUILD=$build
script=$top/deploy/deploy_vm_energy.sh

"$script" --nonsense >/dev/null 2>&1
is $? 2 "an unknown option is a usage error"
like "$("$script" --bundle "$work/none.vmw" 2>&1)" "needs --trust" "a bundle without a key is refused before anything is installed"
like "$("$script" --deb "$work" 2>&1)" "no vmwatts_.*deb|not root" "a folder without packages is told"
like "$("$script" --help)" "--uninstall" "--help names what it can"
if ! bare_debian || ! command -v dpkg-buildpackage >/dev/null || ! "$top/tools/deb" >/dev/null 2>&1; then
	skip "installed and removed" "${why_not:-no packages}"
	done_testing
	exit
fi
root=$work/debian
cp -a "$bare" "$root"
mkdir -p "$root/src/build/deb"
cp -r "$top/deploy" "$root/src/"
cp "$build"/deb/*.deb "$root/src/build/deb/"
"$vmwatts" model keygen --out "$work/k" >/dev/null 2>&1
cp "$work/k.pub" "$root/src/"
run() { within "$root" /src/deploy/deploy_vm_energy.sh "$@" 2>"$work/said" >/dev/null </dev/null; }

run --trust /src/k.pub
ok $? "installs"
sed 's/^/# /' "$work/said" | head -5
is "$(stat -c '%U %a' "$root/etc/kepler/vm-model-keys/k.pub")" "root 644" "the key is trusted"
[ -x "$root/usr/bin/vmwatts" ]
ok $? "the program is there"
before=$(cd "$root" && find etc/kepler var/lib/kepler usr/bin -printf '%p %s %U %m\n' | sort)
run
ok $? "a second time"
like "$(cat "$work/said")" "is installed" "says that there is nothing to do"
is "$(cd "$root" && find etc/kepler var/lib/kepler usr/bin -printf '%p %s %U %m\n' | sort)" "$before" "and changes nothing"
printf 'vm_energy_modeling:\n  listen: ":9102"\n' >"$root/src/mine.yaml"
run --config /src/mine.yaml
ok $? "takes a configuration"
is "$(cat "$root/etc/kepler/vm-energy-config.yaml")" "$(cat "$root/src/mine.yaml")" "and puts it in place"
"$vmwatts" model keygen --out "$work/other" >/dev/null 2>&1
"$vmwatts" dataset import --joined $(ls "$top"/data/metalci/*.csv | head -3) --window 20 --out "$work/d.db" >/dev/null 2>&1
"$vmwatts" train --dataset "$work/d.db" --name e --family linear --out "$root/src/e.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
cp "$work/other.pub" "$root/src/"
run --trust /src/other.pub --trust /src/k.pub --bundle /src/e.vmw
ok $? "installs a bundle that the second of two keys has signed"
printf 'vm_energy_modeling:\n  listne: ":9102"\n' >"$root/src/wrong.yaml"
run --config /src/wrong.yaml
is $? 1 "a wrong one is refused"
like "$(cat "$work/said")" "vm-energy-config.yaml:2:" "with its line"
run --bundle /src/none.vmw
is $? 1 "a bundle that is not there is refused"
run --uninstall
ok $? "--uninstall"
is "$(find "$root" -xdev \( -path "$root/src" -o -path "$root/var/cache" -o -path "$root/var/log" -o -path "$root/var/lib/apt" -o -path "$root/proc" \) -prune \
	-o \( -name '*vmwatts*' -o -name '*kepler*' \) -print | head -5)" "" "leaves nothing"
run --uninstall
ok $? "--uninstall of what is not there"

# Without dpkg's database the build folder serves.
cp "$build/vmwatts" "$root/src/build/"
within "$root" bash -c 'apt-get install -y -qq --no-install-recommends libmicrohttpd12 libyaml-0-2 libsodium23 libgnutls30 >/dev/null 2>&1'
run --build /src/build
ok $? "--build installs from the build folder"
[ -x "$root/usr/local/bin/vmwatts" ] && [ -f "$root/etc/systemd/system/vmwatts.service" ] && grep -q '^ExecStart=/usr/local/bin/vmwatts agent' "$root/etc/systemd/system/vmwatts.service"
ok $? "program and unit"
is "$(stat -c %U "$root/etc/kepler")" root "configuration is root's"
run --uninstall
is "$(ls "$root/usr/local/bin" "$root/etc/systemd/system" "$root/etc/kepler" 2>/dev/null | grep -ciE 'vmwatts|kepler-|yaml')" 0 "and removes it"
done_testing
