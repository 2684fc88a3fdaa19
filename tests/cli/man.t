#!/bin/bash
# The man pages are what the commands say of themselves, and are good roff.
. "$(dirname "$0")/../tap.sh"
"$top/tools/man" "$vmwatts" "$work/man" 2>"$work/said"
ok $? "pages from every command's --help"
diff -r -x '*.3' "$work/man" "$top/docs/man" >"$work/diff"
is "$(head -5 "$work/diff")" "" "docs/man is what tools/man writes"
for page in "$top"/docs/man/*.[13]; do
	is "$(mandoc -Tlint -W warning "$page" 2>&1)" "" "mandoc finds nothing in $(basename "$page")"
done
done_testing
