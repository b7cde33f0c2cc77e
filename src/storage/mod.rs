//! Where exports lie: a bucket or a local folder. Keys are paths below it, with `/` between folders.

mod gcs;
mod local;
#[cfg(feature = "s3")]
mod s3;

use std::{fmt, path::Path};

use bytes::Bytes;
use finops_core::shown::Secret;
pub use gcs::Gcs;
use jiff::Timestamp;
pub use local::{Local, crc32c_of};
#[cfg(feature = "s3")]
pub use s3::S3;

use crate::error::{Error, Kind, Result};

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
}

/// Which bytes of an object to read: so many, or all of a shorter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Head(u64),
    /// The last.
    Tail(u64),
}

impl Part {
    /// The part of `bytes`: a server that ignores ranges sends more.
    fn of(self, bytes: &Bytes) -> Bytes {
        let at_most = |length: u64| bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        match self {
            Self::Head(length) => bytes.slice(..at_most(length)),
            Self::Tail(length) => bytes.slice(bytes.len() - at_most(length)..),
        }
    }
}

/// Told of bytes as they come.
pub type Got<'a> = &'a (dyn Fn(u64) + Sync);

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

    /// A part of an object.
    ///
    /// # Errors
    /// What the store says, naming the object.
    pub async fn read(&self, key: &str, part: Part) -> Result<Bytes> {
        match self {
            Self::Gcs(gcs) => gcs.read_part(key, part).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.read_part(key, part).await,
            Self::Local(local) => local.read_part(key, part).await,
        }
    }

    /// The object's CRC32C in base64, read from the object itself where listing did not tell it; its ETag in S3, which
    /// lists no checksum that every object has.
    ///
    /// # Errors
    /// What the store says, naming the object.
    pub async fn checksum(&self, object: &Object) -> Result<String> {
        match (self, &object.checksum) {
            (_, Some(checksum)) => Ok(checksum.clone()),
            (Self::Gcs(gcs), None) => gcs.checksum(&object.key).await,
            #[cfg(feature = "s3")]
            (Self::S3(s3), None) => s3.checksum(&object.key).await,
            (Self::Local(local), None) => local.checksum(&object.key).await,
        }
    }

    /// Copies an object to the local file `to`; `got` is told how many more bytes are there.
    ///
    /// # Errors
    /// What the store says, naming the object, or what writing says, naming the file.
    pub async fn fetch(&self, key: &str, to: &Path, got: Got<'_>) -> Result<()> {
        match self {
            Self::Gcs(gcs) => gcs.fetch(key, to, got).await,
            #[cfg(feature = "s3")]
            Self::S3(s3) => s3.fetch(key, to, got).await,
            Self::Local(local) => {
                local.fetch(key, to).await?;
                got(std::fs::metadata(to).map(|copied| copied.len()).unwrap_or_default());
                Ok(())
            }
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

/// The error for a file or folder here that cannot be written.
pub(crate) fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            (Kind::Storage, "make room on that disk, and run again: what is there is kept")
        }
        std::io::ErrorKind::PermissionDenied => (Kind::Permission, "let the account that runs finops write there"),
        _ => (Kind::Storage, "check that the folder is there and can be written to"),
    };
    Error::new(kind, format!("cannot write {}", path.display())).hint(hint).cause(error)
}
