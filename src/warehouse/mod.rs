//! Where billing data goes. Two implementations, one conformance suite (`tests/suite/conformance.rs`).

#[cfg(feature = "duckdb")]
pub mod duckdb;

pub mod bigquery;
pub mod sql;
mod state_row;

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod, Costs,
    report::Check,
    schema::{Column, SchemaChange},
    state::{LoadRecord, LoadStatus, STATE_TABLE, Standing, TableLayout},
};
use jiff::Timestamp;

use crate::error::{Error, Kind, Result};

/// The table of one export.
#[derive(Clone, Debug)]
pub struct Target {
    /// `aws` or `azure`.
    pub pipeline: &'static str,
    /// The provider's name of the report.
    pub export_name: String,
    /// BigQuery dataset, or DuckDB schema.
    pub dataset: String,
    /// The table's name in it.
    pub table: String,
    /// The columns that the table stands on.
    pub layout: TableLayout,
}

/// What the warehouse holds of a target.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The table's columns; `None` where there is no table yet.
    pub columns: Option<Vec<Column>>,
    /// The last record of each month, with the rows that the table holds of it now.
    pub standing: BTreeMap<BillingPeriod, Standing>,
}

/// One month to put in place of what stands.
#[derive(Clone, Debug)]
pub struct MonthLoad {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id at the provider.
    pub execution_id: String,
    /// The delivery's fingerprint.
    pub fingerprint: String,
    /// Where its manifest was read.
    pub manifest_uri: String,
    /// The files, as this warehouse takes them: `gs://` URIs for BigQuery, local paths for DuckDB.
    pub files: Vec<String>,
    /// Bytes of the files, as stored.
    pub bytes: u64,
    /// The files' columns in the files' order, with the table's types.
    pub columns: Vec<Column>,
    /// The last record, and what the table holds of it now.
    pub previous: Option<Standing>,
    /// Load although the same work may be done already.
    pub force: bool,
    /// The run that loads.
    pub run_id: String,
}

impl MonthLoad {
    /// The sequence that follows the last recorded one.
    ///
    /// # Errors
    /// `Warehouse` where no number follows it: finops did not write such a record.
    fn next_sequence(&self) -> Result<i64> {
        let Some(Standing { record, .. }) = &self.previous else { return Ok(1) };
        record.sequence.checked_add(1).ok_or_else(|| {
            let (table, period, sequence) = (&record.table_name, record.billing_period, record.sequence);
            let message = format!(
                "{STATE_TABLE}, row of table {table}, billing period {period}: no load can follow the sequence \
                 {sequence}, the largest that the column holds"
            );
            Error::new(Kind::Warehouse, message).hint(format!("repair or delete that row of {STATE_TABLE}"))
        })
    }

    /// The state row of this load, if it is loaded and recorded now. Both warehouses keep microseconds.
    fn record(&self, target: &Target, sequence: i64, rows: u64, cost: Costs) -> LoadRecord {
        let replaced = self.previous.as_ref().and_then(Standing::visible);
        LoadRecord {
            pipeline: target.pipeline.to_owned(),
            export_name: target.export_name.clone(),
            table_name: target.table.clone(),
            billing_period: self.billing_period,
            sequence,
            execution_id: self.execution_id.clone(),
            fingerprint: self.fingerprint.clone(),
            manifest_uri: self.manifest_uri.clone(),
            job_id: None,
            status: LoadStatus::Loaded,
            rows,
            files: self.files.len() as u64,
            bytes: self.bytes,
            cost,
            previous_execution_id: replaced.map(|record| record.execution_id.clone()),
            run_id: self.run_id.clone(),
            loaded_at: Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or_default(),
        }
    }
}

/// What became of a month.
#[derive(Clone, Debug)]
pub enum Replaced {
    /// It stands, is verified and recorded.
    Done(Box<Load>),
    /// Another run put another delivery there in the meantime: look again and plan again.
    Overtaken,
}

/// A load that stands.
#[derive(Clone, Debug)]
pub struct Load {
    /// The row in the state table.
    pub record: LoadRecord,
    /// The checks that it passed.
    pub verified: Vec<Check>,
    /// What the warehouse bills for it, in bytes.
    pub bytes_billed: u64,
}

/// A place that takes whole months, each in one atomic step.
#[allow(async_fn_in_trait, reason = "only used with known implementations, on one task")]
pub trait Warehouse {
    /// How many months may be replaced at once.
    fn concurrency(&self) -> usize;

    /// Whether it reads `gs://` URIs itself; else it takes local paths.
    fn reads_buckets(&self) -> bool;

    /// The table's name in the warehouse's full form, as reports show it.
    fn table_name(&self, target: &Target) -> String;

    /// What stands for `target`. Creates nothing.
    ///
    /// # Errors
    /// `ForeignTable` where the table exists but finops did not create it.
    async fn inspect(&self, target: &Target) -> Result<Inventory>;

    /// Creates dataset, table and state table where they are missing, with `columns`; applies `changes` (additions and
    /// widenings; the others change nothing) to a table that is there.
    ///
    /// # Errors
    /// What the warehouse refuses; nothing that is loaded is lost.
    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<()>;

    /// Loads the month, checks it and records it. Readers see the old month until they see the new one.
    ///
    /// # Errors
    /// The month that stood stands, unless the load itself was done: what then fails (checking, recording) is made good
    /// by the next run, which finds the load.
    async fn replace_month(&self, target: &Target, load: &MonthLoad) -> Result<Replaced>;
}

/// The error for a table that finops did not create.
fn not_ours(table: &str) -> Error {
    Error::new(Kind::ForeignTable, format!("the table {table} exists, but finops did not create it"))
        .hint("choose another table name: the first run loads all months there")
}

/// The error for a table that holds another export.
pub(crate) fn another_export(table: &str, target: &Target, record: &LoadRecord) -> Error {
    let (held, pipeline) = (&record.export_name, &record.pipeline);
    Error::new(
        Kind::ForeignTable,
        format!(
            "the table {table} holds export `{held}` of pipeline {pipeline}, and export `{}` of pipeline {} would \
             erase its months",
            target.export_name, target.pipeline
        ),
    )
    .hint("give each export a table of its own")
}
