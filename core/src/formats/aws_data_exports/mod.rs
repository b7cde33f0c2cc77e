//! AWS Data Exports: CUR 2.0 and FOCUS, as CSV and as Parquet.

mod columns;
mod manifest;
mod paths;

pub use columns::COLUMNS;
pub use manifest::parse;
pub use paths::locate;

use super::{Format, ParsedManifest, aws_cur::below_empty_folder};
use crate::model::manifest::{ManifestError, ManifestLocation};

/// A data export.
#[derive(Debug)]
pub struct AwsDataExports;

impl Format for AwsDataExports {
    fn name(&self) -> &'static str {
        "aws_data_exports"
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
