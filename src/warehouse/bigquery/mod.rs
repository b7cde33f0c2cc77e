//! BigQuery as a warehouse. A month's files are loaded into a staging table by BigQuery itself, straight from `gs://` or with
//! a local file sent along (`month/stage.rs`), and a numbered job makes the staged partition the month (`month/`).
//!
//! What is relied on is in emulator/SEMANTICS.md, with how sure each rule is.

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
