#!/bin/bash
# The Debian packages: built, judged by lintian, and lived with in a bare Debian 12, from apt install to purge. There is
# no service manager in it: the unit's command runs as the unit's user, and its system calls are held against the unit.
. "$(dirname "$0")/../tap.sh"
. "$top/tests/chroot.sh"
export BUILD=$build
port=$((20000 + $$ % 12000))
at=127.0.0.1:$port
units=$top/deploy/systemd
root=$work/debian

# ---- the packages
if ! command -v dpkg-buildpackage lintian >/dev/null || [ ! -d /usr/share/perl5/Debian/Debhelper ]; then
	skip "packages" "debhelper or lintian is not there"
	done_testing
	exit
fi
"$top/tools/deb" >"$work/deb.log" 2>&1
ok $? "the packages build and lintian has nothing to say"
tail -5 "$work/deb.log" | sed 's/^/# /'
debs=$build/deb
for p in vmwatts vmwatts-train vmwatts-net vmwatts-powercap vmwatts-serve libvmwatts0 libvmwatts-dev golang-vmwatts-dev; do
	ls "$debs/${p}_"*.deb >/dev/null 2>&1
	ok $? "$p is one of them"
done
# What the agent needs is little: neither curl, SQLite nor XGBoost comes with it.
like "$(dpkg-deb -f "$debs"/vmwatts_*.deb Depends)" '^[^,]+sysusers[^,]+, [^,]+tmpfiles[^,]+, libc6' "the agent's dependencies"
is "$(dpkg-deb -f "$debs"/vmwatts_*.deb Depends | grep -cE 'curl|sqlite|xgboost|openblas|fuse')" 0 "nothing heavy among them"

# ---- the units
exposure() { systemd-analyze security --offline=true --no-pager "$units/$1.service" 2>/dev/null | grep -oE '[0-9]+\.[0-9] ' | tail -1; }
if command -v systemd-analyze >/dev/null; then
	for unit in vmwatts vmwatts-poll vmwatts-retrain vmwatts-powercap; do
		said=$(exposure $unit)
		echo "# systemd-analyze security --offline=true deploy/systemd/$unit.service: $said"
		case $unit in
		vmwatts-powercap) limit=5 ;; # it has to mount where others see it
		*) limit=1.7 ;;
		esac
		awk -v v="$said" -v l="$limit" 'BEGIN {exit !(v != "" && v + 0 <= l + 0)}'
		ok $? "$unit.service is exposed by at most $limit"
	done
else
	skip "hardening of the units" "systemd-analyze is not there"
fi

# ---- a bare machine
if ! bare_debian; then
	skip "installed, upgraded and purged" "$why_not"
	done_testing
	exit
fi
cp -a "$bare" "$root"
mkdir "$root/debs"
cp "$debs"/*.deb "$root/debs"
listing() { # everything but what apt keeps for itself
	(cd "$root" && find . -xdev \( -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg -o -path ./proc \
		-o -path ./sys -o -path ./dev -o -path ./debs -o -path ./tmp \) -prune -o -printf '%p %U %m\n' | grep -vE '^\./etc/(passwd-|group-|shadow-|gshadow-|\.pwd\.lock|ld\.so\.cache) ' | sort)
	sort "$root/etc/passwd" "$root/etc/group"
}
listing >"$work/before"

command_of() { sed -n 's/^ExecStart=//p' "$units/vmwatts.service"; }
user_of() { sed -n 's/^User=//p' "$units/vmwatts.service"; }
daemon_pid() { # unshare heeds no signal, so it is the agent itself that is ended
	local pid
	for pid in $(pgrep -f -- "agent --listen $at"); do
		[[ $(readlink "/proc/$pid/exe") = */usr/bin/vmwatts ]] && echo "$pid" && return
	done
	return 1
}
start() {
	within "$root" setpriv --reuid "$(user_of)" --regid "$(user_of)" --init-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
		$(command_of) --listen "$at" >/dev/null 2>"$work/agent.log" &
	agent=$!
	wait_for 10 daemon_pid && pids+=("$(daemon_pid)")
}
stop() {
	kill -TERM "$(daemon_pid)" && wait "$agent"
}
watts() { curl -sf "http://$at/metrics" | awk '/^kepler_node_cpu_watts\{.*zone="package"/ && $2 > 0 {print; found = 1} END {exit !found}'; }
joules() { curl -sf "http://$at/api/v1/power" | jq .zones.package.joules_total; }

began=$(date +%s%N)
within "$root" apt-get install -y --no-install-recommends "/debs/$(basename "$debs"/vmwatts_*.deb)" >"$work/apt.log" 2>&1 </dev/null
ok $? "apt install of vmwatts asks nothing"
start
wait_for 10 watts
ok $? "a scrape tells watts"
took=$(($(date +%s%N) - began))
echo "# from apt install to the first correct scrape: $((took / 1000000)) ms ($(watts))"
[ $took -lt 10000000000 ]
ok $? "in under 10 seconds"
is "$(curl -sf "http://$at/metrics" | grep -cE '^kepler_node_cpu_watts\{.*zone="(package|core|dram|uncore)"')" 4 "all four zones"
is "$(grep -ciE 'error|warn.*(state|store|key|permission)' "$work/agent.log")" 0 "the agent has nothing to complain of"
[ -s "$work/agent.log" ] && sed 's/^/# /' "$work/agent.log" | head -5
is "$(stat -c %U:%a "$root/etc/kepler/vm-energy-config.yaml")" root:644 "the configuration is root's"
is "$(dpkg-deb --ctrl-tarfile "$debs"/vmwatts_*.deb | tar -xO ./conffiles)" /etc/kepler/vm-energy-config.yaml "and a conffile"
within "$root" systemd-sysusers --version >/dev/null 2>&1 && grep -q "^vmwatts:" "$root/etc/passwd"
ok $? "its user was made"
sleep 1.2
before=$(joules)
stop

# ---- its system calls are those that the unit lets through
if command -v strace systemd-analyze >/dev/null && strace -V >/dev/null 2>&1; then
	syscalls_of() { systemd-analyze syscall-filter "$1" 2>/dev/null | sed -n 's/^ *\([a-z@][a-z0-9_@-]*\).*/\1/p' | tail -n +2 |
		while read -r name; do if [ "${name#@}" != "$name" ]; then syscalls_of "$name"; else echo "$name"; fi; done | sort -u; }
	strace -f -qq -o "$work/strace" -E x=1 unshare --mount --pid --fork --kill-child bash -c "
		mount -t proc proc $root/proc && mount --rbind /sys $root/sys
		exec chroot $root setpriv --reuid $(user_of) --regid $(user_of) --init-groups --bounding-set=-all --no-new-privs $(command_of) --listen $at" >/dev/null 2>&1 &
	tracer=$!
	wait_for 20 watts
	ok $? "the agent serves while its system calls are followed"
	curl -s "http://$at/" -H 'Accept: text/html' >/dev/null
	daemon=$(daemon_pid)
	pids+=($daemon)
	[ -n "$daemon" ] && kill -HUP "$daemon" && sleep 1.5 && kill -TERM "$daemon"
	ok $? "it takes up its configuration anew and ends"
	wait "$tracer" 2>/dev/null
	awk '/execve\("\/usr\/bin\/vmwatts"/ {on = 1} on && match($2, /^[a-z_0-9]+\(/) {print substr($2, 1, RLENGTH - 1)}' "$work/strace" | sort -u >"$work/used"
	comm -23 <(syscalls_of @system-service) <({ syscalls_of @privileged; syscalls_of @resources; } | sort -u) >"$work/let"
	echo "# $(wc -l <"$work/used") system calls used, $(wc -l <"$work/let") let through"
	[ "$(wc -l <"$work/used")" -gt 20 ] && [ "$(wc -l <"$work/let")" -gt 200 ]
	ok $? "both lists have something in them"
	is "$(comm -23 "$work/used" "$work/let" | grep -vxE 'execve|exit_group|perf_event_open' | tr '\n' ' ')" "" "the unit lets every system call of the agent through"
else
	skip "system calls against the unit's filter" "strace or systemd-analyze is not there"
fi

# ---- a bundle that root installs is read by the agent's user
"$vmwatts" model keygen --out "$work/k" 2>/dev/null
"$vmwatts" dataset import --joined $(ls "$top"/data/metalci/*.csv | head -4) --window 20 --out "$work/d.db" >/dev/null 2>&1 &&
	"$vmwatts" train --dataset "$work/d.db" --name deb --family linear --out "$work/deb.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
cp "$work"/{deb.vmw,deb.vmw.minisig,k.pub} "$root/debs/"
within "$root" vmwatts model install /debs/deb.vmw --trust /debs/k.pub --model-path /var/lib/kepler/vm-models >/dev/null 2>&1
ok $? "root installs a bundle"
cp "$work/k.pub" "$root/etc/kepler/vm-model-keys/"
chmod 644 "$root/etc/kepler/vm-model-keys/k.pub"
start
wait_for 10 watts
like "$(curl -sf "http://$at/metrics" | grep '^kepler_vm_model_version{zone="package"')" 'version="v?1.0.0"' "and the agent serves it"
sed 's/^/# /' "$work/agent.log" | head -3
after=$(joules)
awk -v a="$before" -v b="$after" 'BEGIN {exit !(a > 0 && b >= a)}'
ok $? "joules go on over a restart"
stop

# ---- everything else, an upgrade over a configuration that was changed, and the end
within "$root" bash -c 'apt-get install -y --no-install-recommends /debs/*.deb' >"$work/apt2.log" 2>&1 </dev/null
ok $? "the other packages install"
[ $? -eq 0 ] || tail -5 "$work/apt2.log" | sed 's/^/# /'
for command in train evaluate retrain "record host" poll powercap serve; do
	within "$root" vmwatts $command --help >/dev/null 2>&1
	ok $? "vmwatts $command is there"
done
echo "# the operator was here" >>"$root/etc/kepler/vm-energy-config.yaml"
newer() { # PACKAGE: the same, one version up
	dpkg-deb -R "$debs/$1"_*.deb "$work/newer" && sed -i 's/^Version: .*/&+next/; s/(= \([^)]*\))/(= \1+next)/' "$work/newer/DEBIAN/control" &&
		dpkg-deb --root-owner-group -Zgzip -b "$work/newer" "$root/debs/$1-next.deb" >/dev/null
	rm -rf "$work/newer"
}
for p in vmwatts vmwatts-train vmwatts-net vmwatts-powercap vmwatts-serve; do newer $p; done
within "$root" bash -c 'dpkg -i /debs/*-next.deb' >"$work/up.log" 2>&1 </dev/null
ok $? "an upgrade asks nothing"
like "$(within "$root" dpkg-query -W -f '${Version} ${Status}' vmwatts)" '\+next install ok installed' "and is installed"
is "$(tail -1 "$root/etc/kepler/vm-energy-config.yaml")" "# the operator was here" "the operator's configuration stays"
start
wait_for 10 watts
ok $? "watts after the upgrade"
awk -v a="$after" -v b="$(joules)" 'BEGIN {exit !(b >= a)}'
ok $? "joules never fall"
stop
within "$root" bash -c 'apt-get purge -y --autoremove vmwatts vmwatts-train vmwatts-net vmwatts-powercap vmwatts-serve libvmwatts0 libvmwatts-dev golang-vmwatts-dev' \
	>"$work/purge.log" 2>&1 </dev/null
ok $? "purge"
listing >"$work/after"
is "$(comm -13 "$work/before" "$work/after" | grep -iE 'vmwatts|kepler' | head -5)" "" "leaves nothing of ours"
is "$(comm -23 "$work/before" "$work/after" | head -5)" "" "and takes nothing of others"
comm -13 "$work/before" "$work/after" | head -5 | sed 's/^/# of the dependencies: /'
done_testing
