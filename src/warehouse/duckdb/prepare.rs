//! Schema, tables and columns.

use duckdb::Connection;
use finops_core::schema::{ChangeKind, Column, SchemaChange};

use super::{
    catalog::{OURS, OURS_STAGED, comment, path, schema, spelling},
    failure::failed,
    state,
    transaction::roll_back,
    types::sql_type,
};
use crate::{
    error::Result,
    warehouse::{Target, sql::Dialect::DuckDb as DIALECT},
};

/// A table after `prepare`.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// With the name in the catalog's spelling.
    pub target: Target,
    /// Its full name, quoted.
    pub path: String,
}

/// See [`crate::warehouse::Warehouse::prepare`]. One transaction.
pub fn prepare(
    connection: &mut Connection,
    mut target: Target,
    columns: &[Column],
    changes: &[SchemaChange],
) -> Result<Prepared> {
    target.name = spelling(connection, &target.name)?;
    let table = path(connection, &target.name, &target.name.table)?;
    let doing = || format!("cannot prepare the table {table}");
    // A transaction that a panic left open.
    roll_back(connection);
    let transaction = connection.transaction().map_err(failed(doing()))?;
    let schema = schema(&transaction, &target.name)?;
    transaction.execute_batch(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).map_err(failed(doing()))?;
    state::prepare(&transaction, &target.name)?;
    if comment(&transaction, &target.name)?.is_none() {
        let ours = if target.staged { OURS_STAGED } else { OURS };
        let list: Vec<String> = columns.iter().map(definition).collect();
        let sql = format!("CREATE TABLE {table} ({}); COMMENT ON TABLE {table} IS '{ours}'", list.join(", "));
        transaction.execute_batch(&sql).map_err(failed(doing()))?;
    } else {
        for change in changes {
            if let Some(sql) = statement(&table, change) {
                transaction.execute_batch(&sql).map_err(failed(doing()))?;
            }
        }
    }
    transaction.commit().map_err(failed(doing()))?;
    Ok(Prepared { target, path: table })
}

fn statement(table: &str, change: &SchemaChange) -> Option<String> {
    let column = Column { name: change.column.clone(), column_type: change.to };
    match change.change {
        ChangeKind::Add => Some(format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {}", definition(&column))),
        ChangeKind::Widen => Some(format!(
            "ALTER TABLE {table} ALTER COLUMN {} SET DATA TYPE {}",
            DIALECT.quote(&column.name),
            sql_type(column.column_type)
        )),
        ChangeKind::Cast | ChangeKind::Refuse => None,
    }
}

fn definition(column: &Column) -> String {
    format!("{} {}", DIALECT.quote(&column.name), sql_type(column.column_type))
}
