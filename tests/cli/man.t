#!/bin/bash
# The man pages are what the commands say of themselves and what docs/formats says of files, and are good roff.
. "$(dirname "$0")/../tap.sh"
"$top/tools/man" "$vmwatts" "$work/man" 2>"$work/said"
ok $? "pages from every command's --help"
diff -r -x '*.3' "$work/man" "$top/docs/man" >"$work/diff"
is "$(head -5 "$work/diff")" "" "docs/man is what tools/man writes"
is "$(ls "$top"/docs/man/*.5 2>/dev/null | wc -l)" "$(ls "$top"/docs/formats/*.md | wc -l)" "a page of section 5 for each file format"
for page in "$top"/docs/man/*.[135]; do
	installed=$(grep -c "docs/man/$(basename "$page")'" "$top/meson.build")
	packaged=$(cat "$top"/deploy/debian/*.install | grep -c "/$(basename "$page")\$")
	is "$installed $packaged" "1 1" "$(basename "$page") is installed and in one package"
	is "$(mandoc -Tlint -W warning "$page" 2>&1)" "" "mandoc finds nothing in $(basename "$page")"
done
missing=$(grep -v KEY_SECTION "$top/src/config/schema.c" | grep -o '^	{"[^"]*"' | cut -d'"' -f2 | sort -u |
	while read -r key; do grep -qF "\\fB$key\\fR" "$top/docs/man/vm-energy-config.yaml.5" || echo "$key"; done)
is "$(echo $missing)" "" "every key of the configuration has its place in vm-energy-config.yaml(5)"
done_testing
