#!/bin/bash
# vmwatts record guest --push into vmwatts record host --receive: TLS on loopback, with a CA of our own.
. "$(dirname "$0")/../tap.sh"
if [ ! -x "$build/vmwatts-net" ]; then
	skip "push" "vmwatts-net was not built"
	done_testing
	exit
fi
cd "$work" || exit 1
guest() { "$vmwatts" record guest "$@"; }
trace() { python3 "$top/tests/simulated/trace.py" "$@"; }
# rows of a VM in a trace: their times
times() { trace "$1" | awk -v vm="$2" '$1 == vm && $3 == "mono_ns" {print $2}'; }
rows() { times "$1" "$2" | wc -l; }

make_ca() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-keyout "$1.key" -out "$1.pem" -subj "/CN=$1" 2>/dev/null
}
make_ca ca && make_ca other
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout host.key -out host.csr -subj /CN=localhost 2>/dev/null
openssl x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out host.pem \
	-extfile <(echo subjectAltName=DNS:localhost) 2>/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
to=tcp://localhost:$port

# tokens
for vm in web db; do "$vmwatts" record token --vm $vm --tokens tokens --out $vm.token 2>said; done
is "$?$(stat -c %a tokens db.token | tr '\n' ' ')" "0600 600 " "a token, and the host's table, are their owner's"
is "$(printf %s "$(cat web.token)" | sha256sum | cut -d' ' -f1) web" "$(head -1 tokens)" "the table has SHA-256 of it"
grep -qF -e "$(cat web.token)" tokens # one of 64 tokens begins with a dash
is $? 1 "and not the token"
refused 1 "File exists" "a token is not written over another" "$vmwatts" record token --vm x --tokens tokens --out web.token
refused 2 "are needed" "a token without a name" "$vmwatts" record token --tokens tokens --out x.token
"$vmwatts" record token --vm nobody --tokens elsewhere --out wrong.token 2>/dev/null

# usage
refused 2 "--out T.vmt or --push" "neither --out nor --push" guest
refused 2 "'udp://x' is not" "a channel that is none" guest --push udp://x
refused 2 "--push-token-file is needed" "TCP without a token" guest --push "$to"
refused 1 "no virtio-serial port is named 'none.here'|cannot" "nothing is delivered to a port that is not there" \
	bash -c "'$vmwatts' record guest --push virtio:none.here --duration 200ms 2>&1 >/dev/null | tail -1 >&2; exit \${PIPESTATUS[0]}"
chmod 640 db.token
refused 1 "chmod 600" "a token that the group may read" guest --push "$to" --push-token-file db.token
chmod 600 db.token
host() { "$vmwatts" record host --receive "tcp://localhost:$port" --cert host.pem --key host.key --tokens tokens "$@"; }
refused 2 "needs --cert" "TCP without a certificate" "$vmwatts" record host --receive tcp://:0 --out x.vmt
refused 2 "need --tokens" "TCP without tokens" "$vmwatts" record host --receive tcp://:0 --cert a --key b --out x.vmt
refused 2 "is not tcp://" "an address that is none" "$vmwatts" record host --receive carrier-pigeon --out x.vmt
refused 2 "are for --receive" "a certificate for nobody" "$vmwatts" record host --all --cert a --out x.vmt
chmod 644 host.key
refused 1 "host.key.*chmod 600" "a certificate's key that others may read" host --out x.vmt
chmod 600 host.key
chmod 644 tokens
refused 1 "chmod 600" "tokens that others may read" host --out x.vmt
chmod 600 tokens

start() { # [options]: a receiver; $host
	"$vmwatts" record host --receive "tcp://localhost:$port" --cert host.pem --key host.key --tokens tokens "$@" \
		>host.json 2>>host.said &
	host=$!
	pids+=($host)
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}
stop() { kill "${2:--TERM}" "$1"; wait "$1" 2>/dev/null; }
push=(--push "$to" --push-ca ca.pem --interval 100ms)

refused 2 "'pigeon' is not tcp://" "two lists in turns keep their words" \
	"$vmwatts" record host --vm a --receive pigeon --vm b --receive tcp://:0 --vm c --out x.vmt

# the way it should be
start --out a.vmt --json
guest "${push[@]}" --push-token-file web.token --vm liar --duration 1s --json >guest.json 2>guest.said
is "$?$(jq -c '.push' guest.json)" '0{"delivered":11,"dropped":0,"undelivered":0,"starts":1}' "all rows are delivered"
guest "${push[@]}" --push-token-file db.token --duration 300ms --out both.vmt 2>/dev/null
is "$?" 0 "and with a trace of one's own"

# what is refused
guest --push "$to" --push-ca other.pem --push-token-file web.token --duration 500ms >/dev/null 2>said
like "$?$(tail -1 said)" "1.*nothing was delivered.*issuer is unknown" "a host of another CA is not believed"
guest --push "tcp://127.0.0.1:$port" --push-ca ca.pem --push-token-file web.token --duration 500ms >/dev/null 2>said
like "$?$(tail -1 said)" "1.*nothing was delivered.*name in the certificate does not match" "nor one of another name"
guest "${push[@]}" --push-token-file wrong.token --duration 500ms >/dev/null 2>said
like "$?$(tail -1 said)" "1.*nothing was delivered.*token is not known" "a token that is not known is refused"
head -c 20000 /dev/urandom | timeout 5 bash -c "cat >/dev/tcp/127.0.0.1/$port" 2>/dev/null
printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 openssl s_client -quiet -connect "127.0.0.1:$port" -CAfile ca.pem >said 2>&1
like "$(tr -d '\r' <said)" "BYE its first line is no greeting" "something else over TLS is told so"
stop "$host"
is "$(jq -c '[.pushed[] | [.vm, .rows, .faults]]' host.json)" '[["web",11,0],["db",4,0]]' "strangers did no harm; the summary"
ok "$(jq '.refused >= 5 | not' host.json | sed 's/true/1/;s/false/0/')" "and counts them"
is "$(trace a.vmt --streams | cut -d' ' -f1 | tr '\n' ' ')" "web db " "the token decides the name, not the guest"
is "$(rows a.vmt db)" 4 "the host's has four rows of it"
is "$(times both.vmt "$(hostname)")" "$(times a.vmt db)" "both traces have the same rows"

if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	"$vmwatts" record host --receive "tcp://:$port" --cert host.pem --key host.key --tokens tokens --out every.vmt 2>every.said >/dev/null &
	host=$!
	pids+=($host)
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && exec 4<>/dev/tcp/::1/$port"
	ok $? "tcp://:PORT listens on every address, IPv4's and IPv6's"
	stop "$host"
else
	skip "tcp://:PORT on IPv6 too" "no IPv6 on the loopback"
fi

# the receiver dies and comes back; the guest goes on
start --out b.vmt
guest "${push[@]}" --push-token-file web.token --out own.vmt --vm web --duration 5s --json >guest.json 2>guest.said &
guest=$!
pids+=($guest)
sleep 1.2
stop "$host" -KILL 2>/dev/null
sleep 1
start --out b.vmt
wait "$guest"
is "$(jq -c '[.push.dropped, .push.undelivered, .push.starts]' guest.json)" "[0,0,2]" "the queue bridges a receiver that was killed"
stop "$host"
ok "$(($(rows b.vmt web) < 50))" "five seconds of rows are there"
is "$(times b.vmt web)" "$(times own.vmt web)" "nothing is lost, nothing is there twice"
is "$(trace b.vmt --streams | wc -l)" 1 "the stream is gone on with"

# revoked; replaced; a full disk
start --out c.vmt
guest "${push[@]}" --push-token-file web.token --duration 8s >/dev/null 2>first.said &
first=$!
pids+=($first)
sleep 0.5
guest "${push[@]}" --push-token-file web.token --duration 500ms >/dev/null 2>&1
is $? 0 "a second connection of a VM is taken"
kill "$first"
wait "$first" 2>/dev/null
like "$(cat first.said)" "replaced by a new connection" "and replaces the first"
sed -i '/web$/d' tokens
guest "${push[@]}" --push-token-file web.token --duration 300ms >/dev/null 2>said
like "$?$(tail -1 said)" "1.*token is not known" "a line taken out of the table revokes its token at once"
stop "$host"
start --out d.vmt --max-size 6k
guest "${push[@]}" --push-token-file db.token --duration 2s --out own-d.vmt >/dev/null 2>said
like "$(cat said)" "part of --max-size is used up" "a guest over its part of the disk is told so"
kill -0 "$host"
is $? 0 "and the recording goes on"
stop "$host"
ok "$(($(stat -c %s d.vmt) > 6144))" "within --max-size"
done_testing
