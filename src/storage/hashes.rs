//! Size, time and checksums of a file on this machine, compared with those of a listing.

use std::{
    fs::{File, Metadata},
    io::Read,
    path::{Path, PathBuf},
};

use finops_core::formats::Written;
use jiff::Timestamp;
use md5::{Digest, Md5};

use super::errors::unreadable;
use crate::error::{Error, ErrorKind, Result};

/// The kind of an object's listed checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChecksumKind {
    /// A CRC32C of the bytes, in base64.
    Crc32c,
    /// The MD5 of the bytes, in hexadecimal digits.
    #[cfg(feature = "s3")]
    Md5,
    /// It cannot be computed from the bytes.
    Opaque,
}

/// Checksums of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// Its size, time and CRC32C.
    pub written: Written,
    /// In hexadecimal digits.
    pub md5: String,
}

/// Reads the file once for all checksums, on another thread because a large file takes long. `None` if there is no file.
///
/// # Errors
/// Those of reading, with the name of the file.
pub async fn hashes(path: PathBuf) -> Result<Option<Hashes>> {
    let hashed = tokio::task::spawn_blocking(move || match hash(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        hashed => hashed.map(Some),
    });
    hashed.await.map_err(|error| {
        Error::new(ErrorKind::Storage, "the thread that computes checksums ended early").cause(error)
    })?
}

fn hash(path: &Path) -> Result<Hashes> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, mut file) = opened.map_err(|error| unreadable(path, error))?;
    let (mut md5, mut crc) = (Md5::new(), 0);
    each_piece(&mut file, path, |bytes| {
        md5.update(bytes);
        crc = crc32c::crc32c_append(crc, bytes);
        Ok(())
    })?;
    let digest: [u8; 16] = md5.finalize().into();
    let written = Written { bytes: metadata.len(), updated: updated(&metadata), checksum: crc32c_text(crc) };
    // Big-endian: the first byte first.
    Ok(Hashes { written, md5: format!("{:032x}", u128::from_be_bytes(digest)) })
}

/// Calls `piece` with the bytes of the file, in order.
pub(super) fn each_piece(file: &mut File, path: &Path, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|error| unreadable(path, error))? {
            0 => return Ok(()),
            n => piece(&buffer[..n])?,
        }
    }
}

impl Hashes {
    /// Whether size and checksum are those of the listed object.
    pub(super) fn are(&self, kind: ChecksumKind, bytes: u64, checksum: &str) -> bool {
        self.written.bytes == bytes
            && match kind {
                ChecksumKind::Crc32c => self.written.checksum == checksum,
                #[cfg(feature = "s3")]
                ChecksumKind::Md5 => self.md5 == checksum,
                // The read was conditional on the checksum.
                ChecksumKind::Opaque => true,
            }
    }
}

/// A CRC32C as Google Cloud Storage writes it: big-endian, in base64.
pub fn crc32c_text(sum: u32) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(sum.to_be_bytes())
}

/// When a file was last written; the epoch if its file system does not record it.
pub fn updated(metadata: &Metadata) -> Timestamp {
    let updated = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    updated.unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_names_a_file_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let error = hashes(folder.path().to_owned()).await.unwrap_err();
        let expected = format!("cannot read {}", folder.path().display());
        assert!(error.full_message().starts_with(&expected), "{}", error.full_message());
        assert_eq!(hashes(folder.path().join("missing")).await.unwrap(), None);
    }
}
