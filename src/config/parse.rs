//! From text to a [`Config`]; all problems at once.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use finops_core::state::STATE_TABLE;
use jiff::SignedDuration;

use super::{
    Config, ENVIRONMENT, Export, LOAD_CONCURRENCY, Months, Problem, Source, WarehouseConfig,
    environment::{PipelineVariables, Variables, default_of},
};
use crate::warehouse::bigquery;

const FLAG_OR_ENVIRONMENT: &str = "looked in: command line, environment";

/// What the command line says about it, before the environment.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// `aws`, `azure` or `all`.
    pub pipeline: Option<String>,
    /// `--start-date`.
    pub start_date: Option<String>,
    /// `--end-date`.
    pub end_date: Option<String>,
}

/// Collects what is wrong while values are read.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, name: &str, what: impl Into<String>, looked_in: &'static str) {
        self.0.push(Problem { name: name.to_owned(), what: what.into(), looked_in });
    }

    fn required(&mut self, name: &str, value: Option<&String>, what_it_is: &str) -> String {
        value.cloned().unwrap_or_else(|| {
            self.add(name, format!("is not set: {what_it_is}"), ENVIRONMENT);
            String::new()
        })
    }
}

/// The configuration that `choice` and the environment give.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn parse(environment: &BTreeMap<String, String>, choice: &Choice) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::default();
    let variables = Variables::read(environment).unwrap_or_else(|error| {
        problems.add("environment", error.to_string(), ENVIRONMENT);
        Variables::default()
    });
    let expected = format!("a whole number from {} to {}", LOAD_CONCURRENCY.start(), LOAD_CONCURRENCY.end());
    let load_concurrency =
        number("LOAD_CONCURRENCY", variables.load_concurrency.as_ref(), &expected, &mut problems, |n| {
            LOAD_CONCURRENCY.contains(n)
        });
    let warehouse = warehouse(&variables, load_concurrency, &mut problems);
    let exports = exports(&variables, choice, &warehouse, &mut problems);
    let month = |flag: Option<&String>, variable: Option<&String>, name: &str, problems: &mut Problems| {
        let text = flag.or(variable)?;
        text.parse().map_err(|error| problems.add(name, format!("{error}"), FLAG_OR_ENVIRONMENT)).ok()
    };
    let months = Months {
        start: month(choice.start_date.as_ref(), variables.start_date.as_ref(), "START_DATE", &mut problems),
        end: month(choice.end_date.as_ref(), variables.end_date.as_ref(), "END_DATE", &mut problems),
    };
    if let (Some(start), Some(end)) = (months.start, months.end)
        && start > end
    {
        problems.add("END_DATE", format!("is {end}, before START_DATE, {start}"), FLAG_OR_ENVIRONMENT);
    }
    let hours = number(
        "WAIT_MAX_HOURS",
        variables.wait_max_hours.as_ref(),
        "a whole number of hours",
        &mut problems,
        |n: &i64| (0..=100_000).contains(n),
    );
    let storage_emulator = host("STORAGE_EMULATOR_HOST", variables.storage_emulator_host.as_ref(), &mut problems);
    if problems.0.is_empty() {
        let wait_max = SignedDuration::from_hours(hours);
        Ok(Config { exports, warehouse, storage_emulator, months, wait_max })
    } else {
        Err(problems.0)
    }
}

fn number<T: FromStr + Default>(
    name: &str,
    value: Option<&String>,
    expected: &str,
    problems: &mut Problems,
    fits: impl Fn(&T) -> bool,
) -> T {
    let text = value.map_or(default_of(name), String::as_str);
    text.parse().ok().filter(fits).unwrap_or_else(|| {
        problems.add(name, format!("is `{text}`: {expected} was expected"), ENVIRONMENT);
        T::default()
    })
}

/// An emulator's address as a URL.
fn host(name: &str, value: Option<&String>, problems: &mut Problems) -> Option<String> {
    let value = value?;
    if !value.starts_with("http://") && !value.starts_with("https://") {
        problems.add(name, format!("is `{value}`: a URL such as http://127.0.0.1:9050 was expected"), ENVIRONMENT);
    }
    Some(value.trim_end_matches('/').to_owned())
}

fn warehouse(variables: &Variables, concurrency: usize, problems: &mut Problems) -> WarehouseConfig {
    match variables.warehouse.as_deref().unwrap_or(default_of("WAREHOUSE")) {
        "duckdb" => {
            if cfg!(not(feature = "duckdb")) {
                problems.add("WAREHOUSE", "is `duckdb`, which this build leaves out: use one with DuckDB", ENVIRONMENT);
            }
            let path = variables.duckdb_path.as_deref().unwrap_or(default_of("DUCKDB_PATH"));
            // DuckDB takes `:memory:` for no file, and `md:`, `s3://` and the like for another service.
            if path.split('/').next().unwrap_or_default().contains(':') {
                problems.add("DUCKDB_PATH", format!("is `{path}`: a file's path was expected"), ENVIRONMENT);
            }
            WarehouseConfig::DuckDb(PathBuf::from(path))
        }
        other => {
            if other != "bigquery" {
                problems.add("WAREHOUSE", format!("is `{other}`: bigquery or duckdb was expected"), ENVIRONMENT);
            }
            let project = variables.gcp_project_id.as_ref();
            let location = variables.bigquery_location.as_deref().unwrap_or(default_of("BIGQUERY_LOCATION"));
            WarehouseConfig::BigQuery(bigquery::Options {
                project: if other == "bigquery" {
                    problems.required("GCP_PROJECT_ID", project, "the project of the BigQuery dataset")
                } else {
                    String::new()
                },
                default_location: location.to_owned(),
                emulator_host: host("BIGQUERY_EMULATOR_HOST", variables.bigquery_emulator_host.as_ref(), problems),
                concurrency,
            })
        }
    }
}

fn exports(
    variables: &Variables,
    choice: &Choice,
    warehouse: &WarehouseConfig,
    problems: &mut Problems,
) -> Vec<Export> {
    let wanted = choice.pipeline.as_deref().or(variables.pipeline.as_deref());
    let azure_is_set = variables.azure != PipelineVariables::default();
    match wanted {
        Some("aws") => vec![export("aws", "AWS", &variables.aws, warehouse, problems)],
        Some("all") => {
            if azure_is_set {
                problems.add("AZURE_...", "is set, but this version has no azure pipeline yet", ENVIRONMENT);
            }
            if variables.aws == PipelineVariables::default() {
                problems.add("AWS_...", "is not set at all: no pipeline is configured", ENVIRONMENT);
                return Vec::new();
            }
            vec![export("aws", "AWS", &variables.aws, warehouse, problems)]
        }
        Some("azure") => {
            problems.add("PIPELINE", "is `azure`: this version has no azure pipeline yet", FLAG_OR_ENVIRONMENT);
            Vec::new()
        }
        Some(other) => {
            problems.add("PIPELINE", format!("is `{other}`: aws, azure or all was expected"), FLAG_OR_ENVIRONMENT);
            Vec::new()
        }
        None => {
            problems.add("PIPELINE", "is not set: aws, azure or all", FLAG_OR_ENVIRONMENT);
            Vec::new()
        }
    }
}

fn export(
    pipeline: &'static str,
    prefix: &str,
    variables: &PipelineVariables,
    warehouse: &WarehouseConfig,
    problems: &mut Problems,
) -> Export {
    let named = |suffix: &str| format!("{prefix}_{suffix}");
    if variables.exports.is_some() {
        problems.add(
            &named("EXPORTS"),
            "is set: several exports in one deployment come with a later version",
            ENVIRONMENT,
        );
    }
    let (source, below) = source(variables, &named, problems);
    let unreadable = match (&source, warehouse) {
        (Source::Local(_), WarehouseConfig::BigQuery(_)) => {
            Some("is a local folder, which BigQuery cannot read: use gs://bucket/prefix, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::BigQuery(_)) => {
            Some("starts with s3://, and BigQuery reads gs:// only: mirror the bucket, or WAREHOUSE=duckdb")
        }
        (Source::S3(_), WarehouseConfig::DuckDb(_)) if cfg!(not(feature = "s3")) => {
            Some("starts with s3://, which this build leaves out: use one with S3")
        }
        _ => None,
    };
    if let Some(what) = unreadable {
        problems.add(&named("SOURCE"), what, ENVIRONMENT);
    }
    let mut identifier = |suffix: &str, value: Option<&String>, what_it_is: &str| {
        let name = named(suffix);
        let value = problems.required(&name, value, what_it_is);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '-' && suffix == "TABLE_NAME");
        if !value.is_empty() && (!value.chars().all(fits) || value.len() > 200) {
            problems.add(&name, format!("is `{value}`: at most 200 letters, digits and underscores"), ENVIRONMENT);
        }
        value
    };
    let dataset = identifier("DATASET", variables.dataset.as_ref(), "the BigQuery dataset, or DuckDB schema");
    let table = identifier("TABLE_NAME", variables.table_name.as_ref(), "the table to load into");
    if ["information_schema", "pg_catalog"].iter().any(|reserved| dataset.eq_ignore_ascii_case(reserved)) {
        problems.add(
            &named("DATASET"),
            format!("is `{dataset}`, a name that warehouses keep for themselves"),
            ENVIRONMENT,
        );
    }
    if table.eq_ignore_ascii_case(STATE_TABLE) {
        problems.add(&named("TABLE_NAME"), format!("is `{STATE_TABLE}`, the name of the state table"), ENVIRONMENT);
    }
    Export { pipeline, name: variables.export_name.clone(), source, prefix: below, dataset, table }
}

/// The bucket or folder, and the prefix below it.
fn source(variables: &PipelineVariables, named: &impl Fn(&str) -> String, problems: &mut Problems) -> (Source, String) {
    let trimmed = |prefix: &str| prefix.trim_matches('/').to_owned();
    let Some(source) = &variables.source else {
        let bucket = problems.required(
            &named("GCS_BUCKET"),
            variables.gcs_bucket.as_ref(),
            &format!("the bucket with the export (or set {})", named("SOURCE")),
        );
        if bucket.contains('/') || bucket.contains(':') {
            let what =
                format!("is `{bucket}`: a bucket's bare name was expected; a path goes to {}", named("GCS_PREFIX"));
            problems.add(&named("GCS_BUCKET"), what, ENVIRONMENT);
        }
        return (Source::Gcs(bucket), trimmed(variables.gcs_prefix.as_deref().unwrap_or_default()));
    };
    if variables.gcs_bucket.is_some() || variables.gcs_prefix.is_some() {
        let what = format!("is set beside {} or {}: set one or the other", named("GCS_BUCKET"), named("GCS_PREFIX"));
        problems.add(&named("SOURCE"), what, ENVIRONMENT);
    }
    match source.split_once("://") {
        Some((scheme @ ("gs" | "s3"), path)) => {
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            if bucket.is_empty() {
                let what = format!("is `{source}`: {scheme}://bucket/prefix was expected");
                problems.add(&named("SOURCE"), what, ENVIRONMENT);
            }
            let of_bucket = if scheme == "s3" { Source::S3 } else { Source::Gcs };
            (of_bucket(bucket.to_owned()), trimmed(prefix))
        }
        Some((scheme, _)) => {
            let what = format!(
                "starts with {scheme}://: gs://bucket/prefix, s3://bucket/prefix or a local folder was expected"
            );
            problems.add(&named("SOURCE"), what, ENVIRONMENT);
            (Source::Local(PathBuf::new()), String::new())
        }
        None => (Source::Local(PathBuf::from(source)), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse(&environment, &Choice::default())
    }

    const WORKING: [(&str, &str); 6] = [
        ("PIPELINE", "aws"),
        ("GCP_PROJECT_ID", "p"),
        ("AWS_GCS_BUCKET", "b"),
        ("AWS_GCS_PREFIX", "/a/b/"),
        ("AWS_DATASET", "d"),
        ("AWS_TABLE_NAME", "t"),
    ];

    #[test]
    fn bucket_and_prefix_or_a_source_say_where_an_export_lies() {
        let config = parsed(&WORKING).unwrap();
        assert_eq!(config.exports[0].source, Source::Gcs("b".to_owned()));
        assert_eq!(config.exports[0].prefix, "a/b");
        let with_source = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "gs://b/a/b/")];
        let other = parsed(&with_source).unwrap();
        assert_eq!(
            (&other.exports[0].source, &other.exports[0].prefix),
            (&config.exports[0].source, &"a/b".to_owned())
        );
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let problems = parsed(&[
            ("PIPELINE", "aws"),
            ("LOAD_CONCURRENCY", "many"),
            ("START_DATE", "2025-10"),
            ("END_DATE", "2025-09"),
            ("BIGQUERY_EMULATOR_HOST", "localhost:9050"),
        ])
        .unwrap_err();
        let names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "LOAD_CONCURRENCY",
                "GCP_PROJECT_ID",
                "BIGQUERY_EMULATOR_HOST",
                "AWS_GCS_BUCKET",
                "AWS_DATASET",
                "AWS_TABLE_NAME",
                "END_DATE"
            ]
        );
    }

    #[test]
    fn all_means_those_configured_and_half_configured_is_an_error() {
        let mut working = WORKING;
        working[0] = ("PIPELINE", "all");
        assert_eq!(parsed(&working).unwrap().exports.len(), 1);
        assert_eq!(parsed(&working[..4]).unwrap_err().len(), 2);
        assert_eq!(parsed(&working[..2]).unwrap_err()[0].name, "AWS_...");
    }

    #[test]
    fn a_pair_that_cannot_work_is_refused() {
        let local = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "./exports")];
        assert!(parsed(&local).unwrap_err()[0].what.contains("BigQuery cannot read"));
        let s3 = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "s3://b/p")];
        assert!(parsed(&s3).unwrap_err()[0].what.contains("BigQuery reads gs:// only"));
        let other = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "ftp://b/p")];
        assert!(parsed(&other).unwrap_err()[0].what.contains("starts with ftp://"));
    }

    #[cfg(all(feature = "duckdb", feature = "s3"))]
    #[test]
    fn duckdb_takes_an_export_in_s3() {
        let s3 = [WORKING[0], WORKING[4], WORKING[5], ("WAREHOUSE", "duckdb"), ("AWS_SOURCE", "s3://b/p/q/")];
        let config = parsed(&s3).unwrap();
        assert_eq!(config.exports[0].source, Source::S3("b".to_owned()));
        assert_eq!(config.exports[0].prefix, "p/q");
    }
}
