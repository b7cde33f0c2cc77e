//! What must exist before a month is loaded: dataset, state table, table and columns.

use std::sync::{Mutex, OnceLock, PoisonError, atomic::AtomicBool};

use finops_core::{
    hint,
    model::load_record::STATE_TABLE,
    schema::{ChangeKind, Column, SchemaChange, table_changes},
};
use futures::future::try_join3;
use serde_json::{Value, json};

use crate::warehouse::bigquery::{
    BigQuery,
    api::model::{Field, Table},
    tables::{
        labels::{JOBS_IN, MANAGED_BY, STAGED, label},
        raw_form::RawForm,
        schema::{columns as columns_of, sql_type, table_schema},
        state::{missing_columns, state_schema},
    },
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Target, Warehouse, sql::Dialect, unmanaged_table, written_by_other_pipeline},
};

/// A table after [`Warehouse::prepare`].
#[derive(Debug)]
pub struct Prepared {
    pub target: Target,
    pub location: String,
    /// All columns, also those that finops did not create.
    pub fields: Vec<Field>,
    pub clustering: Option<Value>,
    /// Its encryption key.
    pub encryption: Option<Value>,
    /// The dataset of its staging tables.
    pub staging_dataset: String,
    /// It has row access policies that the account may see.
    pub has_row_policies: bool,
    /// A copy was refused for a reason that holds for all months: other months are not copied.
    pub copies_refused: AtomicBool,
    /// The form of raw tables that worked last in this run.
    pub raw_form: Mutex<RawForm>,
    /// The table was compared after the first swap. Until then, one month at a time is swapped into an annotated table.
    pub was_compared: tokio::sync::Mutex<bool>,
    /// What others had added to the table and the first swap removed.
    pub lost: OnceLock<String>,
}

impl Prepared {
    /// Others added something to the table that a swap may remove.
    pub fn is_annotated(&self) -> bool {
        self.has_row_policies || self.fields.iter().any(|field| field.extras().next().is_some())
    }

    /// A copy may remove access rules of the table. A month is then replaced by a query, which keeps them.
    pub fn is_protected(&self) -> bool {
        self.has_row_policies || self.fields.iter().any(|field| field.extras().any(|extra| extra == Field::POLICY_TAGS))
    }
}

impl BigQuery {
    /// See [`Warehouse::prepare`].
    pub(in super::super) async fn prepare_tables(
        &self,
        target: &Target,
        columns: &[Column],
        planned: &[SchemaChange],
    ) -> Result<Prepared> {
        let dataset = &target.name.dataset;
        let (location, table, state_table) = try_join3(
            self.location(dataset),
            self.find_table(dataset, &target.name.table),
            self.find_table(dataset, STATE_TABLE),
        )
        .await?;
        let staging_dataset = self.staging_dataset(dataset);
        // Before anything is created or changed.
        let planned_location = location.as_ref().unwrap_or(&self.default_location);
        self.check_staging_dataset(staging_dataset, dataset, planned_location).await?;
        let location = match location {
            Some(location) => location,
            None => self.create_dataset(dataset).await?,
        };
        let create_state_table = async {
            let table = match state_table {
                Some(table) => table,
                None => self.create_state_table(dataset).await?,
            };
            self.check_state(dataset, &table)?;
            self.keep(dataset, STATE_TABLE, &table, &location).await?;
            self.add_state_columns(dataset, &table, &location).await?;
            self.check_that_it_may_record(dataset, &location).await
        };
        let has_row_policies = async {
            // A new table has none.
            if table.is_none() {
                return Ok(false);
            }
            let policies = self.row_access_policies(dataset, &target.name.table).await?;
            if policies.is_none() {
                let table = self.table_name(&target.name);
                tracing::info!(
                    table,
                    "the account may not list row access policies, which a copy may remove, if there are any"
                );
            }
            Ok(policies.is_some_and(|policies| !policies.is_empty()))
        };
        let prepare_table = async {
            let (table, changes) = match &table {
                Some(table) => (table.clone(), planned.to_vec()),
                None => self.create_table(target, columns).await?,
            };
            if !table.is_ours() {
                return Err(unmanaged_table(&self.table_name(&target.name)));
            }
            // The other pipeline may have created it in the meantime.
            if table.has_label(STAGED) != target.staged {
                return Err(written_by_other_pipeline(&self.table_name(&target.name), target));
            }
            self.keep(dataset, &target.name.table, &table, &location).await?;
            let changed = self.change_columns(target, &changes, &location).await?;
            // Read again, since others may have added columns, too.
            if changed { self.existing_table(target).await } else { Ok(table) }
        };
        let ((), has_row_policies, table) = try_join3(create_state_table, has_row_policies, prepare_table).await?;
        Ok(Prepared {
            target: target.clone(),
            location: location.clone(),
            fields: table.schema.fields,
            clustering: table.clustering,
            encryption: table.encryption_configuration,
            staging_dataset: staging_dataset.to_owned(),
            has_row_policies,
            copies_refused: AtomicBool::new(false),
            raw_form: Mutex::default(),
            was_compared: tokio::sync::Mutex::new(false),
            lost: OnceLock::new(),
        })
    }

    /// The target's table.
    ///
    /// # Errors
    /// `NotFound` where it no longer exists.
    pub(in super::super) async fn existing_table(&self, target: &Target) -> Result<Table> {
        let found = self.find_table(&target.name.dataset, &target.name.table).await?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("table {} is gone", self.table_name(&target.name)))
                .hint(hint::TABLE_GONE)
        })
    }

    /// Refuses a dataset of staging tables from which a copy is not possible.
    async fn check_staging_dataset(&self, staging: &str, dataset: &str, location: &str) -> Result<()> {
        if staging == dataset {
            return Ok(());
        }
        let project = self.client.project();
        let (problem, hint) = match self.location(staging).await? {
            Some(found) if found.eq_ignore_ascii_case(location) => return Ok(()),
            Some(found) => (
                format!("is in {found}, and dataset {dataset} in {location}: a copy needs both in one location"),
                hint::move_staging(location, project),
            ),
            None => ("does not exist".to_owned(), hint::create_staging(location, project, staging)),
        };
        let message = format!("dataset {project}.{staging} (STAGING_DATASET) {problem}");
        Err(Error::new(ErrorKind::Configuration, message).hint(hint))
    }

    async fn add_state_columns(&self, dataset: &str, table: &Table, location: &str) -> Result<()> {
        let Some(sql) = missing_columns(&self.path(dataset, STATE_TABLE), table) else { return Ok(()) };
        self.query(location, &sql, &format!("adding columns to {}", self.state_table(dataset))).await.map(drop)
    }

    /// Checked before anything is staged, since each run would load a month again that it cannot record.
    async fn check_that_it_may_record(&self, dataset: &str, location: &str) -> Result<()> {
        let recordable = || self.recordable.lock().unwrap_or_else(PoisonError::into_inner);
        if recordable().contains(dataset) {
            return Ok(());
        }
        self.try_recording(dataset, location, |_| true).await?;
        recordable().insert(dataset.to_owned());
        Ok(())
    }

    /// Creates the dataset and returns its location.
    async fn create_dataset(&self, dataset: &str) -> Result<String> {
        let (key, value) = MANAGED_BY;
        let name = format!("{}.{dataset}", self.client.project());
        let wanted = self.client.labelled(json!({
            "datasetReference": {"projectId": self.client.project(), "datasetId": dataset},
            "location": self.default_location,
            "labels": {key: value},
        }));
        let location = match self.client.create_dataset(&wanted).await {
            Ok(created) => Some(created.location),
            // Another run created it in the meantime.
            Err(failure) if failure.is_status(409) => self.location(dataset).await?,
            Err(failure) => {
                let error = failure.into_error(&format!("creating dataset {name}"));
                let hint = hint::create_dataset(&self.default_location, self.client.project(), dataset);
                return Err(if error.kind() == ErrorKind::Permission { error.hint(hint) } else { error });
            }
        };
        let location = location.unwrap_or_else(|| self.default_location.clone());
        tracing::info!(dataset = name, location, "created dataset");
        self.remember_location(dataset, &location);
        Ok(location)
    }

    async fn create_state_table(&self, dataset: &str) -> Result<Table> {
        let description =
            "What finops loaded: one row a load. Of a table's month, the row with the highest sequence counts.";
        let mut wanted = self.new_table(dataset, STATE_TABLE, &state_schema(), description);
        let jobs = self.client.job_project();
        if jobs != self.client.project() {
            wanted["labels"][JOBS_IN] = label(jobs).into();
        }
        self.created(dataset, STATE_TABLE, &wanted).await
    }

    /// Creates the table. Also returns the changes that it needs, if another run created it in the meantime.
    async fn create_table(&self, target: &Target, columns: &[Column]) -> Result<(Table, Vec<SchemaChange>)> {
        let description = format!("Billing of export {}, one partition a billing period.", target.export_name);
        let mut wanted =
            self.new_table(&target.name.dataset, &target.name.table, &table_schema(columns)?, &description);
        wanted["timePartitioning"] = json!({"type": "MONTH", "field": target.key_columns.partition});
        if target.staged {
            wanted["labels"][STAGED.0] = STAGED.1.into();
        }
        wanted["clustering"] = json!({"fields": [target.key_columns.cluster]});
        let table = self.created(&target.name.dataset, &target.name.table, &wanted).await?;
        let there: Vec<Column> = columns_of(&table.schema).into_iter().map(|found| found.column).collect();
        let missing = table_changes(&there, columns, &[]);
        Ok((table, missing))
    }

    fn new_table(&self, dataset: &str, table: &str, schema: &Value, description: &str) -> Value {
        let (key, value) = MANAGED_BY;
        json!({
            "tableReference": self.client.reference(dataset, table),
            "schema": schema,
            "labels": {key: value},
            "description": description,
        })
    }

    /// Creates the table, or finds the one that another run created in the meantime.
    async fn created(&self, dataset: &str, table: &str, wanted: &Value) -> Result<Table> {
        let name = format!("table {}.{dataset}.{table}", self.client.project());
        match self.client.create_table(dataset, wanted).await {
            Err(failure) if failure.is_status(409) => self.find_table(dataset, table).await?.ok_or_else(|| {
                let message = format!("{name} was created and removed by others at the same time");
                Error::new(ErrorKind::Busy, message).hint(hint::TABLE_COMES_AND_GOES)
            }),
            created => created.map_err(|failure| failure.into_error(&format!("creating {name}"))),
        }
    }

    /// Removes the expirations of a table and its partitions. A new table inherits its dataset's defaults, which would drop the
    /// table or its old months.
    async fn keep(&self, dataset: &str, name: &str, table: &Table, location: &str) -> Result<()> {
        let of_partitions =
            table.time_partitioning.as_ref().and_then(|partitioning| partitioning.expiration_ms.as_deref());
        let of_table = table.expiration_time.as_deref();
        let full_name = format!("{}.{dataset}.{name}", self.client.project());
        for (option, found) in [("expiration_timestamp", of_table), ("partition_expiration_days", of_partitions)] {
            let Some(found) = found else { continue };
            tracing::warn!(
                table = full_name,
                option,
                found,
                "removing an expiration: it would drop the table or old months (new tables inherit their dataset's default)"
            );
            let sql = format!("ALTER TABLE {} SET OPTIONS ({option} = NULL)", self.path(dataset, name));
            self.query(location, &sql, &format!("removing {option} of {full_name}")).await?;
        }
        Ok(())
    }

    /// Returns whether there was something to change.
    async fn change_columns(&self, target: &Target, changes: &[SchemaChange], location: &str) -> Result<bool> {
        let alterations = alterations(&self.path(&target.name.dataset, &target.name.table), changes)?;
        for sql in &alterations {
            self.query(location, sql, &format!("changing columns of {}", self.table_name(&target.name))).await?;
        }
        Ok(!alterations.is_empty())
    }
}

/// One statement for all additions, which is atomic and idempotent, and one for all widenings.
fn alterations(table: &str, changes: &[SchemaChange]) -> Result<Vec<String>> {
    let mut table_changes = Vec::new();
    let mut widenings = Vec::new();
    for change in changes {
        let name = Dialect::BigQuery.quote(&change.column);
        let sql_type = || sql_type(&Column { name: change.column.clone(), column_type: change.to });
        match change.change {
            ChangeKind::Add => table_changes.push(format!("ADD COLUMN IF NOT EXISTS {name} {}", sql_type()?)),
            ChangeKind::Widen => widenings.push(format!("ALTER COLUMN {name} SET DATA TYPE {}", sql_type()?)),
            ChangeKind::Cast | ChangeKind::Refuse => {}
        }
    }
    let clauses = [table_changes, widenings].into_iter().filter(|clauses| !clauses.is_empty());
    Ok(clauses.map(|clauses| format!("ALTER TABLE {table} {}", clauses.join(", "))).collect())
}

#[cfg(test)]
mod tests {
    use finops_core::model::column_type::ColumnType;

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
