//! Who may be at work in a folder of finops's own. Its files keep their names when they are replaced, so who reads several of
//! them needs that nobody writes.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use crate::{
    error::{Error, Kind, Result},
    storage::unwritable,
};

/// Has the folder for this run alone, until what is given is dropped or the process ends; makes it where it is missing.
///
/// # Errors
/// `Busy` while another run reads or writes there.
pub fn to_write(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    lock(folder, File::try_lock, "uses")
}

/// Has the folder beside others that read it.
///
/// # Errors
/// `Busy` while another run writes there.
#[cfg(feature = "duckdb")]
pub fn to_read(folder: &Path) -> Result<File> {
    lock(folder, File::try_lock_shared, "writes to")
}

fn lock(folder: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>, does: &str) -> Result<File> {
    let opened = File::open(folder).map_err(|error| unwritable(folder, error))?;
    match lock(&opened) {
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(Kind::Busy, format!("another run {does} the folder {}", folder.display()))
                .hint("wait for its end, and run again"))
        }
        // Not every network's file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(opened),
    }
}
