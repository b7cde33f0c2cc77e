//! DuckDB: the embedded warehouse, one database file.

mod cast;
mod export;
mod file;
mod footers;
mod inspect;
mod integrity;
mod prepare;
mod scales;
mod stage;
mod state;

use std::{path::Path, sync::Arc};

use duckdb::{AccessMode, Config, Connection};
use finops_core::{
    BillingPeriod, hint,
    schema::{Column, SchemaChange},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

use self::file::{DatabaseFile, cannot_open};
use super::{
    Committed, Compression, Found, Limits, Loaded, MonthLoad, NewRecord, Stage, Swap, TableName, Target, Warehouse,
    sql::Dialect::DuckDb as DIALECT,
};
use crate::error::{Error, ErrorKind, Result};

/// The comment on tables that finops created.
const OURS: &str = "managed by finops";
/// The same, on tables of the staged pipeline.
const OURS_STAGED: &str = "managed by finops, staged";

/// A DuckDB database file. Months are replaced one after the other.
#[derive(Clone)]
pub struct DuckDb {
    connection: Arc<Mutex<Connection>>,
    /// For readers beside a month that is staged, which has the other one.
    second: Arc<std::sync::Mutex<Connection>>,
}

/// A table that is prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Under the name that the catalog has.
    target: Target,
    /// Its full name, quoted.
    path: String,
}

/// A month in an open transaction, with the connection for itself. Dropped without swap, it is rolled back.
pub struct Staged {
    connection: Option<OwnedMutexGuard<Connection>>,
    /// The number of its record.
    sequence: i64,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            stage::roll_back(connection);
        }
    }
}

impl DuckDb {
    /// Opens the database file to load into it, and creates it and its folder where they are missing.
    ///
    /// # Errors
    /// `Busy` where another process has the file open; `Warehouse` where it cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        file.make_folder()?;
        let opened = Self::with(path, offline().and_then(|config| Connection::open_with_flags(file.path(), config)));
        opened.inspect_err(|error| file.remove_broken(error))
    }

    /// Opens the database file only to read; a file that is missing reads as an empty database, and stays missing.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::read(path, &DatabaseFile::find(path)?)
    }

    /// Opens the database file only to read, and sees that [`DuckDb::open`] can open it. Gives whether it is there.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_check(path: &Path) -> Result<(bool, Self)> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        Ok((file.is_there(), Self::read(path, &file)?))
    }

    fn read(path: &Path, file: &DatabaseFile) -> Result<Self> {
        if !file.is_there() {
            return Self::with(path, offline().and_then(Connection::open_in_memory_with_flags));
        }
        let read_only = offline().and_then(|config| config.access_mode(AccessMode::ReadOnly));
        Self::with(path, read_only.and_then(|config| Connection::open_with_flags(path, config)))
    }

    fn with(path: &Path, connection: duckdb::Result<Connection>) -> Result<Self> {
        let connection = connection.map_err(|error| cannot_open(path, &error.to_string()))?;
        // Moments without a zone are UTC, whatever the machine's zone is.
        connection.execute_batch("SET TimeZone = 'UTC'").map_err(|error| cannot_open(path, &error.to_string()))?;
        let second = connection.try_clone().map_err(|error| cannot_open(path, &error.to_string()))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), second: Arc::new(std::sync::Mutex::new(second)) })
    }

    /// A second connection to the same database, for readers during a run: the file itself is locked.
    ///
    /// # Errors
    /// `Warehouse` where DuckDB refuses it.
    pub fn reader(&self) -> Result<Connection> {
        let second = self.second.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        second
            .try_clone()
            .map_err(|error| Error::new(ErrorKind::Warehouse, "cannot open a second connection").cause(error))
    }

    /// Writes a month of the table to the Parquet file `to`; gives its rows.
    ///
    /// # Errors
    /// What DuckDB says, such as that the disk is full.
    pub async fn export(
        &self,
        target: &Target,
        period: BillingPeriod,
        to: &Path,
        compression: Compression,
    ) -> Result<u64> {
        let (target, to) = (target.clone(), to.to_owned());
        self.blocking(move |connection| export::export(connection, &target, period, &to, compression)).await
    }

    /// Runs `work` on the connection, away from the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        on_a_thread(move || work(&mut connection)).await
    }
}

/// Runs `work` away from the async threads.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Error::new(ErrorKind::Warehouse, "the DuckDB thread ended early").cause(error))?
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
        self.blocking(move |connection| inspect::loaded(connection, &name)).await
    }

    async fn inspect(&self, name: &TableName, _: &Loaded) -> Result<Option<Found>> {
        let name = name.clone();
        self.blocking(move |connection| inspect::inspect(connection, &name)).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Prepared> {
        let (target, columns, changes) = (target.clone(), columns.to_vec(), changes.to_vec());
        self.blocking(move |connection| prepare::prepare(connection, target, &columns, &changes)).await
    }

    async fn stage(&self, table: &Prepared, month: &MonthLoad) -> Result<Stage<Staged>> {
        let (table, month, sequence) = (table.clone(), month.clone(), month.next_sequence()?);
        let connection = Arc::clone(&self.connection).lock_owned().await;
        on_a_thread(move || {
            let figures = stage::stage(&connection, &table, &month)?;
            // Where nobody waits for it any more, it is dropped.
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
        // Rolling back many rows takes its time.
        let rolled_back = on_a_thread(move || {
            drop(staged);
            Ok(())
        });
        if let Err(error) = rolled_back.await {
            tracing::warn!(error = error.full_message(), "a staged month could not be rolled back at once");
        }
    }
}

/// Settings under which DuckDB fetches nothing: for a SQLite file, it would install an extension that reads it.
fn offline() -> duckdb::Result<Config> {
    Config::default().enable_autoload_extension(false)
}

/// The full name of the target's schema, quoted: alone, it would be ambiguous where the database file has that name.
fn schema(connection: &Connection, name: &TableName) -> Result<String> {
    let catalog: String = connection
        .query_row("SELECT current_database()", [], |row| row.get(0))
        .map_err(failed("cannot read the database's name"))?;
    Ok(DIALECT.path(&[&catalog, &name.dataset]))
}

/// The full name of a table in the schema of `name`, quoted.
fn path(connection: &Connection, name: &TableName, table: &str) -> Result<String> {
    Ok(format!("{}.{}", schema(connection, name)?, DIALECT.quote(table)))
}

/// An error of DuckDB's, with what was being done.
fn failed(doing: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Error {
    let doing = doing.into();
    move |error| {
        let full = error.to_string().contains("No space left on device");
        let failed = Error::new(ErrorKind::Warehouse, doing).cause(error);
        if full { failed.hint(hint::DISK_OF_FILE_FULL) } else { failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_where_to_make_room() {
        let full = || duckdb::Error::InvalidParameterName("No space left on device".to_owned());
        assert_eq!(failed("writing")(full()).next_step(), Some(hint::DISK_OF_FILE_FULL));
    }
}
