//! A manifest's bytes to a [`Manifest`].

use std::collections::HashSet;

use serde::Deserialize;

use super::layout::ManifestLocation;
use crate::{
    manifest::{Manifest, ManifestColumn, ManifestError},
    schema::ColumnType,
    text::short,
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
    category: String,
    name: String,
    /// Some producers leave it out.
    r#type: Option<String>,
}

/// Reads the manifest that lies at `location`.
///
/// # Errors
/// A [`ManifestError`] that says what is wrong with the bytes, with the delivery's form, or between the two.
pub fn parse(location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| ManifestError::Malformed(error.to_string()))?;
    if raw.assembly_id.trim().is_empty() {
        return Err(ManifestError::Malformed("its assemblyId is empty".to_owned()));
    }
    check_form(&raw)?;
    check_period(&raw, location)?;
    if raw.report_name.as_ref().is_some_and(|name| *name != location.export_name) {
        return Err(ManifestError::Contradiction(format!(
            "it is of report `{}`, but its own name says `{}`",
            short(&raw.report_name.unwrap_or_default()),
            location.export_name
        )));
    }
    let mut seen = HashSet::new();
    let files = raw.report_keys.iter().map(|key| tail(key, &location.period_folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(Manifest {
        export_name: location.export_name.clone(),
        billing_period: location.billing_period,
        execution_id: raw.assembly_id,
        columns: raw.columns.into_iter().map(column).collect(),
        files: files.into_iter().filter(|file| seen.insert(file.clone())).collect(),
    })
}

fn check_form(raw: &Raw) -> Result<(), ManifestError> {
    let says = |value: &Option<String>, word: &str| value.as_ref().is_some_and(|v| v.eq_ignore_ascii_case(word));
    if says(&raw.compression, "ZIP") {
        return Err(ManifestError::Unsupported(
            "the report is compressed as ZIP, which BigQuery cannot load: choose GZIP for the report".to_owned(),
        ));
    }
    if says(&raw.content_type, "Parquet") || says(&raw.compression, "Parquet") {
        return Err(ManifestError::Unsupported(
            "the report is delivered as Parquet, which this version does not load: choose text/csv with GZIP"
                .to_owned(),
        ));
    }
    match &raw.compression {
        Some(other) if !other.eq_ignore_ascii_case("GZIP") => Err(ManifestError::Unsupported(format!(
            "the report's compression is `{}`: GZIP was expected",
            short(other)
        ))),
        _ => Ok(()),
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
        raw.billing_period.start, raw.billing_period.end, location.period_folder
    )))
}

/// The part of `key` that a mirror keeps: from the period's folder on.
fn tail(key: &str, period_folder: &str) -> Result<String, ManifestError> {
    let parts: Vec<&str> = key.split('/').collect();
    let start = parts.iter().rposition(|part| *part == period_folder);
    let tail = start.map(|start| &parts[start..]).filter(|tail| tail.len() > 1);
    match tail {
        // A key is data from outside, and becomes a path below a local folder.
        Some(tail) if tail.iter().all(|part| !matches!(*part, "" | "." | "..") && !part.contains('\\')) => {
            Ok(tail.join("/"))
        }
        _ => Err(ManifestError::Contradiction(format!(
            "its file `{}` does not lie in a folder {period_folder}",
            short(key)
        ))),
    }
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
    use crate::aws_cur::locate;

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
            manifest.files,
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
    fn zip_and_parquet_are_refused_by_name() {
        let zip = parsed(&with("compression", json!("ZIP"))).unwrap_err();
        assert!(matches!(&zip, ManifestError::Unsupported(text) if text.contains("ZIP")));
        let parquet = parsed(&with("contentType", json!("Parquet"))).unwrap_err();
        assert!(matches!(&parquet, ManifestError::Unsupported(text) if text.contains("Parquet")));
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
