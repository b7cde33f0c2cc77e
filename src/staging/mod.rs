//! What the staged pipeline adds to the job: it fetches deliveries to this machine, and writes a table's months as Parquet.

#[cfg(feature = "duckdb")]
mod chain;
mod extract;
mod files;
mod folder;
mod lock;
#[cfg(feature = "duckdb")]
mod overview;
#[cfg(feature = "duckdb")]
mod parquet;

#[cfg(feature = "duckdb")]
pub use chain::{Content, MonthOverview, StepActions};
pub use extract::{Transfer, extract};
#[cfg(feature = "duckdb")]
pub use lock::to_read as lock_to_read;
#[cfg(feature = "duckdb")]
pub use overview::{Overview, Places, overview};
#[cfg(feature = "duckdb")]
pub use parquet::{Writing, export_parquet};
