//! Manifests: their paths, and their properties compared with the files.

use std::{collections::BTreeSet, fs};

use billing_exports::{Delivered, Dialect, Export, Format, Layout, ManifestForm, Run};
use serde_json::Value;
use tempfile::TempDir;

use crate::{each_export, september, tree};

fn deliver(export: &Export, run: &Run) -> (Delivered, Value, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let delivered = export.deliver(folder.path(), run).unwrap();
    let manifest = fs::read(folder.path().join(&delivered.manifest)).unwrap();
    (delivered, serde_json::from_slice(&manifest).unwrap(), folder)
}

#[test]
fn each_layout_has_its_folders() {
    use Format::{CsvGzip, Parquet};
    use Layout::{ByMinute, ByRun, Flat, Overwritten, Versioned};

    for (dialect, format, layout, manifest, data) in [
        (Dialect::AwsCur, CsvGzip, Versioned, "x/20250901-20251001/x-Manifest.json", "x/20250901-20251001/ID/"),
        (Dialect::AwsCur, CsvGzip, Overwritten, "x/20250901-20251001/x-Manifest.json", "x/20250901-20251001/"),
        (Dialect::AwsCur, Parquet, Versioned, "x/20250901-20251001/x-Manifest.json", "x/20250901-20251001/ID/"),
        (Dialect::AwsCur, Parquet, Overwritten, "x/20250901-20251001/x-Manifest.json", "x/x/year=2025/month=9/"),
        (
            Dialect::AwsCur2,
            CsvGzip,
            Versioned,
            "x/metadata/BILLING_PERIOD=2025-09/2025-10-02T12:01:25.516Z-ID/x-Manifest.json",
            "x/data/BILLING_PERIOD=2025-09/2025-10-02T12:01:25.516Z-ID/",
        ),
        (
            Dialect::AwsFocus12,
            Parquet,
            Overwritten,
            "x/metadata/billing_period=2025-09/x-Manifest.json",
            "x/data/billing_period=2025-09/",
        ),
        (
            Dialect::AzureFocus12,
            Parquet,
            Versioned,
            "x/20250901-20250930/202510021201/ID/manifest.json",
            "x/20250901-20250930/202510021201/ID/",
        ),
        (Dialect::AzureFocus10, CsvGzip, ByRun, "x/20250901-20250930/ID/manifest.json", "x/20250901-20250930/ID/"),
        (
            Dialect::AzureActualCustomer,
            CsvGzip,
            ByMinute,
            "x/20250901-20250930/202510021201/manifest.json",
            "x/20250901-20250930/202510021201/",
        ),
        (
            Dialect::AzureFocus10,
            CsvGzip,
            Overwritten,
            "x/20250901-20250930/ID/manifest.json",
            "x/20250901-20250930/ID/",
        ),
        (Dialect::AzureFocus10, CsvGzip, Flat, "x/20250901-20250930/manifest.json", "x/20250901-20250930/"),
    ] {
        let export = Export { layout, name: "x".to_owned(), ..Export::new(dialect, format) };
        let (delivered, _, _folder) = deliver(&export, &september());
        let id = delivered.execution_id.unwrap();
        assert_eq!(delivered.manifest.replace(&id, "ID"), manifest);
        let path = &delivered.files[0].path;
        assert_eq!(path[..=path.rfind('/').unwrap()].replace(&id, "ID"), data);
    }
}

#[test]
fn a_manifest_lists_its_files_and_azures_counts_them() {
    each_export(|export| {
        let (delivered, manifest, _folder) = deliver(&export, &september());
        let listed: Vec<&str> = ["reportKeys", "dataFiles", "blobs"]
            .iter()
            .filter_map(|key| manifest[key].as_array())
            .flatten()
            .map(|file| file.as_str().or(file["blobName"].as_str()).unwrap())
            .collect();
        assert_eq!(listed.len(), 3);
        assert!(
            listed.iter().zip(&delivered.files).all(|(name, file)| name.ends_with(&format!("finance/{}", file.path)))
        );
        if export.dialect.is_azure() {
            assert_eq!(manifest["dataRowCount"], 61);
            assert_eq!(manifest["byteCount"], delivered.files.iter().map(|file| file.bytes).sum::<u64>());
            assert_eq!(manifest["blobs"][1]["byteCount"], delivered.files[1].bytes);
        }
    });
}

#[test]
fn a_sparse_manifest_lacks_optional_properties() {
    let of = |dialect, form| deliver(&Export { manifest: form, ..Export::new(dialect, Format::CsvGzip) }, &september());
    let (_, cur, _folder) = of(Dialect::AwsCur, ManifestForm::Sparse);
    assert!(cur["columns"][0].get("type").is_none());
    let (delivered, cur2, _folder) = of(Dialect::AwsCur2, ManifestForm::Sparse);
    assert!(
        cur2.get("executionId").is_none() && delivered.execution_id.unwrap().starts_with("2025-10-02T12:01:25.516Z-")
    );
    let (delivered, azure, _folder) = of(Dialect::AzureFocus10, ManifestForm::Underscored);
    assert!(azure.get("dataRowCount").is_none() && azure["blobs"][0]["blobName"].as_str().unwrap().starts_with(' '));
    assert!(delivered.manifest.ends_with("/_manifest.json"));
}

#[test]
fn runs_of_a_month_are_kept_or_overwrite_each_other() {
    for (layout, manifests, ids) in [(Layout::Versioned, 30, 30), (Layout::Overwritten, 1, 1), (Layout::Flat, 1, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let export = Export { layout, rows: 300, ..Export::new(Dialect::AzureActualCustomer, Format::CsvGzip) };
        let runs = Run::daily(september().month);
        let delivered: Vec<Delivered> = runs.iter().map(|run| export.deliver(folder.path(), run).unwrap()).collect();
        assert!(delivered.windows(2).all(|pair| pair[0].rows < pair[1].rows && pair[0].cost != pair[1].cost));
        assert_eq!(delivered[29].rows, 300);
        let found: BTreeSet<_> = delivered.iter().map(|run| run.execution_id.clone()).collect();
        assert_eq!(found.len(), ids);
        assert_eq!(tree(folder.path()).keys().filter(|path| path.ends_with("manifest.json")).count(), manifests);
    }
}

#[test]
fn exports_that_no_provider_offers_are_refused() {
    let cur = Export::new(Dialect::AwsCur, Format::CsvGzip);
    for export in [
        Export { format: Format::Csv, ..cur.clone() },
        Export { layout: Layout::Flat, ..cur.clone() },
        Export { manifest: ManifestForm::Underscored, ..cur.clone() },
        Export { parts: 0, ..cur.clone() },
        Export { currencies: vec![], ..cur },
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(export.deliver(folder.path(), &september()).is_err(), "{export:?}");
    }
}
