//! Staging: a month's rows in a table of their own, which has the target's columns and types and expires.
//!
//! A staging table belongs to one attempt of one run, so it never contains rows of another run. A load job appends files with
//! the table's types to it. Other files are loaded into a raw table, and one query converts them. Only its own run removes a
//! staging table. If the run is killed, the table expires.

use std::collections::BTreeSet;

use finops_core::{
    files::file_type::FileType,
    model::groups::{BatchFigures, Groups, added},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{
    attempt::Attempt,
    stage_batch::{BatchAttempt, Filled},
    staging::StagingTable,
};
use crate::warehouse::bigquery::{
    BigQuery,
    api::model::{Field, LoadStatistics},
    tables::prepare::Prepared,
};
use crate::{
    error::Result,
    warehouse::{Batch, Figures, LoadColumn, MonthLoad},
};

/// How many batches of a month are added at the same time.
const BATCHES: usize = 8;
/// A hundred years, in milliseconds. A new table inherits the dataset's default expiration, which would drop old partitions at
/// once.
const PARTITIONS_EXPIRE_AFTER: &str = "3155760000000";

impl BigQuery {
    /// Loads the month's files into a new staging table. Returns it with its figures and the job that summed them. After a
    /// failure no table is left.
    pub(in super::super) async fn stage_files(
        &self,
        table: &Prepared,
        load: &MonthLoad,
    ) -> Result<(StagingTable, Figures, String)> {
        let staging = StagingTable::new(table, load);
        match (Attempt { bigquery: self, table, load, staging: &staging }).fill().await {
            Ok((figures, sum_job)) => Ok((staging, figures, sum_job)),
            Err(error) => {
                self.remove_staging(&staging).await;
                Err(error)
            }
        }
    }
}

impl Attempt<'_> {
    /// Creates the staging table, fills it, and counts and sums what is in it.
    async fn fill(self) -> Result<(Figures, String)> {
        let Self { bigquery, table, load, staging } = self;
        self.create(&staging.name, self.typed()).await?;
        let batches = load.batches.iter().enumerate().map(|(number, batch)| BatchAttempt { of: self, batch, number });
        let (own, shared): (Vec<_>, Vec<_>) = batches.partition(|attempt| attempt.batch.is_own);
        let mut filled = Vec::with_capacity(load.batches.len());
        // One after the other: the rows that are new after a batch belong to it.
        let mut before = Groups::new();
        for attempt in own {
            let batch = attempt.fill().await?;
            let (figures, sum_job) = self.sum().await?;
            let billed = batch.billed + bigquery.bytes_billed(&sum_job, &table.location).await;
            filled.push(Filled { groups: Some(added(&before, &figures.groups)), billed, ..batch });
            before = figures.groups;
        }
        let shared: Vec<Filled> = stream::iter(shared)
            .map(|attempt| async move { attempt.fill().await })
            .buffered(BATCHES)
            .try_collect()
            .await?;
        filled.extend(shared);
        let (mut figures, sum_job) = self.sum().await?;
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u64>().ok());
        let total = |of: fn(&LoadStatistics) -> &Option<String>| {
            filled.iter().map(|batch| number(of(&batch.statistics))).sum::<Option<u64>>()
        };
        figures.files = total(|statistics| &statistics.input_files);
        figures.written = total(|statistics| &statistics.output_rows);
        figures.left_out = filled.iter().filter_map(|batch| number(&batch.statistics.bad_records)).sum();
        figures.bytes_billed = filled.iter().map(|batch| batch.billed).sum();
        let of_batch =
            |batch: Filled| BatchFigures { written: number(&batch.statistics.output_rows), groups: batch.groups };
        figures.batches = filled.into_iter().map(of_batch).collect();
        let of_files: BTreeSet<&str> = load.batches.iter().flat_map(columns_with_values).collect();
        let of_files: Vec<&str> = of_files.into_iter().collect();
        figures.lost = bigquery.lost_columns(table, &of_files, &self.path(&staging.name)).await?;
        Ok((figures, sum_job))
    }

    async fn sum(self) -> Result<(Figures, String)> {
        self.bigquery.sum(self.table, self.load, &self.path(&self.staging.name), false).await
    }

    /// A table with the target's columns, types, partitioning and clustering, so that a partition can be copied. It has no
    /// policy tags: not every account may set them.
    fn typed(self) -> Value {
        let untagged = |field: &Field| {
            let mut field = field.clone();
            field.rest.remove(Field::POLICY_TAGS);
            field
        };
        let fields: Vec<Field> = self.table.fields.iter().map(untagged).collect();
        let mut table = json!({
            "schema": {"fields": fields},
            "timePartitioning": {
                "type": "MONTH",
                "field": self.table.target.key_columns.partition,
                "expirationMs": PARTITIONS_EXPIRE_AFTER,
            },
        });
        if let Some(clustering) = &self.table.clustering {
            table["clustering"] = clustering.clone();
        }
        table
    }
}

/// The columns that have values in the files, but may have none after a load that reports no error
/// (python-bigquery#2370, PostHog#45417).
fn columns_with_values(batch: &Batch) -> Vec<&str> {
    let has_values = |column: &&LoadColumn| {
        matches!(column.file_type, FileType::Map(_))
            && batch.values.get(&column.file_name).is_some_and(|values| values.has_values)
    };
    batch.columns.iter().filter(has_values).map(|column| column.column.name.as_str()).collect()
}
