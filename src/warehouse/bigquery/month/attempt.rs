//! An attempt to stage a month, and the tables that it creates.

use serde_json::{Value, json};

use super::staging::StagingTable;
use crate::warehouse::bigquery::{
    BigQuery,
    tables::{labels::MANAGED_BY, prepare::Prepared},
};
use crate::{
    error::Result,
    warehouse::{MonthLoad, Warehouse},
};

/// An attempt to stage a month.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub bigquery: &'a BigQuery,
    pub table: &'a Prepared,
    pub load: &'a MonthLoad,
    pub staging: &'a StagingTable,
}

impl Attempt<'_> {
    /// Creates the staging table, or a raw table beside it.
    pub async fn create(self, name: &str, mut table: Value) -> Result<()> {
        let (key, value) = MANAGED_BY;
        table["tableReference"] = self.reference(name);
        if let Some(key) = &self.table.encryption {
            table["encryptionConfiguration"] = key.clone();
        }
        table["labels"] = json!({key: value});
        table["description"] = format!(
            "Staged rows of {} for {}. Removed after the load, or by its expiration.",
            self.load.billing_period, self.table.target.name.table
        )
        .into();
        table["expirationTime"] = self.staging.expires.as_millisecond().to_string().into();
        let table = self.bigquery.client.labelled(table);
        self.bigquery.new_tables.turn().await;
        match self.bigquery.client.create_table(&self.table.staging_dataset, &table).await {
            // The answer to the first attempt was lost: no other run creates a table of that name.
            Err(failure) if failure.is_status(409) => Ok(()),
            created => created.map(drop).map_err(|failure| failure.into_error(&self.doing())),
        }
    }

    /// A table beside the staging table, as jobs name it.
    pub fn reference(self, name: &str) -> Value {
        self.bigquery.client.reference(&self.table.staging_dataset, name)
    }

    /// The same table in SQL.
    pub fn path(self, name: &str) -> String {
        self.bigquery.path(&self.staging.dataset, name)
    }

    pub fn doing(self) -> String {
        let table = self.bigquery.table_name(&self.table.target.name);
        format!("staging the files of {} for {table}", self.load.billing_period)
    }
}
