//! BigQuery as a warehouse. BigQuery itself loads a month's files into a staging table, from `gs://` or from an uploaded local
//! file (`month/stage.rs`). A numbered job then replaces the month with the staged partition (`month/jobs.rs`).
//!
//! `api` knows neither `tables` nor `month`; `tables` knows `api`; `month` knows both. The rules of BigQuery that finops
//! relies on are in emulator/SEMANTICS.md, with how certain each one is.

mod api;
mod connection;
mod month;
mod tables;
#[cfg(test)]
mod test;
mod warehouse;

pub use api::upload::Uploaded;
pub use connection::{BigQuery, FORGOTTEN_AFTER, Options};
pub use tables::probe::{DatasetFacts, clock_ahead};
