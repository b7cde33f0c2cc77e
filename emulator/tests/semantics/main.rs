//! The rules of SEMANTICS.md, each by its id, over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is its report")]

mod annotations;
mod catalog;
mod copies;
mod destinations;
mod dry_runs;
mod faults;
mod harness;
mod jobs;
mod limits;
mod loads;
mod parquet;
mod queries;
mod staging;
mod statements;
mod uploads;
