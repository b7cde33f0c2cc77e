//! What the database holds of a target.

use std::collections::BTreeMap;

use duckdb::{Connection, OptionalExt};
use finops_core::{
    BillingPeriod,
    schema::{Column, ColumnType},
    state::{STATE_TABLE, Standing},
};
use jiff::civil::Date;

use super::{DIALECT, OURS, OURS_STAGED, cast, failed, path, state};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{Inventory, Target, another_way, not_ours},
};

/// See [`crate::warehouse::Warehouse::inspect`].
pub fn inspect(connection: &Connection, target: &Target) -> Result<Inventory> {
    let table = path(connection, target, &target.table)?;
    let ours = is_ours(connection, target, &target.table, ours(target))?;
    if ours == Some(false) {
        let other = self::ours(&Target { staged: !target.staged, ..target.clone() });
        let by_the_other_way = is_ours(connection, target, &target.table, other)? == Some(true);
        return Err(if by_the_other_way { another_way(&table, target) } else { not_ours(&table) });
    }
    let records = match is_ours(connection, target, STATE_TABLE, OURS)? {
        Some(true) => state::latest(connection, target)?,
        Some(false) => {
            return Err(not_ours(&path(connection, target, STATE_TABLE)?).hint("choose another dataset"));
        }
        None => Vec::new(),
    };
    if ours.is_none() {
        let standing = records.into_iter().map(|record| (record.billing_period, Standing { record, rows_in_table: 0 }));
        return Ok(Inventory { columns: None, standing: standing.collect() });
    }
    let columns = columns(connection, target)?;
    check_pillars(&columns, target, &table)?;
    let rows = rows_by_month(connection, target, &table)?;
    let standing = records.into_iter().map(|record| {
        let rows_in_table = rows.get(&record.billing_period).copied().unwrap_or(0);
        (record.billing_period, Standing { record, rows_in_table })
    });
    let columns =
        columns.into_iter().map(|(name, sql_type)| Column { name, column_type: cast::column_type(&sql_type) });
    Ok(Inventory { columns: Some(columns.collect()), standing: standing.collect() })
}

/// The comment on a table that finops created in this way.
pub fn ours(target: &Target) -> &'static str {
    if target.staged { OURS_STAGED } else { OURS }
}

/// Whether finops created the table, with that comment; `None` where there is no table or view of that name.
pub fn is_ours(connection: &Connection, target: &Target, table: &str, comment: &str) -> Result<Option<bool>> {
    // DuckDB's names do not differ by case alone.
    let sql = "SELECT coalesce(comment = ?, false) FROM (SELECT schema_name, table_name AS name, comment FROM duckdb_tables() \
               WHERE database_name = current_database() UNION ALL SELECT schema_name, view_name, NULL FROM duckdb_views() \
               WHERE database_name = current_database()) WHERE lower(schema_name) = lower(?) AND lower(name) = lower(?)";
    connection
        .query_row(sql, [comment, &target.dataset, table], |row| row.get(0))
        .optional()
        .map_err(failed("cannot read the database's catalog"))
}

/// The table's columns in their order, with DuckDB's names of their types.
pub fn columns(connection: &Connection, target: &Target) -> Result<Vec<(String, String)>> {
    let sql = "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() \
               AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?) ORDER BY column_index";
    let read = || -> duckdb::Result<Vec<(String, String)>> {
        let mut statement = connection.prepare(sql)?;
        statement.query_map([&target.dataset, &target.table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    read().map_err(failed("cannot read the table's columns"))
}

/// Refuses a table of ours that somebody took a column from that it stands on: added again, it would be empty.
fn check_pillars(columns: &[(String, String)], target: &Target, table: &str) -> Result<()> {
    let layout = &target.layout;
    let find = |name: &str| columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
    let types = [layout.time, layout.time, ColumnType::Decimal, ColumnType::String];
    for (name, column_type) in layout.pillars(|name| find(name).is_some()).into_iter().zip(types) {
        let expected = cast::sql_type(column_type);
        let found = find(name).map(|(_, found)| found);
        if found.is_none_or(|found| found != expected) {
            let found = found.map_or("no such column", String::as_str);
            let message = format!("the table {table} needs the column {name} of type {expected}, found {found}");
            return Err(Error::new(Kind::Schema, message)
                .hint("restore the column, or choose another table name: the first run loads all months there"));
        }
    }
    Ok(())
}

fn rows_by_month(connection: &Connection, target: &Target, table: &str) -> Result<BTreeMap<BillingPeriod, u64>> {
    let partition = DIALECT.quote(target.layout.partition);
    // Rows of other years, or of `infinity`, are not of any delivery.
    let sql = format!(
        "SELECT CAST(CAST(date_trunc('month', {partition}) AS DATE) AS VARCHAR), count(*) FROM {table} \
         WHERE {partition} >= TIMESTAMP '0001-01-01' AND {partition} < TIMESTAMP '9999-12-01' GROUP BY 1"
    );
    let read = || -> duckdb::Result<Vec<(String, u64)>> {
        let mut statement = connection.prepare(&sql)?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let rows = read().map_err(failed(format!("cannot count the rows of {table}")))?;
    rows.into_iter()
        .map(|(day, count)| {
            let day: Date = day.parse().map_err(|error| {
                Error::new(Kind::Warehouse, format!("{table} holds the month `{day}`")).cause(error)
            })?;
            Ok((BillingPeriod::containing(day), count))
        })
        .collect()
}
