# `make help` lists the targets. CARGO_TARGET_DIR and DUCKDB_LIB_DIR are used where set.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIB_DIR := $(or $(DUCKDB_LIB_DIR),.cache/duckdb)

.DEFAULT_GOAL := help
.PHONY: help lib servers demo test test-live torture fuzz mutants bin wheel dist fmt lint bench image-test clean \
	check-env setup-gcp setup-permissions build deploy update status setup-alerts destroy
# Targets of one pipeline, such as deploy-aws.
PIPELINES := $(shell sed -n 's/^  "pipelines": \[\(.*\)\],$$/\1/p' deploy/settings.json | tr -d '"' | tr , ' ')
.PHONY: $(foreach of,deploy run logs destroy,$(PIPELINES:%=$(of)-%))

# For the deployment. Only make's command line sets these two; the shell's environment does not, as the names are common.
IMAGE_TAG :=
YES :=
# The file of settings, such as .env.staging.
ENV_FILE ?= .env
export ENV_FILE IMAGE_TAG YES

help: ## Show this list
	@awk -F ':.*## ' -v pipelines='$(PIPELINES)' 'function show(target, about) { printf "  make %-17s %s\n", target, about } \
		/^##@ / { print "\n" substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { show($$1, $$2) } \
		/^\$$\(PIPELINES:.*## / { \
			split($$0, of, /[=-]/); count = split(pipelines, each, " "); \
			for (at = 1; at <= count; at++) { about = $$2; gsub(/%/, each[at], about); show(of[2] "-" each[at], about) } \
		}' Makefile

##@ On this machine

lib: ## Download the DuckDB library into .cache/duckdb
	@$(if $(DUCKDB_LIB_DIR),:,scripts/duckdb-lib.sh)

servers: ## Download servers and clients for tests and benchmarks into .cache
	@scripts/test-servers.sh

demo: lib ## Show finops on invented bills of AWS and Azure, in data/demo
	@echo "compiling finops: about 4 minutes on two cores the first time"
	@cargo build --locked --quiet --package finops --bin finops
	@"$(TARGET)/debug/finops" demo

test: lib servers ## Run all tests, with cargo-nextest where it is installed
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --locked --workspace; \
	else \
		set -x; cargo test --locked --workspace; \
	fi

test-live: ## Check finops's beliefs about BigQuery on the real services: PROJECT=... BUCKET=... [LOCATION=US] [KMS_KEY=...] [POLICY_TAG=...]
	@$(if $(and $(PROJECT),$(BUCKET)),:,{ echo "error: test-live needs PROJECT and BUCKET"; \
		echo "hint: make test-live PROJECT=my-project BUCKET=my-bucket [LOCATION=US]; CONTRIBUTING.md lists its requirements and costs"; \
		} >&2; exit 2)
	@$(MAKE) --no-print-directory lib
	FINOPS_LIVE_PROJECT='$(PROJECT)' FINOPS_LIVE_BUCKET='$(BUCKET)' FINOPS_LIVE_LOCATION='$(LOCATION)' \
		FINOPS_LIVE_KMS_KEY='$(KMS_KEY)' FINOPS_LIVE_POLICY_TAG='$(POLICY_TAG)' FINOPS_REQUIRE=live \
		cargo test --locked --package finops --test suite -- --exact live::the_real_services_do_as_finops_believes --nocapture

torture: lib servers ## Kill and hold runs at each of their requests: [ONLY=kill|hold|many] [SLICE=N] [SEED=N]
	cargo build --locked --workspace --bins
	python3 -B tests/torture/torture.py --bin "$(TARGET)/debug" \
		$(if $(ONLY),--only '$(ONLY)') $(if $(SLICE),--slice '$(SLICE)') $(if $(SEED),--seed '$(SEED)')

fuzz: ## Test the parsers with broken input, ten minutes each
	scripts/fuzz.sh manifest
	scripts/fuzz.sh csv_header
	scripts/fuzz.sh parquet_footer

# Names of the files below core/src that make mutants changes.
MUTANTS := plan/**/*.rs model/delivery.rs model/amount.rs formats/names.rs schema/changes.rs formats/azure/manifest.rs formats/azure/range.rs

mutants: ## List changes of core's code that no test of core finds, which takes hours, with cargo-mutants
	@cargo mutants --version >/dev/null 2>&1 || { echo "error: cargo-mutants is not installed" >&2; \
		echo "hint: cargo install --locked cargo-mutants" >&2; exit 1; }
	cargo mutants --package finops-core $(foreach file,$(MUTANTS),--file 'core/src/$(file)') --output "$(TARGET)"

bin: lib ## Build bin/finops and bin/bigquery-emulator, release builds with the DuckDB library beside them
	cargo build --locked --release --package finops --package bigquery-emulator --bins
	@mkdir -p bin
	install -m 755 "$(TARGET)/release/finops" "$(TARGET)/release/bigquery-emulator" bin/
	install -m 644 "$(LIB_DIR)"/libduckdb.* bin/

wheel: lib ## Build a Python wheel with the program and the DuckDB library into dist, and try it (PYTHON=python3)
	wheel=$$(scripts/wheel.sh release dist) && scripts/try-wheel.sh "$$wheel" $(or $(PYTHON),python3)

dist: ## Build what a release has for this platform into dist: archive, wheel, list of components, checksums
	rm -rf dist
	@$(MAKE) --no-print-directory wheel
	cargo build --locked --release --package finops --bin finops
	python3 scripts/archive.py "$(TARGET)/release/finops" "$(LIB_DIR)" dist
	scripts/checksums.sh dist

fmt: ## Format the code
	cargo fmt --all

lint: lib ## Check the format, and run clippy with warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

bench: servers lib ## Measure a run that has nothing to do, loads into DuckDB, and the staged pipeline
	benches/noop.sh
	benches/load.sh
	benches/staged.sh 500000

image-test: lib servers ## Build the image with buildah and run the job in it, as root (FEATURES=duckdb: with DuckDB)
	cargo build --locked --package bigquery-emulator --bins
	@scripts/image-test.sh "$(TARGET)/debug"

clean: ## Remove builds, downloads and the demo's data
	cargo clean
	rm -rf bin dist .cache data/demo

##@ In the cloud, with the settings of .env
check-env: ## Show all problems of .env; every command below checks it first
	@deploy/check-env.sh

setup-gcp: ## Enable the APIs, and create the image repository, the bucket for builds and the datasets
	@deploy/setup-gcp.sh

setup-permissions: ## Create the service accounts of job, scheduler and builder, and grant only the roles they need
	@deploy/setup-permissions.sh

build: ## Build this commit's image in Cloud Build, unless it exists or IMAGE is set
	@deploy/build.sh

deploy: ## Deploy the jobs of PIPELINE with their schedules; IMAGE_TAG=<older> deploys an older image
	@deploy/deploy.sh

$(PIPELINES:%=deploy-%): deploy-%: ## Deploy only the job of %
	@deploy/deploy.sh $*

update: ## Update the deployed jobs to this commit's image and .env; schedules are unchanged
	@deploy/update.sh

$(PIPELINES:%=run-%): run-%: ## Run the job of % now, and wait until it ends
	@deploy/run.sh $*

$(PIPELINES:%=logs-%): logs-%: ## Show the log of the last execution of the job of %
	@deploy/logs.sh $*

status: ## Show jobs, images, last executions and schedules
	@deploy/status.sh

setup-alerts: ## Send alerts to ALERT_EMAIL or ALERT_CHANNEL: a run failed, an export is stale, none succeeded for 36 hours
	@deploy/setup-alerts.sh

destroy: ## Remove everything that the commands above created, except data; asks first, unless YES=yes
	@deploy/destroy.sh

$(PIPELINES:%=destroy-%): destroy-%: ## Remove the job of %, its schedule, its alerts and rights that only it needs; asks first
	@deploy/destroy.sh $*
