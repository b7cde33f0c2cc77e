//! The database file, opened.

use std::{
    path::Path,
    sync::{Arc, PoisonError},
};

use duckdb::{AccessMode, Config, Connection};
use finops_core::{BillingPeriod, hint};
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
    /// The file, until it is created. Until then, both connections are to an empty database in memory.
    missing: Arc<std::sync::Mutex<Option<DatabaseFile>>>,
}

impl DuckDb {
    /// Opens the database file to load into it. A missing file is created with its first table.
    ///
    /// # Errors
    /// `Busy` where another process has the file open; `Warehouse` where it cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        if file.exists() {
            return Self::with(connect(&file)?, None);
        }
        Self::with(in_memory(path)?, Some(file))
    }

    /// Creates the missing file and its folder. Returns the connection to it, if it was created now.
    ///
    /// # Errors
    /// As [`DuckDb::open`]; `Busy` where another run created it meanwhile: this run did not see what that one loaded.
    pub(super) fn create(&self) -> Result<Option<Connection>> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = missing.as_ref() else { return Ok(None) };
        file.create_folder()?;
        let created = connect(file).inspect_err(|error| file.remove_broken(error))?;
        let failed = |error| cannot_open(file.path(), error);
        let tables: u64 =
            created.query_row("SELECT count(*) FROM duckdb_tables()", [], |row| row.get(0)).map_err(failed)?;
        if tables > 0 {
            let message = format!("another run created {} at the same time", file.path().display());
            return Err(Error::new(ErrorKind::Busy, message).hint(hint::CHANGED_MEANWHILE));
        }
        let second = created.try_clone().map_err(failed)?;
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = second;
        *missing = None;
        Ok(Some(created))
    }

    /// Opens the database file only to read. A missing file reads as an empty database, and is not created.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::read(&DatabaseFile::find(path)?)
    }

    /// Opens the database file only to read, and checks that [`DuckDb::open`] can open it. Returns whether the file exists.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_check(path: &Path) -> Result<(bool, Self)> {
        let file = DatabaseFile::find(path)?;
        file.check_writable()?;
        Ok((file.exists(), Self::read(&file)?))
    }

    fn read(file: &DatabaseFile) -> Result<Self> {
        if !file.exists() {
            return Self::with(in_memory(file.path())?, None);
        }
        let read_only = offline().and_then(|config| config.access_mode(AccessMode::ReadOnly));
        let connection = read_only.and_then(|config| Connection::open_with_flags(file.path(), config));
        Self::with(in_utc(file.path(), connection)?, None)
    }

    fn with(connection: Connection, missing: Option<DatabaseFile>) -> Result<Self> {
        let second = connection.try_clone().map_err(second_failed)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            second: Arc::new(std::sync::Mutex::new(second)),
            missing: Arc::new(std::sync::Mutex::new(missing)),
        })
    }

    /// A second connection to the same database, for readers during a run: the file itself is locked.
    ///
    /// # Errors
    /// `Warehouse` where DuckDB refuses it.
    pub fn reader(&self) -> Result<Connection> {
        let second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        second.try_clone().map_err(second_failed)
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

fn second_failed(error: duckdb::Error) -> Error {
    Error::new(ErrorKind::Warehouse, "cannot open a second connection").cause(error)
}

/// Opens the file to write it, and creates it where it is missing.
fn connect(file: &DatabaseFile) -> Result<Connection> {
    in_utc(file.path(), offline().and_then(|config| Connection::open_with_flags(file.path(), config)))
}

/// An empty database.
fn in_memory(path: &Path) -> Result<Connection> {
    in_utc(path, offline().and_then(Connection::open_in_memory_with_flags))
}

/// Timestamps without a zone are UTC, whatever the machine's zone is.
fn in_utc(path: &Path, connection: duckdb::Result<Connection>) -> Result<Connection> {
    let set = |connection: Connection| {
        connection.execute_batch("SET TimeZone = 'UTC'")?;
        Ok(connection)
    };
    connection.and_then(set).map_err(|error| cannot_open(path, error))
}

/// Settings with which DuckDB downloads nothing: for a SQLite file, it would install an extension that reads it.
fn offline() -> duckdb::Result<Config> {
    Config::default().enable_autoload_extension(false)
}
