#!/bin/bash
# The shared library as it is installed: what it exports, and a program built against it.
. "$(dirname "$0")/../tap.sh"
lib=$build/lib/libvmwatts.so
exported=$(nm -D --defined-only "$lib" | awk '$2 != "A" {print $3}' | sed 's/@.*//')
is "$(grep -vc '^vmwatts_' <<<"$exported")" 0 "nothing but vmwatts_* is exported"
declared=$(grep -oE 'vmwatts_[a-z_]+\(' "$top/include/vmwatts/vmwatts.h" | tr -d '(' | sort -u)
missing=$(comm -23 <(sort <<<"$declared") <(sort <<<"$exported"))
is "$missing" "" "every declared function is there"
DESTDIR=$work/dest meson install -C "$build" --quiet --no-rebuild >/dev/null 2>&1
ok $? "installs"
export PKG_CONFIG_PATH=$(dirname "$(find "$work/dest" -name vmwatts.pc)") PKG_CONFIG_SYSROOT_DIR=$work/dest
cat >"$work/example.c" <<'C'
#include <stdio.h>
#include <vmwatts/vmwatts.h>
int main(void)
{
	struct vmwatts_zone zones[VMWATTS_ZONE_COUNT];
	double x[VMWATTS_FEATURES_MAX];
	struct vmwatts *v;

	if (vmwatts_open(NULL, NULL, &v, NULL) < 0)
		return 1;
	vmwatts_features_clear(x);
	x[vmwatts_feature_find("vcpus")] = 2;
	x[vmwatts_feature_find("cpu_utilization")] = 0.5;
	vmwatts_estimate(v, x, zones);
	printf("%d\n", zones[VMWATTS_ZONE_PACKAGE].watts > 0);
	vmwatts_close(v);
	return 0;
}
C
cc -Wall -Werror $(pkg-config --cflags vmwatts) "$work/example.c" -o "$work/example" $(pkg-config --libs vmwatts) 2>"$work/said"
ok $? "a program builds with pkg-config"
sed 's/^/# /' "$work/said"
is "$(LD_LIBRARY_PATH=$(dirname "$(find "$work/dest" -name libvmwatts.so.0)") "$work/example")" 1 "and runs"
c++ -x c++ -fsyntax-only -I"$top/include" "$top/include/vmwatts/vmwatts.h" 2>"$work/said"
ok $? "the header is C++ too"
done_testing
