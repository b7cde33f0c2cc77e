//! All hints: what to do about each failure. `docs/troubleshooting.md` is generated from them.

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

/// The hints of each area.
pub const ALL: [&[Hint]; 8] =
    [settings::ALL, source::ALL, delivery::ALL, table::ALL, bigquery::ALL, duckdb::ALL, run::ALL, check::ALL];

/// Two hints about one failure.
pub fn both(one: &str, other: &str) -> String {
    format!("{one}; {other}")
}
