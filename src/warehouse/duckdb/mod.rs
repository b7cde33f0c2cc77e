//! DuckDB: the embedded warehouse, one database file.

#[cfg(feature = "demo")]
mod bill;
mod cast;
mod catalog;
mod database;
mod export;
mod failure;
mod file;
mod footers;
mod inspect;
mod integrity;
mod number_text;
mod prepare;
mod refused;
mod scales;
mod source;
mod stage;
mod state;
mod transaction;
mod types;
mod value_text;
mod warehouse;

pub use database::DuckDb;
pub use warehouse::Staged;
