# `make help` lists the targets. CARGO_TARGET_DIR and DUCKDB_LIB_DIR are honoured when set.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIB_DIR := $(or $(DUCKDB_LIB_DIR),.cache/duckdb)

.DEFAULT_GOAL := help
.PHONY: help lib servers demo test test-live torture fuzz bin fmt lint bench image-test clean \
	check-env setup-gcp setup-permissions build deploy deploy-aws deploy-azure update run-aws run-azure \
	logs-aws logs-azure status setup-alerts destroy

# For the deployment. What the shell's environment holds under such common names does not count: make's command line does.
IMAGE_TAG :=
YES :=
# The settings, such as .env.staging.
ENV_FILE ?= .env
export ENV_FILE IMAGE_TAG YES

help: ## Show this list
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

##@ On this machine

lib: ## Get the DuckDB library into .cache/duckdb
	@$(if $(DUCKDB_LIB_DIR),:,scripts/duckdb-lib.sh)

servers: ## Get servers and clients for tests and the benchmark into .cache
	@scripts/test-servers.sh

demo: lib ## Run the job on exports of AWS and Azure, into data/demo
	cargo build --locked --package finops --package billing-exports --bins --example bill-by-service
	@scripts/demo.sh "$(TARGET)/debug"

test: lib servers ## Run all tests, with cargo-nextest where it is installed
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --locked --workspace; \
	else \
		set -x; cargo test --locked --workspace; \
	fi

test-live: ## Ask the real services what finops believes of them: PROJECT=... BUCKET=... [LOCATION=US] [KMS_KEY=...] [POLICY_TAG=...]
	@$(if $(and $(PROJECT),$(BUCKET)),:,{ echo "error: test-live needs PROJECT and BUCKET"; \
		echo "hint: make test-live PROJECT=my-project BUCKET=my-bucket [LOCATION=US]; CONTRIBUTING.md says what it needs and costs"; \
		} >&2; exit 2)
	@$(MAKE) --no-print-directory lib
	FINOPS_LIVE_PROJECT='$(PROJECT)' FINOPS_LIVE_BUCKET='$(BUCKET)' FINOPS_LIVE_LOCATION='$(LOCATION)' \
		FINOPS_LIVE_KMS_KEY='$(KMS_KEY)' FINOPS_LIVE_POLICY_TAG='$(POLICY_TAG)' FINOPS_REQUIRE=live \
		cargo test --locked --package finops --test suite -- --exact live::the_real_services_do_as_finops_believes --nocapture

torture: lib servers ## Kill and hold runs at each of their requests: [ONLY=kill|hold|many] [SLICE=N] [SEED=N]
	cargo build --locked --workspace --bins
	python3 -B tests/torture/torture.py --bin "$(TARGET)/debug" \
		$(if $(ONLY),--only '$(ONLY)') $(if $(SLICE),--slice '$(SLICE)') $(if $(SEED),--seed '$(SEED)')

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

##@ In the cloud, as .env says
check-env: ## Say what is wrong with .env, all of it at once; every command below does so first
	@deploy/check-env.sh

setup-gcp: ## Enable the APIs, and create the image repository, the bucket for builds and the datasets
	@deploy/setup-gcp.sh

setup-permissions: ## Create the service accounts of job, scheduler and builder, and give them the little they need
	@deploy/setup-permissions.sh

build: ## Have Cloud Build build this commit's image, unless it is there
	@deploy/build.sh

deploy: ## Deploy the jobs that PIPELINE names, with their schedules; IMAGE_TAG=<older> goes back
	@deploy/deploy.sh

deploy-aws: ## Deploy the job finops-aws alone
	@deploy/deploy.sh aws

deploy-azure: ## Deploy the job finops-azure alone
	@deploy/deploy.sh azure

update: ## Have the deployed jobs take this commit's image and .env, and leave their schedules
	@deploy/update.sh

run-aws: ## Run the job finops-aws now, and wait for its end
	@deploy/run.sh aws

run-azure: ## Run the job finops-azure now, and wait for its end
	@deploy/run.sh azure

logs-aws: ## Show the log of the last execution of finops-aws
	@deploy/logs.sh aws

logs-azure: ## Show the log of the last execution of finops-azure
	@deploy/logs.sh azure

status: ## Show jobs, images, last executions and schedules
	@deploy/status.sh

setup-alerts: ## Have failures, and a day and a half without success, written to ALERT_EMAIL
	@deploy/setup-alerts.sh

destroy: ## Remove what the commands above made, but no data; asks first, unless YES=yes
	@deploy/destroy.sh
