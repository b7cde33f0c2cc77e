//! The manifest of a Cost Management export.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use crate::formats::azure::{paths::is_minute, range::range, scope};
use crate::{
    files::csv_header::is_gzip,
    model::{
        kind::ExportKind,
        manifest::{FileFormat, Manifest, ManifestError, ManifestFile, ManifestLocation, read, safe_path},
        text::excerpt,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    /// Older manifests have no totals.
    blob_count: Option<usize>,
    data_row_count: Option<u64>,
    export_config: RawExport,
    #[serde(default)]
    delivery_config: RawForm,
    #[serde(default)]
    run_info: RawRun,
    blobs: Vec<RawBlob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawExport {
    export_name: Option<String>,
    resource_id: Option<String>,
    r#type: String,
    time_frame: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawForm {
    data_overwrite_behavior: Option<String>,
    file_format: Option<String>,
    compression_mode: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRun {
    submitted_time: Option<String>,
    run_id: Option<String>,
    start_date: Option<String>,
    end_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBlob {
    blob_name: String,
    byte_count: Option<u64>,
    data_row_count: Option<u64>,
}

/// Reads the manifest at `location`.
///
/// # Errors
/// As for [`crate::formats::Format::parse`].
pub fn parse(location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let raw: Raw = read(bytes)?;
    let kind = kind(&raw.export_config.r#type)?;
    let export_name = export_name(&raw, location)?;
    let (from, until) = range(
        location,
        raw.run_info.start_date.as_deref(),
        raw.run_info.end_date.as_deref(),
        raw.export_config.time_frame.as_deref().unwrap_or_default(),
    )?;
    let format = format(&raw)?;
    let listed = raw.blobs.len();
    if let Some(count) = raw.blob_count.filter(|count| *count > listed) {
        return Err(ManifestError::Contradiction(format!("it counts {count} files and lists {listed}")));
    }
    let rows = raw.blobs.iter().try_fold(0, |sum: u64, blob| sum.checked_add(blob.data_row_count?));
    // It is not documented whether sizes are those before or after compression.
    let compression = raw.delivery_config.compression_mode.as_deref().unwrap_or("none");
    let is_compressed =
        !compression.trim().eq_ignore_ascii_case("none") || raw.blobs.iter().any(|b| is_gzip(b.blob_name.trim()));
    let file = |blob: &RawBlob| {
        let bytes = blob.byte_count.filter(|bytes| *bytes > 0);
        relative_path(&blob.blob_name, location).map(|relative_path| ManifestFile { relative_path, bytes })
    };
    let files = raw.blobs.iter().map(file).collect::<Result<_, _>>()?;
    Manifest {
        issued_at: raw.run_info.submitted_time.as_deref().map(timestamp).transpose()?,
        covers_until: until,
        scope: raw.export_config.resource_id.as_deref().and_then(scope::normalized),
        from,
        sizes_may_differ: is_compressed,
        overwrites_previous: overwrites(&raw),
        rows: raw.data_row_count.or(rows),
        files,
        ..Manifest::new(kind, export_name, location.billing_period, run_id(&raw, location)?, format)
    }
    .bounded()
}

/// The scope in a manifest, which may be wrong in other ways.
pub fn scope_of(bytes: &[u8]) -> Option<String> {
    let raw: serde_json::Value = read(bytes).ok()?;
    scope::normalized(raw.get("exportConfig")?.get("resourceId")?.as_str()?)
}

fn overwrites(raw: &Raw) -> bool {
    let behavior = raw.delivery_config.data_overwrite_behavior.as_deref();
    behavior.is_some_and(|behavior| behavior.trim().eq_ignore_ascii_case("OverwritePreviousReport"))
}

fn kind(name: &str) -> Result<ExportKind, ManifestError> {
    match name.to_ascii_lowercase().as_str() {
        "actualcost" => Ok(ExportKind::AzureActual),
        "amortizedcost" => Ok(ExportKind::AzureAmortized),
        "usage" => Ok(ExportKind::AzureUsage),
        "focuscost" => Ok(ExportKind::Focus),
        _ => Err(ManifestError::Unsupported(format!(
            "it is of type `{}`, which is not cost data: choose an export of type ActualCost, AmortizedCost, Usage or FocusCost",
            excerpt(name)
        ))),
    }
}

/// The export's name. At Azure case does not matter in it.
fn export_name(raw: &Raw, location: &ManifestLocation) -> Result<String, ManifestError> {
    match &raw.export_config.export_name {
        Some(name) if location.export_name.is_empty() => Ok(name.clone()),
        Some(name) if !name.eq_ignore_ascii_case(&location.export_name) => Err(ManifestError::Contradiction(format!(
            "it is of export `{}`, and `{}` was expected: mirror each export into a folder with the export's \
             name, or configure the name and set the prefix to that folder",
            excerpt(name),
            location.export_name
        ))),
        None if location.export_name.is_empty() => Err(ManifestError::Malformed(
            "neither the manifest nor a folder has the export's name: configure it".to_owned(),
        )),
        _ => Ok(location.export_name.clone()),
    }
}

fn run_id(raw: &Raw, location: &ManifestLocation) -> Result<String, ManifestError> {
    let named = raw.run_info.run_id.as_deref().map(str::trim);
    let folder = location.key.rsplit('/').nth(1);
    let folder = folder.filter(|folder| *folder != location.period_folder && !is_minute(folder));
    let id = named.filter(|id| !id.is_empty()).or(folder);
    id.map(str::to_owned)
        .ok_or_else(|| ManifestError::Malformed("it has no runId, and is not in a folder of a run".to_owned()))
}

/// A timestamp; UTC if it has no zone.
fn timestamp(text: &str) -> Result<Timestamp, ManifestError> {
    let text = text.trim();
    let without_zone = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC)).map(|z| z.timestamp());
    text.parse().or_else(|_| without_zone()).map_err(|_| {
        ManifestError::Malformed(format!("`{}` is no timestamp such as 2025-03-21T21:04:06Z", excerpt(text)))
    })
}

fn format(raw: &Raw) -> Result<FileFormat, ManifestError> {
    let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
    let (format, compression) = (lower(&raw.delivery_config.file_format), lower(&raw.delivery_config.compression_mode));
    let names: Vec<String> = raw.blobs.iter().map(|blob| blob.blob_name.trim().to_ascii_lowercase()).collect();
    let ends = |name: &String, endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let end_with = |endings: &[&str]| names.iter().all(|name| ends(name, endings));
    if compression == "zip" || names.iter().any(|name| ends(name, &[".zip"])) {
        return Err(ManifestError::Unsupported(
            "the export is compressed as ZIP, which finops does not load: choose gzip, or no compression".to_owned(),
        ));
    }
    let format = match format.as_str() {
        "csv" => FileFormat::Csv,
        "parquet" => FileFormat::Parquet,
        "" if end_with(&[".csv", ".csv.gz"]) => FileFormat::Csv,
        "" if end_with(&[".parquet"]) => FileFormat::Parquet,
        "" => return Err(ManifestError::Unsupported("its files are neither all CSV nor all Parquet".to_owned())),
        other => {
            let what = format!("its files are `{}`: choose CSV or Parquet for the export", excerpt(other));
            return Err(ManifestError::Unsupported(what));
        }
    };
    match (format, compression.as_str()) {
        (_, "" | "none" | "gzip") | (FileFormat::Parquet, "snappy") => Ok(format),
        (_, other) => Err(ManifestError::Unsupported(format!(
            "the export's compression is `{}`: choose gzip or none for CSV, Snappy or none for Parquet",
            excerpt(other)
        ))),
    }
}

/// The part of a blob's name that a mirror does not change: from the folder of the days.
fn relative_path(name: &str, location: &ManifestLocation) -> Result<String, ManifestError> {
    let folder = &location.period_folder;
    // Some names begin with a space.
    let parts: Vec<&str> = name.trim().split('/').collect();
    let path = parts.iter().rposition(|part| part == folder).map(|start| &parts[start..]);
    path.filter(|path| path.len() > 1).and_then(safe_path).ok_or_else(|| {
        ManifestError::Contradiction(format!("its file `{}` is not in a folder {folder}", excerpt(name)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{formats::azure::locate, hint};

    const KEY: &str = "p/daily/20250301-20250331/202503212104/5f9a/manifest.json";

    fn manifest() -> Value {
        json!({
            "manifestVersion": "2024-04-01", "byteCount": 8032, "blobCount": 2, "dataRowCount": 36,
            "exportConfig": {
                "exportName": "Daily", "resourceId": "/subscriptions/1", "dataVersion": "2023-05-01",
                "apiVersion": "2023-07-01-preview", "type": "ActualCost", "timeFrame": "MonthToDate", "granularity": "Daily",
            },
            "deliveryConfig": {
                "partitionData": true, "dataOverwriteBehavior": "CreateNewReport", "fileFormat": "Csv",
                "compressionMode": "Gzip", "containerUri": "/subscriptions/1/x", "rootFolderPath": "dir",
            },
            "runInfo": {
                "executionType": "Scheduled", "submittedTime": "2025-03-21T21:04:06.5234447Z", "runId": "5f9a",
                "startDate": "2025-03-01T00:00:00", "endDate": "2025-03-21T00:00:00Z",
            },
            "blobs": [
                {
                    "blobName": " dir/Daily/20250301-20250331/202503212104/5f9a/part_0_0001.csv.gz",
                    "byteCount": 8000, "dataRowCount": 30,
                },
                {
                    "blobName": "dir/Daily/20250301-20250331/202503212104/5f9a/part_1_0001.csv.gz",
                    "byteCount": 32, "dataRowCount": 6,
                },
            ],
        })
    }

    fn parsed_at(key: &str, manifest: &Value) -> Result<Manifest, ManifestError> {
        parse(&locate("p", None, key).unwrap(), manifest.to_string().as_bytes())
    }

    fn parsed(manifest: &Value) -> Result<Manifest, ManifestError> {
        parsed_at(KEY, manifest)
    }

    /// The manifest with the value at `pointer` replaced.
    fn with(pointer: &str, value: Value) -> Value {
        let mut changed = manifest();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    }

    fn without(pointer: &str, key: &str) -> Value {
        let mut changed = manifest();
        changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        changed
    }

    #[test]
    fn a_manifest_gives_run_range_rows_and_files() {
        let file = |part: u8, bytes| ManifestFile {
            relative_path: format!("20250301-20250331/202503212104/5f9a/part_{part}_0001.csv.gz"),
            bytes: Some(bytes),
        };
        let expected = Manifest {
            issued_at: Some("2025-03-21T21:04:06.5234447Z".parse().unwrap()),
            covers_until: Some("2025-03-21".parse().unwrap()),
            scope: Some("/subscriptions/1".to_owned()),
            sizes_may_differ: true,
            rows: Some(36),
            files: vec![file(0, 8000), file(1, 32)],
            ..Manifest::new(ExportKind::AzureActual, "daily", "2025-03".parse().unwrap(), "5f9a", FileFormat::Csv)
        };
        assert_eq!(parsed(&manifest()), Ok(expected));
    }

    #[test]
    fn a_legacy_manifest_has_fewer_fields() {
        let legacy = json!({
            "exportConfig": {"type": "AmortizedCost"},
            "runInfo": {"submittedTime": "2023-03-21T21:04:06", "startDate": "2023-03-01", "endDate": "2023-03-21"},
            "blobs": [
                {"blobName": "/daily/20230301-20230331/5f9a/a.csv"},
                {"blobName": "x/20230301-20230331/5f9a/b.csv", "byteCount": 0},
            ],
        });
        let manifest = parsed_at("p/daily/20230301-20230331/5f9a/_manifest.json", &legacy).unwrap();
        assert_eq!((manifest.execution_id.as_str(), manifest.rows, manifest.format), ("5f9a", None, FileFormat::Csv));
        assert_eq!(manifest.issued_at, Some("2023-03-21T21:04:06Z".parse().unwrap()));
        assert_eq!(
            manifest.files[0],
            ManifestFile { relative_path: "20230301-20230331/5f9a/a.csv".to_owned(), bytes: None }
        );
        assert_eq!(manifest.files[1].bytes, None);

        let nowhere = parsed_at("p/daily/20230301-20230331/202303212104/_manifest.json", &legacy).unwrap_err();
        assert!(matches!(&nowhere, ManifestError::Malformed(text) if text.contains("runId")));
    }

    #[test]
    fn rows_are_the_total_or_the_sum_if_every_file_has_them() {
        let rows = |manifest: &Value| parsed(manifest).unwrap().rows;
        assert_eq!(rows(&with("/dataRowCount", json!(0))), Some(0));
        let mut unstated = without("", "dataRowCount");
        assert_eq!(rows(&unstated), Some(36));
        unstated["blobs"][1]["dataRowCount"] = Value::Null;
        assert_eq!(rows(&unstated), None);
        unstated["blobs"][1]["dataRowCount"] = json!(u64::MAX);
        assert_eq!(rows(&unstated), None);
    }

    #[test]
    fn a_file_listed_twice_counts_once_and_none_may_be_short() {
        let first = manifest()["blobs"][0].clone();
        assert_eq!(parsed(&with("/blobs", json!([first, first]))).unwrap().files.len(), 1);
        let short = parsed(&with("/blobs", json!([first]))).unwrap_err();
        assert!(matches!(short, ManifestError::Contradiction(text) if text == "it counts 2 files and lists 1"));
    }

    #[test]
    fn dates_come_with_and_without_a_zone() {
        for end in ["2025-03-21", "2025-03-21T00:00:00", "2025-03-21T00:00:00Z", "2025-03-21T00:00:00+00:00"] {
            let manifest = parsed(&with("/runInfo/endDate", json!(end))).unwrap();
            assert_eq!(manifest.covers_until.unwrap().to_string(), "2025-03-21", "{end}");
        }
        for issued in
            ["2025-03-21T21:04:06.5234447Z", "2025-03-21T21:04:06.5234447", "2025-03-21T21:04:06.5234447+00:00"]
        {
            let manifest = parsed(&with("/runInfo/submittedTime", json!(issued))).unwrap();
            assert_eq!(manifest.issued_at.unwrap().to_string(), "2025-03-21T21:04:06.5234447Z", "{issued}");
        }
        assert_eq!(parsed(&without("/runInfo", "endDate")).unwrap().covers_until, None);
        assert_eq!(parsed(&without("/runInfo", "submittedTime")).unwrap().issued_at, None);
        for pointer in ["/runInfo/endDate", "/runInfo/submittedTime"] {
            assert!(matches!(parsed(&with(pointer, json!("yesterday"))), Err(ManifestError::Malformed(_))));
        }
    }

    #[test]
    fn the_manifest_says_whether_files_are_overwritten() {
        let overwrites_previous = |manifest: &Value| parsed(manifest).unwrap().overwrites_previous;
        assert!(overwrites_previous(&with("/deliveryConfig/dataOverwriteBehavior", json!("OverwritePreviousReport"))));
        assert!(!overwrites_previous(&manifest()));
        assert!(!overwrites_previous(&without("/deliveryConfig", "dataOverwriteBehavior")));
    }

    #[test]
    fn only_cost_data_is_accepted() {
        let kind = |name: &str| parsed(&with("/exportConfig/type", json!(name))).map(|manifest| manifest.kind);
        assert_eq!(kind("amortizedCost"), Ok(ExportKind::AzureAmortized));
        assert_eq!(kind("FocusCost"), Ok(ExportKind::Focus));
        assert_eq!(kind("Usage"), Ok(ExportKind::AzureUsage));
        for name in ["PriceSheet", "ReservationRecommendations", "ReservationDetails", ""] {
            let refused = kind(name).unwrap_err();
            assert!(matches!(&refused, ManifestError::Unsupported(text) if text.contains(&format!("`{name}`"))));
        }
    }

    #[test]
    fn the_form_is_stated_or_follows_from_the_names() {
        let form = |format: Value, compression: Value, ending: &str| {
            let mut manifest = with("/deliveryConfig", json!({"fileFormat": format, "compressionMode": compression}));
            for blob in manifest["blobs"].as_array_mut().unwrap() {
                blob["blobName"] = json!(format!("daily/20250301-20250331/{}{ending}", blob["dataRowCount"]));
            }
            parsed(&manifest).map(|manifest| manifest.format).map_err(|error| error.to_string())
        };
        let null = Value::Null;
        assert_eq!(form(json!("Csv"), json!("None"), ".csv"), Ok(FileFormat::Csv));
        assert_eq!(form(json!("Parquet"), json!("Snappy"), ".snappy.parquet"), Ok(FileFormat::Parquet));
        assert_eq!(form(json!("csv"), null.clone(), ".csv"), Ok(FileFormat::Csv));
        assert_eq!(form(null.clone(), null.clone(), ".parquet"), Ok(FileFormat::Parquet));
        assert_eq!(form(null.clone(), json!("gzip"), ".csv.gz"), Ok(FileFormat::Csv));
        for (format, compression, ending, named) in [
            (json!("Csv"), json!("Zip"), ".csv", "ZIP"),
            (json!("Csv"), null.clone(), ".csv.zip", "ZIP"),
            (json!("Csv"), json!("Snappy"), ".csv", "`snappy`"),
            (json!("Excel"), null.clone(), ".xlsx", "`excel`"),
            (null.clone(), null, ".txt", "neither"),
        ] {
            let refused = form(format, compression, ending).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
    }

    fn run_of(start: &str, end: &str) -> Value {
        let mut manifest = with("/runInfo/startDate", json!(start));
        manifest["runInfo"]["endDate"] = json!(end);
        manifest
    }

    #[test]
    fn a_range_of_several_months_is_refused() {
        for (start, end) in [("2025-02-01", "2025-03-21"), ("2025-03-01", "2025-04-01"), ("2025-03-01", "2026-03-21")] {
            let refused = parsed(&run_of(start, end)).unwrap_err();
            let says = format!("it covers {start} to {end} (MonthToDate)");
            assert!(matches!(&refused, ManifestError::Range { what, .. } if what.contains(&says)), "{refused}");
        }
        for folder in ["20250301-20250415", "20250301-20250228"] {
            let text = manifest().to_string().replace("20250301-20250331", folder);
            let refused =
                parsed_at(&format!("p/daily/{folder}/5f9a/manifest.json"), &text.parse().unwrap()).unwrap_err();
            assert!(matches!(&refused, ManifestError::Range { what, .. } if what.contains(folder)), "{refused}");
        }
        let text = run_of("2025-03-15", "2025-03-02").to_string().replace("20250301-20250331", "20250315-20250331");
        let backwards = parsed_at("p/daily/20250315-20250331/5f9a/manifest.json", &text.parse().unwrap()).unwrap_err();
        assert!(matches!(&backwards, ManifestError::Contradiction(text) if text.contains("before it begins")));
    }

    #[test]
    fn a_range_within_a_month_that_begins_later_is_a_piece_of_it() {
        let from = |manifest: &Value| parsed(manifest).unwrap().from.map(|day| day.to_string());
        assert_eq!(from(&run_of("2025-03-01", "2025-03-31")), None);
        assert!(parsed(&run_of("2025-03-02", "2025-03-21")).is_err(), "the folder is of the whole month");
        let mut unstated = without("/runInfo", "startDate");
        assert_eq!(from(&unstated), None);
        let text = unstated.to_string().replace("20250301-20250331", "20250315-20250331");
        unstated = text.parse().unwrap();
        let piece = parsed_at("p/daily/20250315-20250331/5f9a/manifest.json", &unstated).unwrap();
        assert_eq!(piece.from.unwrap().to_string(), "2025-03-15");
        let mut week = without("/runInfo", "endDate");
        week = week.to_string().replace("20250301-20250331", "20250301-20250307").parse().unwrap();
        let week = parsed_at("p/daily/20250301-20250307/5f9a/manifest.json", &week).unwrap();
        assert_eq!(week.covers_until.unwrap().to_string(), "2025-03-07", "the folder has it");
    }

    #[test]
    fn only_sizes_of_plain_files_are_those_of_the_files() {
        let may_differ = |manifest: &Value| parsed(manifest).unwrap().sizes_may_differ;
        assert!(may_differ(&manifest()));
        let mut plain = with("/deliveryConfig/compressionMode", json!("None"));
        assert!(may_differ(&plain), "a name that ends with .gz");
        for blob in plain["blobs"].as_array_mut().unwrap() {
            blob["blobName"] = json!(blob["blobName"].as_str().unwrap().trim_end_matches(".gz"));
        }
        assert!(!may_differ(&plain));
        plain["deliveryConfig"]["compressionMode"] = Value::Null;
        assert!(!may_differ(&plain));
    }

    #[test]
    fn the_hint_about_a_range_never_names_the_time_frame_that_the_export_has() {
        let hint = |time_frame: Value| {
            let mut manifest = with("/exportConfig/timeFrame", time_frame);
            manifest["runInfo"]["startDate"] = json!("2025-02-16");
            match parsed(&manifest).unwrap_err() {
                ManifestError::Range { what, hint, .. } => (what, hint),
                other => panic!("{other:?}"),
            }
        };
        for (time_frame, expected) in [
            ("TheLastBillingMonth", hint::WITHOUT_BILLING_PERIODS),
            ("BillingMonthToDate", hint::WITHOUT_BILLING_PERIODS),
            ("Custom", hint::ONCE_FOR_EACH_MONTH),
            ("MonthToDate", hint::CHANGED_MANIFEST),
            ("TheLastMonth", hint::CHANGED_MANIFEST),
            ("WeekToDate", hint::CHOOSE_TIME_FRAME),
        ] {
            let (what, hint) = hint(json!(time_frame));
            assert!(what.contains(&format!("2025-02-16 to 2025-03-21 ({time_frame}) in folder")), "{what}");
            assert_eq!(hint, expected, "{time_frame}");
            assert!(!hint.contains(time_frame), "{time_frame}: {hint}");
        }
        let (what, hint) = hint(Value::Null);
        assert!(what.contains("2025-03-21 in folder") && hint == hint::CHOOSE_TIME_FRAME, "{what} {hint}");
    }

    #[test]
    fn the_export_must_be_the_one_that_was_expected() {
        let error = parsed(&with("/exportConfig/exportName", json!("weekly"))).unwrap_err();
        assert!(
            matches!(&error, ManifestError::Contradiction(text) if text.contains("`weekly`") && text.contains("`daily`"))
        );
        let top = locate("", None, "20250301-20250331/5f9a/manifest.json").unwrap();
        assert_eq!(parse(&top, manifest().to_string().as_bytes()).unwrap().export_name, "Daily");
        let nameless = without("/exportConfig", "exportName").to_string();
        assert!(matches!(parse(&top, nameless.as_bytes()), Err(ManifestError::Malformed(_))));
    }

    #[test]
    fn a_file_outside_the_ranges_folder_is_refused() {
        for name in [
            "dir/daily/20250201-20250228/5f9a/a.csv",
            "daily/20250301-20250331/../../etc/passwd",
            "daily/20250301-20250331//a.csv",
            "daily/20250301-20250331",
            "a.csv",
            "",
        ] {
            let error = parsed(&with("/blobs/0/blobName", json!(name))).unwrap_err();
            assert!(matches!(error, ManifestError::Contradiction(_)), "{name}: {error}");
        }
    }

    #[test]
    fn other_bytes_are_malformed() {
        let location = locate("p", None, KEY).unwrap();
        for bytes in [&b"not json"[..], b"{}", b"", b"[1]", b"\xff"] {
            assert!(matches!(parse(&location, bytes), Err(ManifestError::Malformed(_))));
        }
    }
}
