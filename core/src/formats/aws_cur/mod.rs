//! AWS Cost and Usage Reports, version 1 (the legacy report), as CSV and as Parquet.

mod columns;
mod manifest;
mod paths;

pub use columns::{COLUMNS, KEY_COLUMNS};
pub use manifest::parse;
pub use paths::locate;
pub(crate) use paths::{MANIFEST_SUFFIX, below, below_empty_folder, export_of};

use super::{Format, ParsedManifest};
use crate::model::manifest::{ManifestError, ManifestLocation};

/// The legacy report.
#[derive(Debug)]
pub struct AwsCur;

impl Format for AwsCur {
    fn name(&self) -> &'static str {
        "aws_cur"
    }

    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        paths::manifest_patterns(export_name)
    }

    fn other_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        below_empty_folder(paths::manifest_patterns(export_name))
    }

    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        locate(prefix, export_name, key)
    }

    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
        parse(location, bytes).map(ParsedManifest::from)
    }

    fn newest_only(&self) -> bool {
        true
    }
}
