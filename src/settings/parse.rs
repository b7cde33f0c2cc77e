//! From text to a [`Config`]; all problems at once.

use std::collections::BTreeMap;

use finops_core::plan::age::MaxAge;

use super::{
    config::Config,
    environment::Variables,
    exports::exports,
    problem::{ENVIRONMENT, FLAG_OR_ENVIRONMENT, Problem, Problems},
    unread::unread,
    values::{self, hours},
};
use crate::warehouse::{bigquery, open::WarehouseConfig};

/// Values of the command line. They replace those of the environment.
#[derive(Clone, Debug, Default)]
pub struct CliOverrides {
    /// `aws`, `azure` or `all`.
    pub pipeline: Option<String>,
    /// `--start-date`.
    pub start_date: Option<String>,
    /// `--end-date`.
    pub end_date: Option<String>,
}

/// The configuration from the command line and the environment.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn parse(environment: &BTreeMap<String, String>, overrides: &CliOverrides) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::default();
    let variables = Variables(environment);
    let warehouse = warehouse(&variables, &mut problems);
    let wanted = overrides.pipeline.as_deref().or(variables.get("PIPELINE"));
    let exports = exports(wanted, environment, &warehouse, &mut problems);
    let dates = [
        variables.unless_flag(("--start-date", overrides.start_date.as_deref()), "START_DATE"),
        variables.unless_flag(("--end-date", overrides.end_date.as_deref()), "END_DATE"),
    ];
    let months = values::months(dates, FLAG_OR_ENVIRONMENT, &mut problems);
    let wait_max = variables.checked("WAIT_MAX_HOURS", &mut problems).map(hours).unwrap_or_default();
    let setting = "MAX_AGE_HOURS";
    let limit = variables.checked(setting, &mut problems).map(hours);
    let storage_emulator = host("STORAGE_EMULATOR_HOST", &variables, &mut problems);
    let unread = unread(environment);
    problems.none_beside(&unread)?;
    let max_age = MaxAge { setting, limit, last_month: months.end };
    Ok(Config { exports, warehouse, storage_emulator, months, wait_max, max_age, unread })
}

/// An emulator's address as a URL.
fn host(name: &str, variables: &Variables<'_>, problems: &mut Problems) -> Option<String> {
    variables.checked(name, problems).map(|host| host.trim_end_matches('/').to_owned())
}

fn warehouse(variables: &Variables<'_>, problems: &mut Problems) -> WarehouseConfig {
    let concurrency = variables.checked("LOAD_CONCURRENCY", problems).unwrap_or_default();
    let warehouse = variables.checked("WAREHOUSE", problems);
    if warehouse == Some("duckdb") {
        if cfg!(not(feature = "duckdb")) {
            problems.add("WAREHOUSE", "is `duckdb`, which this build does not have: use one with DuckDB", ENVIRONMENT);
        }
        return WarehouseConfig::DuckDb(variables.checked("DUCKDB_PATH", problems).unwrap_or_default().into());
    }
    let project = variables.checked("GCP_PROJECT_ID", problems);
    if warehouse == Some("bigquery") && project.is_none() {
        problems.add("GCP_PROJECT_ID", "is not set: the project of the BigQuery dataset", ENVIRONMENT);
    }
    WarehouseConfig::BigQuery(bigquery::Options {
        project: project.unwrap_or_default().to_owned(),
        job_project: variables.checked("BIGQUERY_JOB_PROJECT", problems).map(str::to_owned),
        labels: variables.checked("LABELS", problems).map(values::labels).unwrap_or_default(),
        staging_dataset: variables.checked("STAGING_DATASET", problems).map(str::to_owned),
        default_location: variables.checked("BIGQUERY_LOCATION", problems).unwrap_or_default().to_owned(),
        emulator_host: host("BIGQUERY_EMULATOR_HOST", variables, problems),
        credentials_path: None,
        concurrency: concurrency.parse().unwrap_or_default(),
        forgotten_after: bigquery::FORGOTTEN_AFTER,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;

    use super::*;
    use crate::{flow::export::Source, settings::registry};

    fn parsed(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse(&environment, &CliOverrides::default())
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
    fn bucket_and_prefix_or_a_source_set_the_location_of_an_export() {
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
            ("STAGING_DATASET", "stag-ing"),
        ])
        .unwrap_err();
        let names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "LOAD_CONCURRENCY",
                "GCP_PROJECT_ID",
                "STAGING_DATASET",
                "BIGQUERY_EMULATOR_HOST",
                "AWS_GCS_BUCKET",
                "AWS_DATASET",
                "AWS_TABLE_NAME",
                "END_DATE"
            ]
        );
    }

    #[test]
    fn every_variable_of_a_run_is_read_and_checked() {
        let variables = || registry::of_run().map(|setting| setting.name).filter(|name| *name != "WAREHOUSE");
        let wrong = |warehouse| {
            let environment: Vec<_> = variables().map(|name| (name, ":?")).chain([("WAREHOUSE", warehouse)]).collect();
            parsed(&environment).unwrap_err().into_iter().map(|problem| problem.name)
        };
        let named: BTreeSet<String> = wrong("bigquery").chain(wrong("duckdb")).collect();
        assert_eq!(named, variables().map(str::to_owned).collect());
    }

    #[test]
    fn all_means_the_configured_pipelines_and_an_incomplete_one_is_refused() {
        let mut working = WORKING;
        working[0] = ("PIPELINE", "all");
        assert_eq!(parsed(&working).unwrap().exports.len(), 1);
        assert_eq!(parsed(&working[..4]).unwrap_err().len(), 2);
        assert!(parsed(&working[..2]).unwrap_err()[0].what.contains("neither a variable AWS_... nor AZURE_..."));
    }

    #[test]
    fn staging_tables_are_created_in_the_tables_own_dataset_unless_another_is_named() {
        let staging = |config: Config| match config.warehouse {
            WarehouseConfig::BigQuery(options) => options.staging_dataset,
            WarehouseConfig::DuckDb(_) => panic!("BigQuery is the default"),
        };
        assert_eq!(staging(parsed(&WORKING).unwrap()), None);
        let named = [&WORKING[..], &[("STAGING_DATASET", "staging")]].concat();
        assert_eq!(staging(parsed(&named).unwrap()).as_deref(), Some("staging"));
        let reserved = [&WORKING[..], &[("STAGING_DATASET", "Information_Schema")]].concat();
        assert!(parsed(&reserved).unwrap_err()[0].what.contains("keep for themselves"));
    }

    #[test]
    fn wait_max_hours_may_be_0_and_max_age_hours_may_not() {
        for (name, hours, least) in [
            ("WAIT_MAX_HOURS", "0", None),
            ("WAIT_MAX_HOURS", "-1", Some(0)),
            ("MAX_AGE_HOURS", "1", None),
            ("MAX_AGE_HOURS", "100000", None),
            ("MAX_AGE_HOURS", "0", Some(1)),
            ("MAX_AGE_HOURS", "100001", Some(1)),
        ] {
            let found = parsed(&[&WORKING[..], &[(name, hours)]].concat());
            let what = found.err().map(|problems| problems[0].what.clone());
            let expected = |least| format!("is `{hours}`: a whole number of hours from {least} to 100000 was expected");
            assert_eq!(what, least.map(expected), "{name}={hours}");
        }
        let limited = parsed(&[&WORKING[..], &[("MAX_AGE_HOURS", "72")]].concat()).unwrap();
        assert_eq!(
            (limited.max_age.setting, limited.max_age.limit),
            ("MAX_AGE_HOURS", Some(SignedDuration::from_hours(72)))
        );
    }

    #[test]
    fn a_name_with_other_characters_is_refused_with_the_allowed_ones() {
        let wrong = [&WORKING[..4], &[("AWS_DATASET", "d-1"), ("AWS_TABLE_NAME", "Kosten_März")]].concat();
        let whats: Vec<String> = parsed(&wrong).unwrap_err().into_iter().map(|problem| problem.what).collect();
        assert_eq!(
            whats,
            [
                "is `d-1`: at most 200 characters were expected: letters, digits, `_`",
                "is `Kosten_März`: at most 200 characters were expected: letters, digits, `_`, `-`"
            ]
        );
        assert!(parsed(&[&WORKING[..5], &[("AWS_TABLE_NAME", "costs-2025_all")]].concat()).is_ok());
    }

    #[test]
    fn a_bucket_with_a_key_in_it_is_refused_and_the_key_is_not_shown() {
        for source in ["s3://AKIA:SE/CRET@bucket/p", "gs://AKIA:SE/CRET@bucket/p", "gs://AKIA:SECRET"] {
            let of = [WORKING[0], WORKING[4], WORKING[5], ("WAREHOUSE", "duckdb"), ("AWS_SOURCE", source)];
            let problems = parsed(&of).unwrap_err();
            assert!(problems[0].what.contains("://bucket/prefix was expected"), "{problems:?}");
            assert!(!problems[0].what.contains("CRET"), "{problems:?}");
        }
    }

    #[test]
    fn a_source_that_bigquery_cannot_read_is_refused() {
        let local = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "./exports")];
        assert!(parsed(&local).unwrap_err()[0].what.contains("BigQuery cannot read"));
        let s3 = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "s3://b/p")];
        assert!(parsed(&s3).unwrap_err()[0].what.contains("BigQuery reads gs:// only"));
        let other = [WORKING[0], WORKING[1], WORKING[4], WORKING[5], ("AWS_SOURCE", "ftp://b/p")];
        assert!(parsed(&other).unwrap_err()[0].what.contains("is `ftp://b/p`"));
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
