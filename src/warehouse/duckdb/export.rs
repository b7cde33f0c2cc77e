//! A month of a table as one Parquet file.

use std::path::Path;

use duckdb::Connection;
use finops_core::BillingPeriod;

use super::{catalog::path, failure::failed};
use crate::{
    error::Result,
    warehouse::{Compression, Target, sql::Dialect::DuckDb as DIALECT},
};

/// The uncompressed rows that a thread keeps before it writes them. DuckDB's default number of rows would be gigabytes for a
/// wide table.
const ROW_GROUP: &str = "32MB";

/// Writes the month's rows to the file `to`. Returns their number. Timestamps have no zone, like those of the table: with one,
/// DuckDB would show and group them by the reader's zone (decision 23).
pub fn export(
    connection: &Connection,
    target: &Target,
    period: BillingPeriod,
    to: &Path,
    compression: Compression,
) -> Result<u64> {
    let table = path(connection, &target.name, &target.name.table)?;
    let doing = || format!("cannot write {period} of {table} to {}", to.display());
    let compression = match compression {
        Compression::Snappy => "snappy",
        Compression::Zstd => "zstd",
    };
    let sql = format!(
        "COPY (SELECT * FROM {table} WHERE {}) TO {} \
         (FORMAT parquet, COMPRESSION {compression}, ROW_GROUP_SIZE_BYTES '{ROW_GROUP}')",
        DIALECT.in_period(&target.key_columns, period),
        DIALECT.literal(&to.display().to_string()),
    );
    // In order, a thread's rows would wait for earlier ones and need three times the memory (measured on 1.5.6). Loads keep the
    // order: without it they would take twice as long.
    connection.execute_batch("SET preserve_insertion_order = false").map_err(failed(doing()))?;
    let written = connection.execute(&sql, []).map(|rows| rows as u64).map_err(failed(doing()));
    connection.execute_batch("RESET preserve_insertion_order").map_err(failed(doing()))?;
    written
}
