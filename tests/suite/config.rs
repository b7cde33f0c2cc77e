//! Settings: what counts, and what is wrong with them.

use serde_json::{Value, json};

use crate::program::{Finops, assert_names};

/// Settings that work, as far as reading them goes.
fn working() -> Finops {
    Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("GCP_PROJECT_ID", "example-project")
        .with("AWS_GCS_BUCKET", "billing-mirror")
        .with("AWS_DATASET", "billing")
        .with("AWS_TABLE_NAME", "aws_cur")
}

/// What a command that cannot begin says: nothing on stdout, and the code for usage.
#[track_caller]
fn refused(finops: &Finops, arguments: &[&str]) -> String {
    let outcome = finops.run(arguments);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn all_problems_are_named_at_once_each_with_where_it_was_looked_for() {
    let finops = Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("WAREHOUSE", "postgres")
        .with("LOAD_CONCURRENCY", "many")
        .with("WAIT_MAX_HOURS", "-1")
        .with("START_DATE", "2025-9")
        .with("STORAGE_EMULATOR_HOST", "localhost:4443")
        .with("AWS_GCS_BUCKET", "gs://billing-mirror/cur")
        .with("AWS_TABLE_NAME", "finops_loads");
    for command in [&["run"][..], &["plan"], &["status"], &["run", "aws", "--output", "json"]] {
        let stderr = refused(&finops, command);
        let expected = [
            ("WAREHOUSE", "`postgres`"),
            ("LOAD_CONCURRENCY", "`many`"),
            ("WAIT_MAX_HOURS", "`-1`"),
            ("START_DATE", "`2025-9`"),
            ("STORAGE_EMULATOR_HOST", "`localhost:4443`"),
            ("AWS_GCS_BUCKET", "`gs://billing-mirror/cur`"),
            ("AWS_DATASET", "is not set"),
            ("AWS_TABLE_NAME", "`finops_loads`"),
        ];
        assert_names(&stderr, &["error: the configuration has 8 problem(s)", "hint: `finops config`"]);
        for (name, what) in expected {
            let line = stderr.lines().find(|line| line.trim_start().starts_with(name));
            assert_names(line.unwrap_or_else(|| panic!("{name} in {stderr}")), &[what, "looked in: ", "environment"]);
        }
    }
}

#[test]
fn a_pipeline_that_cannot_run_is_refused() {
    for (pipeline, what) in [("gcp", "aws, azure or all was expected"), ("azure", "no azure pipeline yet")] {
        let by_argument = refused(&working(), &["run", pipeline]);
        let by_variable = refused(&working().with("PIPELINE", pipeline), &["run"]);
        assert_eq!(by_argument, by_variable);
        assert_names(&by_argument, &["PIPELINE", &format!("`{pipeline}`"), what, "command line, environment"]);
    }
    assert_names(&refused(&working().without("PIPELINE"), &["run"]), &["PIPELINE is not set"]);
}

#[test]
fn a_source_that_the_warehouse_cannot_read_is_refused() {
    let from = |source: &str| refused(&working().without("AWS_GCS_BUCKET").with("AWS_SOURCE", source), &["run"]);
    assert_names(&from("./exports/cur"), &["AWS_SOURCE", "local folder, which BigQuery cannot read"]);
    assert_names(&from("s3://billing/cur"), &["AWS_SOURCE", "s3://"]);
    assert_names(&from("gs://"), &["AWS_SOURCE", "gs://bucket/prefix was expected"]);
    let both = working().with("AWS_SOURCE", "gs://b/p");
    assert_names(&refused(&both, &["run"]), &["AWS_SOURCE", "AWS_GCS_BUCKET", "one or the other"]);
}

#[test]
fn months_that_are_none_are_refused() {
    let flags = ["run", "--start-date", "2025-13", "--end-date", "September"];
    assert_names(&refused(&working(), &flags), &["START_DATE `2025-13`", "END_DATE `September`", "YYYY-MM"]);
    let turned = refused(&working().with("START_DATE", "2025-10"), &["plan", "--end-date", "2025-09"]);
    assert_names(&turned, &["END_DATE is 2025-09, before START_DATE, 2025-10"]);
}

#[test]
fn usage_that_is_wrong_ends_with_the_code_for_that() {
    for arguments in [&["frobnicate"][..], &["run", "--no-such-flag"], &["run", "--output", "xml"], &[]] {
        assert_eq!(Finops::unconfigured().run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn config_shows_each_setting_with_its_value_and_origin() {
    let finops = working().with("WAIT_MAX_HOURS", "12").with("AWS_EXPORT_NAME", "");
    let settings = finops.report_of(&["config", "--output", "json"], 0);
    let setting = |name: &str| {
        let found = settings.as_array().unwrap().iter().find(|setting| setting["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {settings:#}")).clone()
    };
    let expected = |name: &str, value: &str, origin: &str| json!({"name": name, "value": value, "origin": origin});
    for (name, value, origin) in [
        ("PIPELINE", "aws", "environment"),
        ("WAIT_MAX_HOURS", "12", "environment"),
        ("WAREHOUSE", "bigquery", "default"),
        ("LOAD_CONCURRENCY", "8", "default"),
        ("BIGQUERY_LOCATION", "US", "default"),
        ("AWS_EXPORT_NAME", "", "not_set"),
    ] {
        assert_eq!(setting(name), expected(name, value, origin));
    }
}

#[test]
fn config_shows_the_settings_and_then_what_is_wrong_with_them() {
    let outcome = working().without("AWS_DATASET").run(&["config"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stdout, &["| AWS_GCS_BUCKET ", "billing-mirror", "| environment"]);
    assert_names(&outcome.stderr, &["AWS_DATASET is not set"]);
    let json = working().without("AWS_DATASET").run(&["config", "--output", "json"]);
    assert_eq!(json.code, 2);
    assert!(serde_json::from_str::<Value>(&json.stdout).unwrap().is_array());
}

#[test]
fn a_setting_that_is_no_text_does_not_mean_its_default() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"\xff/x".to_vec());
    let value: std::ffi::OsString = value;
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("finops"));
    let output = command.arg("config").env_clear().env("DUCKDB_PATH", value).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_names(&String::from_utf8(output.stderr).unwrap(), &["DUCKDB_PATH is not UTF-8"]);
}

#[test]
fn a_path_that_duckdb_takes_for_something_else_is_refused() {
    for path in [":memory:", "md:billing", "s3://b/f.duckdb"] {
        let outcome = working().with("WAREHOUSE", "duckdb").with("DUCKDB_PATH", path).run(&["config"]);
        assert_eq!(outcome.code, 2);
        assert_names(&outcome.stderr, &["DUCKDB_PATH is", path]);
    }
}

#[test]
fn every_setting_that_config_shows_is_documented() {
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    for setting in working().report_of(&["config", "--output", "json"], 0).as_array().unwrap() {
        assert_names(&documented, &[&format!("{}=", setting["name"].as_str().unwrap())]);
    }
}
