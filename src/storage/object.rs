//! Objects as a listing gives them, and which of their bytes to read.

use std::ops::Range;

use finops_core::model::delivery::StoredFile;
use jiff::Timestamp;

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
    pub(super) fn of(self, bytes: u64) -> Range<u64> {
        match self {
            Self::First(length) => 0..bytes.min(length),
            Self::Last(length) => bytes.saturating_sub(length)..bytes,
        }
    }
}

/// Told of bytes as they come.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);
