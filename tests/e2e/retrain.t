#!/bin/bash
# Continuous training, from recordings to an agent: rounds, what is promoted, interruption, the location that agents poll.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
data=$top/data/metalci
runs=($(ls "$data" | grep -v -- '-ms')) # one kind of day

round() { # FOLDER_OF_RECORDINGS MORE...: one round in w, published in pub
	local from=$1
	shift
	"$vmwatts" retrain --recordings "$from" --work w --publish pub --sign-key K.key --name web --family linear \
		--window 20 --json "$@" 2>log
}

spoilt() { # RECORDING NAME COLUMN-EXPRESSION: a copy whose package label is another
	awk -F, -v OFS=, 'NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i}
		NR > 1 {p = at["package_watts"]; '"$3"'} {print}' "$data/$1" >"$2"
}

"$vmwatts" model keygen --out K >/dev/null
"$vmwatts" model keygen --out other >/dev/null

# ---- the first round, and one with nothing new ----
mkdir rec
refused 1 "no/pub can be neither written nor made" "where nothing can be published nothing is trained" \
	"$vmwatts" retrain --recordings rec --work w --publish no/pub --sign-key K.key
rm -rf w
cp "$data/${runs[0]}" "$data/${runs[1]}" "$data/${runs[2]}" rec
printf 'time_s,cpu_utilization\n1,0.5\n' >rec/nolabel.csv
cp "$data/${runs[0]}" rec/half.guest.csv
"$vmwatts" retrain --recordings rec --work w --publish pub --sign-key K.key --dry-run 2>said
is $? 0 "a dry run says what it would do"
like "$(cat said)" "5?.*new recordings, a candidate would be trained" "and names the round"
is "$(ls -d w pub 2>/dev/null)" "" "and writes nothing"
out=$(round rec --expires 180d)
is $? 0 "the first round ends well"
is "$(jq -r '.decision, .serving, .round' <<<"$out" | xargs)" "promoted prior 1" "it is better than the prior and is promoted"
is "$(jq -c '.recordings.imported | length' <<<"$out")" 3 "three recordings were taken in"
like "$(jq -r '.recordings.refused["nolabel.csv"]' <<<"$out")" "label" "one without labels is told and passed over"
like "$(cat log)" "half.guest.csv waits for its host's half" "half a pair waits"
is "$(jq -c '.zones.package | .candidate.rows == .serving.rows' <<<"$out")" true "both answered the same rows"
is "$(jq '.rows.held_out > 0 and .rows.trained > .rows.held_out' <<<"$out")" true "a window was held out"
first=$(sed -n 's/^file //p' pub/latest)
"$vmwatts" model verify "pub/$first" --trust K.pub >/dev/null
is $? 0 "what is published is signed"
is "$("$vmwatts" model inspect "pub/$first" --trust K.pub --json | jq '.expires - .created')" $((180 * 86400)) "and ends when --expires says"
minisign -Vqm "pub/$first" -p K.pub
is $? 0 "and minisign says so too"
is "$(sed -n 's/^sha256 //p' pub/latest)" "$(sha256sum "pub/$first" | cut -d' ' -f1)" "latest holds its sha256"
is "$(round rec)" '{"round":null}' "a round without new recordings does nothing"
is "$(wc -l <w/history.jsonl)" 1 "and leaves no line in the history"

# ---- worse data, better data ----
cp -r w w.before
cp -r pub pub.before
mkdir bad
for r in "${runs[@]:3:6}"; do # what the VM did at one time, beside the power of another
	spoilt "$r" "bad/spoilt-$r" '$p = 5 + 60 * rand(); $at["core_watts"] = $p; $at["dram_watts"] = rand()'
done
cp "$data/${runs[10]}" bad # the newest: as it is
out=$(round bad --hold-out 0.1)
is "$?$(jq -r .decision <<<"$out")" 0kept "labels that mean nothing are not promoted"
like "$(jq -r .reason <<<"$out")" "worse beyond noise on .*package" "and the reason is said"
is "$(sed -n 's/^file //p' pub/latest)" "$first" "latest stands"
rm -rf w pub
mkdir scaled
for r in "${runs[@]:0:3}"; do spoilt "$r" "scaled/$r" '$p *= 1.8; $at["core_watts"] *= 1.8; $at["dram_watts"] *= 1.8'; done
out=$(round scaled)
poor=$(sed -n 's/^sequence //p' pub/latest)
mkdir good
cp "$data/${runs[4]}" "$data/${runs[5]}" "$data/${runs[6]}" "$data/${runs[7]}" "$data/${runs[8]}" good
for r in "${runs[@]:0:3}"; do cp "$data/$r" "good/again-$r"; done
out=$(round good)
is "$(jq -r '.decision, .round' <<<"$out" | xargs)" "promoted 2" "better data is promoted"
is "$(jq -r '.zones.package.verdict' <<<"$out")" better "package is better beyond noise"
is "$(($(sed -n 's/^sequence //p' pub/latest) > poor))" 1 "the sequence increases"
is "$(ls pub/*.vmw | wc -l)" 2 "the version before stays"
like "$("$vmwatts" retrain --history w)" "promoted .*package .* -> .* W" "the history is for people"
is "$("$vmwatts" retrain --history w --json | jq 'map(.round) | @csv' -r)" "1,2" "and for programs, one entry a round"

refused 2 "rounds needs --report" "rounds without a page are refused" "$vmwatts" evaluate --dataset w/data.db --rounds w
"$vmwatts" evaluate --dataset w/data.db --report r.html --rounds w >/dev/null 2>log
is $? 0 "a report takes the rounds in" || cat log
like "$(grep -A8 'id="rounds"' r.html)" "promoted" "and shows what became of them"
refused 1 "holds no history" "a folder without rounds is refused" \
	"$vmwatts" evaluate --dataset w/data.db --report r.html --rounds good

# ---- a configuration file ----
cat >c.yaml <<-END
	retrain:
	  recordings: good
	  work: w
	  publish: pub
	  sign_key: K.key
	  name: web
	  family: linear
END
is "$("$vmwatts" retrain --config c.yaml --json 2>/dev/null)" '{"round":null}' "options may stand in a file"
sed 's/sign_key/sing_key/' c.yaml >typo.yaml
refused 2 "typo.yaml:5:[0-9]+: unknown key 'sing_key' of retrain; did you mean 'sign_key'" "a wrong key is refused with its place" \
	"$vmwatts" retrain --config typo.yaml
sed 's/name: web/name: [web, db]/' c.yaml >list.yaml
refused 2 "list.yaml:6:[0-9]+: name is given twice" "two words for one key are refused" "$vmwatts" retrain --config list.yaml
{ cat c.yaml && echo "  work: elsewhere"; } >twice.yaml
refused 2 "twice.yaml:8:[0-9]+: work is given twice" "and so is a key that comes twice" "$vmwatts" retrain --config twice.yaml
refused 2 "hold-out 2: a share" "a wrong hold-out is refused" "$vmwatts" retrain --config c.yaml --hold-out 2
refused 2 "promote" "a wrong rule is refused" "$vmwatts" retrain --config c.yaml --promote maybe
refused 2 "recordings and --work are one folder" "one folder for two things is refused" "$vmwatts" retrain --config c.yaml --recordings ./w --work w
refused 1 "one folder for each name" "another name in the same location is refused" \
	"$vmwatts" retrain --config c.yaml --name db
refused 1 "other.pub|signed by key|not trusted" "a serving bundle of another key is refused" \
	"$vmwatts" retrain --config c.yaml --sign-key other.key

# ---- two halves on two clocks ----
mkdir pair
awk -F, -v OFS=, 'NR > 1 {$1 = $1 + 7} {print $1, $2, $3, $4}' "$data/${runs[0]}" >pair/day.guest.csv
awk -F, -v OFS=, '{print $1, $5, $6, $7}' "$data/${runs[0]}" >pair/day.host.csv
out=$("$vmwatts" retrain --recordings pair --work w.pair --publish pub.pair --sign-key K.key --family linear --hold-out 5m --json 2>log)
is "$(jq -c '.recordings.imported' <<<"$out")" '["day.guest.csv"]' "a guest's and a host's half are aligned" || cat log
is "$(jq '.rows.held_out == 100' <<<"$out")" true "the window may be a time: the last five minutes"

# ---- one at a time ----
(exec 9>>w/lock && flock 9 && echo 4242 >w/lock && touch held && sleep 60) &
pids+=($!)
wait_for 5 test -e held
refused 1 "another retrain \(pid 4242\) works in w" "two at once is refused, with the pid" "$vmwatts" retrain --config c.yaml
kill "${pids[-1]}" && wait "${pids[-1]}" 2>/dev/null

# ---- kill -9 wherever it may be ----
rm -rf w pub
round good >/dev/null
rows=$(round good --force | jq '.rows.trained + .rows.held_out')
mv w w.whole
rm -rf pub
killed=0 steps=
for i in $(seq 1 60); do
	"$vmwatts" retrain --config c.yaml --window 20 >/dev/null 2>&1 &
	sleep "0.$(printf '%03d' $((i * 3)))"
	kill -9 $! 2>/dev/null && killed=$((killed + 1))
	wait $! 2>/dev/null
	steps+=" $(sed -n 's/^step //p' w/state 2>/dev/null)"
	[ -e w/history.jsonl ] && break
done
round good >/dev/null
is "$([ $killed -ge 5 ] && echo many)" many "a round was killed again and again ($killed times)"
printf '# seen: %s\n' "$(tr ' ' '\n' <<<"$steps" | sort | uniq -c | xargs)"
is "$(wc -l <w/history.jsonl)" 1 "and ended as one round"
is "$(jq '.rows.trained + .rows.held_out' w/history.jsonl)" "$rows" "nothing was taken in twice"
is "$(jq -r .decision w/history.jsonl) $(ls pub/*.vmw | wc -l)" "promoted 1" "and it published once"
"$vmwatts" model verify "pub/$(sed -n 's/^file //p' pub/latest)" --trust K.pub >/dev/null
is $? 0 "what it published is whole"

# Before and behind every rename, which is how each step is recorded.
whole() { # what is left of one round that was taken up
	printf '%s lines, %s rows, %s, %s published, ' "$(wc -l <k/history.jsonl)" "$(jq '.rows.trained + .rows.held_out' k/history.jsonl)" \
		"$(jq -r .decision k/history.jsonl)" "$(ls k.pub/*.vmw | wc -l)"
	"$vmwatts" model verify "k.pub/$(sed -n 's/^file //p' k.pub/latest)" --trust K.pub >/dev/null && echo verified
}
again() { "$vmwatts" retrain --config c.yaml --recordings scaled --work k --publish k.pub >/dev/null 2>&1; }
points=0 wrong=
again
few=$(jq '.rows.trained + .rows.held_out' k/history.jsonl)
for behind in "" 1; do
	for at in $(seq 1 100); do
		rm -rf k k.pub
		env LD_PRELOAD="$build/tests/e2e/kill_at.so" KILL_AT=$at ${behind:+KILL_BEHIND=1} \
			"$vmwatts" retrain --config c.yaml --recordings scaled --work k --publish k.pub >/dev/null 2>&1
		[ $? = 137 ] || break
		points=$((points + 1))
		again
		left=$(whole)
		[ "$left" = "1 lines, $few rows, promoted, 1 published, verified" ] || wrong+="$at$behind: $left; "
	done
done 2>/dev/null
is "$wrong" "" "killed before and behind each rename ($points places): one round, all rows once, published once, verified"
is "$((points > 25))" 1 "and there are many of them"

# A kill within an import: the one that was under way, and only that, is replaced.
sed -i '1s/imported/importing/' w/recordings
is "$(round good | jq -c '[.recordings.imported, .rows.trained + .rows.held_out]')" \
	"[[\"$(sed -n 1p w/recordings | cut -f5)\"],$rows]" "killed within an import: only that recording is taken in again, in place of itself"
is "$(python3 -c 'import sqlite3; print(*sqlite3.connect("w/data.db").execute("select count(*) - count(distinct name) from run").fetchone())')" 0 "and every run is there once"

stopped() { # STEP: a round that was killed right behind STEP goes on from there
	local version
	sed -i "s/^step .*/step $1/" w/state
	round good >again
	version=$(jq -r .version again)
	is "$version" "$(sed -n 's/^version //p' w.at)" "killed behind '$1': the round ends with the version it had"
	is "$(jq -s 'map(.round) == [range(1; length + 1)]' w/history.jsonl)" true "killed behind '$1': every round once"
}
for step in training trained judged published; do # the state as it was just before a kill, played back
	sequence=$(($(sed -n 's/^sequence //p' pub/latest) + 10))
	cp "$data/${runs[9]}" "good/$step.csv"
	round good --promote always >/dev/null
	# Rewind: the last round as if it had ended there.
	number=$(jq -s 'last.round' w/history.jsonl)
	version=$(jq -rs 'last.version' w/history.jsonl)
	sequence=$(jq -rs 'last.sequence' w/history.jsonl)
	{ [ $step = published ] || sed -i '$d' w/history.jsonl; }
	cat >w/state <<-END
		round $number
		step $step
		version $version
		sequence $sequence
		created $sequence
		promote true
		hold_share 0.2
		hold_s 0
		import_s 0
		train_s 0
	END
	cp w/state w.at
	[ $step = training ] && rm -f w/candidate.vmw pub/latest
	stopped $step
done

# ---- an agent that polls ----
rm -rf w pub store
out=$(round scaled)
python3 "$top/tests/simulated/publish.py" pub port requests &
pids+=($!)
wait_for 10 test -s port
url=http://127.0.0.1:$(cat port)/models
agent() { # what an agent serves
	cat >agent.yaml <<-END
		vm_energy_modeling:
		  model_path: $work/store
		  trusted_keys: $work/keys
		  state_directory: $work/state
	END
	"$vmwatts" agent --config agent.yaml --once --json 2>/dev/null | jq -r .model_version
}
look() { "$vmwatts" poll --url "$url" --trust "$work/keys/web.pub" --model-path store --once "$@"; }
mkdir keys
cp K.pub keys/web.pub
chmod go-w keys keys/web.pub
look >/dev/null
is $? 0 "an agent's store gets what is published"
is "$(agent)" "$(jq -r .version <<<"$out")" "and the agent serves it"
: >requests
is "$(look --json | jq -c '[.installed, .unchanged]')" "[false,true]" "a second look finds nothing new"
is "$(cat requests)" "/models/latest 304 0" "and downloads nothing: the ETag still holds"
out=$(round good)
mkdir store/.poll-killed store/.poll-at-work
touch store/.poll-killed/web.vmw
touch -d '2 hours ago' store/.poll-killed
look >/dev/null
is "$(agent)" "$(jq -r .version <<<"$out")" "a new version is picked up"
is "$(ls -A store | grep '^\.poll-')" .poll-at-work "no folder of a download is left, nor one that was killed hours ago"
rmdir store/.poll-at-work
is "$(stat -c %a store/*.vmw | sort -u)" 600 "the store's files are private"

# A running agent, and a poller that keeps looking.
"$vmwatts" agent --config agent.yaml --listen 127.0.0.1:0 >agent.out 2>agent.log &
agent_pid=$!
pids+=($agent_pid)
"$vmwatts" poll --url "$url" --trust keys/web.pub --model-path store --interval 1s 2>poll.log &
poll_pid=$!
pids+=($poll_pid)
cp "$data/${runs[11]}" good
version=$(round good --promote always | jq -r .version)
wait_for 20 test -e "store/web-$version.vmw"
is $? 0 "a poller that keeps looking picks the next one up"
wait_for 5 grep -q "installed store/web-$version.vmw" poll.log
ok $? "and logs one line" || cat poll.log
wait_for 10 grep -q listen agent.log
kill -HUP $agent_pid
wait_for 10 grep -q "$version" agent.log
is $? 0 "the running agent takes it on SIGHUP" || tail -5 agent.log
# A key that is taken out while it runs.
served=$(readlink store/current)
"$vmwatts" model keygen --out spare >/dev/null
cp spare.pub keys/web.pub
cp "$data/${runs[12]}" good
round good --promote always >/dev/null
wait_for 10 grep -q "which is not trusted" poll.log
is "$?$(readlink store/current)" "0$served" "a key that is taken out while it looks counts no more"
cp K.pub keys/web.pub
kill $poll_pid
wait $poll_pid
is $? 0 "SIGTERM ends the poller"
kill $agent_pid
wait $agent_pid 2>/dev/null

# ---- what is wrong is not installed ----
served=$(readlink store/current)
cp -r pub pub.good
publish_as() { # BUNDLE: latest names it
	printf 'vmwatts-latest 1\nfile %s\nsequence %s\nbytes %s\nsha256 %s\n' "$1" 9999999999 \
		"$(stat -c %s "pub/$1")" "$(sha256sum "pub/$1" | cut -d' ' -f1)" >pub/latest
}
older=$(ls pub.good/*.vmw | sort | head -1)
cp "$older" pub/evil-1.vmw
"$vmwatts" model sign pub/evil-1.vmw --sign-key other.key
publish_as evil-1.vmw
refused 1 "not trusted" "a bundle signed by another key is refused" look
rm pub/evil-1.vmw.minisig
refused 1 "evil-1.vmw.minisig answers 404" "one without a signature is refused" look
"$vmwatts" model sign pub/evil-1.vmw --sign-key K.key
printf x | dd of=pub/evil-1.vmw bs=1 seek=3000 conv=notrunc status=none
refused 1 "is not what .latest. says" "one that is not what latest says is refused" look
publish_as evil-1.vmw
refused 1 "not what key [0-9A-F]+ signed" "one that was changed after signing is refused" look
head -c 3M /dev/zero >pub/evil-1.vmw
publish_as evil-1.vmw
refused 1 "--max-size allows 1048576" "an oversized one is refused" look --max-size 1M
sed -i 's/^bytes .*/bytes 5000/' pub/latest
refused 1 "larger than 5000 bytes" "one that is larger than it says is broken off" look
head -c 5000 /dev/zero >pub/latest
refused 1 "larger than 1024 bytes" "a latest without end is broken off" look
echo hello >pub/latest
refused 1 "is not ours" "a latest that is none is refused" look
printf 'vmwatts-latest 1\nfile ../K.key\nsequence 1\nbytes 1\nsha256 %064d\n' 0 >pub/latest
refused 1 "names no bundle" "a latest that points elsewhere is refused" look
rm -rf pub/*
cp pub.good/* pub
publish_as "$(basename "$older")"
refused 1 "older than" "an older sequence is refused" look
is "$(readlink store/current)" "$served" "after all that the agent's bundle stands"
is "$(ls -A store | grep -c '^\.poll-')" 0 "and nothing is left of the downloads"
refused 2 "on this machine only" "http to another machine is refused" "$vmwatts" poll --url http://models.example/web --once
refused 2 "holds a user" "a user in the URL is refused" "$vmwatts" poll --url https://a:b@models.example/web --once
refused 1 "holds no key" "without a trusted key nothing is fetched" "$vmwatts" poll --url "$url" --trust "$work/none" --once

# ---- TLS and a token ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout s.key -out s.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost\n' >ext
openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out s.pem 2>/dev/null
echo sesame >token
python3 "$top/tests/simulated/publish.py" pub.good tls.port tls.requests --plain --token sesame --tls s.pem s.key &
pids+=($!)
wait_for 10 test -s tls.port
url=https://localhost:$(cat tls.port)
refused 1 "certificate is not trusted" "a certificate of nobody known is refused" look --token-file token --model-path tls.store
refused 1 "token" "without its token nothing is given" look --cacert ca.pem --model-path tls.store
look --cacert ca.pem --token-file token --model-path tls.store >/dev/null
is "$?$(readlink tls.store/current)" "0$(sed -n 's/^file //p' pub.good/latest)" "over TLS, with a CA and a token, it is installed"
: >tls.requests
is "$(look --cacert ca.pem --token-file token --model-path tls.store)" "nothing new" "a server without ETags: nothing new"
is "$(cat tls.requests)" "/latest 200 $(stat -c %s pub.good/latest)" "and the bundle is not downloaded again"
done_testing
