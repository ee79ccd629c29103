# The one command. `make demo` and `make test` work on a fresh Debian 12 or Ubuntu 24.04.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
BUILD ?= build

.PHONY: all install build build-tests demo test chaos ledger-sim dispatcher-sim model unit check lint-proto format-check tidy sanitize fuzz clients fmt bench clean

all: build

install:
	@tools/install_dependencies.sh

# Every program, into build/bin.
build: install
	@cmake --preset release >/dev/null
	@nice ninja -C $(BUILD) -j $(JOBS) $(if $(QUIET),--quiet) programs

build-tests: build
	@nice ninja -C $(BUILD) -j $(JOBS) $(if $(QUIET),--quiet) all

# Builds, then drives the sample repository from a written spec to merged code: no key, no network.
demo: build
	@$(BUILD)/bin/slipway demo

# Every test: unit, contract, structure, integration, end to end.
test: build-tests
	@tools/run_tests.sh $(BUILD) $(JOBS)

# The demo with one process killed at a random moment, 50 times; `make test` has fewer rounds.
chaos: build
	@CHAOS_ROUNDS=$${CHAOS_ROUNDS:-50} python3 tests/chaos/chaos_test.py $(BUILD)/bin

# Random histories of the ledger on a failing disk, each against a model. A history that fails prints
# its seed: build/bin/slipway-ledger-sim --seed N --verbose replays it.
ledger-sim: build
	@$(BUILD)/bin/slipway-ledger-sim --seeds $${SEEDS:-100000} --seed $${SEED:-1} --threads $(JOBS)

# The same for the dispatcher, its agents and its people: build/bin/slipway-dispatcher-sim.
dispatcher-sim: build
	@$(BUILD)/bin/slipway-dispatcher-sim --seeds $${SEEDS:-10000} --seed $${SEED:-1} --threads $(JOBS)

# Every state of the protocol's models, and each part of it left out: tests/model/README.md.
model: install
	@python3 tests/model/check_models.py

# What must hold besides the tests: format, contracts, layers, headers.
check: build format-check lint-proto
	@nice ninja -C $(BUILD) -j $(JOBS) --quiet all_verify_interface_header_sets
	@python3 tests/structure/structure_test.py
	@python3 tests/contract/contract_test.py

lint-proto:
	@tools/lint_proto.sh

format-check:
	@git ls-files '*.cc' '*.h' | xargs clang-format --dry-run --Werror

fmt:
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

# clang-tidy over what differs from the last commit, or over FILES="lib/a.cc lib/b.cc".
tidy: install
	@cmake -S . -B build-tidy -G Ninja -DSLIPWAY_TOGETHER=OFF >/dev/null
	@nice ninja -C build-tidy -j $(JOBS) --quiet slipway_proto slipway_google_rpc
	@tools/run_tidy.sh build-tidy $(JOBS) $(FILES)

# Unit tests of the libraries and services under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize: install
	@cmake --preset asan >/dev/null
	@nice ninja -C build-asan -j $(JOBS) --quiet
	@tools/run_tests.sh build-asan $(JOBS) --label-exclude 'e2e|chaos|model'

# The official SDKs of the providers, and claude, codex, opencode and aider, against the models proxy:
# client, version, case, result. Installs some gigabyte of clients into a directory for temporary files.
clients: build
	@tests/clients/run.sh $(BUILD)/bin sdks
	@tests/clients/run.sh $(BUILD)/bin programs

# Every fuzz target, or those of FUZZ_TARGETS="ledger_prices patch", for FUZZ_SECONDS each.
fuzz: install
	@tools/run_fuzz.sh build-fuzz $(JOBS) $${FUZZ_SECONDS:-60} $(FUZZ_TARGETS)

# The ledger and the dispatcher beside their peers, lib/patch against git, and the start and idle
# memory of the suite; see docs/performance.md.
bench: build
	@tools/install_bench_peers.sh
	@$(BUILD)/bin/slipway-bench ledger
	@$(BUILD)/bin/slipway-bench dispatch
	@cmake --preset bench >/dev/null
	@nice ninja -C build-bench -j $(JOBS) --quiet benchmarks
	@set -e; for program in build-bench/bin/bench_*; do $$program; done
	@python3 tools/bench/bench_start.py $(BUILD)/bin

clean:
	@rm -rf build build-asan build-tsan build-dev build-bench build-tidy build-fuzz
