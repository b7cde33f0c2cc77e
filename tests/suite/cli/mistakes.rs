//! Mistakes that people make first: each ends with the right exit code, and with a message that names what is wrong and
//! how to fix it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use finops_core::hint;
use tempfile::TempDir;

use crate::{
    flow::several_exports::renamed,
    support::{
        program::{Finops, Outcome, assert_names},
        tree::{Delivery, write},
    },
};

/// What is right before the mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// No setting at all.
    Nothing,
    /// Settings for BigQuery; there are no servers.
    BigQuery,
    /// Settings for DuckDB, and an export in the folder `cur`.
    DuckDb,
    /// An export of two months in `cur` for the staged pipeline, whose `config.toml` the mistake writes.
    Staged,
}

use Before::{BigQuery, DuckDb, Nothing, Staged};

/// A line of the table.
struct Mistake {
    what: &'static str,
    before: Before,
    /// Variables. An empty one counts as not set.
    set: &'static [(&'static str, &'static str)],
    /// Files to write. One without text is a folder.
    files: &'static [(&'static str, &'static str)],
    arguments: &'static str,
    code: i32,
    /// What stderr names.
    names: &'static [&'static str],
    /// What stderr says to do.
    fix: &'static str,
}

const fn mistake(what: &'static str, before: Before, arguments: &'static str) -> Mistake {
    Mistake { what, before, set: &[], files: &[], arguments, code: 2, names: &[], fix: "" }
}

impl Mistake {
    const fn set(mut self, set: &'static [(&'static str, &'static str)]) -> Self {
        self.set = set;
        self
    }

    const fn files(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }

    /// It ends with exit code 2.
    const fn usage(mut self, names: &'static [&'static str], fix: &'static str) -> Self {
        (self.names, self.fix) = (names, fix);
        self
    }

    /// It ends with exit code 1.
    const fn fails(self, names: &'static [&'static str], fix: &'static str) -> Self {
        let mut failed = self.usage(names, fix);
        failed.code = 1;
        failed
    }

    /// Makes the mistake in an empty folder, and returns what is wrong with how it ends.
    fn problems(&self) -> Vec<String> {
        let folder = TempDir::new().unwrap();
        let mut finops = self.before.settings().within(folder.path());
        for (name, value) in self.set {
            finops = finops.with(name, value);
        }
        if matches!(self.before, DuckDb | Staged) {
            Delivery::new("2025-09", "first", &["1"]).write(&folder.path().join("cur"));
        }
        for (path, text) in self.files {
            let path = folder.path().join(path);
            if text.is_empty() { fs::create_dir_all(path).unwrap() } else { write(&path, text.as_bytes()) }
        }
        let found = files(folder.path());
        let Outcome { code, stdout, stderr } = finops.run(&self.arguments.split_whitespace().collect::<Vec<_>>());
        let mut problems = Vec::new();
        if code != self.code {
            problems.push(format!("exit code {code}, not {}", self.code));
        }
        let lacks = self.names.iter().chain([&self.fix]).filter(|part| !stderr.contains(**part));
        problems.extend(lacks.map(|part| format!("stderr does not have `{part}`")));
        // A message, not a fault of the program.
        let has_message = stderr.contains("error: ") || self.arguments.is_empty();
        if stderr.contains("panicked") || !has_message {
            problems.push("no message".to_owned());
        }
        // A step may create its own folder, and no mistake an empty database.
        let is_wrong = |path: &String| path.ends_with(".duckdb") || (code == 2 && stdout.is_empty());
        if let Some(path) = files(folder.path()).difference(&found).find(|path| is_wrong(path)) {
            problems.push(format!("wrote {path}"));
        }
        let said = format!("--- stdout\n{stdout}--- stderr\n{stderr}");
        if problems.is_empty() { problems } else { [&problems[..], &[said]].concat() }
    }
}

impl Before {
    fn settings(self) -> Finops {
        let with = |finops: Finops, settings: &[(&str, &str)]| {
            settings.iter().fold(finops, |finops, (name, value)| finops.with(name, value))
        };
        match self {
            BigQuery => with(
                Finops::unconfigured(),
                &[
                    ("PIPELINE", "aws"),
                    ("GCP_PROJECT_ID", "example-project"),
                    ("AWS_GCS_BUCKET", "billing-mirror"),
                    ("AWS_DATASET", "billing"),
                    ("AWS_TABLE_NAME", "aws_cur"),
                ],
            ),
            DuckDb => Finops::local("cur".as_ref(), "finops.duckdb".as_ref()),
            Nothing | Staged => Finops::unconfigured(),
        }
    }
}

/// The paths of all files and folders below the folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let (mut folders, mut found) = (vec![folder.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

const COMMAND_LINE: &[Mistake] = &[
    mistake("no command", Nothing, "").usage(&["Usage: finops"], "finops run"),
    mistake("a misspelt command", Nothing, "rum").usage(&["'rum'"], "'run'"),
    mistake("a misspelt step", Nothing, "aws extract-biling").usage(&["'extract-biling'"], "'extract-billing'"),
    mistake("a misspelt pipeline", Nothing, "run awss").usage(&["'awss'", "[PIPELINE]"], "'aws'"),
    mistake("an unknown pipeline", Nothing, "check gcp").usage(&["'gcp'", "[PIPELINE]"], "aws, azure, all"),
    mistake("a misspelt flag", Nothing, "run --start-dat 2025-01").usage(&["'--start-dat'"], "'--start-date'"),
    mistake("a flag without its value", Nothing, "run --end-date").usage(&["'--end-date <YYYY-MM>'"], "--help"),
    mistake("an unknown short flag", Nothing, "run -x").usage(&["'-x'"], "--help"),
    mistake("an unknown form of output", Nothing, "plan --output xml").usage(&["'xml'", "'--output"], "table, json"),
    mistake("quiet and verbose together", Nothing, "run -q -v").usage(&["'--quiet'", "'--verbose"], "--help"),
    mistake("an unknown shell", Nothing, "completions ksh").usage(&["'ksh'"], "bash"),
    mistake("an unknown compression", Nothing, "aws export-parquet --compression gzip")
        .usage(&["'gzip'", "'--compression"], "snappy, zstd"),
    mistake("a flag that is not a month", BigQuery, "run --start-date 2025-1")
        .usage(&["--start-date `2025-1` is not a month"], "YYYY-MM"),
    mistake("a flag that is a word", BigQuery, "plan --end-date September")
        .usage(&["--end-date `September` is not a month"], "YYYY-MM"),
    mistake("flags in the wrong order", BigQuery, "run --start-date 2025-10 --end-date 2025-09")
        .usage(&["--end-date is 2025-09"], "before --start-date, 2025-10"),
    mistake("a flag before the variable", BigQuery, "run --end-date 2025-09")
        .set(&[("START_DATE", "2025-10")])
        .usage(&["--end-date is 2025-09"], "before START_DATE, 2025-10"),
    mistake("a variable before the flag", BigQuery, "run --start-date 2025-10")
        .set(&[("END_DATE", "2025-09")])
        .usage(&["END_DATE is 2025-09"], "before --start-date, 2025-10"),
    mistake("a step's flag that is not a month", Staged, "aws load-billing-local --start-date 2025-9")
        .usage(&["--start-date `2025-9` is not a month"], "YYYY-MM"),
    mistake("a URL as the bucket", Staged, "aws discover-manifests --bucket https://b/cur")
        .usage(&["--bucket is `https://b/cur`"], "a path goes to --prefix"),
    mistake("a bare name as Azure's bucket", Staged, "azure discover-manifests --bucket exports")
        .usage(&["--bucket is `exports`"], "gs://exports or s3://exports"),
    mistake("a URL as the prefix", Staged, "aws discover-manifests --bucket b --prefix s3://b/cur")
        .usage(&["--prefix is `s3://b/cur`"], "a path in the bucket"),
    mistake("a path as the export's name", Staged, "aws discover-manifests --bucket b --export-name cur/daily")
        .usage(&["--export-name is `cur/daily`"], "neither `/` nor `?`"),
    mistake("a second .env", Nothing, "init")
        .files(&[(".env", "PIPELINE=aws\n")])
        .usage(&[".env exists"], hint::ENV_FILE_EXISTS),
    mistake("no answers", Nothing, "init").usage(&["the answers end"], hint::ANSWER_EACH),
];

const SETTINGS: &[Mistake] = &[
    mistake("a misspelt variable", DuckDb, "run")
        .set(&[("AWS_TABLE_NAME", ""), ("AWS_TABLE", "aws_cur")])
        .usage(&["AWS_TABLE_NAME is not set", "AWS_TABLE is not read"], "did you mean AWS_TABLE_NAME?"),
    mistake("a placeholder of .env.example", BigQuery, "run")
        .set(&[("GCP_PROJECT_ID", "your-project-id")])
        .usage(&["GCP_PROJECT_ID is `your-project-id`, the placeholder of .env.example"], "set your own value"),
    mistake("a line of .env that a shell reads differently", Nothing, "run")
        .files(&[(".env", "PIPELINE=aws\nAWS_TABLE_NAME=aws cur\n")])
        .usage(&[".env line 2: AWS_TABLE_NAME: contains spaces"], hint::CORRECT_LINES),
    mistake("no setting", Nothing, "run")
        .usage(&["GCP_PROJECT_ID is not set", "PIPELINE is not set"], hint::SHOW_CONFIG),
    mistake("a wrong pipeline", BigQuery, "run")
        .set(&[("PIPELINE", "gcp")])
        .usage(&["PIPELINE is `gcp`"], "aws, azure or all"),
    mistake("a wrong warehouse", BigQuery, "run")
        .set(&[("WAREHOUSE", "postgres")])
        .usage(&["WAREHOUSE is `postgres`"], "bigquery or duckdb"),
    mistake("no project", BigQuery, "plan")
        .set(&[("GCP_PROJECT_ID", "")])
        .usage(&["GCP_PROJECT_ID is not set"], "the project"),
    mistake("a project's name", BigQuery, "plan")
        .set(&[("GCP_PROJECT_ID", "My project")])
        .usage(&["GCP_PROJECT_ID is `My project`"], "a project's id"),
    mistake("a location with a space", BigQuery, "run")
        .set(&[("BIGQUERY_LOCATION", "europe west3")])
        .usage(&["BIGQUERY_LOCATION is `europe west3`"], "europe-west3"),
    mistake("a month of one digit", BigQuery, "run")
        .set(&[("START_DATE", "2025-9")])
        .usage(&["START_DATE `2025-9` is not a month"], "YYYY-MM"),
    mistake("a thirteenth month", BigQuery, "run")
        .set(&[("END_DATE", "2025-13")])
        .usage(&["END_DATE `2025-13` is not a month"], "YYYY-MM"),
    mistake("variables in the wrong order", BigQuery, "run")
        .set(&[("START_DATE", "2025-10"), ("END_DATE", "2025-09")])
        .usage(&["END_DATE is 2025-09"], "before START_DATE, 2025-10"),
    mistake("an empty table", BigQuery, "run")
        .set(&[("AWS_TABLE_NAME", "")])
        .usage(&["AWS_TABLE_NAME is not set"], "the table to load into"),
    mistake("a table with a space", BigQuery, "run")
        .set(&[("AWS_TABLE_NAME", "aws cur")])
        .usage(&["AWS_TABLE_NAME is `aws cur`"], "letters, digits, `_`, `-`"),
    mistake("the state table as table", BigQuery, "run")
        .set(&[("AWS_TABLE_NAME", "finops_loads")])
        .usage(&["AWS_TABLE_NAME is `finops_loads`"], "the name of the state table"),
    mistake("a dataset with a dash", BigQuery, "run")
        .set(&[("AWS_DATASET", "my-billing")])
        .usage(&["AWS_DATASET is `my-billing`"], "letters, digits, `_`"),
    mistake("a reserved dataset", BigQuery, "run")
        .set(&[("AWS_DATASET", "information_schema")])
        .usage(&["AWS_DATASET is `information_schema`"], "warehouses keep for themselves"),
    mistake("a staging dataset with a dash", BigQuery, "run")
        .set(&[("STAGING_DATASET", "stag-ing")])
        .usage(&["STAGING_DATASET is `stag-ing`"], "letters, digits, `_`"),
    mistake("a source and a bucket", BigQuery, "run")
        .set(&[("AWS_SOURCE", "gs://b/cur")])
        .usage(&["AWS_SOURCE is set together with AWS_GCS_BUCKET"], "set one or the other"),
    mistake("a bucket with a path", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", "billing-mirror/cur")])
        .usage(&["AWS_GCS_BUCKET is `billing-mirror/cur`"], "a path goes to AWS_GCS_PREFIX"),
    mistake("S3 with BigQuery", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", ""), ("AWS_SOURCE", "s3://b/cur")])
        .usage(&["AWS_SOURCE starts with s3://"], "mirror the bucket, or WAREHOUSE=duckdb"),
    mistake("a folder with BigQuery", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", ""), ("AWS_SOURCE", "./cur")])
        .usage(&["AWS_SOURCE is a local folder"], "use gs://bucket/prefix, or WAREHOUSE=duckdb"),
    mistake("a web address as source", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", ""), ("AWS_SOURCE", "https://storage.googleapis.com/b/cur")])
        .usage(&["AWS_SOURCE is `https://storage.googleapis.com/b/cur`"], "gs://bucket/prefix"),
    mistake("a source without a bucket", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", ""), ("AWS_SOURCE", "gs://")])
        .usage(&["AWS_SOURCE is `gs://`"], "gs://bucket/prefix was expected"),
    mistake("no place of the export", BigQuery, "run")
        .set(&[("AWS_GCS_BUCKET", "")])
        .usage(&["AWS_GCS_BUCKET is not set"], "(or set AWS_SOURCE)"),
    mistake("a URL as prefix", BigQuery, "run")
        .set(&[("AWS_GCS_PREFIX", "gs://b/cur")])
        .usage(&["AWS_GCS_PREFIX is `gs://b/cur`"], "a path in the bucket"),
    mistake("a path as export", BigQuery, "run")
        .set(&[("AWS_EXPORT_NAME", "cur/daily")])
        .usage(&["AWS_EXPORT_NAME is `cur/daily`"], "neither `/` nor `?`"),
    mistake("two exports in one table", BigQuery, "run")
        .set(&[("AWS_EXPORTS", "prod,old"), ("AWS_OLD_GCS_PREFIX", "old")])
        .usage(&["AWS_OLD_TABLE_NAME", "AWS_PROD_TABLE_NAME", "billing.aws_cur"], "must name another table"),
    mistake("a variable of no export", BigQuery, "run")
        .set(&[("AWS_EXPORTS", "a,b"), ("AWS_A_TABLE_NAME", "a"), ("AWS_B_TABLE_NAME", "b"), ("AWS_C_TABLE_NAME", "c")])
        .usage(&["AWS_C_TABLE_NAME belongs to no export"], "AWS_EXPORTS is `a,b`"),
    mistake("an empty name in the list of exports", BigQuery, "run")
        .set(&[("AWS_EXPORTS", "prod,,old")])
        .usage(&["AWS_EXPORTS is `prod,,old`"], "between commas"),
    mistake("a word as number", BigQuery, "run")
        .set(&[("LOAD_CONCURRENCY", "many")])
        .usage(&["LOAD_CONCURRENCY is `many`"], "from 1 to 100"),
    mistake("no load at a time", BigQuery, "run")
        .set(&[("LOAD_CONCURRENCY", "0")])
        .usage(&["LOAD_CONCURRENCY is `0`"], "from 1 to 100"),
    mistake("a negative time", BigQuery, "run")
        .set(&[("WAIT_MAX_HOURS", "-1")])
        .usage(&["WAIT_MAX_HOURS is `-1`"], "from 0 to 100000"),
    mistake("days for hours", BigQuery, "run")
        .set(&[("MAX_AGE_HOURS", "3d")])
        .usage(&["MAX_AGE_HOURS is `3d`"], "whole number of hours"),
    mistake("an unknown version of the report", BigQuery, "run")
        .set(&[("AWS_CUR_VERSION", "v3")])
        .usage(&["AWS_CUR_VERSION is `v3`"], "v1 or v2"),
    mistake("a subscription's id as scope", BigQuery, "run azure")
        .set(&[
            ("AZURE_GCS_BUCKET", "b"),
            ("AZURE_DATASET", "d"),
            ("AZURE_TABLE_NAME", "t"),
            ("AZURE_SCOPES", "1111-2222"),
        ])
        .usage(&["AZURE_SCOPES names `1111-2222`"], "/subscriptions/..."),
    mistake("an emulator without scheme", BigQuery, "run")
        .set(&[("BIGQUERY_EMULATOR_HOST", "localhost:9050")])
        .usage(&["BIGQUERY_EMULATOR_HOST is `localhost:9050`"], "http://127.0.0.1:9050"),
    mistake("a storage server without scheme", BigQuery, "run")
        .set(&[("STORAGE_EMULATOR_HOST", "localhost:4443")])
        .usage(&["STORAGE_EMULATOR_HOST is `localhost:4443`"], "a URL such as"),
    mistake("a database in memory", DuckDb, "run")
        .set(&[("DUCKDB_PATH", ":memory:")])
        .usage(&["DUCKDB_PATH is `:memory:`"], "a file's path"),
    mistake("one of two pipelines, half configured", BigQuery, "run")
        .set(&[("PIPELINE", "all"), ("AZURE_GCS_BUCKET", "b")])
        .usage(&["AZURE_DATASET is not set", "AZURE_TABLE_NAME is not set"], hint::SHOW_CONFIG),
];

const PLACES: &[Mistake] = &[
    mistake("no storage server", DuckDb, "plan")
        .set(&[("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1"), ("AWS_SOURCE", "gs://b/cur")])
        .fails(&["gs://b/cur", "Connection refused"], "STORAGE_EMULATOR_HOST"),
    mistake("no BigQuery emulator", BigQuery, "status")
        .set(&[("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")])
        .fails(&["example-project.billing", "Connection refused"], "BIGQUERY_EMULATOR_HOST"),
    mistake("a source that is not there", DuckDb, "run")
        .set(&[("AWS_SOURCE", "curr")])
        .fails(&["there is no folder curr"], hint::NAME_FOLDER),
    mistake("a file as source", DuckDb, "run")
        .set(&[("AWS_SOURCE", "bill.csv")])
        .files(&[("bill.csv", "month,cost\n")])
        .fails(&["there is no folder bill.csv"], hint::NAME_FOLDER),
    mistake("an empty source", DuckDb, "run")
        .set(&[("AWS_SOURCE", "empty")])
        .files(&[("empty", "")])
        .fails(&["there is no manifest", "empty"], hint::NO_MANIFEST),
    mistake("an export that is not there", DuckDb, "plan")
        .set(&[("AWS_EXPORT_NAME", "raport")])
        .fails(&["raport", "cur"], "report"),
    mistake("the other version of the report", DuckDb, "run")
        .set(&[("AWS_CUR_VERSION", "v2")])
        .usage(&["cur_version is v2", "v1"], hint::CUR_VERSION),
    mistake("a folder as database", DuckDb, "run").set(&[("DUCKDB_PATH", "cur")]).fails(&["cur"], "DUCKDB_PATH"),
    mistake("a text file as database", DuckDb, "run")
        .files(&[("finops.duckdb", "month,cost\n2025-09,1\n")])
        .fails(&["finops.duckdb"], "DUCKDB_PATH"),
    mistake("a database below a file", DuckDb, "run")
        .set(&[("DUCKDB_PATH", "file/finops.duckdb")])
        .files(&[("file", "x")])
        .fails(&["file/finops.duckdb"], "DUCKDB_PATH"),
];

const STAGED: &[Mistake] = &[
    mistake("no config.toml", Staged, "aws run-pipeline").usage(&["aws.bucket is not set"], "FINOPS_AWS_BUCKET"),
    mistake("no bucket for a step with its flag", Staged, "aws discover-manifests")
        .usage(&["aws.bucket is not set"], "--bucket"),
    mistake("a config file that is not there", Staged, "aws run-pipeline --config conf.toml")
        .usage(&["cannot read conf.toml"], hint::COPY_CONFIG),
    mistake("an unknown section", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[awz]\nbucket = \"b\"\n")])
        .usage(&["awz.bucket is no setting"], "config.toml.example"),
    mistake("a misspelt key", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nbukcet = \"b\"\n")])
        .usage(&["aws.bukcet is no setting"], "config.toml.example"),
    mistake("a key of another section", Staged, "aws load-billing-local")
        .files(&[("config.toml", "[database.duckdb]\nproject_id = \"p\"\n")])
        .usage(&["database.duckdb.project_id is no setting"], "config.toml.example"),
    mistake("broken TOML", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nbucket = b\n")])
        .usage(&["config.toml, line 2 is not TOML"], hint::COMPARE_CONFIG),
    mistake("a list in config.toml", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nbucket = [\"b\"]\n")])
        .usage(&["aws.bucket is not a text"], "put the value in quotes"),
    mistake("a number in config.toml", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nbucket = 5\n")])
        .usage(&["aws.bucket is not a text"], "put the value in quotes"),
    mistake("a misspelt variable of the staged pipeline", Staged, "aws extract-billing")
        .set(&[("FINOPS_AWS_BUKET", "b")])
        .usage(&["aws.bucket is not set", "FINOPS_AWS_BUKET is not read"], "did you mean FINOPS_AWS_BUCKET?"),
    mistake("an unknown version in config.toml", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\ncur_version = \"v3\"\n")])
        .usage(&["aws.cur_version is `v3`"], "v1 or v2"),
    mistake("the other version in config.toml", Staged, "aws extract-billing")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\ncur_version = \"v2\"\n")])
        .usage(&["cur_version is v2", "v1"], hint::CUR_VERSION),
    mistake("a load before the extract", Staged, "aws load-billing-local")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\n")])
        .fails(&["there is no folder ./data/staging"], "finops aws extract-billing"),
    mistake(
        "an export that is not there, for the step that shows",
        Staged,
        "aws discover-manifests --export-name raport",
    )
    .files(&[("config.toml", "[aws]\nsource = \"cur\"\n")])
    .fails(&["there is no manifest of export `raport` below"], "hint: "),
    mistake("a Parquet export before the first load", Staged, "aws export-parquet")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\n")])
        .fails(&["nothing is loaded"], "finops aws load-billing-local"),
    mistake("an upload before the export", Staged, "aws load-billing-remote")
        .files(&[("config.toml", "[database.bigquery]\nproject_id = \"p\"\ndataset_id = \"d\"\n")])
        .fails(&["there is no folder ./data/exports"], "finops aws export-parquet"),
    mistake("an upload without BigQuery", Staged, "aws load-billing-remote")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\n")])
        .usage(
            &["database.bigquery.dataset_id is not set", "database.bigquery.project_id is not set"],
            "FINOPS_DATABASE_BIGQUERY_DATASET_ID",
        ),
    mistake("half of BigQuery", Staged, "aws run-pipeline")
        .files(&[("config.toml", "[aws]\nsource = \"cur\"\n[database.bigquery]\nproject_id = \"p\"\n")])
        .usage(&["database.bigquery.dataset_id is not set"], "FINOPS_DATABASE_BIGQUERY_DATASET_ID"),
    mistake("a table that BigQuery refuses", Staged, "aws load-billing-remote")
        .files(&[(
            "config.toml",
            "[aws]\ntable_id = \"a/b\"\n[database.bigquery]\nproject_id = \"p\"\ndataset_id = \"d\"\n",
        )])
        .usage(&["aws.table_id is `a/b`"], "letters, digits"),
    mistake("a key file that is not there", Staged, "aws run-pipeline --dry-run")
        .files(&[(
            "config.toml",
            "[aws]\nsource = \"cur\"\n[database.bigquery]\nproject_id = \"p\"\ndataset_id = \"d\"\n\
             credentials_path = \"key.json\"\n",
        )])
        .fails(&["cannot use the key file key.json"], "database.bigquery.credentials_path"),
    mistake("a variable with a URL for the bucket", Staged, "aws extract-billing")
        .set(&[("FINOPS_AWS_BUCKET", "https://b/cur")])
        .usage(&["FINOPS_AWS_BUCKET is `https://b/cur`"], "a path goes to FINOPS_AWS_PREFIX"),
];

/// The mistakes of all tables.
fn all() -> Vec<&'static Mistake> {
    [COMMAND_LINE, SETTINGS, PLACES, STAGED].into_iter().flatten().collect()
}

#[test]
fn every_mistake_names_what_is_wrong_and_how_to_fix_it() {
    let (mistakes, next, wrong) = (all(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    assert!(mistakes.len() >= 50);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(mistake) = mistakes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let problems = mistake.problems();
                    if !problems.is_empty() {
                        let line = format!("{}: finops {}\n{}", mistake.what, mistake.arguments, problems.join("\n"));
                        wrong.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} mistakes\n\n{}", wrong.len(), mistakes.len(), wrong.join("\n\n"));
}

#[test]
fn two_exports_below_a_prefix_are_listed_with_the_setting_that_chooses() {
    let folder = TempDir::new().unwrap();
    let delivery = || Delivery::new("2025-09", "first", &["1"]);
    delivery().write(&folder.path().join("cur"));
    for (key, bytes) in renamed("daily", delivery()) {
        write(&folder.path().join("cur").join(key), &bytes);
    }
    let file = folder.path().join("config.toml");
    fs::write(file, "[aws]\nsource = \"cur\"\n").unwrap();
    let finops = DuckDb.settings().within(folder.path());
    for (arguments, setting) in [(&["run"][..], "AWS_EXPORT_NAME"), (&["aws", "extract-billing"], "aws.export_name")] {
        let outcome = finops.run(arguments);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert_names(&outcome.stderr, &["`daily` in ", "`report` in ", &hint::name_export(setting)]);
    }
}

#[test]
fn a_database_that_another_program_uses_is_named_with_that_program() {
    let folder = TempDir::new().unwrap();
    Delivery::new("2025-09", "first", &["1"]).write(&folder.path().join("cur"));
    let finops = DuckDb.settings().within(folder.path());
    let _connection = duckdb::Connection::open(folder.path().join("finops.duckdb")).unwrap();
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert_names(&outcome.stderr, &["finops.duckdb", &format!("PID {}", std::process::id())]);
}
