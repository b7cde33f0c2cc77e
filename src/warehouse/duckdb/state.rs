//! The state table in DuckDB.

use duckdb::{Connection, Row, params};
use finops_core::{
    BillingPeriod,
    state::{LoadRecord, LoadStatus, STATE_TABLE},
};
use jiff::{Timestamp, civil::Date};

use super::{OURS, failed, inspect, path};
use crate::{
    error::{Error, Kind, Result},
    warehouse::Target,
};

/// Creates the state table where it is missing.
pub fn create(connection: &Connection, target: &Target) -> Result<()> {
    if inspect::is_ours(connection, target, STATE_TABLE)?.is_some() {
        return Ok(());
    }
    let table = path(target, STATE_TABLE);
    let sql = format!(
        "CREATE TABLE {table} (
            pipeline VARCHAR, export_name VARCHAR, table_name VARCHAR, billing_period DATE, sequence BIGINT,
            execution_id VARCHAR, fingerprint VARCHAR, manifest_uri VARCHAR, job_id VARCHAR, status VARCHAR,
            rows BIGINT, files BIGINT, bytes BIGINT, cost JSON, previous_execution_id VARCHAR, run_id VARCHAR,
            loaded_at TIMESTAMP);
         COMMENT ON TABLE {table} IS '{OURS}'"
    );
    connection.execute_batch(&sql).map_err(failed(format!("cannot create the state table {table}")))
}

/// Adds a row.
pub fn record(connection: &Connection, target: &Target, record: &LoadRecord) -> Result<()> {
    let table = path(target, STATE_TABLE);
    let cost = serde_json::to_string(&record.cost)
        .map_err(|error| Error::new(Kind::Warehouse, "cannot write a cost as JSON").cause(error))?;
    let sql = format!(
        "INSERT INTO {table} VALUES (?, ?, ?, CAST(? AS DATE), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
         CAST(? AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    );
    connection
        .execute(
            &sql,
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
                record.loaded_at.to_string(),
            ],
        )
        .map_err(failed(format!("cannot write to the state table {table}")))?;
    Ok(())
}

/// The last record of each month of the target's table.
pub fn latest(connection: &Connection, target: &Target) -> Result<Vec<LoadRecord>> {
    let table = path(target, STATE_TABLE);
    let sql = format!(
        "SELECT pipeline, export_name, table_name, CAST(billing_period AS VARCHAR), sequence, execution_id, fingerprint, \
         manifest_uri, job_id, status, rows, files, bytes, CAST(cost AS VARCHAR), previous_execution_id, run_id, \
         epoch_us(loaded_at) FROM {table} WHERE table_name = ? \
         QUALIFY row_number() OVER (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1"
    );
    let read = || -> duckdb::Result<Vec<Result<LoadRecord>>> {
        let mut statement = connection.prepare(&sql)?;
        statement.query_map([&target.table], from_row)?.collect()
    };
    read().map_err(failed(format!("cannot read the state table {table}")))?.into_iter().collect()
}

fn from_row(row: &Row<'_>) -> duckdb::Result<Result<LoadRecord>> {
    let period: String = row.get(3)?;
    let status: String = row.get(9)?;
    let cost: String = row.get(13)?;
    let loaded_at: i64 = row.get(16)?;
    let broken = |what: &str, text: &str| {
        Error::new(Kind::Warehouse, format!("the state table holds {what} `{text}`, which finops did not write"))
            .hint("repair or delete that row of the state table")
    };
    let parsed = || -> Result<(BillingPeriod, LoadStatus, _, Timestamp)> {
        let day: Date = period.parse().map_err(|_| broken("the billing period", &period))?;
        let status = match status.as_str() {
            "loaded" => LoadStatus::Loaded,
            "unverified" => LoadStatus::Unverified,
            _ => return Err(broken("the status", &status)),
        };
        let cost = serde_json::from_str(&cost).map_err(|_| broken("the cost", &cost))?;
        let loaded_at = Timestamp::from_microsecond(loaded_at).map_err(|_| broken("a time", &loaded_at.to_string()))?;
        Ok((BillingPeriod::containing(day), status, cost, loaded_at))
    };
    let (billing_period, status, cost, loaded_at) = match parsed() {
        Ok(values) => values,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(LoadRecord {
        pipeline: row.get(0)?,
        export_name: row.get(1)?,
        table_name: row.get(2)?,
        billing_period,
        sequence: row.get(4)?,
        execution_id: row.get(5)?,
        fingerprint: row.get(6)?,
        manifest_uri: row.get(7)?,
        job_id: row.get(8)?,
        status,
        rows: row.get(10)?,
        files: row.get(11)?,
        bytes: row.get(12)?,
        cost,
        previous_execution_id: row.get(14)?,
        run_id: row.get(15)?,
        loaded_at,
    }))
}
