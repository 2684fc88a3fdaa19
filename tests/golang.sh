# Shared by tests that need Go: source it behind tap.sh. golang: sets $go, and what it needs to find our library;
# status 1 where there is none.
golang() {
	go=$(command -v /usr/bin/go || command -v go) # Debian's own first: the oldest that must do
	[ -n "$go" ] && "$go" version >/dev/null 2>&1 || return 1
	export PKG_CONFIG_PATH=$build/meson-uninstalled LD_LIBRARY_PATH=$build/lib GOFLAGS=-mod=readonly GOTOOLCHAIN=local
	export GOCACHE=${GOCACHE:-$([ -n "${HOME:-}" ] && "$go" env GOCACHE)}
	export GOCACHE=${GOCACHE:-$work/cache}
}
