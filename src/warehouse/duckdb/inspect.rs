//! What the database holds of a table.

use std::collections::BTreeMap;

use duckdb::{Connection, OptionalExt};
use finops_core::{BillingPeriod, formats::kinds, hint, model::load_record::STATE_TABLE, schema::Column};
use jiff::civil::Date;

use super::{DIALECT, OURS, OURS_STAGED, cast, failed, path, state};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Found, FoundColumn, Loaded, TableName, WrittenBy, unmanaged_table},
};

/// See [`crate::warehouse::Warehouse::loaded`].
pub fn loaded(connection: &Connection, name: &TableName) -> Result<Loaded> {
    let state = TableName { table: STATE_TABLE.to_owned(), ..name.clone() };
    match comment(connection, &state)? {
        None => Ok(Loaded::nothing()),
        Some(comment) if comment == OURS => {
            state::check(connection, &state)?;
            state::latest(connection, name).map(Loaded::new)
        }
        Some(_) => Err(unmanaged_table(&path(connection, name, STATE_TABLE)?).hint(hint::FOREIGN_STATE)),
    }
}

/// See [`crate::warehouse::Warehouse::inspect`].
pub fn inspect(connection: &Connection, name: &TableName) -> Result<Option<Found>> {
    let Some(comment) = comment(connection, name)? else { return Ok(None) };
    let written_by = match comment.as_str() {
        OURS => WrittenBy::Job,
        OURS_STAGED => WrittenBy::StagedPipeline,
        _ => WrittenBy::Others,
    };
    let columns = columns(connection, name)?.into_iter().map(|(name, sql_type, nullable)| {
        let column = Column { name, column_type: cast::column_type(&sql_type) };
        FoundColumn { column, sql_type, required: !nullable }
    });
    let mut found = Found {
        written_by,
        columns: columns.collect(),
        partitioning: None,
        rows: BTreeMap::new(),
        type_name: cast::sql_type,
        created: None,
    };
    let kind = kinds::of_table(|column| found.has(column)).filter(|_| written_by != WrittenBy::Others);
    if let Some(partition) = kind.map(|kind| kinds::columns(kind).key.partition) {
        found.rows = rows_by_month(connection, &path(connection, name, &name.table)?, partition)?;
    }
    Ok(Some(found))
}

/// The name as the catalog spells it: DuckDB's names do not differ by case alone. Where schema or table are not there, as it
/// is given.
pub fn spelling(connection: &Connection, name: &TableName) -> Result<TableName> {
    let sql = "SELECT coalesce((SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() AND \
               lower(schema_name) = lower($1)), $1), coalesce((SELECT table_name FROM duckdb_tables() WHERE \
               database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)), $2)";
    connection
        .query_row(sql, [&name.dataset, &name.table], |row| Ok(TableName { dataset: row.get(0)?, table: row.get(1)? }))
        .map_err(failed("cannot read the database's catalog"))
}

/// The comment on a table or view of that name, empty where it has none; `None` where there is none.
pub fn comment(connection: &Connection, name: &TableName) -> Result<Option<String>> {
    let sql = "SELECT coalesce(comment, '') FROM (SELECT schema_name, table_name AS name, comment FROM duckdb_tables() \
               WHERE database_name = current_database() UNION ALL SELECT schema_name, view_name, NULL FROM duckdb_views() \
               WHERE database_name = current_database()) WHERE lower(schema_name) = lower(?) AND lower(name) = lower(?)";
    connection
        .query_row(sql, [&name.dataset, &name.table], |row| row.get(0))
        .optional()
        .map_err(failed("cannot read the database's catalog"))
}

/// The table's columns in their order, with DuckDB's names of their types, and whether they take NULL.
pub fn columns(connection: &Connection, name: &TableName) -> Result<Vec<(String, String, bool)>> {
    let sql = "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = current_database() \
               AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?) ORDER BY column_index";
    let read = || -> duckdb::Result<Vec<_>> {
        let mut statement = connection.prepare(sql)?;
        statement.query_map([&name.dataset, &name.table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    read().map_err(failed("cannot read the table's columns"))
}

fn rows_by_month(connection: &Connection, table: &str, partition: &str) -> Result<BTreeMap<BillingPeriod, u64>> {
    let partition = DIALECT.quote(partition);
    // Rows of other years, or of `infinity`, are not of any delivery. The column may have another type by hand.
    let sql = format!(
        "SELECT CAST(CAST(date_trunc('month', {partition}) AS DATE) AS VARCHAR), count(*) FROM \
         (SELECT TRY_CAST({partition} AS TIMESTAMP) AS {partition} FROM {table}) \
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
                Error::new(ErrorKind::Warehouse, format!("{table} holds the month `{day}`")).cause(error)
            })?;
            Ok((BillingPeriod::containing(day), count))
        })
        .collect()
}
