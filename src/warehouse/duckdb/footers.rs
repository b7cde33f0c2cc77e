//! Decimals and timestamps of Parquet files that DuckDB would change.
//!
//! DuckDB has decimals of up to 38 digits. Where files have different scales of a column, it reads all of them with the most
//! digits before the point, and rounds the digits after the point that do not fit. It reads decimals of more than 38 digits as
//! DOUBLE, which changes the numbers. From timestamps in nanoseconds that are marked as UTC it drops the last three digits (all
//! seen on 1.5.6).

use duckdb::{Connection, OptionalExt};
use finops_core::{BillingPeriod, hint, model::text::excerpt};

use super::{failure::failed, source::files};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::Batch,
};

/// Checks the footers of the batch of Parquet files.
///
/// # Errors
/// `Data` naming a column that DuckDB would not read exactly.
pub fn check(connection: &Connection, period: BillingPeriod, batch: &Batch) -> Result<()> {
    check_timestamps(connection, period, batch)?;
    check_decimals(connection, period, batch)
}

fn check_decimals(connection: &Connection, period: BillingPeriod, batch: &Batch) -> Result<()> {
    let sql = format!(
        "SELECT name, string_agg(DISTINCT concat('DECIMAL(', precision, ',', scale, ')'), ' and ' \
         ORDER BY concat('DECIMAL(', precision, ',', scale, ')')) FROM parquet_schema({}) WHERE precision IS NOT NULL GROUP BY name \
         HAVING max(precision - scale) + max(scale) > 38 ORDER BY name LIMIT 1",
        files(batch)
    );
    let found: Option<(String, String)> = connection
        .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(failed(format!("cannot read the footers of the files of {period}")))?;
    let Some((name, types)) = found else { return Ok(()) };
    let what = format!("{types} in its files, and a column of DuckDB has at most 38 digits");
    Err(refused(period, batch, &name, &what, hint::CSV_OR_BIGQUERY))
}

fn check_timestamps(connection: &Connection, period: BillingPeriod, batch: &Batch) -> Result<()> {
    let sql = format!(
        "SELECT min(name) FROM parquet_schema({}) WHERE logical_type LIKE '%isAdjustedToUTC=1%NANOS=NanoSeconds%'",
        files(batch)
    );
    let found: Option<String> = connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(failed(format!("cannot read the footers of the files of {period}")))?;
    let Some(name) = found else { return Ok(()) };
    let what = "TIMESTAMP(NANOS) in UTC in its files, and DuckDB would drop its last digits";
    Err(refused(period, batch, &name, what, hint::MICROSECONDS))
}

fn refused(period: BillingPeriod, batch: &Batch, column: &str, what: &str, way_out: &str) -> Error {
    let (column, files) = (excerpt(column), batch.one_of_files());
    Error::new(ErrorKind::Data, format!("{period} cannot be loaded: column {column} is {what} (in {files})"))
        .hint(way_out)
}
