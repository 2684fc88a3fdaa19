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
# ---- the man page: every example builds without a warning, and runs
"$vmwatts" dataset import --joined "$top"/data/metalci/20240914-1616.csv --window 20 --out "$work/d.db" >/dev/null 2>&1
"$vmwatts" model keygen --out "$work/k" >/dev/null
"$vmwatts" train --dataset "$work/d.db" --name man --family linear --out "$work/b.vmw" --sign-key "$work/k.key" >/dev/null 2>&1
awk -v to="$work/example" '/^\.EX/ {n++; on = 1; next} /^\.EE/ {on = 0} on {gsub(/\\e/, "\\"); print > (to n ".c")}' "$top/docs/man/vmwatts.3"
export LD_LIBRARY_PATH=$(dirname "$(find "$work/dest" -name libvmwatts.so.0)")
is "$(ls "$work"/example?.c | wc -l)" 3 "vmwatts.3 has three examples"
for i in 1 2 3; do
	cc -std=gnu11 -Wall -Wextra -Werror $(pkg-config --cflags vmwatts) "$work/example$i.c" -o "$work/example$i" $(pkg-config --libs vmwatts) 2>"$work/said"
	ok $? "example $i builds"
	sed 's/^/# /' "$work/said"
done
like "$("$work/example1")" "^package [0-9.]+ W \([0-9.]+ to [0-9.]+\)" "example 1 says watts"
is "$("$work/example2" "$work/b.vmw" "$work/k.pub" | grep -cE "^package [0-9.]+ W by man 1.0.0$")" 3 "example 2 measures this machine"
like "$("$work/example3" "$work/b.vmw" "$work/k.pub")" "man 1.0.0, scope vm_active.*package linear: error [0-9.]+ % on [0-9]+ rows" "example 3 prints the card"
"$vmwatts" model keygen --out "$work/other" >/dev/null
refused 1 "do not trust it" "and knows a wrong signature by its code" "$work/example3" "$work/b.vmw" "$work/other.pub"
described=$(grep -oE '^[a-z].*vmwatts_[a-z_]+\(' "$top/docs/man/vmwatts.3" | grep -oE 'vmwatts_[a-z_]+' | sort -u)
is "$described" "$declared" "vmwatts.3 has every function"

# ---- the ABI, against its committed description (make abi)
abi=$top/tests/abi/libvmwatts.abi
if ! command -v abidiff >/dev/null; then
	skip "the ABI" "there is no abidiff here (abigail-tools)"
elif [ "$(uname -m)" != x86_64 ]; then
	skip "the ABI" "its description is of x86_64"
else
	"$top/tools/abi" "$lib" >"$work/now.abi"
	compare() { abidiff --suppressions "$top/tests/abi/opaque.abignore" --harmless "$1" "$work/now.abi" >"$work/said" 2>&1; }
	compare "$abi"
	ok $? "the ABI is the one described: nothing changed, nothing is missing from it"
	grep -E "^ *(\[|[0-9]+ |'|type)" "$work/said" | head -20 | sed 's/^/# /'
	sed "/<class-decl name='vmwatts_zone'/,/<\/class-decl>/s/layout-offset-in-bits='64'/layout-offset-in-bits='96'/" "$abi" >"$work/changed.abi"
	! compare "$work/changed.abi" && grep -q "offset changed" "$work/said"
	ok $? "a changed structure would be noticed"
	sed "s/name='watts_low'/name='watts_least'/" "$abi" >"$work/changed.abi"
	! compare "$work/changed.abi" && grep -q "watts_least" "$work/said"
	ok $? "so would a name"
	sed "/elf-symbol name='vmwatts_close'/s/vmwatts_close/vmwatts_gone/" "$abi" >"$work/changed.abi"
	! compare "$work/changed.abi" && grep -q "vmwatts_close" "$work/said"
	ok $? "and a function that is gone"
fi
c++ -x c++ -fsyntax-only -I"$top/include" "$top/include/vmwatts/vmwatts.h" 2>"$work/said"
ok $? "the header is C++ too"
done_testing
