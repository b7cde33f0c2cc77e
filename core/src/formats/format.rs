//! The trait of a format.

use std::{collections::BTreeMap, fmt::Debug};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::manifest::{Manifest, ManifestError, ManifestLocation};

/// A format knows where its manifests are, and reads them. It does no I/O.
pub trait Format: Debug + Send + Sync {
    /// A unique name.
    fn name(&self) -> &'static str;

    /// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest.
    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String>;

    /// More patterns, which are listed if the manifest patterns of all formats find nothing.
    fn other_patterns(&self, _export_name: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    /// The parts of `key`, if it is a manifest of the export below `prefix` (without a `/` at its end).
    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation>;

    /// Reads the manifest found at `location`.
    ///
    /// # Errors
    /// If the bytes are no manifest, the delivery has an unsupported form, or the manifest contradicts its location.
    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError>;

    /// Whether each delivery is a whole month: then only a month's newest manifest is read.
    fn newest_only(&self) -> bool {
        false
    }

    /// The step of the staged pipeline that writes this format; `None` if the provider writes it.
    fn written_by(&self) -> Option<&'static str> {
        None
    }
}

/// The result of reading a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedManifest {
    /// The manifest.
    pub manifest: Manifest,
    /// Its files by relative path, if finops itself wrote them.
    pub written: BTreeMap<String, Written>,
    /// Where the provider's manifest was read, if finops itself wrote this one.
    pub origin: Option<String>,
}

impl From<Manifest> for ParsedManifest {
    fn from(manifest: Manifest) -> Self {
        Self { manifest, written: BTreeMap::new(), origin: None }
    }
}

/// A file that finops wrote: as long as it has this size and time, it has this checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub updated: Timestamp,
    /// Its CRC32C, as in [`crate::model::delivery::StoredFile::checksum`].
    pub checksum: String,
}
