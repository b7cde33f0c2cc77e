//! The contract of a warehouse.

use finops_core::{
    model::load_record::LoadRecord,
    schema::{Column, SchemaChange},
};
use jiff::civil::Date;

use super::{Figures, Found, Loaded, MonthLoad, NewRecord, TableName, Target};
use crate::error::Result;

/// What a warehouse can do at the same time, and with which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many months may be staged and swapped at the same time.
    pub months: usize,
    /// Whether it reads `gs://` URIs itself; otherwise it reads local paths.
    pub reads_buckets: bool,
}

/// The result of staging a month.
#[derive(Debug)]
pub enum Stage<S> {
    /// The rows are staged, where no reader sees them, with these figures.
    Ready(S, Box<Figures>),
    /// An earlier run swapped the same delivery and ended before it recorded it. It is recorded now.
    Done(Box<Committed>),
    /// Another run replaced the month after the state was read. Start again with [`Warehouse::loaded`].
    Superseded,
    /// The table has a delivery that covers more days, up to this one. The run that loaded it ended before it recorded it.
    Outreached(Date),
}

/// The result of a swap.
#[derive(Debug)]
pub enum Swap {
    /// The staged rows are the month now, and recorded.
    Committed(Box<Committed>),
    /// Another run replaced the month after the state was read, or the staged rows are gone. Start again with
    /// [`Warehouse::loaded`].
    Superseded,
}

/// A month that is loaded.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its row in the state table.
    pub record: LoadRecord,
    /// Bytes that the warehouse bills for what this run started.
    pub bytes_billed: u64,
}

/// A warehouse takes whole months. For readers each month is replaced in one atomic step.
///
/// The contract promises that runs converge: however many runs there are, and wherever they are killed, a month ends up with
/// the rows of its newest delivery, once. It does not promise how runs exclude each other.
#[allow(async_fn_in_trait, reason = "only used with known implementations, on one task")]
pub trait Warehouse {
    /// The table after [`Warehouse::prepare`], read once a run.
    type Table;
    /// A month's staged rows. Without swap or discard, as in a run that is cancelled or killed, they expire or are rolled
    /// back; no reader and no later run sees them.
    type Staged;

    /// What it can do at the same time.
    fn limits(&self) -> Limits;

    /// The table's full name in the warehouse, as reports show it.
    fn table_name(&self, name: &TableName) -> String;

    /// The last record of each month of the table, from the state table alone.
    ///
    /// - Called first, before the store is listed: each delivery that a record names was listed before this run's listing.
    /// - Reads only. Idempotent; anything may run beside it. A crash leaves nothing.
    /// - Columns that an older version did not write are `None`.
    ///
    /// # Errors
    /// `ForeignTable` where finops did not create the state table; `Warehouse` for a row that finops did not write.
    async fn loaded(&self, name: &TableName) -> Result<Loaded>;

    /// The table's columns and its rows of each month; `None` where there is no such table.
    ///
    /// - Called after `loaded`, which the type of `loaded` enforces. May run beside the listing of the store.
    /// - Reads only. Idempotent; anything may run beside it. A crash leaves nothing.
    ///
    /// # Errors
    /// What the warehouse refuses.
    async fn inspect(&self, name: &TableName, loaded: &Loaded) -> Result<Option<Found>>;

    /// Creates dataset, table and state table where they are missing, the table with `columns`. Applies `changes` to an
    /// existing table (it adds and widens columns; the other changes need nothing). Adds columns that a state table lacks.
    ///
    /// - Called once a run, before the first month is staged.
    /// - Idempotent. Several runs may prepare the same table at the same time.
    /// - A crash leaves a table without the month, or with new columns that are still empty.
    ///
    /// # Errors
    /// What the warehouse refuses. No loaded row is lost.
    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Self::Table>;

    /// Brings the month's rows, in the table's own columns and types, to where no reader sees them.
    ///
    /// - Called for each month after `prepare`, and again after [`Stage::Superseded`] with the state read again.
    /// - Other months may be staged and swapped beside it, up to [`Limits::months`], and other runs may stage the same month.
    /// - Not idempotent: each call stages rows of its own. A crash leaves rows that expire or are rolled back, and that no
    ///   later run reads.
    ///
    /// # Errors
    /// `Data` for values that the table's types cannot store; what the warehouse refuses. The loaded month is unchanged.
    async fn stage(&self, table: &Self::Table, month: &MonthLoad) -> Result<Stage<Self::Staged>>;

    /// Replaces the month with the staged rows, in one atomic step for readers, and records it.
    ///
    /// - Called only with rows that passed the checks.
    /// - Other months and other runs may swap beside it. Of several runs that swap the same delivery, one does it, and all
    ///   report it.
    /// - A crash before the atomic step changes nothing. After it, the next run that stages the month finds the swap and
    ///   records it.
    ///
    /// # Errors
    /// The loaded month is unchanged, unless the swap itself succeeded: the next run then finds it and records it.
    async fn swap(&self, table: &Self::Table, staged: Self::Staged, record: NewRecord) -> Result<Swap>;

    /// Removes staged rows that are not swapped, as after a failed check. Never fails: rows that cannot be removed expire.
    async fn discard(&self, staged: Self::Staged);
}
