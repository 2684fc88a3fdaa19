# Shared by tests/*/*.t: TAP from bash. Source it, call ok/is/like, end with done_testing.
# Gives $top (the repository), $vmwatts (the executable) and $work (a folder that is removed).
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-build}
[ "${build#/}" = "$build" ] && build=$top/$build
vmwatts=$build/vmwatts
work=$(mktemp -d)
tap_n=0
pids=()

tap_cleanup() {
	local pid
	for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap tap_cleanup EXIT

ok() { # STATUS TEXT: status 0 passes
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $tap_n - $2"; else echo "not ok $tap_n - $2"; fi
}

is() { # GOT WANTED TEXT
	[ "$1" = "$2" ]
	local status=$?
	ok $status "$3"
	[ $status -eq 0 ] || printf '# got %s, wanted %s\n' "$1" "$2"
}

like() { # GOT REGEX TEXT
	[[ $1 =~ $2 ]]
	local status=$?
	ok $status "$3"
	[ $status -eq 0 ] || printf '%s\n' "$1" | head -5 | sed 's/^/# got /'
}

skip() { # TEXT REASON
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # skip $2"
}

refused() { # CODE REGEX TEXT COMMAND...: exit code, one sentence on stderr that matches
	local code=$1 regex=$2 text=$3 said status
	shift 3
	said=$("$@" 2>&1 >/dev/null </dev/null)
	status=$?
	[ "$status" = "$code" ] && [ "$(grep -c . <<<"$said")" = 1 ] && [[ $said =~ $regex ]]
	local result=$?
	ok $result "$text"
	[ $result -eq 0 ] || printf '# exit %s: %s\n' "$status" "$said" | head -5
}

wait_for() { # SECONDS COMMAND...: until it succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -ge $end ] && return 1
		sleep 0.1
	done
}

done_testing() { echo "1..$tap_n"; }
