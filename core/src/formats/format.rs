//! What a format is.

use std::{collections::BTreeMap, fmt::Debug};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::manifest::{Manifest, ManifestError, ManifestLocation};

/// A format: where its manifests are, and what they say. All of it is pure.
pub trait Format: Debug + Send + Sync {
    /// Its name, unique among the formats.
    fn name(&self) -> &'static str;

    /// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest.
    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String>;

    /// Patterns to try where those of no format match anything.
    fn other_patterns(&self, _export_name: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    /// Takes `key` apart if it is a manifest of the export below `prefix` (without a `/` at its end), else `None`.
    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation>;

    /// Reads the manifest found at `location`.
    ///
    /// # Errors
    /// A [`ManifestError`] that says what is wrong with the bytes, with the delivery's form, or between the two.
    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError>;

    /// Whether a month's newest manifest says all: the others are not read.
    fn newest_only(&self) -> bool;

    /// The step of the staged pipeline that writes this format; `None` where the provider does.
    fn written_by(&self) -> Option<&'static str> {
        None
    }
}

/// A manifest as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedManifest {
    /// What it says.
    pub manifest: Manifest,
    /// Its files by relative path, where finops itself wrote them.
    pub written: BTreeMap<String, Written>,
}

impl From<Manifest> for ParsedManifest {
    fn from(manifest: Manifest) -> Self {
        Self { manifest, written: BTreeMap::new() }
    }
}

/// A file that finops wrote: while it has this size and time, it has this checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub updated: Timestamp,
    /// Its CRC32C, as in [`crate::model::delivery::StoredFile::checksum`].
    pub checksum: String,
}
