//! The database file: where it is, and whether it can be written.

use std::{
    ffi::OsString,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use finops_core::hint;

use super::failure::{DISK_FULL, LOCKED};
use crate::error::{Error, ErrorKind, Result};

/// The file of the setting.
pub struct DatabaseFile {
    /// The path that DuckDB opens. For a link to a missing file it is that file: DuckDB would write its log next to the link,
    /// and next time look for it next to the file (seen on 1.5.6).
    path: PathBuf,
    exists: bool,
}

impl DatabaseFile {
    /// Finds the file, and refuses anything else: DuckDB would wait for ever on a pipe.
    ///
    /// # Errors
    /// `Warehouse` for a folder, a pipe and the like, and for a path that cannot be read.
    pub fn find(path: &Path) -> Result<Self> {
        let (path, exists) = locate(path).map_err(|error| cannot_open(path, error))?;
        Ok(Self { path, exists })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Refuses a file that a load cannot write, or a folder where DuckDB cannot write its log: DuckDB reports it only at the first
    /// commit. For a missing folder, the nearest folder above it is checked. Must be called before DuckDB opens the file: when
    /// this closes the file, DuckDB's lock would be released.
    ///
    /// # Errors
    /// `Warehouse` naming the file.
    pub fn check_writable(&self) -> Result<()> {
        self.writable().map_err(|error| cannot_open(&self.path, error))
    }

    fn writable(&self) -> io::Result<()> {
        let file = if self.exists {
            OpenOptions::new().write(true).open(&self.path)?;
            // DuckDB writes its log next to the file, not next to a link to it (seen on 1.5.6).
            fs::canonicalize(&self.path)?
        } else {
            self.path.clone()
        };
        let mut log = OsString::from(&file);
        log.push(".wal");
        locate(Path::new(&log)).map_err(|error| named(Path::new(&log), &error))?;
        for folder in file.ancestors().skip(1) {
            let folder = if folder == "" { Path::new(".") } else { folder };
            match folder.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                // On Linux this file has no name, so nothing is left.
                Ok(_) => return tempfile::tempfile_in(folder).map(drop).map_err(|error| named(folder, &error)),
            }
        }
        Ok(())
    }

    /// Creates the folder of the file where it is missing.
    pub fn create_folder(&self) -> Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), fs::create_dir_all).map_err(|error| cannot_open(&self.path, error))
    }

    /// Removes a file that did not exist before and could not be opened: DuckDB did not finish to create it. A database that
    /// another run created in the meantime is kept.
    pub fn remove_broken(&self, error: &Error) {
        if !self.exists && error.kind() != ErrorKind::Busy && has_headers(&self.path).is_ok_and(|has| !has) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the file begins as a DuckDB database: the smallest has three headers of 4 KiB, the first with `DUCK` after its
/// checksum (seen on 1.5.6).
fn has_headers(path: &Path) -> io::Result<bool> {
    let (mut file, mut start) = (File::open(path)?, [0; 12]);
    Ok(file.metadata()?.len() >= 3 * 4096 && file.read_exact(&mut start).is_ok() && start.ends_with(b"DUCK"))
}

/// The file behind any links, and whether it exists.
fn locate(path: &Path) -> io::Result<(PathBuf, bool)> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok((path.to_owned(), true)),
        Ok(found) if found.is_dir() => Err(io::Error::other("it is a folder")),
        Ok(_) => Err(io::Error::other("it is not a file, but a pipe, a device or a socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.read_link() {
            Ok(target) => locate(&path.parent().unwrap_or(Path::new("")).join(target)),
            Err(_) => Ok((path.to_owned(), false)),
        },
        Err(error) => Err(error),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The error for a database that cannot be opened.
pub fn cannot_open(path: &Path, cause: impl Display) -> Error {
    let cause = cause.to_string();
    let message = format!("cannot open the DuckDB database {}", path.display());
    if LOCKED.is_in(&cause) {
        return Error::new(ErrorKind::Busy, message).hint(hint::DATABASE_OPEN).cause(cause);
    }
    let is_empty = || path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
    let is_full = DISK_FULL.is_in(&cause);
    let hint = if is_full {
        hint::DATABASE_DISK_FULL
    } else if is_empty() {
        hint::DATABASE_EMPTY
    } else {
        hint::DATABASE_PATH
    };
    Error::new(ErrorKind::Warehouse, message).hint(hint).cause(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_a_database_is_removed_and_one_that_another_run_created_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("finops.duckdb");
        let error = cannot_open(&path, "out of memory");
        drop(duckdb::Connection::open(&path).unwrap());
        let database = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let half = &database[..database.len() / 2];
        for (content, stays) in [(&database[..], true), (half, false), (&[0; 16_384], false), (b"", false)] {
            let file = DatabaseFile::find(&path).unwrap();
            fs::write(&path, content).unwrap();
            file.remove_broken(&error);
            assert_eq!(path.exists(), stays, "{} bytes", content.len());
            let _ = fs::remove_file(&path);
        }
    }
}
