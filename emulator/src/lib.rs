//! A BigQuery REST v2 server over an embedded DuckDB, for tests and for trying loads without an account.
//!
//! `SEMANTICS.md` lists its rules, each with its certainty and a test. The emulator refuses unknown requests with 501 and
//! the reason `notImplemented`, and unknown SQL with 400 and `invalidQuery`. Where BigQuery's behaviour is uncertain, the
//! emulator is strict.

mod api;
mod catalog;
mod connection;
mod copy;
mod emulator;
mod error;
mod faults;
mod grammar;
mod jobs;
mod limits;
mod load;
mod lock;
mod options;
mod rest;
mod server;
mod sql;
mod types;
mod warehouse;

pub use emulator::Emulator;
pub use faults::{Fault, FaultKind, JobFault, When};
pub use options::Options;
pub use server::LoggedRequest;
