#!/usr/bin/env python3
"""dashboard.py URL DASHBOARD.json RULES.yaml: ask a Prometheus all that they ask; TAP on stdout.

URL is the Prometheus' own, with the agent scraped under job vmwatts. Every query must be answered with data.
"""
import json
import re
import sys
import urllib.parse
import urllib.request

url, dashboard, rules = sys.argv[1:]
# Kepler's own dashboard, by the facts of its source.
KEPLER = [f'sum by(zone)(kepler_node_cpu_{kind}watts{{job="vmwatts", zone=~"package|core|dram|uncore"}})'
          for kind in ('', 'active_', 'idle_')] + ['kepler_node_cpu_info{job="vmwatts"}']
n = 0


def ask(path, **what):
    with urllib.request.urlopen(f'{url}{path}?{urllib.parse.urlencode(what)}') as r:
        return json.load(r)['data']


def tap(good, text):
    global n
    n += 1
    print(f"{'ok' if good else 'not ok'} {n} - {text}")


def filled(expr):
    for name, value in {'$__rate_interval': '10s', '$__range': '10s', '$job': 'vmwatts', '$instance': '.*', '$zone': '.*'}.items():
        expr = expr.replace(name, value)
    return expr


def answered(title, expr):
    try:
        result = ask('/api/v1/query', query=filled(expr))['result']
        tap(result and not any(r['value'][1] == 'NaN' for r in result), f'{title}: {len(result)} series')
    except OSError as error:
        tap(False, f'{title}: {error}: {filled(expr)}')


with open(dashboard) as f:
    board = json.load(f)
for panel in board['panels']:
    for t in panel.get('targets', []):
        answered(panel['title'], t['expr'])
for v in board['templating']['list']:
    inner = re.fullmatch(r'label_values\((.*), (\w+)\)', v['query'])
    if inner:
        found = ask(f'/api/v1/label/{inner.group(2)}/values', **{'match[]': filled(inner.group(1))})
        tap(bool(found), f"variable {v['name']}: {', '.join(found)}")
at = [(p['gridPos']['x'], p['gridPos']['y']) for p in board['panels']]
tap(len(set(at)) == len(at) and all(p['gridPos']['x'] + p['gridPos']['w'] <= 24 for p in board['panels']), 'no panel on another')
for expr in KEPLER:
    answered("Kepler's dashboard", expr)
with open(rules) as f:
    for name in re.findall(r'record: "?([\w:]+)', f.read()):
        answered('rule', name)
print(f'1..{n}')
