//! A month of a table as one Parquet file.

use std::path::Path;

use duckdb::Connection;
use finops_core::{BillingPeriod, schema::ColumnType};

use super::{DIALECT, cast, failed, inspect, path};
use crate::{cli::Compression, error::Result, warehouse::Target};

/// Writes the month's rows to the file `to`; gives their number.
pub fn export(
    connection: &Connection,
    target: &Target,
    period: BillingPeriod,
    to: &Path,
    compression: Compression,
) -> Result<u64> {
    let table = path(connection, target, &target.table)?;
    let doing = || format!("cannot write {period} of {table} to {}", to.display());
    let value = |(name, sql_type): &(String, String)| {
        let name = DIALECT.quote(name);
        match cast::column_type(sql_type) {
            // Without a zone, BigQuery would read it as a DATETIME.
            ColumnType::Timestamp => format!("{name} AT TIME ZONE 'UTC' AS {name}"),
            _ => name,
        }
    };
    let columns = inspect::columns(connection, target)?;
    let values: Vec<String> = columns.iter().map(value).collect();
    let compression = match compression {
        Compression::Snappy => "snappy",
        Compression::Zstd => "zstd",
    };
    let sql = format!(
        "COPY (SELECT {} FROM {table} WHERE {}) TO {} (FORMAT parquet, COMPRESSION {compression})",
        values.join(", "),
        DIALECT.in_period(&target.layout, period),
        DIALECT.literal(&to.display().to_string()),
    );
    connection.execute(&sql, []).map(|rows| rows as u64).map_err(failed(doing()))
}
