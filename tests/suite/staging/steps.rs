//! The staged pipeline: from where a provider delivers to a staging folder, to DuckDB, to Parquet.

use std::{collections::BTreeMap, fs, path::PathBuf};

use billing_exports::{Delivered, Dialect, Export, Format, Layout, Run};
use finops_core::{Amount, hint};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Finops, Outcome, assert_names};

const MONTHS: [&str; 2] = ["2025-08", "2025-09"];

/// A folder with an export, a `config.toml`, and what the steps write.
pub struct Pipeline {
    pub folder: TempDir,
    pub export: Export,
    pub finops: Finops,
}

impl Pipeline {
    pub fn new(export: Export) -> Self {
        let folder = TempDir::new().unwrap();
        let provider = if export.dialect.is_azure() { "azure" } else { "aws" };
        let config = format!("[{provider}]\nsource = \"delivered\"\nexport_name = \"{}\"\n", export.name);
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let finops = Finops::unconfigured().within(folder.path());
        Self { folder, export, finops }
    }

    /// Two months, of the second the run of that number.
    pub fn deliver(&self, number: u32) -> [Delivered; 2] {
        let [august, september] = MONTHS.map(|month| month.parse().unwrap());
        let to = self.folder.path().join("delivered");
        [Run::of(august), Run::again(september, number)].map(|run| self.export.deliver(&to, &run).unwrap())
    }

    pub fn run(&self, step: &str) -> Outcome {
        let provider = if self.export.dialect.is_azure() { "azure" } else { "aws" };
        self.finops.run(&[provider, step, "--output", "json"])
    }

    /// The steps' entries in the report of a step that must succeed.
    #[track_caller]
    pub fn report(&self, step: &str) -> Vec<Value> {
        let outcome = self.run(step);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        report["pipelines"].as_array().unwrap().clone()
    }

    pub fn files(&self, below: &str) -> Vec<PathBuf> {
        fn walk(folder: &PathBuf, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.path().join(below), &mut found);
        found.sort();
        found
    }

    /// Rows and cost in USD by month and execution id, of all rows of `source`.
    pub fn figures(&self, source: &str) -> BTreeMap<(String, String), (usize, String)> {
        let columns = match self.export.dialect {
            Dialect::AzureFocus12 => ["BillingPeriodStart", "BilledCost"],
            dialect if dialect.is_azure() => ["billingPeriodStartDate", "costInBillingCurrency"],
            _ => ["bill_billing_period_start_date", "line_item_unblended_cost"],
        };
        let [period, cost] = columns.map(|name| format!("\"{name}\""));
        let connection = duckdb::Connection::open_in_memory().unwrap();
        let database = self.folder.path().join("data/finops.duckdb");
        connection
            .execute_batch(&format!("SET TimeZone = 'UTC'; ATTACH '{}' AS f (READ_ONLY)", database.display()))
            .unwrap();
        let sql = format!(
            "SELECT CAST({period} AS VARCHAR)[:7], execution_id, count(*), CAST(sum({cost}) AS VARCHAR) FROM {source} GROUP BY 1, 2"
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let row = |row: &duckdb::Row<'_>| {
            let plain = row.get::<_, String>(3)?.parse::<Amount>().unwrap().to_string();
            Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, plain)))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    #[track_caller]
    pub fn assert_has(&self, delivered: &[Delivered; 2]) {
        let expected: BTreeMap<_, _> = delivered
            .iter()
            .map(|d| ((d.billing_period.clone(), d.execution_id.clone().unwrap()), (d.rows, d.cost["USD"].clone())))
            .collect();
        let table = if self.export.dialect.is_azure() { "azure_billing_data" } else { "aws_billing_data" };
        assert_eq!(self.figures(&format!("f.main.{table}")), expected, "in DuckDB");
        let parquet = self.folder.path().join("data/exports/*.parquet");
        assert_eq!(self.figures(&format!("'{}'", parquet.display())), expected, "in Parquet");
    }

    /// The manifests that the state names, by month.
    pub fn recorded(&self) -> BTreeMap<String, String> {
        let database = self.folder.path().join("data/finops.duckdb");
        let connection = duckdb::Connection::open(database).unwrap();
        let mut statement =
            connection.prepare("SELECT billing_period::VARCHAR, manifest_uri FROM finops_loads").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }
}

pub fn statuses(steps: &[Value]) -> Vec<Vec<&str>> {
    let months = |step: &'_ Value| step["months"].as_array().unwrap().clone();
    steps
        .iter()
        .map(|step| {
            let count = months(step).len();
            (0..count).map(|at| step["months"][at]["status"].as_str().unwrap()).collect()
        })
        .collect()
}

fn walks(dialect: Dialect, format: Format, layout: Layout) {
    let pipeline = Pipeline::new(Export { parts: 2, layout, ..Export::new(dialect, format) });
    let first = pipeline.deliver(1);
    let steps = ["extract-billing", "load-billing-local", "export-parquet"];
    for step in steps {
        assert_eq!(statuses(&pipeline.report(step)), [["loaded", "loaded"]], "{step}");
    }
    pipeline.assert_has(&first);
    let all = pipeline.files("data");
    assert!(all.iter().all(|path| !path.to_str().unwrap().contains(".part")), "{all:?}");

    for step in steps {
        assert_eq!(statuses(&pipeline.report(step)), [["skipped", "skipped"]], "{step}");
    }

    let later = pipeline.deliver(2);
    let report = pipeline.report("run-pipeline");
    assert_eq!(statuses(&report), [["loaded", "skipped"]; 3], "{report:#?}");
    let counted = |step: &Value| (step["months"][0]["rows"].clone(), step["months"][0]["cost"].clone());
    assert_eq!(counted(&report[0]), counted(&report[1]), "what is staged is counted by the step that loads it");
    assert_ne!(report[0]["months"][0]["rows"], 0);
    pipeline.assert_has(&later);
    assert_eq!(pipeline.files("data").len(), all.len(), "replaced files are removed");
    for uri in pipeline.recorded().into_values() {
        // Where the provider delivered it, from any working folder.
        let path = uri.strip_prefix("file://").unwrap_or_else(|| panic!("{uri}"));
        assert!(path.starts_with('/') && path.contains("/delivered/"), "{uri}");
        let parquet = pipeline.files("data/exports").into_iter().filter(|path| path.extension().unwrap() == "json");
        assert!(parquet.map(|path| fs::read_to_string(path).unwrap()).any(|manifest| manifest.contains(&uri)), "{uri}");
    }
}

#[test]
fn csv_of_a_legacy_report_walks_through_all_steps() {
    walks(Dialect::AwsCur, Format::CsvGzip, Layout::Versioned);
}

#[test]
fn parquet_of_a_legacy_report_that_is_overwritten_walks_through_all_steps() {
    walks(Dialect::AwsCur, Format::Parquet, Layout::Overwritten);
}

#[test]
fn csv_of_a_data_export_walks_through_all_steps() {
    walks(Dialect::AwsCur2, Format::CsvGzip, Layout::Versioned);
}

#[test]
fn parquet_of_a_data_export_walks_through_all_steps() {
    walks(Dialect::AwsCur2, Format::Parquet, Layout::Versioned);
}

#[test]
fn azures_exports_walk_through_all_steps() {
    walks(Dialect::AzureActualEnterprise, Format::Csv, Layout::Versioned);
    walks(Dialect::AzureFocus12, Format::Parquet, Layout::ByRun);
}

#[test]
fn an_overview_shows_the_progress_of_each_month() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur, Format::CsvGzip));
    pipeline.deliver(1);
    let overview = |step: &str| {
        let outcome = pipeline.run(step);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let months: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let places = |month: &Value| ["staging", "duckdb", "parquet"].map(|place| month[place].clone());
        months.as_array().unwrap().iter().map(places).collect::<Vec<_>>()
    };
    assert_eq!(overview("discover-manifests"), [["nothing", "nothing", "nothing"]; 2]);
    assert!(pipeline.files("data").is_empty(), "it creates nothing");
    pipeline.report("extract-billing");
    assert_eq!(overview("discover-manifests"), [["current", "nothing", "nothing"]; 2]);
    pipeline.report("run-pipeline");
    let [_, september] = pipeline.deliver(2);
    let months = overview("discover-manifests");
    assert_eq!(months[1], ["current", "current", "current"]);
    assert!(months[0].iter().all(|place| place["other"].is_string()), "{months:?}");
    let dry = pipeline.finops.run(&["aws", "run-pipeline", "--dry-run"]);
    let id = &september.execution_id.unwrap()[..8];
    assert_names(&dry.stdout, &["  extract  load    write ", "1 month unchanged", id]);
}

#[test]
fn files_of_another_export_in_the_staging_folder_are_unchanged() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur, Format::CsvGzip));
    pipeline.deliver(1);
    pipeline.report("extract-billing");
    let staged = pipeline.files("data/staging");
    let other = pipeline.folder.path().join("data/staging/2025-09/other-run/other.aws.manifest.json");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "{}").unwrap();
    let beside = staged.last().unwrap().with_file_name("notes.txt");
    fs::write(&beside, "mine").unwrap();
    pipeline.deliver(2);
    pipeline.report("extract-billing");
    assert!(other.exists() && beside.exists());
    assert_eq!(pipeline.files("data/staging").len(), staged.len() + 2);
}

#[test]
fn a_table_that_the_job_writes_is_refused_by_the_staged_pipeline_and_the_other_way_round() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur, Format::CsvGzip));
    pipeline.deliver(1);
    let path = |name: &str| pipeline.folder.path().join(name).to_str().unwrap().to_owned();
    let job =
        Finops::local(&pipeline.folder.path().join("delivered"), &pipeline.folder.path().join("data/finops.duckdb"));
    fs::create_dir_all(path("data")).unwrap();
    let job = job.with("AWS_DATASET", "main").with("AWS_TABLE_NAME", "aws_billing_data");
    job.report(0);
    pipeline.report("extract-billing");
    let outcome = pipeline.run("load-billing-local");
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["main.aws_billing_data is written by the job", hint::TABLE_PER_WAY]);

    fs::remove_file(path("data/finops.duckdb")).unwrap();
    pipeline.report("load-billing-local");
    let outcome = job.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["is written by the staged pipeline"]);
}

#[test]
fn a_file_that_differs_from_its_listing_has_no_final_name() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur, Format::CsvGzip));
    let [_, september] = pipeline.deliver(1);
    pipeline.report("extract-billing");
    // As after a crash: the manifest is missing, and one file is replaced by another.
    let staged = pipeline.files("data/staging");
    let of_september = |ending: &str| {
        let found = staged
            .iter()
            .find(|path| path.to_str().unwrap().contains("2025-09") && path.to_str().unwrap().ends_with(ending));
        found.unwrap().clone()
    };
    fs::remove_file(of_september(".manifest.json")).unwrap();
    fs::write(of_september(".csv.gz"), "half").unwrap();
    assert_eq!(statuses(&pipeline.report("extract-billing")), [["loaded", "skipped"]]);
    assert_eq!(pipeline.files("data/staging"), staged);
    assert_eq!(fs::metadata(of_september(".csv.gz")).unwrap().len(), september.files[0].bytes);
}

#[test]
fn problems_of_the_settings_are_reported_at_once_and_no_secret_is_shown() {
    let folder = TempDir::new().unwrap();
    let finops = Finops::unconfigured().within(folder.path());
    let outcome = finops.run(&["aws", "run-pipeline", "--start-date", "2025-9"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["--start-date `2025-9`", "aws.bucket is not set (FINOPS_AWS_BUCKET)"]);

    let file = "[aws]\naws_secret_access_key = \"hush\"\nbucket = \"b\"\ncur_version = \"v3\"\nbuket = \"c\"\n";
    fs::write(folder.path().join("config.toml"), file).unwrap();
    let outcome = finops.run(&["aws", "extract-billing"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["aws.buket is no setting", "aws.cur_version is `v3`"]);
    let shown = finops.clone().with("FINOPS_AWS_BUCKET", "from-environment").run(&["config"]);
    assert_names(&shown.stdout, &["from-environment", "(set)"]);
    assert!(!shown.stdout.contains("hush") && !outcome.stderr.contains("hush"));

    let outcome = finops.run(&["--config", "nowhere.toml", "aws", "extract-billing"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["cannot read nowhere.toml", hint::COPY_CONFIG]);

    fs::write(folder.path().join("config.toml"), "[aws]\naws_secret_access_key = \"hush\nbucket = 1\n").unwrap();
    let outcome = finops.run(&["aws", "extract-billing"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["config.toml, line 2 is not TOML", hint::COMPARE_CONFIG]);
    assert!(!outcome.stderr.contains("hush"), "{}", outcome.stderr);
}
