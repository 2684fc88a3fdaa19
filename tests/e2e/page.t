#!/bin/bash
# The agent's page at "/" in headless Chromium: complete without script, current with it, small, quick, no request
# elsewhere, nothing on the console, readable (WCAG AA), by keyboard too. PAGE_SHOTS=FOLDER keeps the screenshots.
. "$(dirname "$0")/../tap.sh"
shots=${PAGE_SHOTS:-$work/shots}
mkdir -p "$shots"
browser=$(command -v chromium || command -v google-chrome)
if [ -z "$browser" ]; then
	skip "the page in a browser" "no chromium"
	done_testing
	exit
fi
serve() { # NAME ARGUMENT...: start a simulated page, its address into $address
	"$build"/tests/e2e/simulated_site "${@:2}" >"$work/$1" &
	pids+=($!)
	wait_for 10 test -s "$work/$1"
	address=http://$(cat "$work/$1")/
}
serve trained && trained=$address
serve prior prior && prior=$address
timeout 120 "$top/tests/e2e/page.py" "$browser" "$shots" "$trained" "$prior" >"$work/seen.json" 2>"$work/said"
is $? 0 "both pages open" || head -5 "$work/said"
figure() { jq -r ".[$1]$2" "$work/seen.json"; }
for i in 0 1; do
	name=$([ $i = 0 ] && echo "a bundle" || echo "the prior")
	is "$(figure $i ' | .paint_ms < 100')" true "$name: first paint after $(figure $i .paint_ms) ms, of 100"
	is "$(figure $i ' | .bytes < 61440')" true "$name: $(figure $i .bytes) bytes in all, of 61440"
	is "$(figure $i '.external | length')" 0 "$name: nothing is asked of others"
	is "$(figure $i '.complaints | length')" 0 "$name: nothing on the console" || figure $i '.complaints[]'
	for scheme in light dark; do
		is "$(figure $i ".contrast_$scheme.worst >= 4.5")" true "$name, $scheme: least contrast $(figure $i ".contrast_$scheme.worst * 100 | round / 100"), AA asks 4.5"
		is "$(figure $i ".phone_overflow_$scheme")" 0 "$name, $scheme: nothing sticks out on a phone"
	done
	is "$(figure $i .nameless)" 0 "$name: all that can be reached has a name"
	is "$(figure $i .markup_from_outside)" 0 "$name: markup in a node's name stays text"
	is "$(figure $i .refreshed)" true "$name: watts are exchanged as they change"
	like "$(figure $i .without_script)" '[0-9]+\.[0-9] <small>W, 90 % within [0-9]' "$name: watts and interval without script"
	like "$(figure $i '.tab_order | join(" ")')" 'metrics.*api/v1/power.*docs' "$name: links by keyboard, to metrics and docs"
done
like "$(curl -sI "$trained" -H 'Accept: text/html')" "Content-Security-Policy: default-src 'none'" "a strict policy is sent"
like "$(curl -s "$trained")" "/metrics +Prometheus" "whoever does not ask for HTML gets a plain list"
done_testing
