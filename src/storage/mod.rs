//! Where exports lie: a bucket or a local folder. Keys are paths below it, with `/` between folders.

mod gcs;
mod hashes;
mod limit;
mod local;
mod read;
#[cfg(feature = "s3")]
mod s3;

use std::{fmt, ops::Range, path::Path};

use bytes::Bytes;
use finops_core::{
    formats::Written,
    hint,
    model::{delivery::StoredFile, shown::Secret},
};
pub use gcs::Gcs;
use hashes::ChecksumKind;
pub use hashes::{Hashes, hashes};
use jiff::Timestamp;
pub use limit::REQUESTS;
pub(crate) use local::unreadable;
pub use local::{Local, crc32c_text, updated};
#[cfg(feature = "s3")]
pub use s3::S3;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, ErrorKind, Result};

/// Entries of a folder that are looked at to name some of its folders.
const MOST_ENTRIES: usize = 1000;

/// An object or file as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path below the store.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written there.
    pub updated: Timestamp,
    /// Where listing tells it: CRC32C in base64, or the ETag in S3.
    pub checksum: Option<String>,
    /// What every read is conditional on, where the store has it: see [`StoredFile::version`].
    pub version: Option<String>,
}

impl From<&StoredFile> for Object {
    fn from(StoredFile { key, bytes, updated, checksum, version }: &StoredFile) -> Self {
        let (key, version) = (key.clone(), version.clone());
        Self { key, bytes: *bytes, updated: *updated, checksum: Some(checksum.clone()), version }
    }
}

/// Which bytes of an object to read: so many, or all of a shorter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// The first.
    First(u64),
    /// The last.
    Last(u64),
}

impl ReadRange {
    /// Where it lies in an object of so many bytes.
    fn of(self, bytes: u64) -> Range<u64> {
        match self {
            Self::First(length) => 0..bytes.min(length),
            Self::Last(length) => bytes.saturating_sub(length)..bytes,
        }
    }
}

/// Told of bytes as they come.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);

/// What is said of S3 beside the AWS environment, which counts where this is silent.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// An access key.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub secret_access_key: Option<Secret>,
    /// Its token, where it is a temporary one.
    pub session_token: Option<Secret>,
    /// The bucket's region.
    pub region: Option<String>,
    /// The URL of a server that is not AWS's.
    pub endpoint_url: Option<String>,
}

/// A bucket or a local folder.
#[derive(Clone, Debug)]
pub enum Store {
    /// A Google Cloud Storage bucket.
    Gcs(Box<Gcs>),
    /// An S3 bucket.
    #[cfg(feature = "s3")]
    S3(Box<S3>),
    /// A folder on this machine.
    Local(Local),
}

impl Store {
    /// At least the objects below `folder` whose path there matches `pattern`, in which `*` stands for any characters
    /// of one path component and `?` for one. More can come: callers filter.
    ///
    /// # Errors
    /// `NotFound` where there is no such bucket or root folder; a missing folder inside gives an empty list.
    pub async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        match self {
            Self::Gcs(gcs) => gcs.list(folder, pattern).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.list(folder, pattern).await,
            Self::Local(local) => local.list(folder, pattern).await,
        }
    }

    /// The same for several patterns.
    ///
    /// # Errors
    /// As [`Self::list`]. Of several errors the first pattern's, not the quickest.
    pub async fn list_all(&self, folder: &str, patterns: &[String]) -> Result<Vec<Object>> {
        let lists = patterns.iter().map(|pattern| self.list(folder, pattern));
        let listed: Result<Vec<Vec<Object>>> = futures::future::join_all(lists).await.into_iter().collect();
        Ok(listed?.into_iter().flatten().collect())
    }

    /// The names of some folders in a folder: of the first thousand entries at most.
    ///
    /// # Errors
    /// What the store says.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        match self {
            Self::Gcs(gcs) => gcs.folders(folder).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.folders(folder).await,
            Self::Local(local) => local.folders(folder).await,
        }
    }

    /// A part of an object, if it is still the one that was listed.
    ///
    /// # Errors
    /// What the store says, naming the object; `Busy` where it was replaced or removed since it was listed.
    pub async fn read(&self, object: &Object, range: ReadRange) -> Result<Bytes> {
        let range = range.of(object.bytes);
        if let Self::Local(local) = self {
            return local.read(object, range).await;
        }
        let mut bytes = Vec::new();
        let take = async |chunk: Bytes| {
            bytes.extend_from_slice(&chunk);
            Ok(())
        };
        self.stream(object, range, take).await?;
        Ok(bytes.into())
    }

    /// The object's CRC32C in base64, read from the object itself where listing did not tell it; its ETag in S3, which
    /// lists no checksum that every object has.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn checksum(&self, object: &Object) -> Result<String> {
        match (self, &object.checksum) {
            (_, Some(checksum)) => Ok(checksum.clone()),
            (Self::Local(local), None) => local.checksum(object).await,
            #[cfg(feature = "s3")]
            (Self::S3(s3), None) => Err(s3.without_etag(&object.key)),
            (Self::Gcs(_), None) => {
                let mut sum = 0;
                let take = async |chunk: Bytes| {
                    sum = crc32c::crc32c_append(sum, &chunk);
                    Ok(())
                };
                self.stream(object, 0..object.bytes, take).await?;
                Ok(crc32c_text(sum))
            }
        }
    }

    /// Whether the files of a local folder are as they were at that time. Listings of buckets give the checksums.
    pub async fn unchanged_since(&self, objects: impl Iterator<Item = &Object>, time: Timestamp) -> bool {
        match self {
            Self::Local(local) => local.unchanged_since(objects.map(|object| object.key.as_str()), time).await,
            Self::Gcs(_) => false,
            #[cfg(feature = "s3")]
            Self::S3(_) => false,
        }
    }

    /// Copies an object to the local file `to`, if it is still the one that was listed; `got` is called with the number of
    /// bytes of each piece that arrives. What arrived is compared with the listed size and, where it is one of the bytes,
    /// checksum.
    ///
    /// # Errors
    /// As [`Self::read`], what writing says, naming the file, or `Storage` where other bytes arrived.
    pub async fn fetch(&self, object: &Object, to: &Path, got: OnBytes<'_>) -> Result<Written> {
        let kind = if let Self::Local(local) = self {
            local.fetch(object, to).await?;
            got(object.bytes);
            ChecksumKind::Crc32c
        } else {
            let unwritable = |error| unwritable(to, error);
            let mut file = tokio::fs::File::create(to).await.map_err(unwritable)?;
            let take = async |chunk: Bytes| {
                file.write_all(&chunk).await.map_err(unwritable)?;
                got(chunk.len() as u64);
                Ok(())
            };
            let kind = self.stream(object, 0..object.bytes, take).await?;
            file.flush().await.map_err(unwritable)?;
            kind
        };
        let checksum = object.checksum.as_deref().unwrap_or_default();
        let kind = if checksum.is_empty() { ChecksumKind::Opaque } else { kind };
        match hashes(to.to_owned()).await? {
            Some(arrived) if arrived.are(kind, object.bytes, checksum) => Ok(arrived.written),
            _ => {
                let (uri, bytes) = (self.uri(&object.key), object.bytes);
                let message = format!("{uri} did not arrive as it is listed: {bytes} bytes, {checksum}");
                Err(Error::new(ErrorKind::Storage, message).hint(hint::REPLACED_MEANWHILE))
            }
        }
    }

    /// Gives the bytes of a bucket's object to `take`, in order.
    async fn stream(
        &self,
        object: &Object,
        range: Range<u64>,
        take: impl AsyncFnMut(Bytes) -> Result<()>,
    ) -> Result<ChecksumKind> {
        let uri = self.uri(&object.key);
        match self {
            Self::Gcs(gcs) => {
                // Boxed, as all below: rustc counts how deep futures lie in each other.
                Box::pin(read::read(&gcs.limit, &uri, range, |range| gcs.open(object, range), take)).await?;
                Ok(ChecksumKind::Crc32c)
            }
            #[cfg(feature = "s3")]
            Self::S3(s3) => {
                let kind = std::cell::Cell::new(ChecksumKind::Opaque);
                Box::pin(read::read(&s3.limit, &uri, range, |range| s3.open(object, range, &kind), take)).await?;
                Ok(kind.get())
            }
            Self::Local(_) => unreachable!("local files are read on threads of their own"),
        }
    }

    /// The object's name for people and warehouses: `gs://bucket/key`, `s3://bucket/key`, or a local path.
    pub fn uri(&self, key: &str) -> String {
        match self {
            Self::Gcs(gcs) => gcs.uri(key),
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.uri(key),
            Self::Local(local) => local.path(key).display().to_string(),
        }
    }

    /// Whether a warehouse on this machine can read the files where they lie.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gcs(gcs) => f.write_str(&gcs.uri("")),
            #[cfg(feature = "s3")]
            Self::S3(s3) => f.write_str(&s3.uri("")),
            Self::Local(local) => write!(f, "{}", local.path("").display()),
        }
    }
}

/// The error for an object that is not the one that was listed any more.
fn replaced(uri: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("{uri} was replaced or removed after it was listed"))
        .hint(hint::WAIT_FOR_WRITER)
}

/// The error for a file or folder here that cannot be written.
pub(crate) fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => (ErrorKind::Storage, hint::DISK_FULL),
        std::io::ErrorKind::PermissionDenied => (ErrorKind::Permission, hint::MAY_NOT_WRITE),
        _ => (ErrorKind::Storage, hint::CANNOT_WRITE),
    };
    Error::new(kind, format!("cannot write {}", path.display())).hint(hint).cause(error)
}

/// What the keys of all objects in a folder begin with. A bucket may have `/` at the beginning of keys, and two in a row.
fn inside(folder: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') { folder.to_owned() } else { format!("{folder}/") }
}

/// The names of folders that a bucket lists in the folder whose keys begin with `prefix`.
fn names_in<'a>(prefix: &str, listed: impl Iterator<Item = &'a str>) -> Vec<String> {
    let name = |listed: &str| Some(listed.strip_prefix(prefix)?.trim_end_matches('/').to_owned());
    listed.filter_map(name).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_written_says_so() {
        let error = unwritable(Path::new("a"), std::io::ErrorKind::PermissionDenied.into());
        assert_eq!((error.kind(), error.next_step()), (ErrorKind::Permission, Some(hint::MAY_NOT_WRITE)));
    }
}
