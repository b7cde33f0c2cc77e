//! DuckDB as a warehouse: the database file and the steps of a load.

use std::sync::Arc;

use duckdb::Connection;
use finops_core::schema::{Column, SchemaChange};
use tokio::sync::OwnedMutexGuard;

use super::{
    database::{DuckDb, on_a_thread},
    inspect,
    prepare::{self, Prepared},
    stage, state,
    transaction::roll_back,
};
use crate::{
    error::Result,
    warehouse::{Committed, Found, Limits, Loaded, MonthLoad, NewRecord, Stage, Swap, TableName, Target, Warehouse},
};

/// A month in an open transaction, which has the connection. Dropped without swap, it is rolled back.
pub struct Staged {
    connection: Option<OwnedMutexGuard<Connection>>,
    /// The number of its record.
    sequence: i64,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            roll_back(connection);
        }
    }
}

impl Warehouse for DuckDb {
    type Table = Prepared;
    type Staged = Staged;

    fn limits(&self) -> Limits {
        Limits { months: 1, reads_buckets: false }
    }

    fn table_name(&self, name: &TableName) -> String {
        format!("{}.{}", name.dataset, name.table)
    }

    async fn loaded(&self, name: &TableName) -> Result<Loaded> {
        let name = name.clone();
        self.blocking(move |connection| state::loaded(connection, &name)).await
    }

    async fn inspect(&self, name: &TableName, _: &Loaded) -> Result<Option<Found>> {
        let name = name.clone();
        self.blocking(move |connection| inspect::inspect(connection, &name)).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Prepared> {
        let (target, columns, changes, database) = (target.clone(), columns.to_vec(), changes.to_vec(), self.clone());
        let prepare = move |connection: &mut Connection| {
            if let Some(created) = database.create()? {
                *connection = created;
            }
            prepare::prepare(connection, target, &columns, &changes)
        };
        self.blocking(prepare).await
    }

    async fn stage(&self, table: &Prepared, month: &MonthLoad) -> Result<Stage<Staged>> {
        let (table, month, sequence) = (table.clone(), month.clone(), month.next_sequence()?);
        let connection = Arc::clone(&self.connection).lock_owned().await;
        on_a_thread(move || {
            let figures = stage::stage(&connection, &table, &month)?;
            // If the run is cancelled, this is dropped and rolled back.
            Ok(Stage::Ready(Staged { connection: Some(connection), sequence }, Box::new(figures)))
        })
        .await
    }

    async fn swap(&self, table: &Prepared, mut staged: Staged, record: NewRecord) -> Result<Swap> {
        let table = table.clone();
        let Some(connection) = staged.connection.take() else { return Ok(Swap::Superseded) };
        let sequence = staged.sequence;
        let record = on_a_thread(move || stage::commit(&connection, &table, record, sequence)).await?;
        Ok(Swap::Committed(Box::new(Committed { record, bytes_billed: 0 })))
    }

    async fn discard(&self, staged: Staged) {
        // A rollback of many rows takes time.
        let rolled_back = on_a_thread(move || {
            drop(staged);
            Ok(())
        });
        if let Err(error) = rolled_back.await {
            tracing::warn!(error = error.full_message(), "a staged month could not be rolled back at once");
        }
    }
}
