#!/bin/bash
# What cannot be written on stdout is told once and is exit 1, whatever command it is.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
lost() { # TEXT COMMAND...: a full disk, and no stdout at all
	local text=$1
	shift
	"$@" >/dev/full 2>said </dev/null
	is "$? $(grep -c "cannot write" said)" "1 1" "$text: a full disk"
	"$@" >&- 2>said </dev/null
	is "$? $(grep -c "cannot write" said)" "1 1" "$text: no stdout"
}
run=$top/data/metalci/20240913-1616.csv
"$vmwatts" dataset import --joined "$run" --window 20 --out d.db 2>/dev/null
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" train --dataset d.db --family physics --sign-key k.key --out b.vmw >/dev/null 2>&1
mkdir store work

commands=$("$vmwatts" --help | awk '/^commands:/ {on = 1; next} /^$/ {on = 0} on {print $1}')
grep -qx train <<<"$commands"
ok $? "finds the commands"
lost --help "$vmwatts" --help
lost --version "$vmwatts" --version
for command in $commands; do lost "$command --help" "$vmwatts" "$command" --help; done
lost "model keygen --help" "$vmwatts" model keygen --help
store=(--trust k.pub --model-path store)
lost "model verify" "$vmwatts" model verify b.vmw --trust k.pub
lost "model inspect" "$vmwatts" model inspect b.vmw --trust k.pub
lost "model inspect --json" "$vmwatts" model inspect b.vmw --trust k.pub --json
lost "model install" "$vmwatts" model install b.vmw "${store[@]}"
lost "model install --json" "$vmwatts" model install b.vmw "${store[@]}" --json
lost "model list" "$vmwatts" model list "${store[@]}"
lost "model list --json" "$vmwatts" model list "${store[@]}" --json
lost "model list --history" "$vmwatts" model list "${store[@]}" --history
lost "model gc --json" "$vmwatts" model gc "${store[@]}" --json
lost "model export --json" "$vmwatts" model export b.vmw --trust k.pub --onnx onnx --json
lost "train" "$vmwatts" train --dataset d.db --family physics --sign-key k.key --out c.vmw
lost "train --json" "$vmwatts" train --dataset d.db --family physics --sign-key k.key --out c.vmw --json
lost "evaluate" "$vmwatts" evaluate --bundle b.vmw --trust k.pub --dataset d.db
lost "dataset show" "$vmwatts" dataset show d.db
lost "dataset export" "$vmwatts" dataset export d.db
lost "estimate" bash -c '"$1" estimate <"$2"' - "$vmwatts" "$run"
lost "record host --list" "$vmwatts" record host --list --json
lost "doctor" "$vmwatts" doctor --root "$top/tests/roots/$(ls "$top/tests/roots" | head -1)"
"$vmwatts" model list "${store[@]}" >&- 2>/dev/null <&-
is $? 1 "without stdin and stdout"
"$vmwatts" model list "${store[@]}" >&- 2>&- <&-
is $? 1 "without any"
rm k.key k.pub
"$vmwatts" model keygen --out k >&- 2>/dev/null
is "$?$(wc -l <k.key)" 12 "no file gets the number of a stdout that is closed"
done_testing
