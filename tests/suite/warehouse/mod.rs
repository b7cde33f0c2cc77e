//! Both warehouses: one conformance suite, and rules for one of them only.

pub mod conformance;
pub mod discovery;
pub mod duckdb;
pub mod duckdb_state;
pub mod failed_loads;
pub mod failure_classes;
pub mod job_project;
pub mod numbered_jobs;
pub mod refusals;
pub mod retyping;
pub mod staging;
pub mod staging_failures;
pub mod staging_runs;
pub mod staging_tables;
pub mod swap;
pub mod swap_found;
pub mod upload;
pub mod upload_faults;
pub mod witness_bq;
pub mod witness_gcloud;
pub mod witness_python;
pub mod worlds;
