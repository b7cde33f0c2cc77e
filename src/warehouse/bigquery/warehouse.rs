//! BigQuery as a warehouse: the steps of a load.

use finops_core::schema::{Column, SchemaChange};

use super::{connection::BigQuery, month::Staged, tables::prepare::Prepared};
use crate::{
    error::Result,
    warehouse::{Found, Limits, Loaded, MonthLoad, NewRecord, Stage, Swap, TableName, Target, Warehouse},
};

impl Warehouse for BigQuery {
    type Table = Prepared;
    type Staged = Staged;

    fn limits(&self) -> Limits {
        Limits { months: self.concurrency, reads_buckets: true }
    }

    fn table_name(&self, name: &TableName) -> String {
        format!("{}.{}.{}", self.client.project(), name.dataset, name.table)
    }

    async fn loaded(&self, name: &TableName) -> Result<Loaded> {
        self.last_records(name).await
    }

    async fn inspect(&self, name: &TableName, _: &Loaded) -> Result<Option<Found>> {
        self.find(name).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Prepared> {
        let what = format!("preparing {}", self.table_name(&target.name));
        self.within_quota(&what, self.prepare_tables(target, columns, changes)).await
    }

    async fn stage(&self, table: &Prepared, month: &MonthLoad) -> Result<Stage<Staged>> {
        let what = format!("loading {} into {}", month.billing_period, self.table_name(&table.target.name));
        self.within_quota(&what, self.stage_month(table, month)).await
    }

    async fn swap(&self, table: &Prepared, staged: Staged, record: NewRecord) -> Result<Swap> {
        // Also after a quota is used up: the rows are staged already.
        self.noting_quota(self.swap_month(table, staged, record)).await
    }

    async fn discard(&self, staged: Staged) {
        self.remove_staging(&staged.staging).await;
    }
}
