#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A simulated Kepler: a page of metrics on a free port of 127.0.0.1, which is written to PORT_FILE.

  kepler.py PORT_FILE MODE_FILE [--user NAME:PASSWORD] [--tls CERT KEY]

MODE_FILE is read for every request; words in it change the page:
  vms=NAME/UUID[/WATTS],...  the VMs (default web/u-1/20)
  process=PID/COMM,...       processes, with neither name nor uuid
  watts                      gauges only; both    gauges and counters
  gpu                        a zone that is none of ours
  sockets                    package as package-0 and package-1
  garbage, cut, big, slow, error, redirect   answers that are none
Counters begin at 0 when the process starts: a second one is a Kepler that was restarted.
"""
import base64
import http.server
import os
import ssl
import sys
import time

START = time.monotonic()
SHARES = {"package": 1.0, "core": 0.7, "dram": 0.2, "psys": 1.5}


def page(words):
    options = dict(w.split("=", 1) for w in words if "=" in w)
    elapsed = time.monotonic() - START
    lines = ["# HELP kepler_build_info A metric with a constant '1' value", "# TYPE kepler_build_info gauge",
             'kepler_build_info{arch="amd64",version="v0.11.4-simulated"} 1',
             'kepler_node_cpu_joules_total{node_name="sim",zone="package",path="/p"} 5']

    def figures(kind, labels, watts):
        for zone, share in (SHARES | {"gpu": 0.1} if "gpu" in words else SHARES).items():
            names = [f"{zone}-0", f"{zone}-1"] if zone == "package" and "sockets" in words else [zone]
            for name in names:
                power = watts * share / len(names)
                if "watts" not in words:
                    lines.append(f'kepler_{kind}_cpu_joules_total{{{labels},zone="{name}"}} {power * elapsed}')
                if "watts" in words or "both" in words:
                    lines.append(f'kepler_{kind}_cpu_watts{{{labels},zone="{name}"}} {power}')

    for vm in filter(None, options.get("vms", "web/u-1/20").split(",")):
        name, uuid, watts = (vm.split("/") + ["20"])[:3]
        figures("vm", f'hypervisor="kvm",node_name="sim",state="running",vm_id="{uuid}",vm_name="{name}"', float(watts))
    for process in filter(None, options.get("process", "").split(",")):
        pid, comm = process.split("/")
        figures("process", f'comm="{comm}",container_id="c1",exe="",node_name="sim",pid="{pid}",state="running",'
                           'type="container",vm_id=""', 10.0)
    return "\n".join(lines) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        words = open(sys.argv[2]).read().split()
        if USER and self.headers.get("Authorization") != "Basic " + base64.b64encode(USER.encode()).decode():
            return self.answer(401, b"who?\n", [("WWW-Authenticate", "Basic")])
        if "error" in words:
            return self.answer(500, b"no\n")
        if "redirect" in words:
            return self.answer(302, b"", [("Location", "http://127.0.0.1:1/")])
        if "garbage" in words:
            return self.answer(200, b"<html>hello</html>\n")
        if "cut" in words:
            return self.answer(200, page(words).encode()[:-3])
        if "slow" in words:
            time.sleep(3)
        if "big" in words:
            return self.answer(200, b"# a long comment\n" * (3 << 20))
        return self.answer(200, page(words).encode())


def option(name, n):
    at = sys.argv.index(name) if name in sys.argv else 0
    return sys.argv[at + 1:at + 1 + n] if at else None


USER = (option("--user", 1) or [None])[0]
server = http.server.ThreadingHTTPServer(("127.0.0.1", int((option("--port", 1) or ["0"])[0])), Handler)
if option("--tls", 2):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*option("--tls", 2))
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_port))

os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
