//! What the staged pipeline adds to the job: deliveries brought to this machine, and a table's months as Parquet.

#[cfg(feature = "duckdb")]
mod chain;
mod extract;
mod files;
mod lock;
#[cfg(feature = "duckdb")]
mod parquet;
mod staging;
#[cfg(feature = "duckdb")]
mod survey;

#[cfg(feature = "duckdb")]
pub use chain::{Content, MonthSurvey};
pub use extract::{Transfer, extract};
#[cfg(feature = "duckdb")]
pub use lock::to_read as lock_to_read;
#[cfg(feature = "duckdb")]
pub use parquet::{Writing, export_parquet};
#[cfg(feature = "duckdb")]
pub use survey::{Places, Survey, survey};
