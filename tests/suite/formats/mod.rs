//! Providers' formats: what is found, read and loaded from each.

pub mod azure_beside_aws;
pub mod azure_data;
pub mod azure_refusals;
pub mod azure_runs;
pub mod azure_scopes;
pub mod azure_versions;
pub mod cases;
pub mod cur;
pub mod data_exports;
pub mod example;
pub mod leave_out;
pub mod matrix;
pub mod parquet_files;
pub mod two_kinds;
