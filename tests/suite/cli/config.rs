//! Settings: which value counts, and which problems are reported.

use std::fs;

use finops::{
    flow::export::Source,
    settings::{Environment, Flag, Problems, StagedSettings, Values},
};
use finops_core::model::provider::Provider;
use serde_json::{Value, json};

use crate::support::program::{Finops, assert_names};

/// Settings that can be read.
fn working() -> Finops {
    Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("GCP_PROJECT_ID", "example-project")
        .with("AWS_GCS_BUCKET", "billing-mirror")
        .with("AWS_DATASET", "billing")
        .with("AWS_TABLE_NAME", "aws_cur")
}

/// The stderr of a command that cannot start. It prints no table to stdout, and ends with the code for usage.
#[track_caller]
fn refused(finops: &Finops, arguments: &[&str]) -> String {
    let outcome = finops.run(arguments);
    let is_json = arguments.contains(&"json");
    assert_eq!((outcome.code, outcome.stdout.is_empty()), (2, !is_json), "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn all_problems_are_named_at_once_each_with_the_places_that_were_searched() {
    let finops = Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("WAREHOUSE", "postgres")
        .with("LOAD_CONCURRENCY", "many")
        .with("WAIT_MAX_HOURS", "-1")
        .with("START_DATE", "2025-9")
        .with("STAGING_DATASET", "stag-ing")
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
            ("STAGING_DATASET", "`stag-ing`"),
            ("STORAGE_EMULATOR_HOST", "`localhost:4443`"),
            ("AWS_GCS_BUCKET", "`gs://billing-mirror/cur`"),
            ("AWS_DATASET", "is not set"),
            ("AWS_TABLE_NAME", "`finops_loads`"),
        ];
        assert_names(&stderr, &["error: the configuration has 9 problems:", "hint: `finops config`"]);
        for (name, what) in expected {
            let line = stderr.lines().find(|line| line.trim_start().starts_with(name));
            assert_names(line.unwrap_or_else(|| panic!("{name} in {stderr}")), &[what, "looked in: ", "environment"]);
        }
    }
}

#[test]
fn a_pipeline_that_cannot_run_is_refused() {
    let by_argument = refused(&working(), &["run", "awss"]);
    assert_names(&by_argument, &["'awss' for '[PIPELINE]'", "a similar value exists: 'aws'"]);
    let by_variable = refused(&working().with("PIPELINE", "gcp"), &["run"]);
    assert_names(&by_variable, &["PIPELINE is `gcp`", "aws, azure or all was expected"]);
}

/// Two exports that could be loaded.
fn two_exports() -> Finops {
    working()
        .with("AWS_EXPORTS", "prod, old-cur")
        .with("AWS_PROD_TABLE_NAME", "aws_prod")
        .with("AWS_OLD_CUR_SOURCE", "gs://old-mirror/cur")
        .with("AWS_OLD_CUR_DATASET", "archive")
}

/// The problems that `finops config` reports, one line each.
#[track_caller]
fn problems(finops: &Finops) -> Vec<String> {
    let outcome = finops.run(&["config"]);
    let lines = || outcome.stderr.lines().filter_map(|line| line.strip_prefix("  ").map(str::to_owned));
    assert_eq!(outcome.code, if lines().count() == 0 { 0 } else { 2 }, "{}", outcome.stderr);
    lines().collect()
}

#[test]
fn problems_of_several_exports_are_named_at_once_by_the_variables_that_have_them() {
    let finops = working()
        .without("AWS_DATASET")
        .with("AWS_EXPORTS", "prod,old,third")
        .with("AWS_TABLE_NAME", "not a table")
        .with("AWS_PROD_DATASET", "billing")
        .with("AWS_PROD_TABLE_NAME", "finops_loads")
        .with("AWS_PROD_GCS_BUCKET", "gs://b/p")
        .with("AWS_OLD_SOURCE", "s3://b/p")
        .with("AWS_OLD_GCS_BUCKET", "b")
        .with("AWS_LEGACY_TABLE_NAME", "t");
    let found = problems(&finops);
    let expected = [
        ("AWS_LEGACY_TABLE_NAME belongs to no export", "AWS_EXPORTS is `prod,old,third`"),
        ("AWS_PROD_GCS_BUCKET is `gs://b/p`", "a path goes to AWS_PROD_GCS_PREFIX"),
        ("AWS_PROD_TABLE_NAME is `finops_loads`", "state table"),
        ("AWS_OLD_SOURCE is set together with AWS_OLD_GCS_BUCKET", "one or the other"),
        ("AWS_OLD_SOURCE starts with s3://", "BigQuery reads gs:// only"),
        ("AWS_OLD_DATASET is not set, nor is AWS_DATASET", "dataset"),
        ("AWS_TABLE_NAME is `not a table`", "letters, digits"),
        ("AWS_THIRD_DATASET is not set, nor is AWS_DATASET", "dataset"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, (begin, part)) in found.iter().zip(expected) {
        assert!(line.starts_with(begin), "{begin} in {found:#?}");
        assert_names(line, &[part, "looked in: environment, .env"]);
    }
}

#[test]
fn a_wrong_list_of_exports_is_refused() {
    let of = |list: &str| problems(&two_exports().with("AWS_EXPORTS", list));
    for list in [",", "prod,,old-cur", "prod,", "pröd", "prod legacy", "a.b"] {
        assert_eq!(of(list).len(), 1, "{list}: {:?}", of(list));
        assert_names(&of(list)[0], &[&format!("AWS_EXPORTS is `{list}`"), "letters, digits"]);
    }
    for (list, one, other, begin) in [
        ("prod,old-cur,prod", "`prod`", "`prod`", "AWS_PROD_"),
        ("prod,old-cur,Prod", "`prod`", "`Prod`", "AWS_PROD_"),
        ("prod,old-cur,OLD_cur", "`old-cur`", "`OLD_cur`", "AWS_OLD_CUR_"),
    ] {
        assert_eq!(of(list).len(), 1, "{list}: {:?}", of(list));
        assert_names(&of(list)[0], &["AWS_EXPORTS names", one, other, begin]);
    }
    assert_names(&of("prod")[0], &["AWS_OLD_CUR_DATASET belongs to no export: AWS_EXPORTS is `prod`"]);
}

#[test]
fn two_exports_in_one_table_are_refused_in_whatever_case_and_from_whichever_variable() {
    let one_table = |finops: &Finops, names: &[&str]| {
        for command in [&["run"][..], &["plan"], &["status"]] {
            let stderr = refused(finops, command);
            assert_names(&stderr, &["1 problem:", "the aws export `old-cur`", "the aws export `prod`", "erase"]);
            assert_names(&stderr, names);
        }
    };
    assert_eq!(problems(&two_exports()), [""; 0]);
    let same_dataset = two_exports().without("AWS_OLD_CUR_DATASET");
    assert_eq!(problems(&same_dataset), [""; 0]);
    let own = same_dataset.with("AWS_OLD_CUR_TABLE_NAME", "AWS_Prod").with("AWS_OLD_CUR_DATASET", "BILLING");
    one_table(&own, &["AWS_OLD_CUR_TABLE_NAME must name another table", "BILLING.AWS_Prod", "AWS_PROD_TABLE_NAME"]);
    let shared = two_exports().without("AWS_PROD_TABLE_NAME").without("AWS_OLD_CUR_DATASET");
    one_table(&shared, &["AWS_OLD_CUR_TABLE_NAME must name another table", "billing.aws_cur", "AWS_PROD_TABLE_NAME"]);
}

#[test]
fn exports_named_like_parts_of_variables_are_kept_apart() {
    let finops = working()
        .with("AWS_EXPORTS", "gcs,export,table,aws")
        .with("AWS_GCS_GCS_BUCKET", "a")
        .with("AWS_GCS_TABLE_NAME", "a")
        .with("AWS_EXPORT_EXPORT_NAME", "b")
        .with("AWS_EXPORT_TABLE_NAME", "b")
        .with("AWS_TABLE_TABLE_NAME", "c")
        .with("AWS_AWS_TABLE_NAME", "d");
    assert_eq!(problems(&finops), [""; 0]);
    let settings = finops.report_of(&["config", "--output", "json"], 0);
    let value = |name: &str| {
        let settings = settings.as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((value("AWS_GCS_BUCKET"), value("AWS_GCS_GCS_BUCKET")), ("billing-mirror".to_owned(), "a".to_owned()));
    assert_eq!((value("AWS_EXPORT_NAME"), value("AWS_EXPORT_EXPORT_NAME")), (String::new(), "b".to_owned()));
    assert_eq!((value("AWS_TABLE_NAME"), value("AWS_TABLE_TABLE_NAME")), ("aws_cur".to_owned(), "c".to_owned()));
}

#[test]
fn without_a_list_of_exports_variables_of_other_tools_are_ignored() {
    assert_eq!(problems(&working().with("AWS_DYNAMODB_TABLE_NAME", "users")), [""; 0]);
}

#[test]
fn config_shows_the_variables_of_each_export_and_those_that_they_fall_back_to() {
    let finops = two_exports().with("AWS_GCS_PREFIX", "cur").with("AWS_PROD_EXPORT_NAME", "");
    let settings = finops.report_of(&["config", "--output", "json"], 0);
    let shown: Vec<&Value> = settings.as_array().unwrap().iter().collect();
    for (name, value, origin) in [
        ("AWS_EXPORTS", "prod, old-cur", "environment"),
        ("AWS_PROD_SOURCE", "", "not_set"),
        ("AWS_PROD_GCS_BUCKET", "billing-mirror", "AWS_GCS_BUCKET"),
        ("AWS_PROD_GCS_PREFIX", "cur", "AWS_GCS_PREFIX"),
        ("AWS_PROD_EXPORT_NAME", "", "not_set"),
        ("AWS_PROD_DATASET", "billing", "AWS_DATASET"),
        ("AWS_PROD_TABLE_NAME", "aws_prod", "environment"),
        // Its own source replaces the bucket and the prefix of all exports.
        ("AWS_OLD_CUR_SOURCE", "gs://old-mirror/cur", "environment"),
        ("AWS_OLD_CUR_GCS_BUCKET", "", "not_set"),
        ("AWS_OLD_CUR_GCS_PREFIX", "", "not_set"),
        ("AWS_OLD_CUR_DATASET", "archive", "environment"),
        ("AWS_OLD_CUR_TABLE_NAME", "aws_cur", "AWS_TABLE_NAME"),
    ] {
        let expected = json!({"name": name, "value": value, "origin": origin});
        assert!(shown.contains(&&expected), "{expected} in {settings:#}");
    }
}

#[test]
fn an_incomplete_pipeline_is_refused_with_what_is_missing() {
    let half = working().with("PIPELINE", "all").with("AZURE_EXPORTS", "prod").with("AZURE_DATASET", "billing");
    let found = problems(&half);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_names(&found[0], &["AZURE_PROD_GCS_BUCKET is not set, nor is AZURE_GCS_BUCKET"]);
    assert_names(&found[1], &["AZURE_PROD_TABLE_NAME is not set"]);
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
        ("LOAD_CONCURRENCY", "24", "default"),
        ("BIGQUERY_LOCATION", "US", "default"),
        ("AWS_EXPORT_NAME", "", "not_set"),
    ] {
        assert_eq!(setting(name), expected(name, value, origin));
    }
}

#[test]
fn config_shows_the_settings_and_then_the_problems() {
    let outcome = working().without("AWS_DATASET").run(&["config"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stdout, &["AWS_GCS_BUCKET ", " billing-mirror ", " environment"]);
    assert_names(&outcome.stderr, &["AWS_DATASET is not set"]);
    let json = working().without("AWS_DATASET").run(&["config", "--output", "json"]);
    assert_eq!(json.code, 2);
    assert!(serde_json::from_str::<Value>(&json.stdout).unwrap().is_array());
}

#[test]
fn a_setting_that_is_not_utf_8_is_refused() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"\xff/x".to_vec());
    let value: std::ffi::OsString = value;
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("finops"));
    let output = command
        .arg("config")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .env("DUCKDB_PATH", value)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_names(&String::from_utf8(output.stderr).unwrap(), &["DUCKDB_PATH is not UTF-8"]);
}

#[test]
fn a_setting_of_one_of_several_exports_that_is_not_utf_8_is_refused() {
    let value: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"\xff".to_vec());
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("finops"));
    let environment = two_exports();
    command
        .arg("config")
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .envs(environment.environment())
        .env("AWS_OLD_CUR_TABLE_NAME", value);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_names(&String::from_utf8(output.stderr).unwrap(), &["AWS_OLD_CUR_TABLE_NAME is not UTF-8"]);
}

#[test]
fn a_path_that_is_no_file_for_duckdb_is_refused() {
    for path in [":memory:", "md:billing", "s3://b/f.duckdb"] {
        let outcome = working().with("WAREHOUSE", "duckdb").with("DUCKDB_PATH", path).run(&["config"]);
        assert_eq!(outcome.code, 2);
        assert_names(&outcome.stderr, &["DUCKDB_PATH is", path]);
    }
}

/// The location of an export, from flags for bucket and prefix and from a `config.toml`; or the first problem.
fn place(provider: Provider, [bucket, prefix]: [Option<&str>; 2], file: &str) -> Result<(Source, String), String> {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let mut problems = Problems::default();
    let [bucket, prefix] = [bucket, prefix].map(|value| value.map(str::to_owned));
    let flags = [("--bucket", "bucket", &bucket), ("--prefix", "prefix", &prefix)]
        .map(|(flag, key, value)| Flag::new(flag, format!("{}.{key}", provider.as_str()), value));
    let values = Values::read(Some(&path), &Environment::default(), &flags, &mut problems).unwrap();
    let mut steps = StagedSettings { provider, values: &values, problems };
    let export = steps.delivered();
    match steps.problems.0.first() {
        Some(problem) => Err(format!("{} {}", problem.name, problem.what)),
        None => Ok((export.source, export.prefix)),
    }
}

/// What is wrong with a `config.toml` for the tables of a staged pipeline: those in DuckDB, then those in BigQuery.
fn wrong_tables(file: &str) -> [Vec<String>; 2] {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let mut problems = Problems::default();
    let values = Values::read(Some(&path), &Environment::default(), &[], &mut problems).unwrap();
    assert_eq!(problems.0, []);
    let mut steps =
        [(); 2].map(|()| StagedSettings { provider: Provider::Aws, values: &values, problems: Problems::default() });
    steps[0].staged();
    steps[1].parquet();
    steps.map(|steps| steps.problems.0.into_iter().map(|problem| problem.name).collect())
}

#[test]
fn a_staged_pipeline_takes_the_names_that_its_warehouse_takes() {
    let bigquery = "[database.bigquery]\ndataset_id = \"d\"\n";
    let table = "aws.table_id";
    let long = "ä".repeat(513);
    for (name, in_duckdb, in_bigquery) in [
        ("aws-billing_data", true, true),
        ("Kosten_März", true, true),
        ("kosten – 2025", true, true),
        ("費用", true, true),
        ("costs (all)/'25; $", true, false),
        (r"a\\b", true, false),
        (&long, true, false),
        ("a`b", false, false),
        (r#"a\"b"#, false, false),
        (r"a\u0007b", false, false),
        (r"a\u202eb", false, false),
        (" ", false, false),
        ("https://h/x", false, false),
        ("c?sig=S", false, false),
        ("user:S@h", false, false),
    ] {
        let wrong =
            |fits: bool, names: &[&str]| if fits { vec![] } else { names.iter().map(ToString::to_string).collect() };
        let file = format!("{bigquery}[database.duckdb]\nschema = \"{name}\"\n[aws]\ntable_id = \"{name}\"\n");
        let expected = [wrong(in_duckdb, &["database.duckdb.schema", table]), wrong(in_bigquery, &[table])];
        assert_eq!(wrong_tables(&file), expected, "{name}");
        let of_bigquery = "database.bigquery.table_id";
        let file = format!("{bigquery}table_id = \"{name}\"\n");
        assert_eq!(wrong_tables(&file), [vec![], wrong(in_bigquery, &[of_bigquery])], "{name}");
    }
}

#[test]
fn a_bucket_or_prefix_on_the_command_line_counts_before_a_source_in_the_file() {
    let s3 = |bucket: &str, prefix: &str| Ok((Source::S3(bucket.to_owned()), prefix.to_owned()));
    let gcs = |bucket: &str, prefix: &str| Ok((Source::Gcs(bucket.to_owned()), prefix.to_owned()));
    let file = "[aws]\nsource = \"gs://mirror/cur\"\nbucket = \"b\"\n[azure]\nsource = \"gs://mirror/azure\"\n";
    for (provider, within) in [(Provider::Aws, "cur"), (Provider::Azure, "azure")] {
        assert_eq!(place(provider, [None, None], file), gcs("mirror", within));
        assert_eq!(place(provider, [None, Some("p")], file), gcs("mirror", "p"));
    }
    assert_eq!(place(Provider::Aws, [Some("flag"), None], file), s3("flag", ""));
    assert_eq!(place(Provider::Azure, [Some("s3://flag"), Some("p/q/")], file), s3("flag", "p/q"));
    let expected = "--bucket is `flag`: gs://flag or s3://flag was expected";
    assert_eq!(place(Provider::Azure, [Some("flag"), None], file), Err(expected.to_owned()));
    let expected = "--bucket is `gs://flag/p`: a bucket was expected; `p` goes to --prefix";
    assert_eq!(place(Provider::Azure, [Some("gs://flag/p"), None], file), Err(expected.to_owned()));
    assert_eq!(place(Provider::Azure, [Some("gs://flag/"), None], file), gcs("flag", ""));
    assert_eq!(place(Provider::Aws, [None, None], "[aws]\nbucket = \"b\"\nprefix = \"p\"\n"), s3("b", "p"));
}

#[test]
fn a_bucket_is_understood_in_every_form_or_refused_by_name() {
    let s3 = |prefix: &str| Ok((Source::S3("b".to_owned()), prefix.to_owned()));
    let gcs = |prefix: &str| Ok((Source::Gcs("b".to_owned()), prefix.to_owned()));
    for bucket in ["b", "s3://b", "S3://b/", "s3a://b", "arn:aws:s3:::b", "arn:aws-us-gov:s3:::b"] {
        assert_eq!(place(Provider::Aws, [Some(bucket), Some("p")], ""), s3("p"), "{bucket}");
    }
    for bucket in ["S3A://b", "arn:aws:s3:::b"] {
        assert_eq!(place(Provider::Azure, [Some(bucket), Some("p")], ""), s3("p"), "{bucket}");
    }
    assert_eq!(place(Provider::Azure, [Some("GS://b"), Some("p")], ""), gcs("p"));
    for (source, expected) in
        [("S3A://b/p/q", s3("p/q")), ("arn:aws-cn:s3:::b/p", s3("p")), ("GS://b/p", gcs("p")), ("s3n://b", s3(""))]
    {
        let file = format!("[aws]\nsource = \"{source}\"\n");
        assert_eq!(place(Provider::Aws, [None, None], &file), expected, "{source}");
    }
    for bucket in ["S3://b/p", "arn:aws:s3:::b/p", "GS://b"] {
        let problem = place(Provider::Aws, [Some(bucket), None], "").unwrap_err();
        assert_names(&problem, &[bucket, "a bucket's bare name was expected; a path goes to --prefix"]);
    }
    let of_s3 = refused(&working().with("AWS_GCS_BUCKET", "arn:aws:s3:::b/p"), &["run"]);
    assert_names(&of_s3, &["AWS_GCS_BUCKET is `arn:aws:s3:::b/p`", "an export in S3 goes to AWS_SOURCE"]);
    let of_gcs = refused(&working().with("AWS_GCS_BUCKET", "GS://b/p"), &["run"]);
    assert_names(&of_gcs, &["AWS_GCS_BUCKET is `GS://b/p`", "a path goes to AWS_GCS_PREFIX"]);
    let number = place(Provider::Aws, [None, None], "[aws]\nbucket = 5\n").unwrap_err();
    assert_eq!(number, "aws.bucket is not a text: put the value in quotes");
    let hours = place(Provider::Aws, [Some("b"), None], "wait_max_hours = 5\n");
    assert_eq!(hours, s3(""));
}
