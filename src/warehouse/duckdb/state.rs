//! The state table in DuckDB.

use duckdb::{Connection, params};
use finops_core::state::{LoadRecord, STATE_TABLE};
use jiff::{civil::DateTime, tz::Offset};

use super::{DIALECT, OURS, failed, inspect, path};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{Target, state_row::StateRow},
};

/// The state table's columns in the contract's order, with their types.
const COLUMNS: [(&str, &str); 17] = [
    ("pipeline", "VARCHAR"),
    ("export_name", "VARCHAR"),
    ("table_name", "VARCHAR"),
    ("billing_period", "DATE"),
    ("sequence", "BIGINT"),
    ("execution_id", "VARCHAR"),
    ("fingerprint", "VARCHAR"),
    ("manifest_uri", "VARCHAR"),
    ("job_id", "VARCHAR"),
    ("status", "VARCHAR"),
    ("rows", "BIGINT"),
    ("files", "BIGINT"),
    ("bytes", "BIGINT"),
    ("cost", "JSON"),
    ("previous_execution_id", "VARCHAR"),
    ("run_id", "VARCHAR"),
    ("loaded_at", "TIMESTAMP"),
];

/// The columns, each as `written`, in a list.
fn columns(written: impl Fn(&str, &str) -> String) -> String {
    COLUMNS.map(|(name, sql_type)| written(&DIALECT.quote(name), sql_type)).join(", ")
}

/// Creates the state table where it is missing.
pub fn create(connection: &Connection, target: &Target) -> Result<()> {
    if inspect::is_ours(connection, target, STATE_TABLE, OURS)?.is_some() {
        return Ok(());
    }
    let table = path(connection, target, STATE_TABLE)?;
    let definitions = columns(|name, sql_type| format!("{name} {sql_type}"));
    let sql = format!("CREATE TABLE {table} ({definitions}); COMMENT ON TABLE {table} IS '{OURS}'");
    connection.execute_batch(&sql).map_err(failed(format!("cannot create the state table {table}")))
}

/// Adds a row.
pub fn record(connection: &Connection, target: &Target, record: &LoadRecord) -> Result<()> {
    let table = path(connection, target, STATE_TABLE)?;
    let cost = serde_json::to_string(&record.cost)
        .map_err(|error| Error::new(Kind::Warehouse, "cannot write a cost as JSON").cause(error))?;
    let (names, values) = (columns(|name, _| name.to_owned()), columns(|_, sql_type| format!("CAST(? AS {sql_type})")));
    let loaded_at = Offset::UTC.to_datetime(record.loaded_at);
    connection
        .execute(
            &format!("INSERT INTO {table} ({names}) VALUES ({values})"),
            params![
                record.pipeline,
                record.export_name,
                record.table_name,
                record.billing_period.first_day().to_string(),
                record.sequence,
                record.execution_id,
                record.fingerprint,
                record.manifest_uri,
                record.job_id,
                record.status.as_str(),
                record.rows,
                record.files,
                record.bytes,
                cost,
                record.previous_execution_id,
                record.run_id,
                loaded_at.to_string(),
            ],
        )
        .map_err(failed(format!("cannot write to the state table {table}")))?;
    Ok(())
}

/// The last record of each month of the target's table.
///
/// # Errors
/// `Warehouse` where a value is not what finops writes there.
pub fn latest(connection: &Connection, target: &Target) -> Result<Vec<LoadRecord>> {
    let table = path(connection, target, STATE_TABLE)?;
    // As text, so that what cannot be read can be shown.
    let texts = columns(|name, _| format!("CAST({name} AS VARCHAR)"));
    let sql = format!(
        "SELECT {texts} FROM {table} WHERE table_name = ? \
         QUALIFY row_number() OVER (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1"
    );
    let read = || -> duckdb::Result<Vec<Vec<Option<String>>>> {
        let mut statement = connection.prepare(&sql)?;
        statement.query_map([&target.table], |row| (0..COLUMNS.len()).map(|at| row.get(at)).collect())?.collect()
    };
    let rows = read().map_err(failed(format!("cannot read the state table {table}")))?;
    rows.iter().map(|row| read_record(row)).collect()
}

fn read_record(row: &[Option<String>]) -> Result<LoadRecord> {
    let columns = COLUMNS.map(|(name, _)| name);
    let utc = |text: &str| text.parse::<DateTime>().and_then(|moment| Offset::UTC.to_timestamp(moment));
    StateRow { columns: &columns, values: row }.read(utc)
}
