# `make help` lists the targets. CARGO_TARGET_DIR and DUCKDB_LIB_DIR are honoured when set.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIB_DIR := $(or $(DUCKDB_LIB_DIR),.cache/duckdb)

.DEFAULT_GOAL := help
.PHONY: help lib servers demo test fuzz bin fmt lint bench image-test clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

lib: ## Get the DuckDB library into .cache/duckdb
	@$(if $(DUCKDB_LIB_DIR),:,scripts/duckdb-lib.sh)

servers: ## Get servers and clients for tests and the benchmark into .cache
	@scripts/test-servers.sh

demo: lib ## Run the job on exports of AWS and Azure, into data/finops.duckdb
	cargo build --locked --package finops --package billing-exports --bins --example bill-by-service
	@scripts/demo.sh "$(TARGET)/debug"

test: lib servers ## Run all tests, with cargo-nextest where it is installed
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --locked --workspace; \
	else \
		set -x; cargo test --locked --workspace; \
	fi

fuzz: ## Throw broken input at the parsers, ten minutes each
	scripts/fuzz.sh manifest
	scripts/fuzz.sh csv_header
	scripts/fuzz.sh parquet_footer

bin: lib ## Leave bin/finops and bin/bigquery-emulator, release builds with the DuckDB library beside them
	cargo build --locked --release --package finops --package bigquery-emulator --bins
	@mkdir -p bin
	install -m 755 "$(TARGET)/release/finops" "$(TARGET)/release/bigquery-emulator" bin/
	install -m 644 "$(LIB_DIR)"/libduckdb.* bin/

fmt: ## Format the code
	cargo fmt --all

lint: lib ## Check the format, and run clippy with warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

bench: servers lib ## Time a run that finds nothing to do, on local servers, loads into DuckDB, and the staged pipeline
	benches/noop.sh
	benches/load.sh
	benches/staged.sh 500000

image-test: lib servers ## Build the image and run the job in it, with buildah as root (FEATURES=duckdb: with DuckDB)
	cargo build --locked --package bigquery-emulator --bins
	@scripts/image-test.sh "$(TARGET)/debug"

clean: ## Remove what was built, fetched and made by the demo
	cargo clean
	rm -rf bin .cache
	@scripts/demo.sh --clean
