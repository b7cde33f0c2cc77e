//! Where billing data goes. Two implementations, one conformance suite (`tests/suite/conformance.rs`).

#[cfg(feature = "duckdb")]
pub mod duckdb;

mod another_month;
pub mod bigquery;
pub mod sql;
mod state_row;

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod, Costs,
    export::ExportKind,
    manifest::FileFormat,
    report::Check,
    schema::{Column, FileType, Reading, SchemaChange, known_type},
    state::{LoadRecord, LoadStatus, STATE_TABLE, Standing, TableLayout},
    text::short,
};
use jiff::Timestamp;

use crate::{
    config::Export,
    error::{Error, Kind, Result},
};

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
    /// Whether the staged pipeline writes it: each row tells its delivery then.
    pub staged: bool,
}

/// What the warehouse holds of a target.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The table's columns; `None` where there is no table yet.
    pub columns: Option<Vec<Column>>,
    /// The last record of each month, with the rows that the table holds of it now.
    pub standing: BTreeMap<BillingPeriod, Standing>,
}

/// A column on its way from the files to the table.
#[derive(Clone, Debug)]
pub struct LoadColumn {
    /// The table's column.
    pub column: Column,
    /// What the files call it.
    pub file_name: String,
    /// Its type there.
    pub file_type: FileType,
}

impl LoadColumn {
    /// How the files' values become the table's.
    pub fn reading(&self) -> Reading {
        self.file_type.reading(self.column.column_type)
    }
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
    /// Their form.
    pub format: FileFormat,
    /// The files' columns in the files' order.
    pub columns: Vec<LoadColumn>,
    /// The table's column whose sum is the month's cost.
    pub cost: &'static str,
    /// The table's column with the cost's currency.
    pub currency: &'static str,
    /// The files' rows, where they or their manifest tell it.
    pub rows: Option<u64>,
    /// The last record, and what the table holds of it now.
    pub previous: Option<Standing>,
    /// Load although the same work may be done already.
    pub force: bool,
    /// The run that loads.
    pub run_id: String,
}

impl MonthLoad {
    /// Where to look for what is wrong with some file, for people.
    fn one_of_files(&self) -> String {
        match self.files.as_slice() {
            [first, others @ ..] if others.len() > 2 => format!("{first} or {} others", others.len()),
            files => files.join(" or "),
        }
    }

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
    /// widenings; the others change nothing) to a table that is there, which then has `columns`.
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

/// What the warehouse holds of an export's table, and of what kind the rows there are, as far as the table tells: only the
/// deliveries tell in full.
///
/// # Errors
/// As [`Warehouse::inspect`], where the table is of no kind.
pub async fn inspect_any<W: Warehouse>(warehouse: &W, export: &Export) -> Result<(ExportKind, Inventory)> {
    let mut first = None;
    for kind in ExportKind::EACH_TABLE {
        match warehouse.inspect(&export.target(export.name.as_deref().unwrap_or_default(), kind.layout())).await {
            Err(error) if matches!(error.kind(), Kind::ForeignTable | Kind::Schema) => drop(first.get_or_insert(error)),
            other => return other.map(|inventory| (kind, inventory)),
        }
    }
    first.map_or_else(|| Ok((ExportKind::Cur, Inventory::default())), Err)
}

/// Values of a column that the table's type does not have.
struct CastFailure {
    column: String,
    count: u64,
    example: String,
    expected: &'static str,
}

/// The error for values that cannot be converted, if there are any.
fn cast_failure(load: &MonthLoad, failures: &[CastFailure]) -> Option<Error> {
    const SHOWN: usize = 3;
    let line = |failure: &CastFailure| {
        let CastFailure { column, count, example, expected } = failure;
        let values = if *count == 1 { "1 value is".to_owned() } else { format!("{count} values are") };
        format!("column {column}: {values} not {expected}, such as `{}`", short(example))
    };
    let failed: Vec<&CastFailure> = failures.iter().filter(|failure| failure.count > 0).collect();
    let mut lines: Vec<String> = failed.iter().take(SHOWN).map(|failure| line(failure)).collect();
    if failed.len() > SHOWN {
        lines.push(format!("and {} more columns", failed.len() - SHOWN));
    }
    let message =
        format!("{} cannot be loaded: {} (in {})", load.billing_period, lines.join("; "), load.one_of_files());
    // A new table would have the same type where that is a well-known one, or the one that the files ask for.
    let would_change = |failure: &&CastFailure| {
        let mut columns = load.columns.iter();
        columns.find(|column| column.column.name == failure.column).is_some_and(
            |LoadColumn { column, file_type, .. }| {
                known_type(&column.name).or(file_type.asks_for()).is_some_and(|asked| asked != column.column_type)
            },
        )
    };
    let hint = if failed.iter().any(would_change) {
        "nothing was changed; compare the files with the provider's, or choose another table name: finops creates that \
         table and loads all months there"
    } else {
        "nothing was changed; compare the files with the provider's, or report the values"
    };
    (!failed.is_empty()).then(|| Error::new(Kind::Data, message).hint(hint))
}

/// The error for a table that finops did not create.
fn not_ours(table: &str) -> Error {
    Error::new(Kind::ForeignTable, format!("the table {table} exists, but finops did not create it"))
        .hint("choose another table name: the first run loads all months there")
}

/// The error for a table that finops writes in its other way.
fn another_way(table: &str, target: &Target) -> Error {
    let (written, asked) =
        if target.staged { ("the job", "the staged pipeline") } else { ("the staged pipeline", "the job") };
    Error::new(
        Kind::ForeignTable,
        format!("the table {table} is written by {written}, and {asked} would mix its rows in"),
    )
    .hint("give each way a table of its own")
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
