//! What to do about each failure: all hints that finops shows, in one place. `docs/troubleshooting.md` is made of them.

mod bigquery;
mod check;
mod declare;
mod delivery;
mod duckdb;
mod run;
mod settings;
mod source;
mod table;

pub use self::{
    bigquery::*, check::*, declare::Hint, delivery::*, duckdb::*, run::*, settings::*, source::*, table::*,
};

/// All hints, each area's by itself.
pub const ALL: [&[Hint]; 8] =
    [settings::ALL, source::ALL, delivery::ALL, table::ALL, bigquery::ALL, duckdb::ALL, run::ALL, check::ALL];

/// Two hints about one failure.
pub fn both(one: &str, other: &str) -> String {
    format!("{one}; {other}")
}
