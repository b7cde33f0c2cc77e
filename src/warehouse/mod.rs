//! Where billing data goes. Two implementations, one conformance suite (`tests/suite/warehouse/conformance.rs`).
//!
//! Each load follows one sequence, and the types enforce the order: [`Warehouse::loaded`], then [`Warehouse::inspect`] beside
//! the listing of the store, [`Warehouse::prepare`], and for each month [`Warehouse::stage`], the checks of
//! [`crate::flow::check`], and [`Warehouse::swap`].

pub mod bigquery;
mod cast_failure;
mod compression;
mod contract;
mod costs;
#[cfg(feature = "duckdb")]
pub mod duckdb;
mod figures;
mod month;
pub mod open;
mod sign;
pub mod sql;
mod state_columns;
mod table;
#[cfg(test)]
pub(crate) mod test;

pub use compression::Compression;
pub use contract::{Committed, Limits, Stage, Swap, Warehouse};
pub use figures::Figures;
pub use month::{Batch, LoadColumn, MonthLoad, NewRecord, NoValue};
pub use table::{Found, FoundColumn, Loaded, TableName, Target, WrittenBy, loaded_months};
pub(crate) use table::{unmanaged_table, written_by_other_pipeline};
