//! Query jobs: GoogleSQL, parsed and compiled to DuckDB with a type for every expression. What the
//! compiler does not know is an `invalidQuery`.

mod config;
mod ddl;
mod dml;
mod expr;
mod functions;
mod names;
mod run;
mod scope;
mod select;
mod typed;
pub mod wire;

pub use config::QueryConfig;
pub use run::{location, run};
