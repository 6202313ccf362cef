# What a person runs is what CI runs. `make` alone says what there is.

CARGO ?= cargo
# What `make demo`, `make test` and `make bench` (to its two programs) hand on, as in `make demo ARGS="--seconds 60 --keep"`.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo build check test test-transparency bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## see the split: a private primary with replicas, the same load without and with pointsman
	@scripts/install-deps.sh demo
	$(CARGO) run --release --locked --quiet -- demo $(ARGS)

build: ## the program, optimised: target/release/pointsman
	@scripts/install-deps.sh build
	$(CARGO) build --release --locked

check: ## format, lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

test: ## all tests, with real servers and clients
	@scripts/install-deps.sh test
	@if $(CARGO) nextest --version > /dev/null 2>&1; then \
	  $(CARGO) nextest run --locked $(ARGS); \
	else \
	  $(CARGO) test --locked $(ARGS); \
	fi

test-transparency: ## every listed and generated statement in every form of the protocol, directly and through the proxy
	@scripts/install-deps.sh test
	TRANSPARENCY=all $(CARGO) test --locked --test transparency -- --nocapture

test-clients: ## the drivers' own test suites, and docs/compatibility.md: some dozens of minutes
	@scripts/install-deps.sh test-clients
	$(CARGO) test --locked --test suites -- --ignored --nocapture --test-threads 1 $(ARGS)
	$(CARGO) test --locked --test compatibility -- --ignored --nocapture

bench: ## latency, throughput and CPU against direct connections and HAProxy; many clients over few connections
	@scripts/install-deps.sh bench
	$(CARGO) bench --locked --bench classify
	$(CARGO) bench --locked --bench load -- $(ARGS)
	$(CARGO) bench --locked --bench connections -- $(ARGS)

clean: ## remove what was built
	$(CARGO) clean
