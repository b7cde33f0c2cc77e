//! A BigQuery REST v2 server over an embedded DuckDB, for tests and for trying loads without an
//! account.
//!
//! It implements the semantics listed in `SEMANTICS.md`, each with its certainty and a test. What it
//! does not know it refuses with 501 and the reason `notImplemented`, or, in SQL, with 400 and
//! `invalidQuery`; where the real service is uncertain it is strict.

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
