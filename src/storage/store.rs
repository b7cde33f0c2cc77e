//! One store: a bucket or a local folder.

use std::{fmt, ops::Range, path::Path};

use bytes::Bytes;
use finops_core::{formats::Written, hint};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;

#[cfg(feature = "s3")]
use super::s3::S3;
use super::{
    errors::unwritable,
    gcs::Gcs,
    hashes::{ChecksumKind, crc32c_text, hashes},
    local::Local,
    object::{Object, OnBytes, ReadRange},
    read,
};
use crate::error::{Error, ErrorKind, Result};

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
    /// At least the objects below `folder` whose path there matches `pattern`: `*` means any characters of one path
    /// component, `?` one character. The result may have more objects: callers filter.
    ///
    /// # Errors
    /// `NotFound` for a missing bucket or root folder; a missing folder inside it is an empty list.
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
    /// As [`Self::list`]; of several errors that of the first pattern.
    pub async fn list_all(&self, folder: &str, patterns: &[String]) -> Result<Vec<Object>> {
        let lists = patterns.iter().map(|pattern| self.list(folder, pattern));
        let listed: Result<Vec<Vec<Object>>> = futures::future::join_all(lists).await.into_iter().collect();
        Ok(listed?.into_iter().flatten().collect())
    }

    /// The names of folders in a folder, from its first thousand entries.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        match self {
            Self::Gcs(gcs) => gcs.folders(folder).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.folders(folder).await,
            Self::Local(local) => local.folders(folder).await,
        }
    }

    /// A part of an object, if the object did not change since it was listed.
    ///
    /// # Errors
    /// Those of the store, with the name of the object; `Busy` if the object was replaced or removed.
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

    /// The object's CRC32C in base64, computed from its bytes if the listing has none. In S3 its ETag: S3 lists no checksum
    /// that every object has.
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

    /// Whether no file of a local folder changed since that time; false for buckets, whose listings have checksums.
    pub async fn unchanged_since(&self, objects: impl Iterator<Item = &Object>, time: Timestamp) -> bool {
        let Self::Local(local) = self else { return false };
        local.unchanged_since(objects.map(|object| object.key.as_str()), time).await
    }

    /// Copies an object to the local file `to`, if it did not change since it was listed. The file is compared with the
    /// listed size and, if it is computed from the bytes, the listed checksum.
    ///
    /// # Errors
    /// As [`Self::read`]; errors of writing, with the name of the file; `Storage` if other bytes arrived.
    pub async fn fetch(&self, object: &Object, to: &Path, on_bytes: OnBytes<'_>) -> Result<Written> {
        let kind = if let Self::Local(local) = self {
            local.fetch(object, to).await?;
            on_bytes(object.bytes);
            ChecksumKind::Crc32c
        } else {
            let unwritable = |error| unwritable(to, error);
            let mut file = tokio::fs::File::create(to).await.map_err(unwritable)?;
            let take = async |chunk: Bytes| {
                file.write_all(&chunk).await.map_err(unwritable)?;
                on_bytes(chunk.len() as u64);
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
                let message = format!("the copy of {uri} differs from the listing: {bytes} bytes, {checksum}");
                Err(Error::new(ErrorKind::Storage, message).hint(hint::REPLACED_MEANWHILE))
            }
        }
    }

    /// Calls `take` with the bytes of a bucket's object, in order.
    async fn stream(
        &self,
        object: &Object,
        range: Range<u64>,
        take: impl AsyncFnMut(Bytes) -> Result<()>,
    ) -> Result<ChecksumKind> {
        let uri = self.uri(&object.key);
        match self {
            Self::Gcs(gcs) => {
                // Boxed: rustc limits how deep futures are nested.
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

    /// The object's name in messages and for warehouses: `gs://bucket/key`, `s3://bucket/key`, or a local path.
    pub fn uri(&self, key: &str) -> String {
        match self {
            Self::Gcs(gcs) => gcs.uri(key),
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.uri(key),
            Self::Local(local) => local.path(key).display().to_string(),
        }
    }

    /// Whether a warehouse on this machine can read the files without a download.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri(""))
    }
}
