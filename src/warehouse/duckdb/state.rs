//! The state table in DuckDB.

use std::{fmt::Display, str::FromStr};

use duckdb::{Connection, params};
use finops_core::{
    BillingPeriod,
    state::{LoadRecord, LoadStatus, STATE_TABLE},
    text::short,
};
use jiff::{
    civil::{Date, DateTime},
    tz::Offset,
};

use super::{DIALECT, OURS, failed, inspect, path};
use crate::{
    error::{Error, Kind, Result},
    warehouse::Target,
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
    if inspect::is_ours(connection, target, STATE_TABLE)?.is_some() {
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
    let text = |name: &str| {
        let found = optional(row, name).map(str::to_owned);
        found.ok_or_else(|| unreadable(row, name, "it is never NULL"))
    };
    let status = match text("status")?.as_str() {
        "loaded" => LoadStatus::Loaded,
        "unverified" => LoadStatus::Unverified,
        _ => return Err(unreadable(row, "status", "expected loaded or unverified")),
    };
    let loaded_at = Offset::UTC.to_timestamp(parsed::<DateTime>(row, "loaded_at")?);
    Ok(LoadRecord {
        pipeline: text("pipeline")?,
        export_name: text("export_name")?,
        table_name: text("table_name")?,
        billing_period: BillingPeriod::containing(parsed::<Date>(row, "billing_period")?),
        sequence: parsed(row, "sequence")?,
        execution_id: text("execution_id")?,
        fingerprint: text("fingerprint")?,
        manifest_uri: text("manifest_uri")?,
        job_id: optional(row, "job_id").map(str::to_owned),
        status,
        rows: parsed(row, "rows")?,
        files: parsed(row, "files")?,
        bytes: parsed(row, "bytes")?,
        cost: serde_json::from_str(&text("cost")?).map_err(|error| unreadable(row, "cost", error))?,
        previous_execution_id: optional(row, "previous_execution_id").map(str::to_owned),
        run_id: text("run_id")?,
        loaded_at: loaded_at.map_err(|error| unreadable(row, "loaded_at", error))?,
    })
}

fn optional<'r>(row: &'r [Option<String>], name: &str) -> Option<&'r str> {
    let at = COLUMNS.iter().position(|(column, _)| *column == name)?;
    row.get(at)?.as_deref()
}

fn parsed<T: FromStr<Err: Display>>(row: &[Option<String>], name: &str) -> Result<T> {
    optional(row, name).unwrap_or_default().parse().map_err(|error| unreadable(row, name, error))
}

fn unreadable(row: &[Option<String>], name: &str, why: impl Display) -> Error {
    let value = |name: &str| short(optional(row, name).unwrap_or("NULL"));
    let (table, period, sequence) = (value("table_name"), value("billing_period"), value("sequence"));
    let message = format!(
        "{STATE_TABLE}, row of table {table}, billing period {period}, sequence {sequence}: column {name} holds \
         `{}`, which finops does not write there: {why}",
        value(name)
    );
    Error::new(Kind::Warehouse, message).hint(repair())
}

fn repair() -> String {
    format!("repair or delete that row of {STATE_TABLE}")
}
