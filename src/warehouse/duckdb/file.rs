//! The database file: where it is, and whether it can be written.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use finops_core::hint;

use super::failure::Problem;
use crate::error::{Error, ErrorKind, Result};

/// The file that a setting names.
pub struct DatabaseFile {
    /// Where DuckDB opens it: of a link to a file that is not there, that file. DuckDB would write the log beside the link,
    /// and the next time look for it beside the file (seen on 1.5.6).
    path: PathBuf,
    is_there: bool,
}

impl DatabaseFile {
    /// Finds the file, and refuses what is no file: DuckDB waits for ever on a pipe.
    ///
    /// # Errors
    /// `Warehouse` for a folder, a pipe and the like, and for a path that cannot be followed.
    pub fn find(path: &Path) -> Result<Self> {
        let (path, is_there) = locate(path).map_err(|error| cannot_open(path, &error.to_string()))?;
        Ok(Self { path, is_there })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Refuses a file that a load cannot write, or beside which it cannot write DuckDB's log: DuckDB says so at the first
    /// commit only. Of a folder that is not there yet, the nearest one above it counts. It comes before DuckDB opens the
    /// file: its lock would go with ours.
    ///
    /// # Errors
    /// `Warehouse` naming the file.
    pub fn check_writable(&self) -> Result<()> {
        self.writable().map_err(|error| cannot_open(&self.path, &error.to_string()))
    }

    fn writable(&self) -> io::Result<()> {
        let file = if self.is_there {
            OpenOptions::new().write(true).open(&self.path)?;
            // DuckDB writes its log beside the file itself, not beside a link to it (seen on 1.5.6).
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
                // On Linux a file without a name, which leaves no trace.
                Ok(_) => return tempfile::tempfile_in(folder).map(drop).map_err(|error| named(folder, &error)),
            }
        }
        Ok(())
    }

    /// The folder of the file, made where it is missing.
    pub fn make_folder(&self) -> Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), fs::create_dir_all).map_err(|error| cannot_open(&self.path, &error.to_string()))
    }

    /// Removes a file that was not there before and could not be opened: what DuckDB has begun to write is no database.
    /// Another run may create one meanwhile, which stays.
    pub fn remove_broken(&self, error: &Error) {
        if !self.is_there && error.kind() != ErrorKind::Busy && has_headers(&self.path).is_ok_and(|has| !has) {
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

/// The file at the end of links, and whether it is there.
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

/// What a database that cannot be opened means.
pub fn cannot_open(path: &Path, cause: &str) -> Error {
    let message = format!("cannot open the DuckDB database {}", path.display());
    let problem = Problem::of(cause);
    if problem == Some(Problem::Locked) {
        return Error::new(ErrorKind::Busy, message).hint(hint::DATABASE_OPEN).cause(cause);
    }
    let is_empty = || path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
    let hint = if problem == Some(Problem::DiskFull) {
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
    fn a_file_that_is_no_database_is_removed_and_one_that_another_run_created_meanwhile_is_not() {
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
