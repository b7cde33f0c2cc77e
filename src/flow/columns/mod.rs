//! The columns of the months to load, read from the first or last bytes of their files.

mod batch;
mod csv;
mod files_columns;
mod month;
mod parquet;

pub use self::batch::{BatchColumns, batches};
