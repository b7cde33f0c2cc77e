//! The manifest of a data export.
//!
//! AWS documents where the manifest is, not what it contains. Public programs that read it agree on `dataFiles`, `columns` and
//! `executionId`; all other fields are optional here.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::formats::aws_data_exports::paths::{period_of_folder, run_time};
use crate::formats::kinds;
use crate::model::{
    column_type::ColumnType,
    digest::hash,
    kind::ExportKind,
    manifest::{FileFormat, Manifest, ManifestColumn, ManifestError, ManifestFile, ManifestLocation, read, safe_path},
    text::excerpt,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    data_files: Vec<String>,
    #[serde(default)]
    columns: Vec<RawColumn>,
    #[serde(default)]
    execution_id: Value,
    #[serde(default)]
    content_type: Value,
    #[serde(default)]
    compression: Value,
    #[serde(default)]
    billing_period: Value,
}

#[derive(Deserialize)]
struct RawColumn {
    name: String,
    #[serde(default)]
    r#type: Value,
}

/// Reads the manifest at `location`.
///
/// # Errors
/// As for [`crate::formats::Format::parse`].
pub fn parse(location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let raw: Raw = read(bytes)?;
    check_period(&raw.billing_period, location)?;
    let kind = kind(&raw.columns)?;
    let paths = raw.data_files.iter().map(|url| relative_path(url, location)).collect::<Result<Vec<_>, _>>()?;
    let format = format(&raw, &paths)?;
    let run = run_folder(location, &paths);
    let stated = raw.execution_id.as_str().map(str::trim).filter(|id| !id.is_empty());
    let execution_id = stated.or(run).map_or_else(|| hash_of_names(&paths), ToOwned::to_owned);
    let issued = location.issued_at.or_else(|| run.and_then(run_time));
    Manifest {
        issued_at: issued,
        // Directly in data/BILLING_PERIOD=..., not in a folder of its run.
        overwrites_previous: paths.iter().any(|path| path.split('/').count() == 3),
        columns: match format {
            FileFormat::Csv => raw.columns.into_iter().map(column).collect(),
            FileFormat::Parquet => Vec::new(),
        },
        files: paths.into_iter().map(|path| ManifestFile { relative_path: path, bytes: None }).collect(),
        ..Manifest::new(kind, location.export_name.clone(), location.billing_period, execution_id, format)
    }
    .bounded()
}

/// A manifest does not name its table. The columns show it.
fn kind(columns: &[RawColumn]) -> Result<ExportKind, ManifestError> {
    let has = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    for kind in [ExportKind::Cur2, ExportKind::Focus] {
        if has(kinds::columns(kind).key.partition) {
            return Ok(kind);
        }
    }
    let what = if columns.is_empty() {
        "it lists no columns".to_owned()
    } else if has("recommendation_id") {
        "it is an export of cost optimization recommendations".to_owned()
    } else if has("total_mbm_emissions_value") {
        "it is an export of carbon emissions".to_owned()
    } else {
        let first: Vec<String> = columns.iter().take(3).map(|column| format!("`{}`", excerpt(&column.name))).collect();
        format!("it is an export of another table, or a column is missing (it begins with {})", first.join(", "))
    };
    Err(ManifestError::Unsupported(format!(
        "{what}: only CUR 2.0 (with column `bill_billing_period_start_date`) and FOCUS (`BillingPeriodStart`) are \
         loaded; add that column to the export, or name another export"
    )))
}

fn check_period(stated: &Value, location: &ManifestLocation) -> Result<(), ManifestError> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).take(8).collect::<String>();
    let agrees = |stated: &Value, day: jiff::civil::Date| {
        let Some(found) = stated.as_str().map(digits) else { return true };
        found.len() >= 6 && digits(&day.to_string()).starts_with(&found)
    };
    let period = location.billing_period;
    let whole = match stated {
        Value::Object(range) => {
            let agrees = |key: &str, day| range.get(key).is_none_or(|stated| agrees(stated, day));
            agrees("start", period.first_day()) && agrees("end", period.end())
        }
        other => agrees(other, period.first_day()),
    };
    if whole {
        return Ok(());
    }
    Err(ManifestError::Contradiction(format!(
        "its billing period is {} in folder {}: one whole calendar month was expected, the same in both",
        excerpt(&stated.to_string()),
        location.period_folder
    )))
}

/// The part of `url` that a mirror does not change: from `data/BILLING_PERIOD=...`.
fn relative_path(url: &str, location: &ManifestLocation) -> Result<String, ManifestError> {
    let parts: Vec<&str> = url.split('/').collect();
    let start = parts.windows(2).rposition(|pair| pair[0] == "data" && period_of_folder(pair[1]).is_some());
    let of_month = start.filter(|start| period_of_folder(parts[start + 1]) == Some(location.billing_period));
    let path = of_month.map(|start| &parts[start..]).filter(|path| path.len() > 2);
    path.and_then(safe_path).ok_or_else(|| {
        let (url, month) = (excerpt(url), location.billing_period);
        ManifestError::Contradiction(format!("its file `{url}` is not in a folder data/BILLING_PERIOD={month}"))
    })
}

/// The folder of the run: that of the manifest, or else the common folder of all data files.
fn run_folder<'a>(location: &'a ManifestLocation, paths: &'a [String]) -> Option<&'a str> {
    let of_manifest = |parts: &[&'a str]| match parts {
        [.., period, run, _] if *period == location.period_folder => Some(*run),
        _ => None,
    };
    let folder = |path: &'a String| match path.split('/').collect::<Vec<_>>().as_slice() {
        [_, _, run, _, ..] => Some(*run),
        _ => None,
    };
    let run = of_manifest(&location.key.split('/').collect::<Vec<_>>()).or_else(|| {
        let folders: BTreeSet<Option<&str>> = paths.iter().map(folder).collect();
        folders.first().copied().flatten().filter(|_| folders.len() == 1)
    });
    run.filter(|run| !run.trim().is_empty())
}

fn hash_of_names(paths: &[String]) -> String {
    hash(paths.iter().map(|path| format!("{path}\n")).collect::<BTreeSet<String>>())
}

fn format(raw: &Raw, paths: &[String]) -> Result<FileFormat, ManifestError> {
    let word = |value: &Value| value.as_str().unwrap_or_default().trim().to_ascii_lowercase();
    let (content_type, compression) = (word(&raw.content_type), word(&raw.compression));
    if compression == "zip" || paths.iter().any(|path| ending(path).1 == "zip") {
        return Err(ManifestError::Unsupported(
            "the export is compressed as ZIP, which BigQuery cannot load: choose gzip for the export".to_owned(),
        ));
    }
    if !matches!(compression.as_str(), "" | "none" | "gzip" | "parquet" | "snappy") {
        return Err(ManifestError::Unsupported(format!(
            "the export's compression is `{}`: GZIP or Parquet was expected",
            excerpt(&compression)
        )));
    }
    let stated = if content_type.contains("parquet") || compression == "parquet" {
        Some(FileFormat::Parquet)
    } else if content_type.contains("csv") {
        Some(FileFormat::Csv)
    } else {
        None
    };
    // Without files, the form does not matter.
    let of_first = || paths.first().map_or(Some(FileFormat::Csv), |path| form_of_name(path));
    let format = stated.or_else(of_first).ok_or_else(|| {
        ManifestError::Unsupported(format!(
            "neither its contentType nor the name `{}` shows the form of its files: CSV or Parquet was expected",
            excerpt(&paths[0])
        ))
    })?;
    match paths.iter().find(|path| form_of_name(path).map_or(stated.is_none(), |named| named != format)) {
        None => Ok(format),
        Some(odd) => Err(ManifestError::Contradiction(format!(
            "its file `{}` is not of the form {format:?} that the others or the manifest's contentType have",
            excerpt(odd)
        ))),
    }
}

fn form_of_name(path: &str) -> Option<FileFormat> {
    let (rest, last) = ending(path);
    match last.as_str() {
        "parquet" => Some(FileFormat::Parquet),
        "csv" => Some(FileFormat::Csv),
        "gz" if ending(rest).1 == "csv" => Some(FileFormat::Csv),
        _ => None,
    }
}

/// The parts of a name before and after its last dot; the second in lower case.
fn ending(name: &str) -> (&str, String) {
    name.rsplit_once('.').map_or((name, String::new()), |(rest, last)| (rest, last.to_ascii_lowercase()))
}

/// Types are those of AWS's table dictionaries, such as `timestamp_milliseconds` or `map <string, double>`. In CSV a map is a
/// text with JSON.
fn column(raw: RawColumn) -> ManifestColumn {
    let text = raw.r#type.as_str().unwrap_or_default().trim().to_ascii_lowercase();
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let column_type = match word {
        "string" | "map" | "struct" | "boolean" => Some(ColumnType::String),
        "double" | "decimal" => Some(ColumnType::Decimal),
        "bigint" | "integer" | "int" => Some(ColumnType::Int64),
        "timestamp" => Some(ColumnType::Timestamp),
        "date" => Some(ColumnType::Date),
        _ => None,
    };
    ManifestColumn { name: raw.name, column_type }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::formats::aws_data_exports::locate;

    const RUN: &str = "2025-04-11T16:16:37.516Z-2f9a0d1e";
    const OVERWRITTEN: &str = "p/x/metadata/BILLING_PERIOD=2025-04/x-Manifest.json";

    fn manifest() -> Value {
        json!({
            "executionId": "2f9a0d1e",
            "exportArn": "arn:aws:bcm-data-exports:us-east-1:000000000000:export/x-1",
            "columns": [
                {"name": "bill_billing_period_start_date", "type": "timestamp"},
                {"name": "line_item_unblended_cost", "type": "DOUBLE"},
                {"name": "product", "type": "map <string, string>"},
                {"name": "line_item_unblended_rate", "type": "string"},
                {"name": "n", "type": "bigint"},
                {"name": "plain"}
            ],
            "dataFiles": [
                "s3://b/p/x/data/BILLING_PERIOD=2025-04/x-00001.csv.gz",
                "s3://b/p/x/data/BILLING_PERIOD=2025-04/x-00002.csv.gz"
            ],
            "additionalOutputFiles": []
        })
    }

    fn parsed_at(key: &str, manifest: &Value) -> Result<Manifest, ManifestError> {
        parse(&locate("p", None, key).unwrap(), manifest.to_string().as_bytes())
    }

    fn parsed(manifest: &Value) -> Result<Manifest, ManifestError> {
        parsed_at(OVERWRITTEN, manifest)
    }

    fn with(changes: &[(&str, Value)]) -> Value {
        let mut changed = manifest();
        for (key, value) in changes {
            changed[*key] = value.clone();
        }
        changed
    }

    fn files(names: &[&str]) -> Value {
        names.iter().map(|name| format!("s3://b/p/x/data/{name}")).collect()
    }

    #[test]
    fn a_manifest_gives_kind_execution_types_and_tails() {
        use ColumnType::{Decimal, Int64, String, Timestamp};

        let manifest = parsed(&manifest()).unwrap();
        assert_eq!((manifest.kind, manifest.format), (ExportKind::Cur2, FileFormat::Csv));
        assert_eq!((manifest.execution_id.as_str(), manifest.issued_at), ("2f9a0d1e", None));
        assert_eq!(
            manifest.files.iter().map(|file| file.relative_path.as_str()).collect::<Vec<_>>(),
            ["data/BILLING_PERIOD=2025-04/x-00001.csv.gz", "data/BILLING_PERIOD=2025-04/x-00002.csv.gz"]
        );
        let types: Vec<_> = manifest.columns.iter().map(|column| column.column_type).collect();
        assert_eq!(types, [Some(Timestamp), Some(Decimal), Some(String), Some(String), Some(Int64), None]);
    }

    #[test]
    fn focus_is_recognised_by_its_columns_in_any_case() {
        for name in ["BillingPeriodStart", "billingperiodstart"] {
            let columns = json!([{"name": name, "type": "timestamp_milliseconds"}]);
            let manifest = parsed(&with(&[("columns", columns)])).unwrap();
            assert_eq!(manifest.kind, ExportKind::Focus);
            assert_eq!(manifest.columns[0].column_type, Some(ColumnType::Timestamp));
        }
    }

    #[test]
    fn exports_of_other_tables_are_refused_by_name() {
        for (columns, named) in [
            (json!([{"name": "account_id"}, {"name": "recommendation_id"}]), "recommendations"),
            (json!([{"name": "total_mbm_emissions_value"}]), "carbon"),
            (json!([{"name": "line_item_usage_amount"}]), "`line_item_usage_amount`"),
            (json!([]), "no columns"),
        ] {
            let error = parsed(&with(&[("columns", columns)])).unwrap_err();
            assert!(matches!(&error, ManifestError::Unsupported(text) if text.contains(named)), "{error}");
        }
        let mut without = manifest();
        without.as_object_mut().unwrap().remove("columns");
        assert!(matches!(parsed(&without), Err(ManifestError::Unsupported(_))));
    }

    #[test]
    fn what_the_manifest_does_not_call_itself_its_folders_do() {
        let of_run = format!("p/x/metadata/BILLING_PERIOD=2025-04/{RUN}/x-Manifest.json");
        let in_run =
            [("executionId", Value::Null), ("dataFiles", files(&[&format!("BILLING_PERIOD=2025-04/{RUN}/1.csv")]))];
        let began = Some("2025-04-11T16:16:37.516Z".parse().unwrap());
        for key in [of_run.as_str(), OVERWRITTEN] {
            let manifest = parsed_at(key, &with(&in_run)).unwrap();
            assert_eq!((manifest.execution_id.as_str(), manifest.issued_at), (RUN, began), "{key}");
        }
        let manifest = parsed_at(&of_run, &manifest()).unwrap();
        assert_eq!((manifest.execution_id.as_str(), manifest.issued_at), ("2f9a0d1e", began));
    }

    #[test]
    fn files_outside_a_folder_of_their_run_are_overwritten_by_the_next() {
        let of_run = format!("p/x/metadata/BILLING_PERIOD=2025-04/{RUN}/x-Manifest.json");
        for key in [of_run.as_str(), OVERWRITTEN] {
            assert!(parsed_at(key, &manifest()).unwrap().overwrites_previous, "{key}");
            let in_run = with(&[("dataFiles", files(&[&format!("BILLING_PERIOD=2025-04/{RUN}/1.csv")]))]);
            assert!(!parsed_at(key, &in_run).unwrap().overwrites_previous, "{key}");
        }
    }

    #[test]
    fn without_any_id_the_names_of_the_files_are_one() {
        let id = |names: &[&str]| {
            parsed(&with(&[("executionId", json!(" ")), ("dataFiles", files(names))])).unwrap().execution_id
        };
        let [one, two, run] =
            ["BILLING_PERIOD=2025-04/1.csv", "BILLING_PERIOD=2025-04/2.csv", "BILLING_PERIOD=2025-04/run/1.csv"];
        assert_eq!(id(&[one, two]), id(&[two, one, one]));
        assert_ne!(id(&[one, two]), id(&[one]));
        let unnamed =
            parsed_at("p/x/metadata/BILLING_PERIOD=2025-04/ /x-Manifest.json", &with(&[("executionId", json!(1))]));
        assert_eq!(unnamed.unwrap().execution_id.len(), 40);
        // Files of two runs: no folder is the execution's.
        assert_eq!(id(&[one, run]).len(), 40);
    }

    #[test]
    fn the_form_is_that_of_the_content_type_or_of_the_names() {
        use FileFormat::{Csv, Parquet};

        let form = |content: Value, compression: Value, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("BILLING_PERIOD=2025-04/{name}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let changes = [("contentType", content), ("compression", compression), ("dataFiles", files(&names))];
            parsed(&with(&changes)).map(|manifest| manifest.format)
        };
        for (content, compression, names, expected) in [
            (Value::Null, Value::Null, &["1.csv.gz", "2.CSV"][..], Csv),
            (Value::Null, Value::Null, &["1.snappy.parquet"], Parquet),
            (json!("text/csv"), json!("GZIP"), &["1.csv.gz"], Csv),
            (json!("text/csv"), Value::Null, &["1"], Csv),
            (json!("Parquet"), json!("Parquet"), &["1"], Parquet),
            (json!("application/vnd.apache.parquet"), json!("snappy"), &["1.parquet"], Parquet),
            (Value::Null, Value::Null, &[], Csv),
        ] {
            assert_eq!(form(content, compression, names), Ok(expected), "{names:?}");
        }
        for (content, names) in [
            (Value::Null, &["1.csv.gz", "2.parquet"][..]),
            (Value::Null, &["1.csv.gz", "2"]),
            (json!("Parquet"), &["1.csv.gz"]),
        ] {
            let error = form(content, Value::Null, names).unwrap_err();
            assert!(matches!(error, ManifestError::Contradiction(_)), "{names:?}: {error}");
        }
        for (compression, names) in [
            (Value::Null, &["1"][..]),
            (Value::Null, &["1.zip"]),
            (json!("ZIP"), &["1.csv"]),
            (json!("BZIP2"), &["1.csv"]),
        ] {
            let error = form(Value::Null, compression, names).unwrap_err();
            assert!(matches!(error, ManifestError::Unsupported(_)), "{names:?}: {error}");
        }
    }

    #[test]
    fn a_parquet_delivery_has_its_columns_in_its_files() {
        let manifest = parsed(&with(&[("dataFiles", files(&["BILLING_PERIOD=2025-04/1.parquet"]))])).unwrap();
        assert_eq!((manifest.kind, manifest.columns), (ExportKind::Cur2, vec![]));
    }

    #[test]
    fn tails_begin_with_the_last_data_folder_of_the_month() {
        for (url, expected) in [
            (
                "s3://b/data/BILLING_PERIOD=2025-03/p/data/billing_period=2025-04/r:1/f.csv",
                "data/billing_period=2025-04/r:1/f.csv",
            ),
            ("data/BILLING_PERIOD=2025-04/f.csv", "data/BILLING_PERIOD=2025-04/f.csv"),
        ] {
            assert_eq!(parsed(&with(&[("dataFiles", json!([url, url]))])).unwrap().files[0].relative_path, expected);
        }
        for url in [
            "s3://b/p/x/data/BILLING_PERIOD=2025-03/f.csv",
            "s3://b/data/BILLING_PERIOD=2025-04/x/data/BILLING_PERIOD=2025-05/f.csv",
            "s3://b/p/x/BILLING_PERIOD=2025-04/f.csv",
            "s3://b/p/x/data/BILLING_PERIOD=2025-04",
            "s3://b/p/x/data/BILLING_PERIOD=2025-04/",
            "s3://b/p/x/data/BILLING_PERIOD=2025-04//f.csv",
            "s3://b/p/x/data/BILLING_PERIOD=2025-04/../../../f.csv",
            "s3://b/p/x/data/BILLING_PERIOD=2025-04/a\\f.csv",
            "",
        ] {
            let error = parsed(&with(&[("dataFiles", json!([url]))])).unwrap_err();
            assert!(matches!(error, ManifestError::Contradiction(_)), "{url}: {error}");
        }
    }

    #[test]
    fn a_stated_billing_period_must_be_the_month_of_the_folder() {
        for stated in [
            json!("2025-04"),
            json!("2025-04-01"),
            json!({"start": "20250401T000000.000Z", "end": "2025-05-01T00:00:00Z"}),
            json!({"start": "2025-04"}),
            Value::Null,
        ] {
            assert!(parsed(&with(&[("billingPeriod", stated.clone())])).is_ok(), "{stated}");
        }
        for stated in [
            json!("2025-03"),
            json!(""),
            json!({"start": "2025-04-05", "end": "2025-05-05"}),
            json!({"start": "2025-04-01", "end": "2025-04-15"}),
        ] {
            let error = parsed(&with(&[("billingPeriod", stated.clone())])).unwrap_err();
            assert!(matches!(error, ManifestError::Contradiction(_)), "{stated}");
        }
    }

    #[test]
    fn other_bytes_are_malformed() {
        let location = locate("p", None, OVERWRITTEN).unwrap();
        for bytes in [&b"not json"[..], b"{}", b"", b"[1]", b"\xff", br#"{"reportKeys": []}"#] {
            assert!(matches!(parse(&location, bytes), Err(ManifestError::Malformed(_))));
        }
    }
}
