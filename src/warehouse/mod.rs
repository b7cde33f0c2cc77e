//! Where billing data goes. Two implementations, one conformance suite (`tests/suite/conformance.rs`).

#[cfg(feature = "duckdb")]
pub mod duckdb;

pub mod bigquery;
pub mod sql;

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod,
    report::Check,
    schema::{Column, SchemaChange},
    state::{LoadRecord, Standing, TableLayout},
};

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
