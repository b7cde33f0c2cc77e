//! What tests share: servers, the program, deliveries, and views into tables.

pub mod azure_job;
pub mod bigquery;
pub mod delivery;
pub mod deployment;
pub mod dialects;
pub mod google_storage;
pub mod harness;
pub mod jobs;
pub mod program;
pub mod require;
pub mod schemas;
pub mod servers;
pub mod tables;
pub mod tree;
