//! Deliveries that finops itself wrote: a staging folder, and Parquet files of a table. finops writes its own manifest beside the
//! files after all of them, so a delivery with a manifest is complete.
//!
//! A staging folder has `<YYYY-MM>/<execution id>/<file>` and `<YYYY-MM>/<execution id>/<export>.<provider>.manifest.json`;
//! a Parquet folder `<YYYY-MM>_<provider>_billing.parquet` and `<YYYY-MM>_<provider>_billing.manifest.json`.

mod manifest;
mod paths;

pub use manifest::{PARQUET_FORM, StagedManifest, parse};
pub use paths::{file_names, manifest_name, parquet_manifest_name, parquet_name, staging_folder};

use super::{Format, ParsedManifest};
use crate::model::{
    manifest::{ManifestError, ManifestLocation},
    provider::Provider,
};

/// The step of the staged pipeline that writes a staging folder.
pub const EXTRACT_BILLING: &str = "extract-billing";
/// The step that writes a folder of Parquet files.
pub const EXPORT_PARQUET: &str = "export-parquet";

impl From<StagedManifest> for ParsedManifest {
    fn from(StagedManifest { manifest, written, manifest_uri, .. }: StagedManifest) -> Self {
        Self { manifest, written, origin: Some(manifest_uri) }
    }
}

/// A provider's unchanged files in a staging folder.
#[derive(Debug)]
pub struct StagedFiles(pub Provider);

impl Format for StagedFiles {
    fn name(&self) -> &'static str {
        "staged_files"
    }

    fn manifest_patterns(&self, export_name: Option<&str>) -> Vec<String> {
        paths::staged_patterns(self.0, export_name)
    }

    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        paths::locate_staged(self.0, prefix, export_name, key)
    }

    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
        parse(self.0, location, bytes).map(ParsedManifest::from)
    }

    fn written_by(&self) -> Option<&'static str> {
        Some(EXTRACT_BILLING)
    }
}

/// A table's months as Parquet.
#[derive(Debug)]
pub struct ParquetFiles(pub Provider);

impl Format for ParquetFiles {
    fn name(&self) -> &'static str {
        "parquet_files"
    }

    fn manifest_patterns(&self, _export_name: Option<&str>) -> Vec<String> {
        paths::parquet_patterns(self.0)
    }

    fn locate(&self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        paths::locate_parquet(self.0, prefix, export_name, key)
    }

    fn parse(&self, location: &ManifestLocation, bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
        parse(self.0, location, bytes).map(ParsedManifest::from)
    }

    fn written_by(&self) -> Option<&'static str> {
        Some(EXPORT_PARQUET)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        delivery::{Delivery, StoredFile},
        kind::ExportKind,
        manifest::{FileFormat, Manifest, ManifestFile},
    };

    fn delivery(execution_id: &str, paths: &[&str]) -> Delivery {
        let file = |path: &&str| ManifestFile { relative_path: (*path).to_owned(), bytes: None };
        let manifest = Manifest {
            overwrites_previous: true,
            files: paths.iter().map(file).collect(),
            ..Manifest::new(
                ExportKind::Cur2,
                "cost & usage",
                "2025-09".parse().unwrap(),
                execution_id.to_owned(),
                FileFormat::Csv,
            )
        };
        let (key, checksum, updated) = ("k".to_owned(), "c".to_owned(), Timestamp::UNIX_EPOCH);
        let stored = |path: &&str| {
            (
                (*path).to_owned(),
                StoredFile { key: key.clone(), bytes: 3, updated, checksum: checksum.clone(), version: None },
            )
        };
        let stored: HashMap<String, StoredFile> = paths.iter().map(stored).collect();
        Delivery::new(manifest, "s3://b/m".to_owned(), Timestamp::UNIX_EPOCH, stored)
    }

    #[test]
    fn what_was_staged_is_found_again_and_reads_as_what_was_delivered() {
        let delivery = delivery("2025-09-03T06:00:00.5Z-a/b", &["x/1.csv.gz", "y/1.csv.gz"]);
        let staged = StagedManifest::of(&delivery, Provider::Aws, Timestamp::UNIX_EPOCH);
        let folder = staging_folder(&delivery.manifest);
        assert_eq!(folder, "2025-09/2025-09-03T06:00:00.5Z-a%2Fb");
        let paths: Vec<&str> = staged.manifest.files.iter().map(|file| file.relative_path.as_str()).collect();
        assert_eq!(paths, [format!("{folder}/1.csv.gz"), format!("{folder}/1-1.csv.gz")]);

        let key = format!("{folder}/{}", manifest_name(Provider::Aws, "cost & usage"));
        for wanted in [Some("cost & usage"), None] {
            let location = StagedFiles(Provider::Aws).locate("", wanted, &key).unwrap();
            let bytes = serde_json::to_vec(&staged).unwrap();
            assert_eq!(parse(Provider::Aws, &location, &bytes).unwrap(), staged);
            assert!(parse(Provider::Azure, &location, &bytes).is_err());
        }
        assert_eq!(StagedFiles(Provider::Aws).locate("", Some("another"), &key), None);
        assert_eq!(StagedFiles(Provider::Azure).locate("", None, &key), None);
    }

    #[test]
    fn what_has_long_names_is_found_again_under_names_that_a_file_system_takes() {
        let long = |end: &str| format!("{}{end}", "ä".repeat(500));
        let (id, name) = (long("id"), long("export"));
        let mut delivery = delivery(&id, &[&long("1.csv.gz"), &long("2.csv.gz")]);
        delivery.manifest.export_name.clone_from(&name);
        let staged = StagedManifest::of(&delivery, Provider::Azure, Timestamp::UNIX_EPOCH);
        let key = format!("{}/{}", staging_folder(&delivery.manifest), manifest_name(Provider::Azure, &name));
        let paths = staged.manifest.files.iter().map(|file| &file.relative_path).chain([&key]);
        let parts: HashSet<&str> = paths.flat_map(|path| path.split('/')).collect();
        assert_eq!(parts.len(), 5, "{parts:?}");
        assert!(parts.iter().all(|part| part.len() + ".part.part".len() <= 255), "{parts:?}");
        assert!(staged.manifest.files[1].relative_path.ends_with("2.csv.gz"));

        let bytes = serde_json::to_vec(&staged).unwrap();
        for wanted in [Some(name.as_str()), None] {
            let location = StagedFiles(Provider::Azure).locate("", wanted, &key).unwrap();
            assert_eq!(location.export_name, wanted.unwrap_or_default());
            assert_eq!(parse(Provider::Azure, &location, &bytes).unwrap(), staged);
        }
        assert_eq!(StagedFiles(Provider::Azure).locate("", Some(&long("other")), &key), None);
        assert_ne!(
            staging_folder(&Manifest { execution_id: long("di"), ..delivery.manifest.clone() }),
            staging_folder(&delivery.manifest)
        );
    }

    #[test]
    fn ids_and_names_from_outside_are_one_component_below_the_folder() {
        for (id, component) in
            [("..", "%2E."), ("a/../b", "a%2F..%2Fb"), ("/etc", "%2Fetc"), ("a\\b", "a%5Cb"), ("ä", "%C3%A4")]
        {
            assert_eq!(staging_folder(&delivery(id, &[]).manifest), format!("2025-09/{component}"));
        }
        let mut staged = StagedManifest::of(&delivery("a", &["x/1.csv"]), Provider::Aws, Timestamp::UNIX_EPOCH);
        staged.manifest.files[0].relative_path = "../../etc/passwd".to_owned();
        let location = StagedFiles(Provider::Aws).locate("", None, "2025-09/a/x.aws.manifest.json").unwrap();
        let location = ManifestLocation { export_name: "cost & usage".to_owned(), ..location };
        let refused = parse(Provider::Aws, &location, &serde_json::to_vec(&staged).unwrap()).unwrap_err();
        assert!(matches!(refused, ManifestError::Contradiction(text) if text.contains("outside of its folder")));
    }

    #[test]
    fn parquet_files_are_found_by_their_month_and_provider() {
        let period = "2025-09".parse().unwrap();
        let key = parquet_manifest_name(Provider::Aws, period);
        let location = ParquetFiles(Provider::Aws).locate("", Some("daily"), &key).unwrap();
        assert_eq!((location.billing_period, location.export_name.as_str()), (period, "daily"));
        assert_eq!(ParquetFiles(Provider::Azure).locate("", None, &key), None);
        for stranger in
            ["2025-13_aws_billing.manifest.json", "2025-09_aws_billing.parquet", "a/2025-09_aws_billing.manifest.json"]
        {
            assert_eq!(ParquetFiles(Provider::Aws).locate("", None, stranger), None, "{stranger}");
        }
    }
}
