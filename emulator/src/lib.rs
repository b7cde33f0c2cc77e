//! A BigQuery REST v2 server over an embedded DuckDB, for tests and for trying loads without an
//! account.
//!
//! It implements the semantics listed in `SEMANTICS.md`, each with its certainty and a test. What it
//! does not know it refuses with 501 and the reason `notImplemented`, or, in SQL, with 400 and
//! `invalidQuery`; where the real service is uncertain it is strict.

mod api;
mod catalog;
mod clock;
mod connection;
mod emulator;
mod error;
mod faults;
mod grammar;
mod holds;
mod jobs;
mod load;
mod requests;
mod schema_change;
mod server;
mod sql;
mod types;
mod warehouse;

pub use emulator::{Emulator, Options, StartError};
pub use faults::{Fault, FaultKind, JobFault, When};
pub use requests::LoggedRequest;
