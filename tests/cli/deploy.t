#!/bin/bash
# The configuration that is installed: every key is in it, each commented out is its default, and the agent takes all of them.
. "$(dirname "$0")/../tap.sh"
file=$top/deploy/vm-energy-config.yaml
agent() { "$vmwatts" agent --once --json --config "$1" --state-dir "$work/state" --vm-model-path "$work"; }

keys=$(grep -oP '^\s\{"\K[a-z_.]+(?=", (NULL|"[A-Za-z]+"), KEY_|",$)' "$top/src/config/schema.c")
[ "$(wc -l <<<"$keys")" -ge 25 ]
ok $? "the keys are found"
missing=
for k in $keys; do grep -qE "^ *#? *${k##*.}:" "$file" || missing+="$k "; done
is "$missing" "" "every key is in the file"
agent "$file" >/dev/null 2>"$work/said"
ok $? "the agent takes it"
# All that is commented out, but for files that are not there
sed -E 's/^  # ( *[a-z_]+:( .*)?)$/  \1/' "$file" | grep -v '_file:' >"$work/all.yaml"
[ "$(grep -cvE '^ *#|^$' "$work/all.yaml")" -gt 25 ]
ok $? "all keys are uncommented"
agent "$work/all.yaml" >/dev/null 2>"$work/said"
ok $? "the agent takes all of them"
sed 's/^/# /' "$work/said" | head -3
sed 's/fallback_method: estimation/fallback_method: guess/' "$work/all.yaml" >"$work/bad.yaml"
refused 1 "bad.yaml:[0-9]+:[0-9]+.*guess" "a bad value in it is told" agent "$work/bad.yaml"
done_testing
