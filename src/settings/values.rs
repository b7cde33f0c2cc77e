//! Values of settings, from their text.

use std::{ops::RangeInclusive, path::PathBuf};

use finops_core::{formats::azure::scope::normalized, model::shown::shown};
use jiff::SignedDuration;

use super::problem::Problems;
use crate::flow::export::{CurVersion, Months, Source};

/// The source that `gs://bucket/prefix`, `s3://bucket/prefix` or a folder's path names, and the prefix in it.
///
/// # Errors
/// What is wrong with the text, and what would be right.
pub(super) fn source(text: &str) -> Result<(Source, String), String> {
    match text.split_once("://") {
        Some((scheme @ ("gs" | "s3"), path)) => {
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            if bucket.is_empty() || bucket.contains([':', '?', '@']) {
                return Err(format!("is `{}`: {scheme}://bucket/prefix was expected", shown(text)));
            }
            let of_bucket = if scheme == "s3" { Source::S3 } else { Source::Gcs };
            Ok((of_bucket(bucket.to_owned()), prefix.to_owned()))
        }
        Some(_) => {
            Err(format!("is `{}`: gs://bucket/prefix, s3://bucket/prefix or a local folder was expected", shown(text)))
        }
        None if shown(text) != text => {
            Err(format!("is `{}`: gs://bucket/prefix, s3://bucket/prefix or a local folder was expected", shown(text)))
        }
        None => Ok((Source::Local(PathBuf::from(text)), String::new())),
    }
}
/// The version that the setting's text names.
///
/// # Errors
/// What was expected instead.
pub(super) fn cur_version(text: &str) -> Result<CurVersion, String> {
    match text {
        "v1" => Ok(CurVersion::V1),
        "v2" => Ok(CurVersion::V2),
        other => Err(format!("is `{}`: v1 or v2 was expected", shown(other))),
    }
}
/// The parts of a list such as `a, b`.
///
/// # Errors
/// What was expected instead.
pub(super) fn list(text: &str) -> Result<Vec<String>, String> {
    let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
    if parts.iter().all(|part| !part.is_empty()) {
        return Ok(parts);
    }
    Err(format!("is `{}`: values between commas were expected, none of them empty", shown(text)))
}

/// The parts of a list of Azure's scopes.
///
/// # Errors
/// What was expected instead.
pub(super) fn scopes(text: &str) -> Result<Vec<String>, String> {
    let scopes = list(text)?;
    match scopes.iter().find(|scope| !scope.starts_with('/') || normalized(scope).is_none()) {
        None => Ok(scopes),
        Some(scope) => Err(format!("names `{}`: a path such as /subscriptions/... was expected", shown(scope))),
    }
}

/// From the texts of the first and the last, which are called so where they were `looked_in`.
pub(super) fn months(
    [start, end]: [Option<&String>; 2],
    [start_name, end_name]: [&str; 2],
    looked_in: &'static str,
    problems: &mut Problems,
) -> Months {
    let mut month = |text: Option<&String>, name: &str| {
        text?.parse().map_err(|error| problems.add(name, format!("{error}"), looked_in)).ok()
    };
    let months = Months { start: month(start, start_name), end: month(end, end_name) };
    if let (Some(start), Some(end)) = (months.start, months.end)
        && start > end
    {
        problems.add(end_name, format!("is {end}, before {start_name}, {start}"), looked_in);
    }
    months
}

/// How many months may be replaced at once.
pub(super) const LOAD_CONCURRENCY: RangeInclusive<usize> = 1..=100;

/// How many hours a month may wait for its files.
pub(super) const WAIT_MAX_HOURS: RangeInclusive<i64> = 0..=100_000;

/// How many hours old the newest delivery may be. Not 0, which would fail every run, and may be meant as "no limit".
pub(super) const MAX_AGE_HOURS: RangeInclusive<i64> = 1..=100_000;

/// The hours in a text.
///
/// # Errors
/// What was expected instead.
pub(super) fn hours(text: &str, range: &RangeInclusive<i64>) -> Result<SignedDuration, String> {
    let hours = text.parse().ok().filter(|hours| range.contains(hours));
    hours.map(SignedDuration::from_hours).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("is `{}`: a whole number of hours from {least} to {most} was expected", shown(text))
    })
}
