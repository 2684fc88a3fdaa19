# Shared by tests that need Python packages: source it behind tap.sh.
# venv NAME PACKAGE...: a virtual environment below the build folder, kept for the next run; sets
# $python. Status 1 where the packages cannot be had: the caller skips with the reason.
venv() {
	local at=$build/venv-$1 list
	shift
	list="$*"
	python=$at/bin/python
	[ "$(cat "$at/packages" 2>/dev/null)" = "$list" ] && return 0
	rm -rf "$at"
	python3 -m venv "$at" >/dev/null 2>&1 || return 1
	timeout 150 "$at/bin/pip" install -q --disable-pip-version-check --retries 0 --timeout 10 "$@" >/dev/null 2>&1 || return 1
	echo "$list" >"$at/packages"
}
