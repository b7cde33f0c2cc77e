//! A table as it is: its columns, and its rows of each month.

use std::collections::BTreeMap;

use duckdb::Connection;
use finops_core::{BillingPeriod, formats::kinds, schema::Column};
use jiff::civil::Date;

use super::{
    catalog::{OURS, OURS_STAGED, columns, comment, path, rows},
    failure::failed,
    types::{column_type, sql_type},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Found, FoundColumn, TableName, WrittenBy, sql::Dialect::DuckDb as DIALECT},
};

/// See [`crate::warehouse::Warehouse::inspect`].
pub fn inspect(connection: &Connection, name: &TableName) -> Result<Option<Found>> {
    let Some(comment) = comment(connection, name)? else { return Ok(None) };
    let written_by = match comment.as_str() {
        OURS => WrittenBy::Job,
        OURS_STAGED => WrittenBy::StagedPipeline,
        _ => WrittenBy::Others,
    };
    let columns = columns(connection, name)?.into_iter().map(|(name, found_type, nullable)| {
        let column = Column { name, column_type: column_type(&found_type) };
        FoundColumn { column, sql_type: found_type, required: !nullable }
    });
    let mut found = Found {
        written_by,
        columns: columns.collect(),
        partitioning: None,
        rows: BTreeMap::new(),
        type_name: sql_type,
        created: None,
    };
    let kind = kinds::of_table(|column| found.has(column)).filter(|_| written_by != WrittenBy::Others);
    if let Some(partition) = kind.map(|kind| kinds::columns(kind).key.partition) {
        found.rows = rows_by_month(connection, &path(connection, name, &name.table)?, partition)?;
    }
    Ok(Some(found))
}

fn rows_by_month(connection: &Connection, table: &str, partition: &str) -> Result<BTreeMap<BillingPeriod, u64>> {
    let partition = DIALECT.quote(partition);
    // Rows of other years, or of `infinity`, are not from a delivery. Somebody may have changed the column's type.
    let sql = format!(
        "SELECT CAST(CAST(date_trunc('month', {partition}) AS DATE) AS VARCHAR), count(*) FROM \
         (SELECT TRY_CAST({partition} AS TIMESTAMP) AS {partition} FROM {table}) \
         WHERE {partition} >= TIMESTAMP '0001-01-01' AND {partition} < TIMESTAMP '9999-12-01' GROUP BY 1"
    );
    rows(connection, &sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(failed(format!("cannot count the rows of {table}")))?
        .into_iter()
        .map(|(day, count): (String, u64)| {
            let day: Date = day.parse().map_err(|error| {
                Error::new(ErrorKind::Warehouse, format!("{table} has the unreadable month `{day}`")).cause(error)
            })?;
            Ok((BillingPeriod::containing(day), count))
        })
        .collect()
}
