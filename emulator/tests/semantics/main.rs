//! Tests of the rules of SEMANTICS.md over HTTP. The name of each test begins with the id of its rule.
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
