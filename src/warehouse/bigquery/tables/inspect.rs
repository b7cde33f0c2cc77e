//! The table as it is: its shape, and its rows of each month.

use std::collections::{BTreeMap, HashMap};

use finops_core::{BillingPeriod, hint};
use futures::future::try_join;
use jiff::Timestamp;

use super::{
    labels::STAGED,
    schema::{columns, type_name},
};
use crate::warehouse::bigquery::{BigQuery, api::model::Table};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Found, TableName, Warehouse, WrittenBy, sql::Dialect},
};

impl BigQuery {
    /// See [`Warehouse::inspect`]: two requests at the same time.
    pub(in super::super) async fn find(&self, name: &TableName) -> Result<Option<Found>> {
        let Some(location) = self.location(&name.dataset).await? else { return Ok(None) };
        let shape = self.shape(name);
        let (shape, rows) = try_join(shape, self.partition_rows(name, &location)).await?;
        let rows: BTreeMap<BillingPeriod, u64> = rows
            .into_iter()
            .filter_map(|(partition, rows)| Some((BillingPeriod::from_partition_id(&partition)?, rows)))
            .collect();
        Ok(shape.map(|shape| Found { rows, ..shape }))
    }

    /// The table without its rows, if it exists.
    ///
    /// # Errors
    /// What BigQuery refuses.
    pub async fn shape(&self, name: &TableName) -> Result<Option<Found>> {
        let Some(table) = self.find_table(&name.dataset, &name.table).await? else { return Ok(None) };
        let written_by = match (table.is_ours(), table.has_label(STAGED)) {
            (false, _) => WrittenBy::Others,
            (true, false) => WrittenBy::Job,
            (true, true) => WrittenBy::StagedPipeline,
        };
        let created = Some(self.created_at(name, &table)?);
        let partitioning = table.time_partitioning.map(|partitioning| (partitioning.field, partitioning.r#type));
        let (column, unit) = partitioning.unwrap_or_default();
        let unit = Some(unit).filter(|unit| !unit.is_empty());
        let columns = columns(&table.schema);
        let (partitioning, rows) = (Some((column, unit)), BTreeMap::new());
        Ok(Some(Found { written_by, columns, partitioning, rows, type_name, created }))
    }

    /// The table, if it exists.
    pub(in super::super) async fn find_table(&self, dataset: &str, table: &str) -> Result<Option<Table>> {
        let doing = || format!("reading table {}.{dataset}.{table}", self.client.project());
        self.client.table(dataset, table).await.map_err(|failure| failure.into_error(&doing()))
    }

    /// Rows of each partition, by partition id; none for a missing table.
    pub(in super::super) async fn partition_rows(
        &self,
        name: &TableName,
        location: &str,
    ) -> Result<HashMap<String, u64>> {
        let dataset = Dialect::BigQuery.path(&[self.client.project(), &name.dataset]);
        let sql = format!(
            "SELECT partition_id, total_rows FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = {}",
            // Not a parameter: it is not documented whether BigQuery would then read all tables of the dataset, and it reads
            // at most 1,000.
            Dialect::BigQuery.literal(&name.table)
        );
        let answer = self.query(location, &sql, &format!("counting rows of {}", self.table_name(name))).await?;
        let mut rows = HashMap::new();
        for row in answer.rows {
            if let [Some(partition), Some(count)] = row.as_slice() {
                let count: u64 = count.parse().map_err(|_| {
                    let message = format!("{} rows in partition {partition} of {}", count, self.table_name(name));
                    Error::new(ErrorKind::Warehouse, format!("BigQuery reports {message}, which is not a number"))
                        .hint(hint::REPORT)
                })?;
                *rows.entry(partition.clone()).or_default() += count;
            }
        }
        Ok(rows)
    }

    /// When the table was created.
    pub(in super::super) fn created_at(&self, name: &TableName, table: &Table) -> Result<Timestamp> {
        milliseconds(Some(&table.creation_time)).ok_or_else(|| {
            let found = &table.creation_time;
            let message = format!("table {} has no readable creation time: {found}", self.table_name(name));
            Error::new(ErrorKind::Warehouse, message).hint(hint::REPORT_IF_IT_STAYS)
        })
    }
}

/// A timestamp of the API: milliseconds since 1970, as text.
pub fn milliseconds(text: Option<&str>) -> Option<Timestamp> {
    Timestamp::from_millisecond(text?.parse().ok()?).ok()
}
