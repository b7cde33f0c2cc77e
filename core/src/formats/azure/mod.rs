//! Azure Cost Management exports: actual and amortized cost, usage, and FOCUS, as CSV and as Parquet.

pub mod account;
mod columns;
mod manifest;
mod paths;
mod range;
pub mod scope;

pub use columns::{COLUMNS, KEY_COLUMNS, column_names};
pub use manifest::{parse, scope_of};
pub(crate) use paths::is_range;
pub use paths::{any_case, data_patterns, is_data_file, locate};

use super::{Format, ParsedManifest};
use crate::model::manifest::{ManifestError, ManifestLocation};

/// A Cost Management export.
#[derive(Debug)]
pub struct Azure;

impl Format for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        paths::manifest_patterns(export_name)
    }

    fn other_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        export_name.map(any_case).unwrap_or_default()
    }

    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        locate(prefix, export_name, key)
    }

    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
        parse(location, bytes).map(ParsedManifest::from).map_err(|error| error.of_scope(scope_of(bytes)))
    }
}
