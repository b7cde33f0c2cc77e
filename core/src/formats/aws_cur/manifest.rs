//! The manifest of a Cost and Usage Report.

use serde::Deserialize;

use crate::model::{
    column_type::ColumnType,
    kind::ExportKind,
    manifest::{FileFormat, Manifest, ManifestColumn, ManifestError, ManifestFile, ManifestLocation, read, safe_path},
    text::excerpt,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    assembly_id: String,
    report_name: Option<String>,
    billing_period: RawPeriod,
    compression: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    columns: Vec<RawColumn>,
    report_keys: Vec<String>,
}

#[derive(Deserialize)]
struct RawPeriod {
    start: String,
    end: String,
}

#[derive(Deserialize)]
struct RawColumn {
    /// Not in manifests of Parquet reports, where names are complete.
    #[serde(default)]
    category: String,
    name: String,
    /// Some producers do not write it.
    r#type: Option<String>,
}

/// Reads the manifest at `location`.
///
/// # Errors
/// As for [`crate::formats::Format::parse`].
pub fn parse(location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let raw: Raw = read(bytes)?;
    if raw.assembly_id.trim().is_empty() {
        return Err(ManifestError::Malformed("its assemblyId is empty".to_owned()));
    }
    let format = format(&raw)?;
    check_period(&raw, location)?;
    if raw.report_name.as_ref().is_some_and(|name| *name != location.export_name) {
        return Err(ManifestError::Contradiction(format!(
            "it is of report `{}`, but its file name says `{}`",
            excerpt(&raw.report_name.unwrap_or_default()),
            location.export_name
        )));
    }
    let files = raw.report_keys.iter().map(|key| relative_path(key, location)).collect::<Result<Vec<_>, _>>()?;
    Manifest {
        overwrites_previous: files.iter().any(|path| is_overwritten(path, location)),
        columns: match format {
            FileFormat::Csv => raw.columns.into_iter().map(column).collect(),
            FileFormat::Parquet => Vec::new(),
        },
        files: files.into_iter().map(|path| ManifestFile { relative_path: path, bytes: None }).collect(),
        ..Manifest::new(ExportKind::Cur, location.export_name.clone(), location.billing_period, raw.assembly_id, format)
    }
    .bounded()
}

fn format(raw: &Raw) -> Result<FileFormat, ManifestError> {
    let says = |value: &Option<String>, word: &str| value.as_ref().is_some_and(|v| v.eq_ignore_ascii_case(word));
    if says(&raw.compression, "ZIP") {
        return Err(ManifestError::Unsupported(
            "the report is compressed as ZIP, which BigQuery cannot load: choose GZIP for the report".to_owned(),
        ));
    }
    if says(&raw.content_type, "Parquet") || says(&raw.compression, "Parquet") {
        return Ok(FileFormat::Parquet);
    }
    match &raw.compression {
        Some(other) if !other.eq_ignore_ascii_case("GZIP") => Err(ManifestError::Unsupported(format!(
            "the report's compression is `{}`: GZIP or Parquet was expected",
            excerpt(other)
        ))),
        _ => Ok(FileFormat::Csv),
    }
}

fn check_period(raw: &Raw, location: &ManifestLocation) -> Result<(), ManifestError> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).take(8).collect::<String>();
    let period = location.billing_period;
    let expected = [period.first_day(), period.end()].map(|day| digits(&day.to_string()));
    let found = [digits(&raw.billing_period.start), digits(&raw.billing_period.end)];
    if found == expected && location.period_folder == expected.join("-") {
        return Ok(());
    }
    Err(ManifestError::Contradiction(format!(
        "its billing period is {} to {} in folder {}: one whole calendar month was expected, the same in both",
        excerpt(&raw.billing_period.start),
        excerpt(&raw.billing_period.end),
        location.period_folder
    )))
}

/// The part of `key` that a mirror does not change: from the folder of the period, or in the layout for Athena from the
/// report's name before `year=2025/month=9`.
fn relative_path(key: &str, location: &ManifestLocation) -> Result<String, ManifestError> {
    let parts: Vec<&str> = key.split('/').collect();
    let folder = &location.period_folder;
    let start = parts.iter().rposition(|part| part == folder).or_else(|| athena_folder(&parts, location));
    let path = start.map(|start| &parts[start..]).filter(|path| path.len() > 1);
    path.and_then(safe_path).ok_or_else(|| {
        ManifestError::Contradiction(format!(
            "its file `{}` is neither in a folder {folder} nor in one of that month for Athena (year=.../month=...)",
            excerpt(key)
        ))
    })
}

/// Whether the next delivery overwrites the file: it is in the folder of the month, not of its delivery.
fn is_overwritten(path: &str, location: &ManifestLocation) -> bool {
    let folder = path.rsplit('/').nth(1);
    folder.is_some_and(|folder| folder == location.period_folder || folder.starts_with("month="))
}

/// The index of the folders `<report>/year=2025/month=9` of the location's month.
fn athena_folder(parts: &[&str], location: &ManifestLocation) -> Option<usize> {
    let number = |part: &str, key: &str| part.strip_prefix(key)?.parse::<i16>().ok();
    let month = location.billing_period.first_day();
    let wanted = (Some(month.year()), Some(i16::from(month.month())));
    // The third is the file, or another folder.
    let year = parts.windows(3).rposition(|part| (number(part[0], "year="), number(part[1], "month=")) == wanted)?;
    let below_name = year.checked_sub(1).filter(|name| parts[*name] == location.export_name);
    Some(below_name.unwrap_or(year))
}

fn column(raw: RawColumn) -> ManifestColumn {
    let column_type = raw.r#type.and_then(|text| {
        match text.strip_prefix("Optional").unwrap_or(&text).to_ascii_lowercase().as_str() {
            "string" | "interval" => Some(ColumnType::String),
            "bigdecimal" => Some(ColumnType::Decimal),
            "integer" => Some(ColumnType::Int64),
            "datetime" => Some(ColumnType::Timestamp),
            _ => None,
        }
    });
    ManifestColumn { name: format!("{}/{}", raw.category, raw.name), column_type }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::formats::aws_cur::locate;

    fn manifest() -> Value {
        json!({
            "assemblyId": "20250903T120125Z",
            "reportName": "cur",
            "billingPeriod": {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"},
            "compression": "GZIP",
            "contentType": "text/csv",
            "columns": [
                {"category": "lineItem", "name": "UnblendedCost", "type": "OptionalBigDecimal"},
                {"category": "identity", "name": "TimeInterval", "type": "Interval"},
                {"category": "resourceTags", "name": "user:Name"},
                {"category": "x", "name": "y", "type": "Something"}
            ],
            "reportKeys": [
                "elsewhere/cur/20250901-20251001/20250903T120125Z/cur-00001.csv.gz",
                "/20250901-20251001/20250901-20251001/cur-00002.csv.gz"
            ]
        })
    }

    fn parsed(manifest: &Value) -> Result<Manifest, ManifestError> {
        let location = locate("p", None, "p/cur/20250901-20251001/cur-Manifest.json").unwrap();
        parse(&location, manifest.to_string().as_bytes())
    }

    fn paths(manifest: &Manifest) -> Vec<&str> {
        manifest.files.iter().map(|file| file.relative_path.as_str()).collect()
    }

    fn with(key: &str, value: Value) -> Value {
        let mut changed = manifest();
        changed[key] = value;
        changed
    }

    #[test]
    fn a_manifest_gives_execution_types_and_tails() {
        let manifest = parsed(&manifest()).unwrap();
        assert_eq!(manifest.execution_id, "20250903T120125Z");
        assert_eq!(
            paths(&manifest),
            ["20250901-20251001/20250903T120125Z/cur-00001.csv.gz", "20250901-20251001/cur-00002.csv.gz"]
        );
        let types: Vec<_> = manifest.columns.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
        assert_eq!(
            types,
            [
                ("lineItem/UnblendedCost", Some(ColumnType::Decimal)),
                ("identity/TimeInterval", Some(ColumnType::String)),
                ("resourceTags/user:Name", None),
                ("x/y", None)
            ]
        );
    }

    #[test]
    fn a_file_listed_twice_counts_once() {
        let key = "cur/20250901-20251001/cur-1.csv.gz";
        assert_eq!(parsed(&with("reportKeys", json!([key, key]))).unwrap().files.len(), 1);
    }

    #[test]
    fn a_file_for_athena_is_below_the_reports_name() {
        let with_key = |key: &str| {
            let mut parquet = with("reportKeys", json!([key]));
            (parquet["contentType"], parquet["compression"]) = (json!("Parquet"), json!("Parquet"));
            parquet["columns"] = json!([{"name": "line_item_usage_amount", "type": "DOUBLE"}]);
            parsed(&parquet)
        };
        for (key, path) in [
            ("p/cur/cur/year=2025/month=9/cur-1.snappy.parquet", "cur/year=2025/month=9/cur-1.snappy.parquet"),
            ("x/year=2024/month=9/cur/year=2025/month=09/1.parquet", "cur/year=2025/month=09/1.parquet"),
            ("year=2025/month=9/1.parquet", "year=2025/month=9/1.parquet"),
            ("p/cur/20250901-20251001/a/cur-1.snappy.parquet", "20250901-20251001/a/cur-1.snappy.parquet"),
        ] {
            let manifest = with_key(key).unwrap();
            assert_eq!(manifest.format, FileFormat::Parquet);
            assert_eq!(paths(&manifest), [path], "{key}");
        }
        for key in [
            "p/cur/cur/year=2025/month=8/cur-1.snappy.parquet",
            "p/cur/cur/year=2025/x/month=9/1.parquet",
            "p/cur/cur/year=2025/month=9",
            "cur/year=2025/month=9/../../../x",
        ] {
            assert!(matches!(with_key(key), Err(ManifestError::Contradiction(_))), "{key}");
        }
    }

    #[test]
    fn files_outside_a_folder_of_their_delivery_are_overwritten_by_the_next() {
        for (keys, overwrites_previous) in [
            (&["cur/20250901-20251001/cur-1.csv.gz"][..], true),
            (&["cur/20250901-20251001/20250903T120125Z/cur-1.csv.gz"], false),
            (&["cur/20250901-20251001/another-name/cur-1.snappy.parquet"], false),
            (&["p/cur/cur/year=2025/month=9/cur-1.snappy.parquet"], true),
            (&["p/cur/cur/year=2025/month=09/run/cur-1.snappy.parquet"], false),
            (&[], false),
        ] {
            assert_eq!(
                parsed(&with("reportKeys", json!(keys))).unwrap().overwrites_previous,
                overwrites_previous,
                "{keys:?}"
            );
        }
    }

    #[test]
    fn zip_is_refused_by_name() {
        let zip = parsed(&with("compression", json!("ZIP"))).unwrap_err();
        assert!(matches!(&zip, ManifestError::Unsupported(text) if text.contains("ZIP")));
    }

    #[test]
    fn what_contradicts_the_folder_is_refused() {
        for (key, value) in [
            ("billingPeriod", json!({"start": "20250801T000000.000Z", "end": "20250901T000000.000Z"})),
            ("billingPeriod", json!({"start": "20250901T000000.000Z", "end": "20250915T000000.000Z"})),
            ("reportName", json!("other")),
            ("reportKeys", json!(["cur/20250801-20250901/cur-1.csv.gz"])),
            ("reportKeys", json!(["cur/20250901-20251001/../../etc/passwd"])),
            ("reportKeys", json!(["cur/20250901-20251001"])),
        ] {
            let error = parsed(&with(key, value)).unwrap_err();
            assert!(matches!(error, ManifestError::Contradiction(_)), "{key}: {error}");
        }
    }

    #[test]
    fn other_bytes_are_malformed() {
        let location = locate("p", None, "p/cur/20250901-20251001/cur-Manifest.json").unwrap();
        for bytes in [&b"not json"[..], b"{}", b"", b"[1]", b"\xff"] {
            assert!(matches!(parse(&location, bytes), Err(ManifestError::Malformed(_))));
        }
    }
}
