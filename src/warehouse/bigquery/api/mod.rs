//! BigQuery's REST API: requests, jobs, and what each failure means.

pub mod client;
mod credentials;
pub mod failure;
pub mod job_error;
pub mod model;
pub mod pace;
pub mod query;
pub mod reasons;
pub mod rest;
pub mod run_job;
pub mod signs;
pub mod upload;
