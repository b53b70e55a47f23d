# Everything a person does here. `make help` lists it; each line is one habit.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
ROUNDS ?= 50
SEEDS ?= 500
MINUTES ?= 10
BINARY := target/release/rettidig
PEERS := target/peers/node-red
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)

.PHONY: help demo run test check real e2e crash away sim metrics bench bench-peers fuzz web binary tools-build tools-test clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: binary ## a simulated municipality in this terminal; the page's address stands on the screen
	@$(BINARY) demo $(ARGS)

test: tools-test web ## every test: pure, real broker, crash, simulation, page
	$(CARGO) test --locked --features faults
	$(CARGO) test --locked --features faults,otel --test traces
	cd web && npm run --silent check && npm test --silent
	cd web && RETTIDIG_BINARY=../target/debug/rettidig npm run --silent e2e

check: tools-test web ## all of CI: format, lints, tests, licences, documentation, web
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features faults -- -D warnings
	$(CARGO) clippy --locked --lib --test traces --features faults,otel -- -D warnings
	$(MAKE) test
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	@if command -v cargo-deny >/dev/null; then cargo deny --offline check bans licenses sources; \
	else echo "cargo-deny is missing: cargo install cargo-deny --locked" >&2; exit 1; fi

real: ## larger runs over recorded data: make real DATA=folder
	@test -n "$(DATA)" || { echo "name the folder with recorded data: make real DATA=../shared/data" >&2; exit 2; }
	@test -d "$(DATA)" || { echo "no such folder: $(DATA)" >&2; exit 2; }
	RETTIDIG_DATA="$(abspath $(DATA))" $(CARGO) test --locked --features faults,real --test real -- --nocapture

e2e: tools-test web ## the page in a real browser against the real gateway
	$(CARGO) build --locked --features faults
	cd web && RETTIDIG_BINARY=../target/debug/rettidig npm run --silent e2e

crash: tools-test ## kill -9 at random moments under load: make crash ROUNDS=50
	RETTIDIG_CRASH_ROUNDS=$(ROUNDS) $(CARGO) test --locked --features faults --test crash -- --nocapture

away: tools-test ## PostgreSQL stopped, then paused, under load, with figures: make away MINUTES=10
	RETTIDIG_AWAY_MINUTES=$(MINUTES) $(CARGO) test --locked --release --test away -- --nocapture --test-threads=1

sim: ## seeded simulation with faults: make sim SEEDS=500, or SEED=42 for one
	RETTIDIG_SIM_SEEDS=$(SEEDS) RETTIDIG_SIM_SEED=$(SEED) $(CARGO) test --locked --test sim -- --nocapture

metrics: ## writes deploy/METRICS.md from the catalogue
	RETTIDIG_BLESS=1 $(CARGO) test --locked --features faults --test watching the_table_of_metrics

bench: tools-test web ## every figure beside its floor, into BENCHMARKS.md: make bench ONLY="endpoint restart"
	RETTIDIG_BENCHMARKS="$(CURDIR)/BENCHMARKS.md" RETTIDIG_BENCH_ONLY="$(ONLY)" \
	$(CARGO) bench --locked --bench gateway --bench engine --bench journal --bench projector --bench estimate --bench backtest

bench-peers: tools-test web $(PEERS)/node_modules ## Node-RED on the same broker in the same run, into BENCHMARKS.md
	$(MAKE) bench ONLY=peers

$(PEERS)/node_modules: benches/peers/package.json
	mkdir -p $(PEERS) && cp $< $(PEERS)/
	cd $(PEERS) && npm install --no-audit --no-fund --loglevel=error
	touch $@

fuzz: ## decoders against random bytes, longer than in the tests
	PROPTEST_CASES=200000 $(CARGO) test --locked --lib decode::

web: tools-build web/dist/index.html ## the consoles, built into web/dist

web/dist/index.html: $(WEB_SOURCES)
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build

binary: web
	$(CARGO) build --locked --release

tools-build:
	@tests/tools.sh build

tools-test:
	@tests/tools.sh test

clean: ## removes what was built
	$(CARGO) clean
	rm -rf web/dist web/node_modules
