# For tests that need a Debian of their own; source it after tap.sh. No mount is left behind: they live in namespaces.
bare=$build/chroot/bookworm

bare_debian() { # a minimal Debian 12 in $bare, made once; 1 with $why_not where it cannot be had
	why_not=
	[ -f "$bare.ready" ] && return
	if [ "$(id -u)" != 0 ]; then
		why_not="not root"
	elif ! unshare -mn true 2>/dev/null; then
		why_not="no namespaces of its own here"
	elif ! command -v debootstrap >/dev/null; then
		why_not="debootstrap is not there"
	else
		rm -rf "$bare"
		mkdir -p "$build/chroot"
		if timeout 300 debootstrap --variant=minbase bookworm "$bare" >"$build/chroot/log" 2>&1 &&
			cp -L /etc/resolv.conf "$bare/etc/resolv.conf" && within "$bare" apt-get update -qq >>"$build/chroot/log" 2>&1
		then
			touch "$bare.ready"
			return
		fi
		why_not="no mirror of Debian in reach ($(tail -1 "$build/chroot/log"))"
	fi
	return 1
}

# ROOT COMMAND...: in the chroot, with /proc, /dev and /sys as a container has them; processes end with it
within() {
	local root=$1
	shift
	unshare --mount --pid --fork --kill-child bash -c '
		root=$1
		shift
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" || exit 99
		[ -z "$alone" ] || ip link set lo up || exit 99
		exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"' - "$root" "$@"
}
