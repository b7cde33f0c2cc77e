//! The program against real files, a real storage server and both warehouses.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is a test's report, and its name is its documentation"
)]

mod azure;
mod azure_beside_aws;
mod azure_data;
mod azure_requests;
mod azure_runs;
mod azure_versions;
mod bad_input;
mod bad_settings;
mod bigquery;
mod check;
mod cli;
mod concurrency;
mod config;
mod conformance;
mod data_exports;
mod delivery;
mod deploy;
mod deploy_failures;
mod deploy_lifecycle;
mod deploy_settings;
mod dialects;
mod discovery;
mod docs;
mod duckdb;
mod duckdb_state;
mod failed_loads;
mod failure_classes;
mod figures;
mod flow;
mod formats;
mod gcs;
mod google_storage;
mod harness;
mod histories;
mod hostile;
mod image;
mod in_flight;
mod interrupted;
mod jobs;
mod left_alone;
mod live;
mod local;
mod logs;
mod matrix;
mod numbered_jobs;
mod parquet_files;
mod paths;
mod program;
mod refusals;
mod refused_deliveries;
mod require;
mod retyping;
mod s3;
mod secrets;
mod servers;
mod several_exports;
mod silence;
mod staged;
mod staged_cli;
mod staged_failures;
mod staged_plans;
mod staged_s3;
mod staging;
mod staging_failures;
mod staging_folder;
mod staging_runs;
mod staging_tables;
mod storage;
mod store_requests;
mod swap;
mod swap_found;
mod tables;
mod torture;
mod tree;
mod upgrade;
mod upload;
mod upload_faults;
mod witness_bq;
mod witness_gcloud;
mod witness_python;
