//! One month to load.

use std::collections::HashMap;

use finops_core::{
    BillingPeriod,
    files::{
        column_values::ColumnValues,
        file_type::{Conversion, FileType},
    },
    formats::{
        azure::account::{Account, Part, account},
        dictionary::may_be_code,
    },
    hint,
    model::{
        key_columns::{KeyColumns, NetCost},
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth, STATE_TABLE, ScopeRecord},
        manifest::FileFormat,
    },
    schema::Column,
};
use jiff::{Timestamp, civil::Date};

use super::{Figures, Target, sql::bounds};
use crate::error::{Error, ErrorKind, Result};

/// A column of the files and of the table.
#[derive(Clone, Debug)]
pub struct LoadColumn {
    /// The table's column.
    pub column: Column,
    /// Its name in the files.
    pub file_name: String,
    /// Its type there.
    pub file_type: FileType,
}

impl LoadColumn {
    /// How the files' values are converted to the table's.
    pub fn reading(&self) -> Conversion {
        match self.file_type.reading(self.column.column_type) {
            // A load would read `007` as 7.
            Conversion::None if self.may_be_code() => Conversion::Cast,
            reading => reading,
        }
    }

    /// Whether the values may be codes, which a column of numbers would change.
    pub(super) fn may_be_code(&self) -> bool {
        may_be_code(&self.column.name, self.file_type, self.column.column_type)
    }
}

/// Files of one format with the same columns.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The files, as this warehouse reads them: `gs://` URIs or local paths for BigQuery, local paths for DuckDB.
    pub files: Vec<String>,
    /// Their format.
    pub format: FileFormat,
    /// The files' columns in the files' order.
    pub columns: Vec<LoadColumn>,
    /// The files have no billing period: rows without one get the month's first day.
    pub fills_period: bool,
    /// The batch is summed separately.
    pub is_own: bool,
    /// What Parquet footers say about the values of a column, by its name in the files.
    pub values: HashMap<String, ColumnValues>,
}

impl Batch {
    /// The first day of the month, as a literal of the partition column's type, where rows lack it.
    pub(super) fn filled_period(&self, key: &KeyColumns, period: BillingPeriod) -> Option<String> {
        self.fills_period.then(|| bounds(key, period).0)
    }

    /// The files, for an error in one of them.
    pub(crate) fn one_of_files(&self) -> String {
        match self.files.as_slice() {
            [first, others @ ..] if others.len() > 2 => format!("{first} or {} others", others.len()),
            files => files.join(" or "),
        }
    }
}

/// The texts that mean "no value" in columns of amounts, whole numbers, days or timestamps.
#[derive(Clone, Debug, Default)]
pub struct NoValue {
    /// The texts.
    pub texts: Vec<String>,
    /// The setting that lists them.
    pub setting: String,
}

/// One month that replaces what is loaded.
#[derive(Clone, Debug)]
pub struct MonthLoad {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id at the provider.
    pub execution_id: String,
    /// The delivery's fingerprint.
    pub fingerprint: String,
    /// The URI of its manifest.
    pub manifest_uri: String,
    /// The files, one batch at least.
    pub batches: Vec<Batch>,
    /// The stored bytes of all files.
    pub bytes: u64,
    /// The runs and scopes that the rows belong to, for Azure's exports.
    pub parts: Vec<Part>,
    /// The table's columns by which rows are summed to check the parts, in addition to currency and day; `None` without parts.
    pub group_by: Option<Vec<String>>,
    /// The loaded scopes of the month, without those that the settings leave out.
    pub loaded_scopes: Vec<ScopeRecord>,
    /// The loaded scopes of the months before and after.
    pub neighbours: Vec<ScopeRecord>,
    /// The table's cost column.
    pub cost: &'static str,
    /// The table's currency column.
    pub currency: &'static str,
    /// The texts that mean "no value" in the files.
    pub no_value: NoValue,
    /// The columns of the cost after discounts, if the files have them.
    pub net_cost: Option<NetCost>,
    /// The kind of the rows.
    pub kind: ExportKind,
    /// When the provider issued the delivery, as far as finops knows.
    pub issued_at: Timestamp,
    /// The last day that the delivery covers, where its manifest has it.
    pub covers_until: Option<Date>,
    /// The number of rows, where the files or their manifest have it.
    pub rows: Option<u64>,
    /// The last record of the month, and how many of its rows the table has now.
    pub previous: Option<LoadedMonth>,
    /// Load again, even if the same delivery is loaded.
    pub force: bool,
    /// The run that loads.
    pub run_id: String,
}

impl MonthLoad {
    /// How many files it has.
    pub fn file_count(&self) -> u64 {
        self.batches.iter().map(|batch| batch.files.len() as u64).sum()
    }

    /// Which rows belong to which run and scope.
    pub(crate) fn account(&self, figures: &Figures) -> Account {
        account(self.billing_period, &self.parts, &figures.groups, &figures.batches)
    }

    /// The sequence that follows the last recorded one.
    ///
    /// # Errors
    /// `Warehouse` where no number follows it: finops did not write such a record.
    pub(super) fn next_sequence(&self) -> Result<i64> {
        let Some(LoadedMonth { record, .. }) = &self.previous else { return Ok(1) };
        record.sequence.checked_add(1).ok_or_else(|| {
            let (table, period, sequence) = (&record.table_name, record.billing_period, record.sequence);
            let message = format!(
                "{STATE_TABLE}, row of table {table}, billing period {period}: no load can follow the sequence \
                 {sequence}, the largest number of that column"
            );
            Error::new(ErrorKind::Warehouse, message).hint(hint::REPAIR_STATE)
        })
    }

    /// The sequence of the last record; 0 without one.
    pub(super) fn sequence(&self) -> i64 {
        self.previous.as_ref().map_or(0, |previous| previous.record.sequence)
    }

    /// The state row of this load, without number, job and time.
    pub fn record(&self, target: &Target, figures: &Figures) -> NewRecord {
        let replaced = self.previous.as_ref().and_then(LoadedMonth::record_if_in_table);
        NewRecord(LoadRecord {
            pipeline: target.provider.as_str().to_owned(),
            export_name: target.export_name.clone(),
            table_name: target.name.table.clone(),
            billing_period: self.billing_period,
            sequence: 0,
            execution_id: self.execution_id.clone(),
            fingerprint: self.fingerprint.clone(),
            manifest_uri: self.manifest_uri.clone(),
            job_id: None,
            status: LoadStatus::Loaded,
            rows: figures.rows(),
            files: self.file_count(),
            bytes: self.bytes,
            cost: figures.cost.clone(),
            previous_execution_id: replaced.map(|record| record.execution_id.clone()),
            run_id: self.run_id.clone(),
            loaded_at: Timestamp::UNIX_EPOCH,
            kind: Some(self.kind.as_str().to_owned()),
            issued_at: Some(microseconds(self.issued_at)),
            covers_until: self.covers_until,
            cost_net: figures.cost_net.clone(),
            scopes: (!self.parts.is_empty()).then(|| self.account(figures).scopes),
        })
    }
}

/// A state row without its number, job and time, which the warehouse adds.
#[derive(Clone, Debug)]
pub struct NewRecord(LoadRecord);

impl NewRecord {
    /// The complete row: load number `sequence`, by the job `job_id`, recorded now, but not before `earliest`.
    pub(super) fn numbered(self, sequence: i64, job_id: Option<String>, earliest: Timestamp) -> LoadRecord {
        LoadRecord { sequence, job_id, loaded_at: microseconds(Timestamp::now()).max(earliest), ..self.0 }
    }
}

/// To the microsecond, as both warehouses store it.
fn microseconds(timestamp: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(timestamp.as_microsecond()).unwrap_or_default()
}
