//! The rules of SEMANTICS.md, each by its id, over HTTP.

mod catalog;
mod faults;
mod harness;
mod jobs;
mod loads;
mod queries;
