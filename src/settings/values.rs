//! Values of settings, from their text.

use std::{collections::BTreeMap, path::PathBuf};

use finops_core::{model::shown::shown, plan::leave_out::LeaveOut};
use jiff::SignedDuration;

use super::problem::{Places, Problems};
use crate::flow::export::{CurVersion, ExportOptions, Months, Source};

/// The source that `gs://bucket/prefix`, `s3://bucket/prefix` or a folder's path names, and the prefix in it; an empty path if
/// it is none of these. The problem uses the name.
pub(super) fn source(text: &str, name: &str, looked_in: Places, problems: &mut Problems) -> (Source, String) {
    let expected = match bucket_url(text) {
        Some((scheme, path)) => {
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            if !bucket.is_empty() && !bucket.contains([':', '?', '@']) {
                let of_bucket = if scheme == "s3" { Source::S3 } else { Source::Gcs };
                return (of_bucket(bucket.to_owned()), prefix.to_owned());
            }
            format!("{scheme}://bucket/prefix")
        }
        None if shown(text) == text && !text.contains("://") => {
            return (Source::Local(PathBuf::from(text)), String::new());
        }
        _ => "gs://bucket/prefix, s3://bucket/prefix or a local folder".to_owned(),
    };
    problems.add(name, format!("is `{}`: {expected} was expected", shown(text)), looked_in);
    (Source::Local(PathBuf::new()), String::new())
}

/// The scheme and the rest of the URL of a bucket, `gs` or `s3`. S3's other schemes and the ARN of a bucket are `s3` too.
pub(super) fn bucket_url(text: &str) -> Option<(&'static str, &str)> {
    let Some((scheme, path)) = text.split_once("://") else {
        let (partition, path) = text.strip_prefix("arn:")?.split_once(":s3:::")?;
        return partition.starts_with("aws").then_some(("s3", path));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "gs" => Some(("gs", path)),
        "s3" | "s3a" | "s3n" => Some(("s3", path)),
        _ => None,
    }
}

/// The values in a list such as `a, b`.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

/// The labels in a text of that form.
pub(super) fn labels(text: &str) -> BTreeMap<String, String> {
    list(text).iter().filter_map(|label| label.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
}

/// The hours in a text of that form.
pub(super) fn hours(text: &str) -> SignedDuration {
    SignedDuration::from_hours(text.parse().unwrap_or_default())
}

/// An export's options, from values by the end of their variable. `leave_out` is the name of that setting.
pub(super) fn options<'a>(leave_out: String, mut value: impl FnMut(&str) -> Option<&'a str>) -> ExportOptions {
    let cur_version = match value("CUR_VERSION") {
        Some("v1") => Some(CurVersion::V1),
        Some("v2") => Some(CurVersion::V2),
        _ => None,
    };
    let mut list = |suffix| value(suffix).map(list).unwrap_or_default();
    ExportOptions {
        cur_version,
        scopes: list("SCOPES"),
        keep_runs: list("KEEP_RUNS"),
        leave_out: LeaveOut { setting: leave_out, entries: list("LEAVE_OUT") },
        null_values: list("NULL_VALUES"),
    }
}

/// A value, after the flag or the setting that has it.
pub(super) type Named<'a> = (&'a str, &'a str);

/// The first and the last month, from their texts. Problems use the names.
pub(super) fn months(dates: [Option<Named<'_>>; 2], looked_in: Places, problems: &mut Problems) -> Months {
    let mut month =
        |(name, text): Named<'_>| text.parse().map_err(|error| problems.add(name, format!("{error}"), looked_in)).ok();
    let [start, end] = dates.map(|date| date.and_then(&mut month));
    if let (Some(first), Some(last), [Some((start_name, _)), Some((end_name, _))]) = (start, end, dates)
        && first > last
    {
        problems.add(end_name, format!("is {last}, before {start_name}, {first}"), looked_in);
    }
    Months { start, end }
}
