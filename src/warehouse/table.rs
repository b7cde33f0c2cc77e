//! The table of an export, and what a warehouse reports about it.

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod, hint,
    model::{
        column_type::ColumnType,
        key_columns::KeyColumns,
        load_record::{LoadRecord, LoadedMonth},
        provider::Provider,
    },
    schema::Column,
};
use jiff::Timestamp;

use crate::error::{Error, ErrorKind};

/// A table's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// BigQuery dataset, or DuckDB schema.
    pub dataset: String,
    /// The table's name in it.
    pub table: String,
}

/// The table of one export.
#[derive(Clone, Debug)]
pub struct Target {
    /// The provider of the export.
    pub provider: Provider,
    /// The provider's name of the report.
    pub export_name: String,
    /// The table.
    pub name: TableName,
    /// Its key columns.
    pub key_columns: KeyColumns,
    /// Whether the staged pipeline writes it; each row then has the execution id of its delivery.
    pub staged: bool,
}

/// What the state records about a table. Only a warehouse, or the staging folder, creates one. The listing of deliveries
/// requires it, so that the state is read first.
#[derive(Clone, Debug)]
pub struct Loaded {
    records: BTreeMap<BillingPeriod, LoadRecord>,
}

impl Loaded {
    /// The last record of each month.
    pub(crate) fn new(records: impl IntoIterator<Item = LoadRecord>) -> Self {
        Self { records: records.into_iter().map(|record| (record.billing_period, record)).collect() }
    }

    /// No month is loaded.
    pub(crate) fn nothing() -> Self {
        Self::new([])
    }

    /// The last record of each month.
    pub fn records(&self) -> &BTreeMap<BillingPeriod, LoadRecord> {
        &self.records
    }
}

/// Who writes a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenBy {
    /// The job.
    Job,
    /// The staged pipeline.
    StagedPipeline,
    /// Not finops.
    Others,
}

/// A column of an existing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name and type.
    pub column: Column,
    /// The warehouse's name of the type.
    pub sql_type: String,
    /// It takes no NULL.
    pub required: bool,
}

/// An existing table.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who writes it.
    pub written_by: WrittenBy,
    /// Its columns, in their order.
    pub columns: Vec<FoundColumn>,
    /// The column and the unit by which it is partitioned, both `None` for a table that is not; `None` where the warehouse does
    /// not partition tables.
    pub partitioning: Option<(Option<String>, Option<String>)>,
    /// Its rows of each month.
    pub rows: BTreeMap<BillingPeriod, u64>,
    /// The warehouse's name of a type.
    pub type_name: fn(ColumnType) -> &'static str,
    /// When it was created, where the warehouse reports it. Older records belong to an earlier table of the same name.
    pub created: Option<Timestamp>,
}

impl Found {
    /// Whether it has a column of that name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|found| found.column.name.eq_ignore_ascii_case(name))
    }

    /// Its columns' names and types.
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|found| found.column.clone()).collect()
    }
}

/// The last record of each month, with the rows that the table has of it now.
pub fn loaded_months(loaded: &Loaded, found: Option<&Found>) -> BTreeMap<BillingPeriod, LoadedMonth> {
    let with_rows = |(period, record): (&BillingPeriod, &LoadRecord)| {
        let same_table = found.filter(|found| found.created.is_none_or(|created| created <= record.loaded_at));
        let rows_in_table = same_table.and_then(|found| found.rows.get(period)).copied().unwrap_or_default();
        (*period, LoadedMonth { record: record.clone(), rows_in_table })
    };
    loaded.records.iter().map(with_rows).collect()
}

/// The error for a table that finops did not create.
pub(crate) fn unmanaged_table(table: &str) -> Error {
    Error::new(ErrorKind::ForeignTable, format!("the table {table} exists, but finops did not create it"))
        .hint(hint::ANOTHER_TABLE)
}

/// The error for a table that finops's other pipeline writes.
pub(crate) fn written_by_other_pipeline(table: &str, target: &Target) -> Error {
    let (job, pipeline) = ("the job", "the staged pipeline");
    let (written, asked) = if target.staged { (job, pipeline) } else { (pipeline, job) };
    let message = format!("the table {table} is written by {written}, and {asked} would mix its rows in");
    Error::new(ErrorKind::ForeignTable, message).hint(hint::TABLE_PER_WAY)
}
