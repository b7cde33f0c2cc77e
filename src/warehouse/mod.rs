//! Where billing data goes. Two implementations, one conformance suite (`tests/suite/warehouse/conformance.rs`).
//!
//! A load goes through one sequence, and its types hold the order: [`Warehouse::loaded`], then the listing of the store
//! beside [`Warehouse::inspect`], [`Warehouse::prepare`], and of each month [`Warehouse::stage`], the checks of
//! [`crate::flow::check`], and [`Warehouse::swap`].

#[cfg(feature = "duckdb")]
pub mod duckdb;

pub mod bigquery;
mod compression;
mod month;
pub mod sql;
mod state_columns;
mod table;

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod, Costs,
    files::file_type::FileType,
    formats::dictionary::known_type,
    hint,
    model::{
        groups::{BatchFigures, Groups},
        load_record::LoadRecord,
        text::excerpt,
    },
    schema::{Column, SchemaChange},
};
use jiff::civil::Date;

use crate::error::{Error, ErrorKind, Result};

pub use compression::Compression;
pub use month::{Batch, GroupBy, LoadColumn, MonthLoad, NewRecord, NoValue};
pub use table::{Found, FoundColumn, Loaded, TableName, Target, WrittenBy, loaded_months};

/// What a warehouse can do at once, and with which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many months may be staged and swapped at once.
    pub months: usize,
    /// Whether it reads `gs://` URIs itself; else it takes local paths.
    pub reads_buckets: bool,
}

/// What a month's staged rows are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Files that were read; `None` where the warehouse does not tell.
    pub files: Option<u64>,
    /// Rows that the load reports to have written.
    pub written: Option<u64>,
    /// Rows that the files were seen to have, by another way than the load.
    pub counted: Option<u64>,
    /// Rows that the load left out.
    pub left_out: u64,
    /// Columns without a value in any row, of which the files surely have values.
    pub lost: Vec<String>,
    /// Rows of each month; of `None` those that belong to no month.
    pub rows_by_month: BTreeMap<Option<BillingPeriod>, u64>,
    /// The exact sum of the cost column.
    pub cost: Costs,
    /// The exact sum after discounts; `None` where no row has a net cost.
    pub cost_net: Option<Costs>,
    /// The same by the columns of [`MonthLoad::group_by`], and day; empty where there are none.
    pub groups: Groups,
    /// Of each batch of files, in their order; empty where no files were staged.
    pub batches: Vec<BatchFigures>,
    /// Bytes that the warehouse bills for what this run started.
    pub bytes_billed: u64,
}

impl Figures {
    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.rows_by_month.values().sum()
    }
}

/// What became of staging a month.
#[derive(Debug)]
pub enum Stage<S> {
    /// Its rows are staged, where no reader sees them, with these figures.
    Ready(S, Box<Figures>),
    /// An earlier run had swapped the same work and died before it was recorded: it is recorded now.
    Done(Box<Committed>),
    /// Another run replaced the month since the state was read: begin again with [`Warehouse::loaded`].
    Superseded,
    /// The table holds a delivery that reaches further, to this day, of a run that died before it was recorded.
    Outreached(Date),
}

/// What became of a swap.
#[derive(Debug)]
pub enum Swap {
    /// The staged rows are the month now, and recorded.
    Committed(Box<Committed>),
    /// Another run replaced the month since the state was read, or the staged rows are gone: begin again with
    /// [`Warehouse::loaded`].
    Superseded,
}

/// A month that is loaded.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The row in the state table.
    pub record: LoadRecord,
    /// What the warehouse bills for what this run started, in bytes.
    pub bytes_billed: u64,
}

/// A place that takes whole months. For readers each is replaced in one atomic step.
///
/// The contract promises that runs converge, however many there are and wherever they are killed: a month then is what the
/// newest delivery holds, once. It does not promise how they exclude each other.
#[allow(async_fn_in_trait, reason = "only used with known implementations, on one task")]
pub trait Warehouse {
    /// The table as [`Warehouse::prepare`] left it, read once a run.
    type Table;
    /// A month's staged rows. Dropped without swap or discard, as when a run is cancelled or killed, they expire or are
    /// rolled back; no reader and no later run sees them.
    type Staged;

    /// What may go on at once.
    fn limits(&self) -> Limits;

    /// The table's name in the warehouse's full form, as reports show it.
    fn table_name(&self, name: &TableName) -> String;

    /// The last record of each month of the table, from the state table alone. It comes before any listing of the store:
    /// what it names was then listed before this run's listing. Columns that an older version did not write are absent.
    /// Changes nothing; runs beside anything.
    ///
    /// # Errors
    /// `ForeignTable` where finops did not create the state table; `Warehouse` where a row is none of finops's.
    async fn loaded(&self, name: &TableName) -> Result<Loaded>;

    /// The table's shape, and its rows of each month; `None` where there is no such table. It comes after `loaded`, and may
    /// run beside the listing. Changes nothing.
    ///
    /// # Errors
    /// What the warehouse refuses.
    async fn inspect(&self, name: &TableName, loaded: &Loaded) -> Result<Option<Found>>;

    /// Creates dataset, table and state table where they are missing, the table with `columns`; applies `changes` (additions
    /// and widenings; the others change nothing) to a table that is there; adds columns to a state table that lacks some.
    /// Idempotent. Two runs may prepare the same table at once. What a crash leaves is a table without the month, or with
    /// columns that are not filled yet.
    ///
    /// # Errors
    /// What the warehouse refuses; nothing that is loaded is lost.
    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Self::Table>;

    /// Brings the month's rows, in the table's own columns and types, to where no reader sees them. May run beside the
    /// staging and swapping of other months, up to [`Limits::months`], and beside other runs that stage the same month. A
    /// crash leaves nothing that a later run would meet.
    ///
    /// # Errors
    /// `Data` for values that the table's types do not have, and what the warehouse refuses; the loaded month is unchanged.
    async fn stage(&self, table: &Self::Table, month: &MonthLoad) -> Result<Stage<Self::Staged>>;

    /// Makes the staged rows the month, in one atomic step for readers, and records it. Only what passed the checks may be
    /// given. Of several runs that swap the same work, one does, and all report it. A crash between swap and record is
    /// completed by whichever run wants the month next.
    ///
    /// # Errors
    /// The loaded month is unchanged, unless the swap itself was done: the next run then finds it, and records it.
    async fn swap(&self, table: &Self::Table, staged: Self::Staged, record: NewRecord) -> Result<Swap>;

    /// Removes staged rows. Never fails: what cannot be removed expires.
    async fn discard(&self, staged: Self::Staged);
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
        format!("column {column}: {values} not {expected}, such as `{}`", excerpt(example))
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
                known_type(&column.name).or(file_type.preferred_type()).is_some_and(|asked| asked != column.column_type)
            },
        )
    };
    // An amount or a date has digits.
    let is_text = |name: &str| {
        let column = load.columns.iter().find(|column| column.column.name == name);
        column.is_some_and(|column| {
            matches!(column.file_type, FileType::Text(_) | FileType::TimeText(_) | FileType::String)
        })
    };
    let means_none =
        |failure: &&CastFailure| is_text(&failure.column) && !failure.example.contains(|c: char| c.is_ascii_digit());
    let hint = if failed.iter().any(means_none) && load.no_value.texts.is_empty() {
        return Some(Error::new(ErrorKind::Data, message).hint(hint::name_no_value(&load.no_value.setting)));
    } else if failed.iter().any(would_change) {
        hint::COMPARE_OR_ANOTHER_TABLE
    } else {
        hint::COMPARE_VALUES
    };
    (!failed.is_empty()).then(|| Error::new(ErrorKind::Data, message).hint(hint))
}

/// The error for a table that finops did not create.
pub(crate) fn unmanaged_table(table: &str) -> Error {
    Error::new(ErrorKind::ForeignTable, format!("the table {table} exists, but finops did not create it"))
        .hint(hint::ANOTHER_TABLE)
}

/// The error for a table that finops writes in its other way.
pub(crate) fn written_by_other_pipeline(table: &str, target: &Target) -> Error {
    let (job, pipeline) = ("the job", "the staged pipeline");
    let (written, asked) = if target.staged { (job, pipeline) } else { (pipeline, job) };
    let message = format!("the table {table} is written by {written}, and {asked} would mix its rows in");
    Error::new(ErrorKind::ForeignTable, message).hint(hint::TABLE_PER_WAY)
}

#[cfg(test)]
pub(crate) mod test {
    use std::collections::HashMap;

    use finops_core::{
        files::file_type::FileType,
        model::{column_type::ColumnType, kind::ExportKind, manifest::FileFormat},
        schema::Column,
    };
    use jiff::Timestamp;

    use super::{LoadColumn, MonthLoad, NoValue, TableName, Target};

    pub fn target() -> Target {
        Target {
            pipeline: "aws",
            export_name: "cur".to_owned(),
            name: TableName { dataset: "d".to_owned(), table: "t".to_owned() },
            layout: finops_core::formats::aws_cur::KEY_COLUMNS,
            staged: false,
        }
    }

    pub fn load() -> MonthLoad {
        let column = Column { name: "a".to_owned(), column_type: ColumnType::String };
        MonthLoad {
            billing_period: "2025-09".parse().unwrap(),
            execution_id: "e".to_owned(),
            fingerprint: "f".to_owned(),
            manifest_uri: "gs://b/m".to_owned(),
            files: vec!["gs://b/1".to_owned()],
            bytes: 1,
            format: FileFormat::Csv,
            columns: vec![LoadColumn { column, file_name: "A".to_owned(), file_type: FileType::Text(None) }],
            fills_period: false,
            is_own: false,
            others: Vec::new(),
            parts: Vec::new(),
            group_by: None,
            loaded_scopes: Vec::new(),
            neighbours: Vec::new(),
            cost: "cost",
            currency: "currency",
            no_value: NoValue::default(),
            net_cost: None,
            kind: ExportKind::Cur,
            issued_at: Timestamp::UNIX_EPOCH,
            covers_until: None,
            rows: None,
            values: HashMap::new(),
            previous: None,
            force: false,
            run_id: "Run:1".to_owned(),
        }
    }
}
