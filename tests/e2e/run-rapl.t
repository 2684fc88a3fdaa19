#!/bin/bash
# vmwatts run --rapl: tools that read RAPL find the command's energy, and agree with what run charges.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-powercap" ]; then
	skip "run --rapl" "needs vmwatts-powercap"
	done_testing
	exit
fi
before=$(ls /sys/class)
if ! said=$("$vmwatts" run --rapl -- true 2>&1); then
	like "$said" "namespace" "where namespaces are forbidden, run --rapl says so"
	skip "run --rapl" "$said"
	done_testing
	exit
fi

# ---- the tree is the command's, and nobody else's
see() { "$vmwatts" run --rapl -- "$@" 2>/dev/null; }
is "$(see cat /sys/class/powercap/intel-rapl/intel-rapl:0/name)" package-0 "the command finds zones at /sys/class/powercap"
is "$(see ls /sys/class)" "$({ echo "$before" && echo powercap; } | sort -u)" "beside all else that is in /sys/class"
is "$(see cat /sys/class/net/lo/mtu)" "$(cat /sys/class/net/lo/mtu)" "which works as before"
is "$(ls /sys/class)" "$before" "others see nothing of it"
is "$(see id -u)" "$(id -u)" "the command is who it was"
see sh -c 'exit 7'
is $? 7 "its exit code is passed on"
is "$(mount | grep -c vmwatts-run) $(ls -d /run/vmwatts-run-* /tmp/vmwatts-run-* "${XDG_RUNTIME_DIR:-/run}"/vmwatts-run-* 2>/dev/null | wc -l)" "0 0" \
	"nothing is left behind"
"$vmwatts" run --rapl -- sleep 30 2>/dev/null &
run=$!
tree() { ls -d /run/vmwatts-run-* /tmp/vmwatts-run-* "${XDG_RUNTIME_DIR:-/run}"/vmwatts-run-* 2>/dev/null | head -1; }
shown() { cat "$(tree)/tree/class/powercap/intel-rapl:0/name"; }
wait_for 5 shown
made=$(tree)
server=$(pgrep -f -- "--path $made/tree")
command=$(pgrep -P "$run" sleep)
kill -9 "$run"
wait "$run" 2>/dev/null
gone() { ! kill -0 "$server" && ! mountpoint -q "$made/tree"; }
wait_for 5 gone
ok $? "killed, its server ends and unmounts"
kill "$command" 2>/dev/null
# What the killed run could not remove itself.
emptied() { find /sys/fs/cgroup -maxdepth 8 -name "vmwatts-run-$run-*" -exec rmdir {} + 2>/dev/null; }
wait_for 5 emptied
rm -rf "$made"

# ---- where it is forbidden
forbidden() { unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_mnt_namespaces && exec "$@"' sh "$@"; }
if forbidden true 2>/dev/null; then
	refused 1 "--rapl: no mount namespace may be made here" "where namespaces are forbidden it says so" \
		forbidden "$vmwatts" run --rapl -- true
else
	skip "where namespaces are forbidden" "a limit on them cannot be set here"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups "$vmwatts" --version >/dev/null 2>&1; then
	said=$(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups "$vmwatts" run --rapl --vm-energy-enabled true -- \
		sh -c 'cat /sys/class/powercap/intel-rapl:0/name; id -u' 2>"$work/nobody.said")
	code=$?
	if [ $code = 1 ] && grep -q namespace "$work/nobody.said"; then
		skip "without root" "$(tail -1 "$work/nobody.said")"
	else
		is "$said" $'package-0\n65534' "without root it takes a user namespace, and stays who it is"
	fi
else
	skip "without root" "needs root and setpriv to become somebody else"
fi

# ---- a plain script
# What it cannot see is the last row or two: 100 ms each by cgroup, else 250.
"$vmwatts" run --json --out "$work/report" -- true
seconds=14
[ "$(jq -r .method "$work/report")" = cgroup ] || seconds=30
cat >"$work/script" <<'SH'
# Reads RAPL at its begin and end, and works in between: prints microjoules.
zone=/sys/class/powercap/intel-rapl:0
before=$(cat $zone/energy_uj)
timeout "$1" sh -c 'while :; do :; done'
now=$(cat $zone/energy_uj)
[ "$now" -ge "$before" ] || now=$((now + $(cat $zone/max_energy_range_uj)))
echo $((now - before))
SH
uj=$("$vmwatts" run --rapl --json --out "$work/report" -- sh "$work/script" $seconds)
is $? 0 "a script reads RAPL in run --rapl"
ours=$(jq .zones.package.joules "$work/report")
echo "# the script: $uj uJ, ours: $ours J"
ok "$(awk -v a="$uj" -v b="$ours" 'BEGIN {r = a / 1e6 / b; print !(r > 0.98 && r < 1.02)}')" "and reports our package energy within 2 %"

# ---- CodeCarbon
peer=$build/peers/codecarbon
if [ ! -x "$peer/bin/python" ] || ! "$peer/bin/python" -c 'import codecarbon' 2>/dev/null; then
	rm -rf "$peer"
	{ python3 -m venv "$peer" && timeout 240 "$peer/bin/pip" install -q codecarbon==3.3.2; } >"$work/pip.said" 2>&1 || rm -rf "$peer"
fi
if [ ! -x "$peer/bin/python" ]; then
	skip "CodeCarbon" "cannot be had: $(tail -1 "$work/pip.said")"
else
	"$vmwatts" run --rapl --rows "$work/rows.csv" -- "$peer/bin/python" "$top/tests/e2e/codecarbon_reads.py" 12 >"$work/codecarbon" 2>"$work/codecarbon.said"
	is $? 0 "CodeCarbon measures in run --rapl"
	[ -s "$work/codecarbon" ] || tail -5 "$work/codecarbon.said" | sed 's/^/# /'
	like "$(jq -r '.by | join(",")' "$work/codecarbon")" "CPU intel_rapl" "by RAPL"
	# What run charged within CodeCarbon's window, row by row.
	ours=$(awk -F, -v b="$(jq .begin_s "$work/codecarbon")" -v e="$(jq .end_s "$work/codecarbon")" '
		NR == 1 {for (i = 1; i <= NF; i++) if ($i == "package_watts") at = i; next}
		{from = $2 - $3 > b ? $2 - $3 : b; to = $2 < e ? $2 : e; if (to > from) j += $at * (to - from)} END {print j}' "$work/rows.csv")
	theirs=$(jq .cpu_j "$work/codecarbon")
	echo "# CodeCarbon: $theirs J, ours: $ours J"
	ok "$(awk -v a="$theirs" -v b="$ours" 'BEGIN {r = a / b; print !(r > 0.98 && r < 1.02)}')" "and reports our package energy within 2 %"
fi
done_testing
