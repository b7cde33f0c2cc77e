//! The configured warehouse, and how it is opened. A new warehouse gets a variant and its arms here.

use std::path::PathBuf;

#[cfg(feature = "duckdb")]
use super::duckdb::DuckDb;
use super::{
    TableName, Warehouse,
    bigquery::{self, BigQuery},
};
#[cfg(not(feature = "duckdb"))]
use crate::error::Error;
use crate::error::Result;

/// The warehouse and what it needs.
#[derive(Clone, Debug)]
pub enum WarehouseConfig {
    /// BigQuery.
    BigQuery(bigquery::Options),
    /// A DuckDB database file.
    DuckDb(PathBuf),
}

/// What a warehouse is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is created or changed.
    Read,
    /// Months are loaded.
    Load,
}

/// What to do with a warehouse, whichever is configured.
#[allow(async_fn_in_trait, reason = "only used with known implementations, on one task")]
pub trait Task {
    /// The result.
    type Output;

    /// Does it.
    async fn with<W: Warehouse>(self, warehouse: &W) -> Self::Output;
}

impl WarehouseConfig {
    /// Opens the warehouse and does the task with it.
    ///
    /// # Errors
    /// Why the warehouse cannot be opened.
    pub async fn open<T: Task>(&self, access: Access, task: T) -> Result<T::Output> {
        match self {
            Self::BigQuery(options) => Ok(task.with(&BigQuery::connect(options.clone())?).await),
            #[cfg(feature = "duckdb")]
            Self::DuckDb(path) => {
                let opened = if access == Access::Read { DuckDb::open_to_read(path)? } else { DuckDb::open(path)? };
                Ok(task.with(&opened).await)
            }
            #[cfg(not(feature = "duckdb"))]
            Self::DuckDb(_) => {
                let _ = access;
                Err(Error::not_built_in("DuckDB"))
            }
        }
    }

    /// The table's full name, as [`Warehouse::table_name`] gives it once the warehouse is open.
    pub fn table_name(&self, TableName { dataset, table }: &TableName) -> String {
        match self {
            Self::BigQuery(options) => format!("{}.{dataset}.{table}", options.project),
            Self::DuckDb(_) => format!("{dataset}.{table}"),
        }
    }
}
