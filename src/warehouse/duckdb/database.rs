//! The database file, opened.

use std::{
    path::Path,
    sync::{Arc, PoisonError},
};

use duckdb::{AccessMode, Config, Connection};
use finops_core::BillingPeriod;
use tokio::sync::Mutex;

use super::{
    export,
    file::{DatabaseFile, cannot_open},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Compression, Target},
};

/// An open DuckDB database file. Months are replaced one after the other.
#[derive(Clone)]
pub struct DuckDb {
    pub(super) connection: Arc<Mutex<Connection>>,
    /// For readers while a month is staged: a staged month has the first connection.
    second: Arc<std::sync::Mutex<Connection>>,
}

impl DuckDb {
    /// Opens the database file to load into it, and creates it and its folder where they are missing.
    ///
    /// # Errors
    /// `Busy` where another process has the file open; `Warehouse` where it cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        file.create_folder()?;
        let opened = Self::with(path, offline().and_then(|config| Connection::open_with_flags(file.path(), config)));
        opened.inspect_err(|error| file.remove_broken(error))
    }

    /// Opens the database file only to read. A missing file reads as an empty database, and is not created.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::read(path, &DatabaseFile::find(path)?)
    }

    /// Opens the database file only to read, and checks that [`DuckDb::open`] can open it. Returns whether the file exists.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_check(path: &Path) -> Result<(bool, Self)> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        Ok((file.exists(), Self::read(path, &file)?))
    }

    fn read(path: &Path, file: &DatabaseFile) -> Result<Self> {
        if !file.exists() {
            return Self::with(path, offline().and_then(Connection::open_in_memory_with_flags));
        }
        let read_only = offline().and_then(|config| config.access_mode(AccessMode::ReadOnly));
        Self::with(path, read_only.and_then(|config| Connection::open_with_flags(path, config)))
    }

    fn with(path: &Path, connection: duckdb::Result<Connection>) -> Result<Self> {
        let connection = connection.map_err(|error| cannot_open(path, error))?;
        // Timestamps without a zone are UTC, whatever the machine's zone is.
        connection.execute_batch("SET TimeZone = 'UTC'").map_err(|error| cannot_open(path, error))?;
        let second = connection.try_clone().map_err(|error| cannot_open(path, error))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), second: Arc::new(std::sync::Mutex::new(second)) })
    }

    /// A second connection to the same database, for readers during a run: the file itself is locked.
    ///
    /// # Errors
    /// `Warehouse` where DuckDB refuses it.
    pub fn reader(&self) -> Result<Connection> {
        let second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        second
            .try_clone()
            .map_err(|error| Error::new(ErrorKind::Warehouse, "cannot open a second connection").cause(error))
    }

    /// Writes a month of the table to the Parquet file `to`. Returns the number of rows.
    ///
    /// # Errors
    /// What DuckDB refuses, such as that the disk is full.
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
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        on_a_thread(move || work(&mut connection)).await
    }
}

/// Runs `work` away from the async threads.
pub async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Error::new(ErrorKind::Warehouse, "the DuckDB thread ended early").cause(error))?
}

/// Settings with which DuckDB downloads nothing: for a SQLite file, it would install an extension that reads it.
fn offline() -> duckdb::Result<Config> {
    Config::default().enable_autoload_extension(false)
}
