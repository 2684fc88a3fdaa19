# Thin words over Meson and prove. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
BUILD ?= build
CC ?= gcc
export CMOCKA_MESSAGE_OUTPUT := TAP

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps
	@CC=$(CC) meson setup $(BUILD) >/dev/null

run: all
	@tools/run

test: all
	@tools/test

lint: all
	@tools/lint

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-*

.PHONY: all run test lint fmt clean
