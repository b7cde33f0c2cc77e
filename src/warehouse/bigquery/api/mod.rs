//! BigQuery's REST API: requests, jobs, and what each failure means.

pub(crate) mod client;
mod credentials;
pub(crate) mod errors;
pub(crate) mod model;
pub(crate) mod pace;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod run_job;
pub(crate) mod upload;
