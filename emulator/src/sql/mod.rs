//! Query jobs: parses GoogleSQL and compiles it to DuckDB, with a type for every expression. Unknown SQL is an
//! `invalidQuery`.

mod alter;
mod change;
mod config;
mod dry_run;
mod expr;
mod names;
mod parse;
mod run;
mod select;
mod typed;
pub mod wire;

pub use config::QueryConfig;
pub use dry_run::dry_run;
pub use run::{location, run};
