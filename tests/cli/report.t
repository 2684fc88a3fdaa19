#!/bin/bash
# vmwatts evaluate --report: one page that needs nothing else, and the figures of --json that go with it.
. "$(dirname "$0")/../tap.sh"
cd "$work" || exit 1
"$vmwatts" model keygen --out k >/dev/null
"$vmwatts" dataset import --joined "$top"/data/metalci/2024091[3-5]*.csv --window 20 --out d.db >/dev/null 2>&1
"$vmwatts" train --sign-key k.key --dataset d.db --family physics --out b.vmw >/dev/null 2>&1
evaluate() { "$vmwatts" evaluate --bundle b.vmw --trust k.pub --dataset "$@"; }

evaluate d.db --json >r.json
holds() { # TEXT JQ-EXPRESSION: true of the package zone
	jq -e ".zones.package | $2" r.json >/dev/null
	ok $? "$1"
}
holds "the Winkler score, under both names" '.winkler_90_watts == .interval_score_watts and .winkler_90_watts > .mean_interval_watts'
holds "windows no shorter than the 3 s between rows" '.by_window | keys == ["15", "5", "60"]'
holds "longer averages are estimated better" '.by_window["60"].wmape < .by_window["5"].wmape and .by_window["5"].wmape < 1'
holds "a window says what it lasts" '.by_window["5"].mean_seconds == 3 and .by_window["15"].mean_seconds == 15'
holds "the noise floor" '.noise_floor_watts > 0 and .noise_floor_watts < 10'
holds "baselines, Kepler in the guest worst of all" '.baselines | .kepler_in_guest.wmape > .prior.wmape and .prior.wmape > .linear_in_utilization.wmape'
holds "the line was fitted on these rows" '.baselines.linear_in_utilization.energy_error < 1e-9'
holds "coverage of every run" '[.by_run[].coverage_90] | all(. >= 0 and . <= 1)'
jq -e '.zones.core.baselines | has("kepler_in_guest") | not' r.json >/dev/null
ok $? "Kepler's value is of the package only"
"$vmwatts" evaluate --dataset d.db --json | jq -e '.zones.package | .wmape == .baselines.prior.wmape' >/dev/null
ok $? "without a bundle, estimate and prior are one"

# without gnuplot: before anything else is looked at
refused 1 'gnuplot.*apt-get install gnuplot-nox' "no gnuplot: says what to install" \
	env PATH=/nowhere "$vmwatts" evaluate --bundle none.vmw --trust none.pub --dataset none.db --report no.html
[ ! -e no.html ]
ok $? "and leaves no page"
mkdir bin
printf '#!/bin/sh\n[ "$1" = --version ] || { echo "no such terminal" >&2; exit 3; }\n' >bin/gnuplot
chmod +x bin/gnuplot
refused 1 'gnuplot failed: no such terminal' "a gnuplot that fails is quoted" \
	env PATH="$work/bin:/usr/bin:/bin" "$vmwatts" evaluate --dataset d.db --report no.html
printf '#!/bin/sh\necho hello\n' >bin/gnuplot
refused 1 'no SVG' "a gnuplot that draws nothing is noticed" \
	env PATH="$work/bin:/usr/bin:/bin" "$vmwatts" evaluate --dataset d.db --report no.html
[ ! -e no.html ]
ok $? "and no page is written"

if ! command -v gnuplot >/dev/null; then
	skip "the page" "gnuplot is not installed"
	done_testing
	exit
fi
refused 1 'nowhere/r.html' "a page that cannot be written" evaluate d.db --report nowhere/r.html
evaluate d.db --json --report r.html >with.json 2>said
is $? 0 "writes a page"
cmp -s r.json with.json
ok $? "beside the same JSON"
like "$(cat said)" '^r.html: [0-9]+ bytes$' "says what it wrote"
[ "$(stat -c %s r.html)" -lt 2000000 ]
ok $? "under 2 MB"
cp r.html first.html
evaluate d.db --report r.html >/dev/null 2>&1
cmp -s r.html first.html
ok $? "the same figures give the same page"

cat >check.py <<'PY'
"""Facts about a page, one a line: what is unbalanced, what would be loaded, how many plots."""
import html.parser
import re
import sys

VOID = {"meta", "br", "hr", "img", "input", "link"}
page = open(sys.argv[1], encoding="utf-8").read()


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.count, self.ids, self.links = [], [], {}, [], []
        self.title = ""

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if attrs.get("href", "").startswith("#"):
            self.links.append(attrs["href"][1:])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "title" and not self.title:
            self.title = data


p = Page()
p.feed(page)
p.close()
print("unbalanced", len(p.wrong) + len(p.open))
print("title", p.title)
print("loads", len(re.findall(r"https?:|\bsrc=|<link|<script|@import|url\(|javascript:|\bon\w+=", page)))
print("figures", p.count.get("figure", 0), "plots", p.count.get("svg", 0) - 1)
print("ids", "unique" if len(set(p.ids)) == len(p.ids) else "repeated")
print("links", "found" if set(p.links) <= set(p.ids) else "lost")
print("sections", page.count("<section>"))
print("runs", sum(page.count(f"<td>{name}</td>") > 0 for name in sys.argv[2:]))
PY
names=$(cd "$top"/data/metalci && ls 2024091[3-5]*.csv | sed 's/\.csv$//')
python3 check.py r.html $names >facts
fact() { sed -n "s/^$1 //p" facts; }
is "$(fact unbalanced)" 0 "every tag is closed"
is "$(fact title)" "How good is vmwatts 1.0.0?" "the title names the bundle"
is "$(fact loads)" 0 "nothing is loaded and nothing runs"
is "$(fact figures)" "30 plots 30" "ten plots for each of three zones, each an SVG"
is "$(fact ids)" unique "ids are unique"
is "$(fact links)" found "links lead somewhere"
is "$(fact sections)" 3 "a section for each zone"
is "$(fact runs)" 6 "every run is in a table"
for words in 'Noise floor' 'Kepler in the guest' 'Data card' 'Model card' 'vm_active' 'cpu_utilization' 'exactly as many rows' 'prefers-color-scheme' 'name="viewport"'; do
	grep -q "$words" r.html
	ok $? "it has: $words"
done

# names that would like to be markup, rows in no order, no utilization, a single run
awk 'BEGIN {print "time_s,cycles_rate,dram_watts"; for (i = 1; i < 90; i++) printf "%d,%d,%.2f\n", i, i * i % 17 * 1e8, 3 + i * i % 17}' >x.csv
"$vmwatts" dataset import --joined x.csv --run '<script>alert(1)</script>&' --out odd.db >/dev/null 2>&1 &&
	"$vmwatts" train --sign-key k.key --dataset odd.db --family physics --out odd.vmw >/dev/null 2>&1
"$vmwatts" evaluate --bundle odd.vmw --trust k.pub --dataset odd.db --report odd.html >/dev/null 2>said
is $? 0 "a page of one run without utilization"
python3 check.py odd.html >facts
is "$(fact unbalanced) $(fact loads)" "0 0" "a run's name is text, not markup"
"$vmwatts" dataset import --joined x.csv --unordered --out flat.db >/dev/null 2>&1
"$vmwatts" evaluate --bundle odd.vmw --trust k.pub --dataset flat.db --report flat.html >/dev/null 2>&1 &&
	grep -q 'No time series' flat.html
ok $? "rows in no order have no time series"
# a zone that draws nothing; a clock that stands; trees alone
awk 'BEGIN {print "time_s,cpu_utilization,package_watts,uncore_watts"
	for (i = 0; i < 90; i++) printf "5,%.2f,%.2f,0\n", i % 17 / 17, 3 + i % 17 + i % 5 / 10}' >z.csv
"$vmwatts" dataset import --joined z.csv --out still.db >/dev/null 2>&1
"$vmwatts" train --sign-key k.key --dataset still.db --family gbdt --scope node_total --out still.vmw >/dev/null 2>&1
"$vmwatts" evaluate --bundle still.vmw --trust k.pub --dataset still.db --report still.html >/dev/null 2>said
is "$? $(grep -c . said)" "0 1" "a page of rows without a step, and of a zone at 0 W"
is "$(grep -cE '>(inf|nan|-nan)\b' still.html)" 0 "has no figure that is none"
grep -q '<td class="t">package</td><td>gbdt</td>\|<td>package</td><td>gbdt</td>' still.html
ok $? "names boosted trees as train and inspect do"
"$vmwatts" evaluate --dataset d.db --report prior.html >/dev/null 2>&1 && grep -q 'built-in prior answered every row' prior.html
ok $? "a page about the prior"
done_testing
