//! Locks on the folders of finops. A file keeps its name when it is replaced, so a run that reads several files excludes runs
//! that write.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use finops_core::hint;

use crate::{
    error::{Error, ErrorKind, Result},
    storage::{unreadable, unwritable},
};

/// Locks the folder for writing, until the returned file is dropped or the process ends. Creates the folder where it is
/// missing.
///
/// # Errors
/// `Busy` while another run reads or writes there.
pub fn to_write(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    lock(folder, File::try_lock, "uses")
}

/// Locks the folder for reading, which other runs may do at the same time.
///
/// # Errors
/// `Busy` while another run writes there.
#[cfg(feature = "duckdb")]
pub fn to_read(folder: &Path) -> Result<File> {
    lock(folder, File::try_lock_shared, "writes to")
}

fn lock(folder: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>, does: &str) -> Result<File> {
    let opened = File::open(folder).map_err(|error| unreadable(folder, error))?;
    match lock(&opened) {
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(ErrorKind::Busy, format!("another run {does} the folder {}", folder.display()))
                .hint(hint::WAIT_FOR_RUN))
        }
        // Not every network file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(opened),
    }
}
