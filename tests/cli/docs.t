#!/bin/bash
# What the documents say is so: blocks marked `sh` run, in order; every `vmwatts COMMAND --option` and `make WORD` exists; internal
# links resolve; no word is misspelt that codespell knows.
. "$(dirname "$0")/../tap.sh"

# ---- blocks that run
mkdir "$work/bin"
for program in "$build"/vmwatts*; do [ -f "$program" ] && [ -x "$program" ] && ln -s "$program" "$work/bin/"; done
run_blocks() { # DOCUMENT: in a folder of its own, where data/ is the source's
	local folder=$work/$(basename "$1" .md)
	mkdir "$folder" && ln -s "$top/data" "$folder/data"
	awk '/^```sh$/ {on = 1; next} /^```/ {on = 0} on' "$1" >"$folder/commands"
	[ -s "$folder/commands" ] || return 1
	(cd "$folder" && PATH=$work/bin:$PATH bash -eux commands >"$folder/said" 2>&1)
}
for document in "$top/README.md" "$top/docs/tutorial.md"; do
	name=$(basename "$document" .md)
	run_blocks "$document"
	ok $? "$name: its commands run, $(grep -c . "$work/$name/commands") lines of them" || tail -5 "$work/$name/said" | sed 's/^/# /'
done
[ -s "$work/tutorial/unseen.html" ] && [ -s "$work/tutorial/my.vmw.minisig" ]
ok $? "the tutorial leaves a report and a signed bundle"
like "$(cat "$work/tutorial/said")" "package +[0-9.]+ +[0-9.]+ - [0-9.]+" "and its agent answers"

# ---- commands and options that are only shown
"$top/tests/cli/docs.py" commands "$top" "$build/vmwatts" >"$work/unknown"
is "$(cat "$work/unknown")" "" "every command and option in documents exists"
"$top/tests/cli/docs.py" links "$top" >"$work/broken"
is "$(cat "$work/broken")" "" "every internal link resolves"
"$top/tests/cli/docs.py" proposal "$top" >"$work/unproven"
is "$(cat "$work/unproven")" "" "docs/ep-003.md has a row for all that the proposal names, each with a place and a proof"
if command -v codespell >/dev/null; then
	is "$(cd "$top" && git ls-files '*.md' '*.1' '*.3' '*.yaml' '*.c' '*.h' '*.py' '*.t' 2>/dev/null | xargs -r codespell --ignore-words-list upto,mape,improt,memroy,blok,te 2>&1 | head -5)" "" "codespell has nothing to say"
else
	skip "codespell" "it is not installed"
fi
done_testing
