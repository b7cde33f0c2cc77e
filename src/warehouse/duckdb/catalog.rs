//! The database's catalog: names, comments and columns of tables.

use duckdb::{Connection, OptionalExt, Params, Row};

use super::failure::failed;
use crate::{
    error::Result,
    warehouse::{TableName, sql::Dialect::DuckDb as DIALECT},
};

/// The comment on tables that finops created.
pub const OURS: &str = "managed by finops";
/// The same, on tables of the staged pipeline.
pub const OURS_STAGED: &str = "managed by finops, staged";

/// The full name of the schema, quoted. The schema's name alone is ambiguous where the database file has the same name.
pub fn schema(connection: &Connection, name: &TableName) -> Result<String> {
    let catalog: String = connection
        .query_row("SELECT current_database()", [], |row| row.get(0))
        .map_err(failed("cannot read the database's name"))?;
    Ok(DIALECT.path(&[&catalog, &name.dataset]))
}

/// The full name of a table in the schema of `name`, quoted.
pub fn path(connection: &Connection, name: &TableName, table: &str) -> Result<String> {
    Ok(format!("{}.{}", schema(connection, name)?, DIALECT.quote(table)))
}

/// The name in the catalog's spelling, since DuckDB's names do not differ by case alone; unchanged where schema or table are
/// missing.
pub fn spelling(connection: &Connection, name: &TableName) -> Result<TableName> {
    let sql = "SELECT coalesce((SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() AND \
               lower(schema_name) = lower($1)), $1), coalesce((SELECT table_name FROM duckdb_tables() WHERE \
               database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)), $2)";
    connection
        .query_row(sql, [&name.dataset, &name.table], |row| Ok(TableName { dataset: row.get(0)?, table: row.get(1)? }))
        .map_err(failed("cannot read the database's catalog"))
}

/// The comment on a table or view, empty where it has none; `None` where there is no such table or view.
pub fn comment(connection: &Connection, name: &TableName) -> Result<Option<String>> {
    let sql = "SELECT coalesce(comment, '') FROM (SELECT schema_name, table_name AS name, comment FROM duckdb_tables() \
               WHERE database_name = current_database() UNION ALL SELECT schema_name, view_name, NULL FROM duckdb_views() \
               WHERE database_name = current_database()) WHERE lower(schema_name) = lower(?) AND lower(name) = lower(?)";
    connection
        .query_row(sql, [&name.dataset, &name.table], |row| row.get(0))
        .optional()
        .map_err(failed("cannot read the database's catalog"))
}

/// The table's columns in their order, with DuckDB's names of their types, and whether they are nullable.
pub fn columns(connection: &Connection, name: &TableName) -> Result<Vec<(String, String, bool)>> {
    let sql = "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = current_database() \
               AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?) ORDER BY column_index";
    let names: [&str; 2] = [&name.dataset, &name.table];
    rows(connection, sql, names, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .map_err(failed("cannot read the table's columns"))
}

/// The rows of a query.
pub fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> duckdb::Result<Vec<T>> {
    connection.prepare(sql)?.query_map(parameters, read)?.collect()
}
