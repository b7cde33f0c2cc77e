//! Checksums of a file on this machine, and whether they are those that a listing gave.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

use finops_core::formats::Written;
use jiff::Timestamp;
use md5::{Digest, Md5};

use super::errors::unreadable;
use crate::error::{Error, ErrorKind, Result};

/// What an object's listed checksum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChecksumKind {
    /// A CRC32C of the bytes, in base64.
    Crc32c,
    /// The MD5 of the bytes, in hexadecimal digits.
    #[cfg(feature = "s3")]
    Md5,
    /// Nothing that can be computed from the bytes.
    Opaque,
}

/// What the bytes of a file give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Its size, time and CRC32C.
    pub written: Written,
    /// In hexadecimal digits.
    pub md5: String,
}

/// Reads the file once for all checksums, on a thread of its own: it takes as long as reading a download does. `None` where
/// it is not there.
///
/// # Errors
/// What reading says, naming the file.
pub async fn hashes(path: PathBuf) -> Result<Option<Hashes>> {
    let hashed = tokio::task::spawn_blocking(move || match hash(&path) {
        Ok(hashes) => Ok(Some(hashes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    });
    hashed.await.map_err(|error| Error::new(ErrorKind::Storage, "a hashing thread ended early").cause(error))?
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

impl Hashes {
    /// Whether this is the listed object, as far as its checksum tells.
    pub(super) fn are(&self, kind: ChecksumKind, bytes: u64, checksum: &str) -> bool {
        self.written.bytes == bytes
            && match kind {
                ChecksumKind::Crc32c => self.written.checksum == checksum,
                #[cfg(feature = "s3")]
                ChecksumKind::Md5 => self.md5 == checksum,
                // The read was conditional on it.
                ChecksumKind::Opaque => true,
            }
    }
}

/// A CRC32C as Google Cloud Storage writes it: big-endian, in base64.
pub fn crc32c_text(sum: u32) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(sum.to_be_bytes())
}

/// When a file was written last, as far as its file system knows.
pub fn updated(metadata: &Metadata) -> Timestamp {
    let updated = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    updated.unwrap_or(Timestamp::UNIX_EPOCH)
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
