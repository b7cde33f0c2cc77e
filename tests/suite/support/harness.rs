//! A warehouse for a test, and another way into it than the code under test.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use finops::{
    error::Result,
    flow::{
        check::check,
        replace::{self, Replaced},
        table::check_table,
    },
    warehouse::{Committed, Found, MonthLoad, NewRecord, Stage, TableName, Target, Warehouse, loaded_months},
};
use finops_core::{
    BillingPeriod,
    formats::aws_cur,
    model::{
        load_record::{LoadedMonth, STATE_TABLE},
        provider::Provider,
    },
    schema::{self, Column, SchemaChange},
};

use crate::support::delivery::Delivery;

/// The dataset, or schema, of the tests' tables.
pub const DATASET: &str = "billing";
/// The tests' table.
pub const TABLE: &str = "aws_cur";

/// Values as text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// A warehouse with what the tests need around it.
pub trait Harness {
    /// The implementation under test.
    type Warehouse: Warehouse;

    /// An empty warehouse.
    async fn start() -> Self;

    /// The implementation under test.
    fn warehouse(&self) -> &Self::Warehouse;

    /// Puts a file where the warehouse can read it. Returns the warehouse's name for it.
    async fn put(&self, name: &str, bytes: &[u8]) -> String;

    /// Runs a query in DuckDB's SQL, not through the implementation under test.
    fn rows(&self, sql: &str) -> Result<Rows, String>;

    /// A table of [`DATASET`], as [`Harness::rows`] calls it.
    fn table(&self, name: &str) -> String;

    /// The exact text of an amount, in [`Harness::rows`].
    fn amount(&self, column: &str) -> String;

    /// Deletes a month of [`TABLE`], as a person might.
    async fn delete_month(&self, month: BillingPeriod);

    /// Drops [`TABLE`], as a person might.
    async fn drop_table(&self);

    /// Creates [`TABLE`], as a person might.
    async fn create_foreign_table(&self);

    /// The warehouse as another run has it.
    fn another_run(&self) -> Self::Warehouse;

    /// Changes a column of [`TABLE`], as a person might. Fails where the warehouse does not allow it. In BigQuery every
    /// change except an addition creates the table again, without its rows.
    async fn change_column(&self, change: ByHand<'_>) -> Result<(), String>;

    /// Replaces the state table by one of an earlier version, which has only these columns, with their values.
    async fn keep_state_columns(&self, columns: &[&str]);

    /// Drops the state table, as a person might.
    async fn drop_state_table(&self);
}

/// What people do with columns.
#[derive(Clone, Copy, Debug)]
pub enum ByHand<'a> {
    /// Add one of text.
    Add(&'a str),
    /// Drop it.
    Drop(&'a str),
    /// Give it another name.
    Rename(&'a str, &'a str),
    /// Give it another type, whose name both warehouses know.
    Retype(&'a str, &'a str),
}

/// What a warehouse returns about a table.
#[derive(Debug)]
pub struct Inventory {
    pub columns: Option<Vec<Column>>,
    pub months: BTreeMap<BillingPeriod, LoadedMonth>,
}

/// What the flow does with a warehouse, step by step.
pub trait ReplaceMonth: Warehouse + Sized {
    /// What exists of the table, after the flow's checks.
    async fn look_up(&self, target: &Target) -> Result<Inventory> {
        let name = &target.name;
        let loaded = self.loaded(name).await?;
        let found = self.inspect(name, &loaded).await?;
        found.as_ref().map_or(Ok(()), |found| check_table(target, &self.table_name(name), found))?;
        let months = loaded_months(&loaded, found.as_ref());
        Ok(Inventory { columns: found.as_ref().map(Found::columns), months })
    }

    /// Replaces the month by files that do not change.
    async fn replace_month(&self, target: &Target, load: &MonthLoad) -> Result<Replaced> {
        let columns: Vec<Column> = load.batches[0].columns.iter().map(|column| column.column.clone()).collect();
        let table = self.prepare(target, &columns, &[]).await?;
        replace::replace_month(self, target, &table, load, async { Ok(true) }).await
    }

    /// Stages and checks the month. Returns what a swap needs.
    async fn stage_month(&self, target: &Target, load: &MonthLoad) -> (Self::Table, Self::Staged, NewRecord) {
        let columns: Vec<Column> = load.batches[0].columns.iter().map(|column| column.column.clone()).collect();
        let table = self.prepare(target, &columns, &[]).await.unwrap();
        let Stage::Ready(staged, figures) = self.stage(&table, load).await.unwrap() else { panic!("it is not staged") };
        check(target, load, &figures).unwrap();
        (table, staged, load.record(target, &figures))
    }
}

impl<W: Warehouse> ReplaceMonth for W {}

/// All that can be seen of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    rows: Rows,
    columns: Option<Vec<Column>>,
    months: BTreeMap<BillingPeriod, LoadedMonth>,
}

impl Snapshot {
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

/// The table of one export.
pub struct Table<H> {
    /// Where the table is.
    pub harness: H,
    /// The table's name, kind and settings.
    pub target: Target,
}

impl<H: Harness> Table<H> {
    /// The table [`TABLE`] in a warehouse that does not have it yet.
    pub async fn new() -> Self {
        Self { harness: H::start().await, target: target() }
    }

    pub async fn inspect(&self) -> Inventory {
        self.harness.warehouse().look_up(&self.target).await.unwrap()
    }

    /// What is loaded for a month.
    pub async fn loaded_month(&self, month: &str) -> Option<LoadedMonth> {
        self.inspect().await.months.remove(&month.parse().unwrap())
    }

    /// Prepares the table for the delivery and uploads its files. Returns what the warehouse has to load.
    pub async fn prepare(&self, delivery: &Delivery) -> MonthLoad {
        let mut inventory = self.inspect().await;
        let (columns, changes) = Self::schema(&inventory, delivery);
        self.harness.warehouse().prepare(&self.target, &columns, &changes).await.unwrap();
        let mut files = Vec::new();
        for (name, bytes) in &delivery.files {
            files.push(self.harness.put(name, bytes).await);
        }
        let mut load = delivery.load(files, &columns, None);
        load.previous = inventory.months.remove(&load.billing_period);
        load
    }

    /// The table's columns when it is prepared for the delivery, and what changes for it.
    pub fn schema(inventory: &Inventory, delivery: &Delivery) -> (Vec<Column>, Vec<SchemaChange>) {
        let (existing, months) = (inventory.columns.as_deref(), [delivery.columns()]);
        let wanted = schema::union(&months, &[]);
        let changes = existing.map(|existing| schema::table_changes(existing, &wanted, &months)).unwrap_or_default();
        (schema::columns_after(existing, &wanted, &changes), changes)
    }

    /// Replaces the month by the delivery.
    pub async fn load(&self, delivery: &Delivery) -> Result<Committed> {
        let load = self.prepare(delivery).await;
        self.replace(&load).await
    }

    /// Replaces the month, without another run in between.
    pub async fn replace(&self, load: &MonthLoad) -> Result<Committed> {
        match self.harness.warehouse().replace_month(&self.target, load).await? {
            Replaced::Committed(committed, _) => Ok(*committed),
            other => panic!("{other:?}, though no other run is there"),
        }
    }

    /// Values of expressions over the table's rows, in order.
    pub fn select(&self, expressions: &str) -> Rows {
        let table = self.harness.table(TABLE);
        self.harness.rows(&format!("SELECT {expressions} FROM {table} ORDER BY ALL")).unwrap()
    }

    /// All values of one month's rows.
    pub fn month(&self, month: &str) -> Rows {
        let table = self.harness.table(TABLE);
        let month = format!("{} = TIMESTAMP '{month}-01 00:00:00'", self.target.key_columns.partition);
        self.harness.rows(&format!("SELECT * FROM {table} WHERE {month} ORDER BY ALL")).unwrap()
    }

    /// The result of `action`, and everything that a reader sees of the month before, during and after it.
    pub async fn while_reading<T>(&self, month: &str, action: impl Future<Output = T>) -> (T, BTreeSet<Rows>) {
        let mut action = pin!(action);
        let mut seen = BTreeSet::from([self.month(month)]);
        loop {
            tokio::select! {
                biased;
                done = &mut action => {
                    seen.insert(self.month(month));
                    return (done, seen);
                }
                () = tokio::task::yield_now() => drop(seen.insert(self.month(month))),
            }
        }
    }

    /// How many loads the state table has.
    pub fn recorded(&self) -> usize {
        let table = self.harness.table(STATE_TABLE);
        self.harness.rows(&format!("SELECT * FROM {table}")).unwrap().len()
    }

    /// Everything that a failed load must not change.
    pub async fn snapshot(&self) -> Snapshot {
        let Inventory { columns, months } = self.inspect().await;
        Snapshot { rows: self.select("*"), columns, months }
    }
}

/// The tests' table, for a Cost and Usage Report.
pub fn target() -> Target {
    Target {
        provider: Provider::Aws,
        export_name: "cur".to_owned(),
        name: TableName { dataset: DATASET.to_owned(), table: TABLE.to_owned() },
        key_columns: aws_cur::KEY_COLUMNS,
        staged: false,
    }
}
