//! Parsers of files from outside.

use std::io::Write;

use finops_core::{
    BillingPeriod,
    files::csv_header::read_header,
    formats::{aws_cur, aws_data_exports, azure},
    model::manifest::{Manifest, ManifestError, ManifestLocation},
};
use proptest::{collection, prelude::*, sample};

fn location() -> ManifestLocation {
    aws_cur::locate("p", None, "p/cur/20250901-20251001/cur-Manifest.json").unwrap()
}

/// Manifests with one of their values replaced by anything.
fn odd_manifest() -> impl Strategy<Value = String> {
    let keys = vec!["assemblyId", "reportName", "billingPeriod", "compression", "contentType", "columns", "reportKeys"];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        collection::vec(any::<String>(), 0..4).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(|text| serde_json::json!({"start": text, "end": text})),
        any::<String>().prop_map(|text| serde_json::json!([format!("x/20250901-20251001/{text}")])),
        any::<String>().prop_map(|text| serde_json::json!([{"category": text, "name": text, "type": text}])),
    ];
    (sample::select(keys), value).prop_map(|(key, value)| {
        let mut manifest = serde_json::json!({
            "assemblyId": "a", "reportName": "cur", "compression": "GZIP", "contentType": "text/csv", "columns": [],
            "billingPeriod": {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"},
            "reportKeys": ["cur/20250901-20251001/a/cur-1.csv.gz"],
        });
        manifest[key] = value;
        manifest.to_string()
    })
}

fn data_export() -> ManifestLocation {
    aws_data_exports::locate("p", None, "p/x/metadata/BILLING_PERIOD=2025-09/x-Manifest.json").unwrap()
}

/// Manifests of data exports with one of their values replaced by anything.
fn odd_data_export() -> impl Strategy<Value = String> {
    let keys = vec!["executionId", "contentType", "compression", "columns", "dataFiles", "billingPeriod"];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        collection::vec(any::<String>(), 0..4).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(|text| serde_json::json!({"start": text, "end": text})),
        any::<String>().prop_map(|text| serde_json::json!([format!("s3://b/data/BILLING_PERIOD=2025-09/{text}.csv")])),
        "[a./\\\\]{0,8}".prop_map(|text| serde_json::json!([format!("data/billing_period=2025-09/{text}.csv")])),
        any::<String>()
            .prop_map(|text| serde_json::json!([{"name": text, "type": text}, {"name": "BillingPeriodStart"}])),
    ];
    (sample::select(keys), value).prop_map(|(key, value)| {
        let mut manifest = serde_json::json!({
            "columns": [{"name": "bill_billing_period_start_date"}],
            "dataFiles": ["s3://b/x/data/BILLING_PERIOD=2025-09/a/x-1.csv.gz"],
        });
        manifest[key] = value;
        manifest.to_string()
    })
}

fn azure_location() -> ManifestLocation {
    azure::locate("p", None, "p/daily/20250301-20250331/5f9a/manifest.json").unwrap()
}

/// Manifests of Azure with one of their values replaced by anything.
fn odd_azure_manifest() -> impl Strategy<Value = String> {
    let pointers = vec![
        "/blobCount",
        "/dataRowCount",
        "/exportConfig/type",
        "/exportConfig/exportName",
        "/deliveryConfig",
        "/deliveryConfig/fileFormat",
        "/deliveryConfig/dataOverwriteBehavior",
        "/runInfo/submittedTime",
        "/runInfo/runId",
        "/runInfo/startDate",
        "/runInfo/endDate",
        "/blobs",
        "/blobs/0/blobName",
        "/blobs/0/byteCount",
        "/blobs/0/dataRowCount",
    ];
    let value = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "[0-9]{1,5}-[0-9]{2}-[0-9]{2}(T[0-9:.]{0,20}(Z|[+-][0-9:]{0,6})?)?".prop_map(serde_json::Value::from),
        "( |/)?(x/|\\.\\./)?20250301-20250331/(\\.{0,2}|x|\\\\)/.{0,5}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    (sample::select(pointers), value).prop_map(|(pointer, value)| {
        let mut manifest = serde_json::json!({
            "blobCount": 1, "dataRowCount": 1, "exportConfig": {"exportName": "daily", "type": "FocusCost"},
            "deliveryConfig": {"fileFormat": "Parquet", "dataOverwriteBehavior": "CreateNewReport"},
            "runInfo": {"submittedTime": "2025-03-21T21:04:06.5234447Z", "runId": "5f9a",
                "startDate": "2025-03-01T00:00:00", "endDate": "2025-03-21T00:00:00Z"},
            "blobs": [{"blobName": "daily/20250301-20250331/5f9a/a.parquet", "byteCount": 1, "dataRowCount": 1}],
        });
        *manifest.pointer_mut(pointer).unwrap() = value;
        manifest.to_string()
    })
}

/// One delivery and its parser, with a place for one text of its manifest.
fn with_text(at: usize, text: &str) -> Result<Manifest, ManifestError> {
    let mut cur = serde_json::json!({
        "assemblyId": "a", "reportName": "cur", "compression": "GZIP", "contentType": "text/csv", "columns": [],
        "billingPeriod": {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"},
        "reportKeys": ["cur/20250901-20251001/a/cur-1.csv.gz"],
    });
    let mut data_export = serde_json::json!({
        "executionId": "a", "compression": null, "columns": [{"name": "bill_billing_period_start_date"}],
        "dataFiles": ["s3://b/x/data/BILLING_PERIOD=2025-09/a/x-1.csv.gz"],
    });
    let mut azure = serde_json::json!({
        "exportConfig": {"exportName": "daily", "type": "FocusCost"}, "deliveryConfig": {"fileFormat": "Parquet"},
        "runInfo": {"submittedTime": "2025-03-21T21:04:06Z", "runId": "5f9a", "startDate": "2025-03-01"},
        "blobs": [{"blobName": "daily/20250301-20250331/5f9a/a.parquet"}],
    });
    let of_cur =
        ["/assemblyId", "/reportName", "/compression", "/billingPeriod/start", "/billingPeriod", "/reportKeys/0"];
    let of_data = ["/executionId", "/compression", "/columns/0/name", "/columns/0", "/dataFiles/0"];
    let of_azure = [
        "/exportConfig/exportName",
        "/exportConfig/type",
        "/runInfo/runId",
        "/runInfo/startDate",
        "/runInfo/submittedTime",
        "/deliveryConfig/fileFormat",
        "/runInfo",
        "/blobs/0/blobName",
    ];
    let whole = |prefix: &str| serde_json::Value::from(format!("{prefix}{text}"));
    if let Some(pointer) = of_cur.get(at) {
        *cur.pointer_mut(pointer).unwrap() = whole(if at == 5 { "cur/20250901-20251001/a/" } else { "" });
        return aws_cur::parse(&location(), cur.to_string().as_bytes());
    }
    let at = at - of_cur.len();
    if let Some(pointer) = of_data.get(at) {
        *data_export.pointer_mut(pointer).unwrap() = whole(if at == 4 { "data/BILLING_PERIOD=2025-09/" } else { "" });
        return aws_data_exports::parse(&self::data_export(), data_export.to_string().as_bytes());
    }
    let at = (at - of_data.len()) % of_azure.len();
    *azure.pointer_mut(of_azure[at]).unwrap() = whole(if at == 7 { "20250301-20250331/" } else { "" });
    // If the folder does not name the export, the manifest does.
    let location = azure::locate("", None, "20250301-20250331/5f9a/manifest.json").unwrap();
    azure::parse(&location, azure.to_string().as_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes: Vec<u8>) {
        let _ = aws_cur::parse(&location(), &bytes);
        let _ = aws_data_exports::parse(&data_export(), &bytes);
        let _ = azure::parse(&azure_location(), &bytes);
    }

    #[test]
    fn what_a_manifest_names_is_bounded_and_so_is_what_is_said_of_it(
        at in 0..19usize, begin in "[a-zé\n\u{85}\u{1b}]{0,3}", times in sample::select(vec![1usize, 900, 1_100, 100_000]),
    ) {
        match with_text(at, &format!("{begin}{}", "x".repeat(times))) {
            Ok(Manifest { execution_id, export_name, files, .. }) => {
                for name in [execution_id, export_name].into_iter().chain(files.into_iter().map(|file| file.relative_path)) {
                    prop_assert!(name.chars().count() <= 1024 && !name.chars().any(char::is_control), "{name:?}");
                }
            }
            Err(error) => {
                let said = error.to_string();
                prop_assert!(said.len() < 1_000, "{} bytes", said.len());
                prop_assert!(!said.chars().any(char::is_control), "{said:?}");
            }
        }
    }

    #[test]
    fn files_of_any_azure_manifest_stay_below_the_ranges_folder(manifest in odd_azure_manifest()) {
        if let Ok(manifest) = azure::parse(&azure_location(), manifest.as_bytes()) {
            prop_assert!(manifest.covers_until.is_none_or(|until| BillingPeriod::containing(until) == manifest.billing_period));
            for file in &manifest.files {
                prop_assert!(file.relative_path.starts_with("20250301-20250331/"), "{file:?}");
                prop_assert!(!file.relative_path.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
            }
        }
    }

    #[test]
    fn files_of_any_manifest_stay_below_the_exports_folder(manifest in odd_manifest()) {
        if let Ok(manifest) = aws_cur::parse(&location(), manifest.as_bytes()) {
            for file in &manifest.files {
                prop_assert!(file.relative_path.starts_with("20250901-20251001/"), "{file:?}");
                prop_assert!(!file.relative_path.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
            }
        }
    }

    #[test]
    fn files_of_any_data_export_stay_in_its_folder_of_the_month(manifest in odd_data_export()) {
        if let Ok(manifest) = aws_data_exports::parse(&data_export(), manifest.as_bytes()) {
            prop_assert!(!manifest.execution_id.trim().is_empty());
            for file in &manifest.files {
                let path = file.relative_path.to_lowercase();
                prop_assert!(path.starts_with("data/billing_period=2025-09/"), "{file:?}");
                prop_assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{file:?}");
                prop_assert!(!path.contains('\\'), "{file:?}");
            }
        }
    }

    #[test]
    fn any_key_is_a_manifests_or_not(prefix: String, key: String, period in "[0-9]{8}-[0-9]{8}") {
        let _ = aws_cur::locate(&prefix, None, &key);
        let _ = aws_cur::locate("", Some(&key), &format!("{key}/{period}/{key}-Manifest.json"));
        let _ = aws_data_exports::locate(&prefix, None, &key);
        let found = aws_data_exports::locate("p", None, &format!("p/metadata/BILLING_PERIOD=2025-09/{key}/x-Manifest.json"));
        prop_assert_eq!(found.is_some(), !key.contains('/'));
        let _ = azure::locate(&prefix, None, &key);
        for found in [format!("{key}/{period}/manifest.json"), format!("{period}/{key}/_manifest.json")] {
            if let Some(location) = azure::locate("", None, &found) {
                let folders = format!("{}{period}/", location.export_folder);
                prop_assert!(found.starts_with(&folders), "{location:?}");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_header_or_an_error(bytes: Vec<u8>, whole: bool, cut: sample::Index) {
        let _ = read_header(&bytes, false, whole);
        let _ = read_header(&bytes, true, whole);
        let packed = gzip(&bytes);
        let _ = read_header(&packed[..cut.index(packed.len())], true, whole);
        prop_assert_eq!(read_header(&packed, true, true), read_header(&bytes, false, true));
    }
}
