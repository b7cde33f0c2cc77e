//! The state table in DuckDB.

use duckdb::{Connection, params_from_iter};
use finops_core::{
    hint,
    model::load_record::{LoadRecord, STATE_TABLE},
};
use jiff::{civil::DateTime, tz::Offset};

use super::{
    catalog::{OURS, columns, comment, path},
    failure::failed,
};
use crate::{
    error::Result,
    warehouse::{
        Loaded, TableName,
        sql::Dialect::DuckDb as DIALECT,
        state_columns::{COLUMNS, StateColumn, StateRow, Type, check_columns},
        unmanaged_table,
    },
};

fn sql_type(column: &StateColumn) -> &'static str {
    match column.of {
        Type::Text => "VARCHAR",
        Type::Whole => "BIGINT",
        Type::Day => "DATE",
        Type::Timestamp => "TIMESTAMP",
        Type::Json => "JSON",
    }
}

fn definition(column: &StateColumn) -> String {
    format!("{} {}", DIALECT.quote(column.name), sql_type(column))
}

/// Creates the state table where it is missing, and adds the columns that an older version's lacks.
pub fn prepare(connection: &Connection, name: &TableName) -> Result<()> {
    let state = TableName { table: STATE_TABLE.to_owned(), ..name.clone() };
    let table = path(connection, name, STATE_TABLE)?;
    let doing = || failed(format!("cannot prepare the state table {table}"));
    if comment(connection, &state)?.is_none() {
        let all = COLUMNS.map(|column| definition(&column)).join(", ");
        let sql = format!("CREATE TABLE {table} ({all}); COMMENT ON TABLE {table} IS '{OURS}'");
        return connection.execute_batch(&sql).map_err(doing());
    }
    let there = columns(connection, &state)?;
    for column in COLUMNS.iter().filter(|column| there.iter().all(|(name, ..)| !name.eq_ignore_ascii_case(column.name)))
    {
        let sql = format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {}", definition(column));
        connection.execute_batch(&sql).map_err(doing())?;
    }
    Ok(())
}

/// See [`crate::warehouse::Warehouse::loaded`].
pub fn loaded(connection: &Connection, name: &TableName) -> Result<Loaded> {
    let state = TableName { table: STATE_TABLE.to_owned(), ..name.clone() };
    match comment(connection, &state)? {
        None => Ok(Loaded::nothing()),
        Some(comment) if comment == OURS => {
            check(connection, &state)?;
            latest(connection, name).map(Loaded::new)
        }
        Some(_) => Err(unmanaged_table(&path(connection, name, STATE_TABLE)?).hint(hint::FOREIGN_STATE)),
    }
}

/// Refuses a state table that lacks a column which every version wrote. Other types are accepted, since values are read as text.
///
/// # Errors
/// `Schema` naming the columns.
fn check(connection: &Connection, state: &TableName) -> Result<()> {
    let there = columns(connection, state)?;
    let found = |name: &str| {
        let column = there.iter().find(|(found, ..)| found.eq_ignore_ascii_case(name));
        column.map(|(_, sql_type, _)| sql_type.clone())
    };
    check_columns(&path(connection, state, STATE_TABLE)?, found, |column| {
        // The query for the last record needs these.
        ["billing_period", "sequence", "loaded_at"].contains(&column.name).then(|| sql_type(column))
    })
}

/// Adds a row.
pub fn record(connection: &Connection, name: &TableName, record: &LoadRecord) -> Result<()> {
    let table = path(connection, name, STATE_TABLE)?;
    let names = COLUMNS.map(|column| DIALECT.quote(column.name)).join(", ");
    let values = COLUMNS.map(|column| format!("CAST(? AS {})", sql_type(&column))).join(", ");
    let sql = format!("INSERT INTO {table} ({names}) VALUES ({values})");
    let written = COLUMNS.map(|column| (column.write)(record));
    let inserted = connection.execute(&sql, params_from_iter(written));
    inserted.map(drop).map_err(failed(format!("cannot write to the state table {table}")))
}

/// The last record of each month of the table.
///
/// # Errors
/// `Warehouse` for a value that finops does not write.
fn latest(connection: &Connection, name: &TableName) -> Result<Vec<LoadRecord>> {
    let table = path(connection, name, STATE_TABLE)?;
    // As text, so that a message can show an unreadable value. All columns, since an older version's table lacks some. Earlier
    // versions wrote the table's name in the spelling of the settings.
    let sql = format!(
        "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {table} WHERE lower(table_name) = lower(?) \
         QUALIFY row_number() OVER (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1"
    );
    let failed = |error| failed(format!("cannot read the state table {table}"))(error);
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([&name.table]).map_err(failed)?;
    let names = rows.as_ref().map(duckdb::Statement::column_names).unwrap_or_default();
    let mut records = Vec::new();
    let utc = |text: &str| text.parse::<DateTime>().and_then(|time| Offset::UTC.to_timestamp(time));
    while let Some(row) = rows.next().map_err(failed)? {
        let values: duckdb::Result<Vec<_>> = (0..names.len()).map(|at| row.get(at)).collect();
        records.push(StateRow { names: &names, values: &values.map_err(failed)? }.read(utc)?);
    }
    Ok(records)
}
