//! DuckDB: the embedded warehouse, one database file.

mod cast;
mod decimals;
mod export;
mod inspect;
mod integrity;
mod prepare;
mod replace;
mod state;

use std::{
    fs::OpenOptions,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use duckdb::{AccessMode, Config, Connection};
use finops_core::{
    BillingPeriod,
    schema::{Column, SchemaChange},
};

use super::{Inventory, MonthLoad, Replaced, Target, Warehouse, sql::Dialect::DuckDb as DIALECT};
use crate::{
    cli::Compression,
    error::{Error, Kind, Result},
};

/// The comment on tables that finops created.
const OURS: &str = "managed by finops";
/// The same, on tables of the staged pipeline.
const OURS_STAGED: &str = "managed by finops, staged";

/// A DuckDB database file. Months are replaced one after the other.
#[derive(Clone)]
pub struct DuckDb {
    connection: Arc<Mutex<Connection>>,
}

impl DuckDb {
    /// Opens the database file, and creates it and its folder where they are missing.
    ///
    /// # Errors
    /// `Busy` where another process has the file open; `Warehouse` where it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| cannot_open(path, &error.to_string()))?;
        }
        Self::with(path, offline().and_then(|config| Connection::open_with_flags(path, config)))
    }

    /// Opens the database file only to read; a file that is missing reads as an empty database, and stays missing.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Self::with(path, offline().and_then(Connection::open_in_memory_with_flags));
        }
        let read_only = offline().and_then(|config| config.access_mode(AccessMode::ReadOnly));
        Self::with(path, read_only.and_then(|config| Connection::open_with_flags(path, config)))
    }

    /// Opens the database file only to read, and sees that it can be written; where it is missing, that its folder, or the
    /// nearest that is there, can. Gives whether it is there.
    ///
    /// # Errors
    /// As [`DuckDb::open`].
    pub fn open_to_check(path: &Path) -> Result<(bool, Self)> {
        let is_there = path.exists();
        let writable = if is_there {
            // Before DuckDB opens it: its lock on the file would go with ours.
            OpenOptions::new().write(true).open(path).map(drop)
        } else {
            let above = path.ancestors().skip(1).map(|folder| if folder == "" { Path::new(".") } else { folder });
            let folder = above.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."));
            // On Linux a file without a name, which leaves no trace.
            tempfile::tempfile_in(folder).map(drop)
        };
        writable.map_err(|error| cannot_open(path, &error.to_string()))?;
        Ok((is_there, Self::open_to_read(path)?))
    }

    fn with(path: &Path, connection: duckdb::Result<Connection>) -> Result<Self> {
        let connection = connection.map_err(|error| cannot_open(path, &error.to_string()))?;
        // Moments without a zone are UTC, whatever the machine's zone is.
        connection.execute_batch("SET TimeZone = 'UTC'").map_err(|error| cannot_open(path, &error.to_string()))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// A second connection to the same database, for readers during a run: the file itself is locked.
    ///
    /// # Errors
    /// `Warehouse` where DuckDB refuses it.
    pub fn reader(&self) -> Result<Connection> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .try_clone()
            .map_err(|error| Error::new(Kind::Warehouse, "cannot open a second connection").cause(error))
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
        let connection = Arc::clone(&self.connection);
        let task =
            tokio::task::spawn_blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)));
        task.await.map_err(|error| Error::new(Kind::Warehouse, "the DuckDB thread ended early").cause(error))?
    }
}

impl Warehouse for DuckDb {
    fn concurrency(&self) -> usize {
        1
    }

    fn reads_buckets(&self) -> bool {
        false
    }

    fn table_name(&self, target: &Target) -> String {
        format!("{}.{}", target.dataset, target.table)
    }

    async fn inspect(&self, target: &Target) -> Result<Inventory> {
        let target = target.clone();
        self.blocking(move |connection| inspect::inspect(connection, &target)).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<()> {
        let (target, columns, changes) = (target.clone(), columns.to_vec(), changes.to_vec());
        self.blocking(move |connection| prepare::prepare(connection, &target, &columns, &changes)).await
    }

    async fn replace_month(&self, target: &Target, load: &MonthLoad) -> Result<Replaced> {
        let (target, load) = (target.clone(), load.clone());
        self.blocking(move |connection| replace::replace_month(connection, &target, &load)).await
    }
}

/// Settings under which DuckDB fetches nothing: for a SQLite file, it would install an extension that reads it.
fn offline() -> duckdb::Result<Config> {
    Config::default().enable_autoload_extension(false)
}

fn cannot_open(path: &Path, cause: &str) -> Error {
    let message = format!("cannot open the DuckDB database {}", path.display());
    // DuckDB gives no code for it: the text is that of 1.5.
    if cause.contains("Conflicting lock") || cause.contains("Could not set lock") {
        return Error::new(Kind::Busy, message)
            .hint("another process has it open: close that one, or wait for the other run to end")
            .cause(cause);
    }
    let empty = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
    let hint = if empty {
        "the file is empty, which no database is: delete it, and the next run creates it anew"
    } else {
        "DUCKDB_PATH, in the staged pipeline database.duckdb.database_path, must name a DuckDB file that you may write"
    };
    Error::new(Kind::Warehouse, message).hint(hint).cause(cause)
}

/// The full name of the target's schema, quoted: alone, it would be ambiguous where the database file has that name.
fn schema(connection: &Connection, target: &Target) -> Result<String> {
    let catalog: String = connection
        .query_row("SELECT current_database()", [], |row| row.get(0))
        .map_err(failed("cannot read the database's name"))?;
    Ok(DIALECT.path(&[&catalog, &target.dataset]))
}

/// The full name of a table in the target's schema, quoted.
fn path(connection: &Connection, target: &Target, table: &str) -> Result<String> {
    Ok(format!("{}.{}", schema(connection, target)?, DIALECT.quote(table)))
}

/// An error of DuckDB's, with what was being done.
fn failed(doing: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Error {
    let doing = doing.into();
    move |error| {
        let full = error.to_string().contains("No space left on device");
        let failed = Error::new(Kind::Warehouse, doing).cause(error);
        if full {
            failed.hint("make room on the disk of the file that is named, or else of the database; what was loaded is still there")
        } else {
            failed
        }
    }
}
