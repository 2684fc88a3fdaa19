#!/bin/bash
# vmwatts model: keys, signatures, the store; and every way a bundle can be wrong.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
model() { "$vmwatts" model "$@"; }
verify() { model verify "$1" --trust "${2:-k.pub}"; }
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[34]*.csv --window 20 --out d.db >/dev/null 2>&1
model keygen --out k >/dev/null
is $? 0 "keygen"
is "$(stat -c %a k.key) $(stat -c %a k.pub)" "600 644" "the secret key is 0600"
refused 1 "k.(key|pub) exists" "keygen does not overwrite" model keygen --out k
model keygen --out other >/dev/null
if unshare -m true 2>/dev/null; then # room for the secret key's page, not for the other; then for none
	for inodes in 3 2; do
		left=$(unshare -m bash -c 'mkdir -p tiny && mount -t tmpfs -o size=4k,nr_inodes='$inodes' none tiny
			"$1" model keygen --out tiny/k 2>/dev/null; echo "$?" $(ls tiny)' - "$vmwatts")
		is "$left" 1 "keygen on a full disk leaves nothing"
	done
else
	skip "keygen on a full disk leaves nothing" "no mount namespaces here"
	skip "keygen on a full disk leaves nothing" "no mount namespaces here"
fi
train() { "$vmwatts" train --dataset d.db --name m --sign-key k.key "$@" >/dev/null 2>&1; }
train --version 1.0.0 --sequence 10 --out b.vmw
verify b.vmw >/dev/null
is $? 0 "verify"
is "$(model verify b.vmw --trust k.pub --json | jq -c '[.name, .version, .sequence, (.key | length)]')" '["m","1.0.0",10,16]' "verify --json"
if command -v minisign >/dev/null; then
	minisign -Vm b.vmw -p k.pub >/dev/null 2>&1
	ok $? "minisign verifies it"
	minisign -G -W -p mini.pub -s mini.key >/dev/null 2>&1
	cp b.vmw theirs.vmw
	minisign -S -s mini.key -m theirs.vmw >/dev/null 2>&1
	verify theirs.vmw mini.pub >/dev/null
	ok $? "and we verify what minisign signed"
else
	skip "minisign verifies it" "minisign is not installed"
	skip "and we verify what minisign signed" "minisign is not installed"
fi

# one byte changed, anywhere; cut anywhere
size=$(stat -c %s b.vmw)
cp b.vmw.minisig x.vmw.minisig
bad=0 tried=0
for ((i = 0; i < 100; i++)); do
	at=$((i == 99 ? size - 1 : i * size / 100))
	cp b.vmw x.vmw
	byte=$(od -An -tu1 -j $at -N1 b.vmw)
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of=x.vmw bs=1 seek=$at conv=notrunc 2>/dev/null
	said=$(verify x.vmw 2>&1)
	[ $? -eq 1 ] && [ "$(grep -c . <<<"$said")" = 1 ] && [[ $said =~ x.vmw ]] || bad=$((bad + 1))
	head -c $at b.vmw >x.vmw
	verify x.vmw >/dev/null 2>&1 && bad=$((bad + 1))
	tried=$((tried + 2))
done
is $bad 0 "$tried changed or cut bundles are each refused in one sentence"
cp b.vmw x.vmw
bad=0
for line in 2 3 4; do # the first line is a comment that nothing signs
	sed "${line}s/[A-Za-z]\([^A-Za-z]*\)\$/#\1/" b.vmw.minisig >x.vmw.minisig
	cmp -s b.vmw.minisig x.vmw.minisig && bad=$((bad + 1))
	verify x.vmw >/dev/null 2>&1 && bad=$((bad + 1))
done
is $bad 0 "a changed signature, trusted comment or global signature is refused"
rm x.vmw.minisig
refused 1 "minisig" "an unsigned bundle" verify x.vmw
refused 1 "key" "a bundle of another key" verify b.vmw other.pub
chmod g+w b.vmw
refused 1 "write" "a bundle that its group may write" verify b.vmw
chmod 644 b.vmw
verify b.vmw >/dev/null
ok $? "readable by all is fine"
refused 1 "nothere" "a bundle that is not there" verify nothere.vmw
head -c 100 /dev/urandom >junk.vmw
model sign junk.vmw --sign-key k.key >/dev/null 2>&1
refused 1 "junk.vmw" "junk, properly signed" verify junk.vmw
model inspect b.vmw --trust k.pub | grep -q package
ok $? "inspect shows the card"

# the store
install() { model install "$1" --trust k.pub --model-path models "${@:2}"; }
install b.vmw >/dev/null
is "$?$(readlink models/current)" "0m-1.0.0.vmw" "install activates NAME-VERSION.vmw"
is "$(stat -c %a models/m-1.0.0.vmw)" 600 "0600"
train --version 1.1.0 --sequence 9 --out old.vmw
refused 1 "older|sequence" "an older sequence" install old.vmw
install old.vmw --allow-older >/dev/null
is "$?$(readlink models/current)" "0m-1.1.0.vmw" "unless told to"
is "$(model list --trust k.pub --model-path models --json | jq length)" 2 "list shows both"
like "$(model list --trust other.pub --model-path models)" '\* m-1.1.0.vmw +refused: ' "what the active one is marked with stays where its key is not trusted"
refused 1 "key" "install of a bundle by another key" model install b.vmw --trust other.pub --model-path models

# versions, keys, what happened
store() { model "$@" --trust k.pub --model-path models; }
refused 1 "mark|older" "between what is served and the mark is older too" install old.vmw --json
is "$(store list --json | jq -r '.[] | select(.active) | .version')" 1.1.0 "list names the active one"
is "$(store list --json | jq -r '.[] | select(.previous) | .version')" 1.0.0 "and the one before"
like "$(store list)" '\* m-1.1.0.vmw +9 +20' "a person can read it"
is "$(store rollback --json | jq -r .active.version)" 1.0.0 "rollback"
is "$(store list --json | jq -r '.[] | select(.version == "1.1.0") | .state + " " + .reason')" "rolled-back operator" "is remembered"
refused 1 "rolled back" "what was rolled back is not installed again by itself" install old.vmw
is "$(store activate m-1.1.0 --json | jq -r .active.version)" 1.1.0 "activate is the operator's word"
is "$(store list --history --json | jq -r 'map(.event) | join(" ")')" "activated activated rolled-back activated" "the history"
refused 2 "at least 3" "gc keeps three" store gc --keep 2
is "$(store gc --json | jq .removed)" 0 "gc"
is "$(store gc --json 2>&1)" '{"removed":0,"unverified":0}' "which has nothing to say when all is verified"
out=$(model gc --model-path models --trust other.pub --json 2>said)
is "$? $(jq .unverified <<<"$out")" "0 2" "gc with another key removes nothing"
like "$(cat said)" "2 left alone that the keys of other.pub do not verify.*--trust" "and says so"
# what is refused names the command that was given, and options are those that do something
for verb in keygen sign verify inspect install list activate rollback gc import export; do
	like "$(model $verb --bogus 2>&1)" "^vmwatts model $verb: unknown option --bogus.* \(see vmwatts model $verb --help\)$" "model $verb by its name"
done
refused 2 "unknown option --keep" "verify keeps nothing" model verify b.vmw --keep 3
refused 2 "unknown option --history" "gc has no history" store gc --history
refused 2 "unknown option --allow-older" "rollback is always to an older one" store rollback --allow-older
is "$(model verify --help | grep -cE -- '--(keep|history|allow-older|state-dir)')" 0 "verify's help is of verify"
refused 1 "m-9" "activate of what is not there" store activate m-9
refused 2 "NAME-VERSION" "activate of a path" store activate ../m
refused 2 "'a/.x1b.31m'" "what a message quotes is shown, and is no command to the terminal" store activate $'a/\e[31m'
mkdir keys && cp k.pub other.pub keys
two() { model verify b.vmw --trusted-keys keys --signature-threshold 2; }
refused 1 "signature_threshold asks for 2" "one of two keys" two
model sign b.vmw --sign-key k.key --add
refused 1 "asks for 2" "one key twice" two
model sign b.vmw --sign-key other.key --add
two >/dev/null
is "$?$(ls b.vmw.minisig*| wc -l)" 03 "two keys of two"
model install b.vmw --trusted-keys keys --signature-threshold 2 --model-path two >/dev/null
is "$?$(stat -c %a two/m-1.0.0.vmw.minisig.3)" 0600 "signatures travel along"
mkdir two/keys && cp k.pub two/keys && ln -s two/keys linked
for keys in two/keys linked; do
	refused 1 "trusted key $keys is in model_path two.*move it" "keys that are in the store: $keys" \
		model install b.vmw --trusted-keys $keys --model-path two
done
done_testing
