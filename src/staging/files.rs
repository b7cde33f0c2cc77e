//! Files that finops writes: each has its final name once it is whole, and the manifest that lists them is written last.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use finops_core::formats::staging::StagedManifest;

use crate::{
    error::{Error, ErrorKind, Result},
    storage::unwritable,
};

/// Ends the name of a file that is not whole yet.
pub(super) const PARTIAL: &str = ".part";

/// Writes a manifest, whole or not at all.
pub(super) fn write_manifest(path: &Path, staged: &StagedManifest) -> Result<()> {
    let partial = with_suffix(path, PARTIAL);
    let json = serde_json::to_vec_pretty(staged)
        .map_err(|error| Error::new(ErrorKind::Storage, "cannot write a manifest").cause(error))?;
    fs::write(&partial, json).map_err(|error| unwritable(&partial, error))?;
    rename(&partial, path)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| unwritable(to, error))
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, error)),
        _ => Ok(()),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
