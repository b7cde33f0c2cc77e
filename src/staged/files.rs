//! Files that finops writes: each under its final name once it is whole, and the manifest that lists them last.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use finops_core::staged::{StagedManifest, Written};
use md5::{Digest, Md5};

use crate::{
    error::{Error, Kind, Result},
    storage::{crc32c_text, unreadable, unwritable, updated},
};

/// What a file is called until it is whole.
pub(super) const PARTIAL: &str = ".part";

/// What the bytes of a file give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hashes {
    pub written: Written,
    pub md5: String,
}

/// Reads the file once for all checksums, on a thread of its own: it takes as long as reading a download does. `None` where
/// it is not there.
pub(super) async fn hashes(path: PathBuf) -> Result<Option<Hashes>> {
    let hashed = tokio::task::spawn_blocking(move || match hash(&path) {
        Ok(hashes) => Ok(Some(hashes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    });
    hashed.await.map_err(|error| Error::new(Kind::Storage, "a hashing thread ended early").cause(error))?
}

fn hash(path: &Path) -> io::Result<Hashes> {
    let (mut file, mut md5, mut crc, mut buffer) = (File::open(path)?, Md5::new(), 0, vec![0; 1 << 20]);
    let metadata = file.metadata()?;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => {
                md5.update(&buffer[..n]);
                crc = crc32c::crc32c_append(crc, &buffer[..n]);
            }
        }
    }
    let digest: [u8; 16] = md5.finalize().into();
    let written = Written { bytes: metadata.len(), updated: updated(&metadata), checksum: crc32c_text(crc) };
    // Big-endian, so that the first byte comes first.
    Ok(Hashes { written, md5: format!("{:032x}", u128::from_be_bytes(digest)) })
}

/// Writes a manifest, whole or not at all.
pub(super) fn write_manifest(path: &Path, staged: &StagedManifest) -> Result<()> {
    let partial = with_suffix(path, PARTIAL);
    let json = serde_json::to_vec_pretty(staged)
        .map_err(|error| Error::new(Kind::Storage, "cannot write a manifest").cause(error))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_said_to_be_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let error = hashes(folder.path().to_owned()).await.unwrap_err();
        let expected = format!("cannot read {}", folder.path().display());
        assert!(error.full_message().starts_with(&expected), "{}", error.full_message());
        assert_eq!(hashes(folder.path().join("missing")).await.unwrap(), None);
    }
}
