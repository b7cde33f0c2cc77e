//! What stands: the table's columns, the last record of each month, and the rows that the table has of it now.

use std::collections::{BTreeMap, HashMap};

use finops_core::{
    BillingPeriod,
    state::{LoadRecord, STATE_TABLE, Standing},
};
use futures::future::try_join;
use jiff::Timestamp;

use super::{
    BigQuery, MANAGED_BY, STAGED,
    errors::Failure,
    model::Table,
    query::parameter,
    record::{last_records_query, read_record},
    schema::columns,
};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{Inventory, Target, Warehouse, another_way, not_ours, sql::Dialect},
};

impl BigQuery {
    /// See [`Warehouse::inspect`]: two round trips of two requests each.
    pub(super) async fn inventory(&self, target: &Target) -> Result<Inventory> {
        let (location, table) =
            try_join(self.location(&target.dataset), self.find_table(&target.dataset, &target.table)).await?;
        let Some(location) = location else {
            return Ok(Inventory::default());
        };
        if let Some(table) = &table {
            self.check_ours(target, table)?;
        }
        let rows = async {
            match table {
                Some(_) => self.partition_rows(target, &location).await,
                None => Ok(HashMap::new()),
            }
        };
        let (records, rows) = try_join(self.last_records(target, &location), rows).await?;
        let created = table.as_ref().map(|table| self.created_at(target, table)).transpose()?;
        let mut standing = BTreeMap::new();
        for record in records {
            let after_creation = created.is_some_and(|created| created <= record.loaded_at);
            let in_partition = rows.get(&record.billing_period.partition_id()).copied().unwrap_or_default();
            let rows_in_table = if after_creation { in_partition } else { 0 };
            standing.insert(record.billing_period, Standing { record, rows_in_table });
        }
        Ok(Inventory { columns: table.map(|table| columns(&table.schema)), standing })
    }

    /// The table, if it is there.
    pub(super) async fn find_table(&self, dataset: &str, table: &str) -> Result<Option<Table>> {
        let found = self.client.table(dataset, table).await.map(Some).or_else(Failure::none_if_missing);
        found.map_err(|f| f.into_error(&format!("reading table {}.{dataset}.{table}", self.client.project())))
    }

    /// `project.dataset.finops_loads`, for messages.
    pub(super) fn state_table(&self, dataset: &str) -> String {
        format!("{}.{dataset}.{STATE_TABLE}", self.client.project())
    }

    /// Rows of each partition, by partition id.
    pub(super) async fn partition_rows(&self, target: &Target, location: &str) -> Result<HashMap<String, u64>> {
        let dataset = Dialect::BigQuery.path(&[self.client.project(), &target.dataset]);
        let sql = format!(
            "SELECT partition_id, total_rows FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table"
        );
        let table = [parameter("table", "STRING", Some(target.table.clone()))];
        let answer = self.client.query(location, &sql, &table).await;
        let answer = answer.map_err(|f| f.into_error(&format!("counting rows of {}", self.table_name(target))))?;
        let mut rows = HashMap::new();
        for row in answer.rows {
            if let [Some(partition), Some(count)] = row.as_slice() {
                let count: u64 = count.parse().map_err(|_| {
                    let message = format!("{} rows in partition {partition} of {}", count, self.table_name(target));
                    Error::new(Kind::Warehouse, format!("BigQuery reports {message}, which is no count"))
                        .hint("report it with this message")
                })?;
                *rows.entry(partition.clone()).or_default() += count;
            }
        }
        Ok(rows)
    }

    /// The rows that the table has of one month.
    pub(super) async fn month_rows(&self, target: &Target, period: BillingPeriod, location: &str) -> Result<u64> {
        let rows = self.partition_rows(target, location).await?;
        Ok(rows.get(&period.partition_id()).copied().unwrap_or_default())
    }

    async fn last_records(&self, target: &Target, location: &str) -> Result<Vec<LoadRecord>> {
        let sql = last_records_query(&self.path(&target.dataset, STATE_TABLE));
        let table = [parameter("table", "STRING", Some(target.table.clone()))];
        let answer = self.client.query(location, &sql, &table).await.map(Some).or_else(Failure::none_if_missing);
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                let other = failure.is_status(400);
                let error = failure.into_error(&format!("reading {}", self.state_table(&target.dataset)));
                // Columns that finops_loads always has are missing: is it somebody else's?
                let table = if other { self.find_table(&target.dataset, STATE_TABLE).await? } else { None };
                table.map_or(Ok(()), |table| self.check_state_ours(&target.dataset, &table))?;
                return Err(error);
            }
        };
        answer.map(|answer| answer.rows).unwrap_or_default().iter().map(|row| read_record(row)).collect()
    }

    /// Refuses a state table that finops did not create.
    pub(super) fn check_state_ours(&self, dataset: &str, table: &Table) -> Result<()> {
        if is_ours(table) {
            return Ok(());
        }
        let hint = format!("choose another dataset, or rename that table: finops keeps its state in {STATE_TABLE}");
        Err(not_ours(&self.state_table(dataset)).hint(hint))
    }

    /// Refuses a table that finops did not create, that it writes in its other way, or that is partitioned for another kind of export.
    pub(super) fn check_ours(&self, target: &Target, table: &Table) -> Result<()> {
        let name = self.table_name(target);
        if !is_ours(table) {
            return Err(not_ours(&name));
        }
        if has_label(table, STAGED) != target.staged {
            return Err(another_way(&name, target));
        }
        let partition = table.time_partitioning.as_ref();
        let column = partition.and_then(|partition| partition.field.as_deref()).unwrap_or("none");
        let unit = partition.map_or("none", |partition| partition.r#type.as_str());
        if (column, unit) == (target.layout.partition, "MONTH") {
            return Ok(());
        }
        let expected = target.layout.partition;
        let message = format!("table {name} is partitioned by {column} ({unit}), expected {expected} (MONTH)");
        Err(Error::new(Kind::ForeignTable, message)
            .hint("choose another table name: the first run loads all months there"))
    }

    /// When the target's table was created.
    pub(super) fn created_at(&self, target: &Target, table: &Table) -> Result<Timestamp> {
        milliseconds(Some(&table.creation_time)).ok_or_else(|| {
            let found = &table.creation_time;
            let message = format!("table {} has no readable creation time: {found}", self.table_name(target));
            Error::new(Kind::Warehouse, message).hint("run again; if it stays, report it with this message")
        })
    }
}

/// Whether finops created the table.
fn is_ours(table: &Table) -> bool {
    has_label(table, MANAGED_BY)
}

fn has_label(table: &Table, (key, value): (&str, &str)) -> bool {
    table.labels.get(key).map(String::as_str) == Some(value)
}

/// A moment as the API writes it: milliseconds since 1970, as text.
pub(super) fn milliseconds(text: Option<&str>) -> Option<Timestamp> {
    Timestamp::from_millisecond(text?.parse().ok()?).ok()
}
