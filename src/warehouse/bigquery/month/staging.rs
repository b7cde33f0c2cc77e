//! A staging table: a month's rows where no reader sees them, until a job swaps them in or the table expires.

use std::hash::{BuildHasher, RandomState};

use jiff::{SignedDuration, Timestamp};

use crate::warehouse::{
    MonthLoad,
    bigquery::{BigQuery, tables::prepare::Prepared},
};

/// A load, a query and a copy take six hours each at most.
const EXPIRES_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A swap is inserted only while its staging table has this long to go.
const NEEDED_FOR_SWAP: SignedDuration = SignedDuration::from_hours(2);
/// A month's rows in a staging table.
pub struct StagingTable {
    pub dataset: String,
    pub name: String,
    pub expires: Timestamp,
    /// A job may be reading it.
    in_use: bool,
}

impl StagingTable {
    /// A new staging table for the load.
    pub fn new(table: &Prepared, load: &MonthLoad) -> Self {
        // Random, from the seed of a hash map: no other attempt of any run has that name.
        let random = RandomState::new().hash_one(&load.run_id);
        Self {
            dataset: table.staging_dataset.clone(),
            name: format!("finops_staging_{}_{random:016x}", load.billing_period.partition_id()),
            expires: Timestamp::now() + EXPIRES_AFTER,
            in_use: false,
        }
    }

    /// Whether it expires late enough for a swap.
    pub fn lasts(&self) -> bool {
        Timestamp::now().saturating_add(NEEDED_FOR_SWAP).is_ok_and(|end| end < self.expires)
    }

    /// Sets whether a job may be reading the table from now on.
    pub fn set_in_use(&mut self, in_use: bool) {
        self.in_use = in_use;
    }
}

impl BigQuery {
    /// Removes the table, unless a job may be reading it: the job would fail.
    pub(in super::super) async fn remove_staging(&self, staging: &StagingTable) {
        let StagingTable { dataset, name, in_use, .. } = staging;
        if *in_use {
            tracing::warn!(
                table = name,
                "the staging table is not removed, since its job may still run; it expires in a day"
            );
        } else {
            self.remove_table(dataset, name).await;
        }
    }

    pub(super) async fn remove_table(&self, dataset: &str, table: &str) {
        match self.client.delete_table(dataset, table).await {
            Err(failure) if !failure.is_status(404) => {
                tracing::warn!(dataset, table, %failure, "the staging table could not be removed; it expires in a day");
            }
            _ => {}
        }
    }
}
