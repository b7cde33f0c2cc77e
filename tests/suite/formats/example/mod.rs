//! A format that only these tests have. Its provider, Meadow, does not exist: its exports are FOCUS rows in CSV files, and it has
//! its own folders and manifests. The folder shows what a format consists of, and that the flow loads one that neither
//! `core/src` nor `src` names.
//!
//! Its rows are FOCUS, whose columns `core/src/formats/focus.rs` has. A format with rows of its own also has a `columns.rs`.

mod loads;
mod manifest;
mod paths;
mod write;

use finops_core::{
    formats::{Format, ParsedManifest},
    model::manifest::{ManifestError, ManifestLocation},
};

/// Meadow's export.
#[derive(Debug)]
pub struct Meadow;

impl Format for Meadow {
    fn name(&self) -> &'static str {
        "meadow"
    }

    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        paths::manifest_patterns(export_name)
    }

    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        paths::locate(prefix, export_name, key)
    }

    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
        manifest::parse(location, bytes).map(ParsedManifest::from)
    }

    fn newest_only(&self) -> bool {
        true
    }
}
