//! What must be there before a month is loaded: dataset, state table, table, columns.

use finops_core::{
    schema::{ChangeKind, Column, SchemaChange, additions},
    state::STATE_TABLE,
};
use futures::future::{try_join, try_join3};
use serde_json::{Value, json};

use super::{
    BigQuery, MANAGED_BY, STAGED,
    model::Table,
    record::state_schema,
    schema::{sql_type, table_schema},
};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{Target, Warehouse, sql::Dialect},
};

impl BigQuery {
    /// See [`Warehouse::prepare`].
    pub(super) async fn prepare_tables(
        &self,
        target: &Target,
        columns: &[Column],
        planned: &[SchemaChange],
    ) -> Result<()> {
        let dataset = &target.dataset;
        let (location, table, state_table) = try_join3(
            self.location(dataset),
            self.find_table(dataset, &target.table),
            self.find_table(dataset, STATE_TABLE),
        )
        .await?;
        let location = match location {
            Some(location) => location,
            None => self.create_dataset(dataset).await?,
        };
        let create_state_table = async {
            let table = match state_table {
                Some(table) => table,
                None => self.create_state_table(dataset).await?,
            };
            self.check_state_ours(dataset, &table)?;
            self.keep(dataset, STATE_TABLE, &table, &location).await
        };
        let create_table = async {
            match table {
                Some(table) => Ok((table, planned.to_vec())),
                None => self.create_table(target, columns).await,
            }
        };
        let ((), (table, changes)) = try_join(create_state_table, create_table).await?;
        self.check_ours(target, &table)?;
        self.keep(dataset, &target.table, &table, &location).await?;
        self.keep_all_months(target, &table, &location).await?;
        self.change_columns(target, &changes, &location).await
    }

    /// Creates the dataset and returns its location.
    async fn create_dataset(&self, dataset: &str) -> Result<String> {
        let (key, value) = MANAGED_BY;
        let name = format!("{}.{dataset}", self.client.project());
        let wanted = json!({
            "datasetReference": {"projectId": self.client.project(), "datasetId": dataset},
            "location": self.default_location,
            "labels": {key: value},
        });
        let location = match self.client.create_dataset(&wanted).await {
            Ok(created) => Some(created.location),
            // Another run created it in the meantime.
            Err(failure) if failure.is_status(409) => self.location(dataset).await?,
            Err(failure) => {
                let error = failure.into_error(&format!("creating dataset {name}"));
                let hint = format!(
                    "the account may not create datasets: run `bq mk --location={} --dataset {}:{dataset}` as one that may",
                    self.default_location,
                    self.client.project()
                );
                return Err(if error.kind() == Kind::Permission { error.hint(hint) } else { error });
            }
        };
        let location = location.unwrap_or_else(|| self.default_location.clone());
        tracing::info!(dataset = name, location, "created dataset");
        self.remember_location(dataset, &location);
        Ok(location)
    }

    async fn create_state_table(&self, dataset: &str) -> Result<Table> {
        let description = "What finops loaded: one row a load. The highest sequence of a table's month stands.";
        let wanted = self.new_table(dataset, STATE_TABLE, &state_schema(), description);
        match self.client.create_table(dataset, &wanted).await {
            Ok(table) => Ok(table),
            Err(failure) if failure.is_status(409) => self.appeared(dataset, STATE_TABLE).await,
            Err(failure) => Err(failure.into_error(&format!("creating table {}", self.state_table(dataset)))),
        }
    }

    /// Creates the table. If another run did so in the meantime, tells what its table lacks.
    async fn create_table(&self, target: &Target, columns: &[Column]) -> Result<(Table, Vec<SchemaChange>)> {
        let description = format!("Billing of export {}, one partition a billing period.", target.export_name);
        let mut wanted = self.new_table(&target.dataset, &target.table, &table_schema(columns)?, &description);
        wanted["timePartitioning"] = json!({"type": "MONTH", "field": target.layout.partition});
        if target.staged {
            wanted["labels"][STAGED.0] = STAGED.1.into();
        }
        wanted["clustering"] = json!({"fields": [target.layout.cluster]});
        match self.client.create_table(&target.dataset, &wanted).await {
            Ok(table) => Ok((table, Vec::new())),
            Err(failure) if failure.is_status(409) => {
                let table = self.appeared(&target.dataset, &target.table).await?;
                let missing = additions(&super::schema::columns(&table.schema), columns, &[]);
                Ok((table, missing))
            }
            Err(failure) => Err(failure.into_error(&format!("creating table {}", self.table_name(target)))),
        }
    }

    fn new_table(&self, dataset: &str, table: &str, schema: &Value, description: &str) -> Value {
        let (key, value) = MANAGED_BY;
        json!({
            "tableReference": {"projectId": self.client.project(), "datasetId": dataset, "tableId": table},
            "schema": schema,
            "labels": {key: value},
            "description": description,
        })
    }

    /// A table that somebody created since it was looked for.
    async fn appeared(&self, dataset: &str, table: &str) -> Result<Table> {
        self.find_table(dataset, table).await?.ok_or_else(|| {
            let message = format!("table {}.{dataset}.{table} appeared and went away again", self.client.project());
            Error::new(Kind::Busy, message).hint("find out what else creates and drops it, then run again")
        })
    }

    /// Takes away a table's expiration: a dataset's default is inherited, and drops the whole table on its day.
    async fn keep(&self, dataset: &str, name: &str, table: &Table, location: &str) -> Result<()> {
        let Some(expiration) = table.expiration_time.as_deref() else {
            return Ok(());
        };
        tracing::warn!(
            table = format!("{}.{dataset}.{name}", self.client.project()),
            expiration_time = expiration,
            "removing the table's expiration: it would drop the table (new tables inherit their dataset's default)"
        );
        self.unset(dataset, name, "expiration_timestamp", location).await
    }

    /// Takes away a partition expiration: a dataset's default is inherited, and drops old months silently.
    async fn keep_all_months(&self, target: &Target, table: &Table, location: &str) -> Result<()> {
        let Some(expiration) = table.time_partitioning.as_ref().and_then(|p| p.expiration_ms.as_deref()) else {
            return Ok(());
        };
        tracing::warn!(
            table = self.table_name(target),
            expiration_ms = expiration,
            "removing the partition expiration: it would drop old months (new tables inherit their dataset's default)"
        );
        self.unset(&target.dataset, &target.table, "partition_expiration_days", location).await
    }

    async fn unset(&self, dataset: &str, table: &str, option: &str, location: &str) -> Result<()> {
        let sql = format!("ALTER TABLE {} SET OPTIONS ({option} = NULL)", self.path(dataset, table));
        let altered = self.client.query(location, &sql, &[]).await;
        let doing = || format!("removing {option} of {}.{dataset}.{table}", self.client.project());
        altered.map_err(|failure| failure.into_error(&doing()))?;
        Ok(())
    }

    async fn change_columns(&self, target: &Target, changes: &[SchemaChange], location: &str) -> Result<()> {
        for sql in alterations(&self.path(&target.dataset, &target.table), changes)? {
            let altered = self.client.query(location, &sql, &[]).await;
            altered.map_err(|f| f.into_error(&format!("changing columns of {}", self.table_name(target))))?;
        }
        Ok(())
    }
}

/// One statement for all additions, which is atomic and harmless where another run adds the same, and one for all
/// widenings.
fn alterations(table: &str, changes: &[SchemaChange]) -> Result<Vec<String>> {
    let mut additions = Vec::new();
    let mut widenings = Vec::new();
    for change in changes {
        let name = Dialect::BigQuery.quote(&change.column);
        let sql_type = || sql_type(&Column { name: change.column.clone(), column_type: change.to });
        match change.change {
            ChangeKind::Add => additions.push(format!("ADD COLUMN IF NOT EXISTS {name} {}", sql_type()?)),
            ChangeKind::Widen => widenings.push(format!("ALTER COLUMN {name} SET DATA TYPE {}", sql_type()?)),
            ChangeKind::Cast | ChangeKind::Refuse => {}
        }
    }
    let clauses = [additions, widenings].into_iter().filter(|clauses| !clauses.is_empty());
    Ok(clauses.map(|clauses| format!("ALTER TABLE {table} {}", clauses.join(", "))).collect())
}

#[cfg(test)]
mod tests {
    use finops_core::schema::ColumnType;

    use super::*;

    #[test]
    fn all_additions_go_in_one_statement_and_casts_change_nothing() {
        let change = |column: &str, change, to| SchemaChange {
            column: column.to_owned(),
            change,
            from: None,
            to,
            billing_periods: Vec::new(),
            reason: String::new(),
        };
        let changes = [
            change("a", ChangeKind::Add, ColumnType::String),
            change("n", ChangeKind::Widen, ColumnType::Decimal),
            change("b", ChangeKind::Add, ColumnType::Timestamp),
            change("c", ChangeKind::Cast, ColumnType::Decimal),
        ];
        assert_eq!(
            alterations("`t`", &changes).unwrap(),
            [
                "ALTER TABLE `t` ADD COLUMN IF NOT EXISTS `a` STRING, ADD COLUMN IF NOT EXISTS `b` TIMESTAMP",
                "ALTER TABLE `t` ALTER COLUMN `n` SET DATA TYPE BIGNUMERIC"
            ]
        );
        assert!(alterations("`t`", &changes[3..]).unwrap().is_empty());
    }
}
