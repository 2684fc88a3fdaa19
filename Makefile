# Thin words over Meson and prove. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
BUILD ?= build
CC ?= gcc
export BUILD
export CMOCKA_MESSAGE_OUTPUT := TAP

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps
	@CC=$(CC) meson setup $(BUILD) >/dev/null || { tail -20 $(BUILD)/meson-logs/meson-log.txt; rm -rf $(BUILD); exit 1; }

run: all ## start the agent on this machine
	@tools/run

demo: all ## train, sign, install and replay real recordings
	@tools/demo

test: all ## every test; the last line is "N passed, N failed"
	@tools/test

# A folder of recordings, one folder a set.
DATA ?= $(firstword $(wildcard ../shared/data) data)
accuracy: all ## how accurate training is on DATA, into docs/accuracy.md (many minutes)
	@tools/accuracy.py $(DATA) --write docs/accuracy.md

e2e: all ## the whole way with real QEMU guests and a simulated meter, and pinning there; figures judged (15 minutes)
	@tests/e2e/lab.t full
	@tests/e2e/pinning.t full

bench: all ## what a tick costs
	@$(BUILD)/bench/bench_tick

serve-load: all ## a model server under load: 10000 idle connections, 1000000 calls over 100 others (2 minutes)
	@tools/serve-load

serve-compare: all ## the native model server beside the Python bridge, the same model under the same load (2 minutes)
	@tools/serve-compare

lint: all ## format, layers, warnings of gcc and clang, cppcheck
	@tools/lint

san: ## units under ASan and UBSan
	@tools/test sanitized

valgrind: all ## units under valgrind
	@tools/test valgrind

fuzz: ## every fuzzer for FUZZ_SECONDS (default 5)
	@tools/test fuzzed

fleet: all ## a simulated fleet of 200 VMs x 24 h in a real Prometheus and VictoriaMetrics, read back (minutes)
	@FLEET_VMS=$${FLEET_VMS:-200} FLEET_HOURS=$${FLEET_HOURS:-24} tests/e2e/fleet.t

reloads: all ## 1000 reloads under 2000 scrapes a second (a minute)
	@RELOADS=$${RELOADS:-1000} SCRAPES=$${SCRAPES:-2000} tests/e2e/reload.t

mutations: all ## 100000 mutated bundles signed again, and as many signatures (minutes)
	@MUTATIONS=$${MUTATIONS:-100000} $(BUILD)/tests/unit/test_mutations

deb: ## Debian packages into build/deb, judged by lintian
	@tools/deps
	@tools/deb

image: ## a container image into build/image, without a container engine
	@tools/deps
	@tools/image

cover: ## line coverage of src/ by units and command-line tests, as a table (12 minutes)
	@tools/test cover

abi: all ## tests/abi/libvmwatts.abi from the library: what abidiff compares with
	@tools/abi $(BUILD)/lib/libvmwatts.so >tests/abi/libvmwatts.abi.new && mv tests/abi/libvmwatts.abi.new tests/abi/libvmwatts.abi

man: all ## docs/man from the help texts
	@tools/man

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-*

help:
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

.PHONY: abi accuracy all e2e man run demo test bench serve-load serve-compare lint san valgrind fuzz fleet reloads mutations cover fmt clean help deb image
