//! The staged pipeline's last step: Parquet that finops wrote, uploaded into BigQuery.

use std::{collections::BTreeMap, fs, path::PathBuf};

use billing_exports::{Delivered, Dialect, Export, Format, Run};
use finops::{error::ErrorKind, warehouse::Warehouse};
use finops_core::Amount;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{
        bigquery::BigQueryHarness,
        harness::{Harness, ReplaceMonth, Table},
        program::{DATASET, Finops, TABLE, assert_names, each, month},
        servers::{BigQueryServer, PROJECT, bigquery_alone, client},
        tree,
    },
    warehouse::staging::{column, costs, fills, floating, staging_tables},
};

/// August and September.
const MONTHS: [&str; 2] = ["2025-08", "2025-09"];

/// An export, the program, and an emulator that loads data which is sent with a job.
pub struct Pipeline {
    pub folder: TempDir,
    pub emulator: BigQueryServer,
    pub finops: Finops,
    export: Export,
}

/// Currency to rows and exact cost.
type Figures = BTreeMap<String, (u64, Amount)>;

impl Pipeline {
    /// With both months as Parquet, and nothing in BigQuery.
    pub async fn exported() -> Self {
        Self::of_rows(60).await
    }

    /// The same, with `rows` rows a month.
    pub async fn of_rows(rows: usize) -> Self {
        let currencies = ["EUR", "USD"].map(str::to_owned).into();
        let export = Export { rows, parts: 2, currencies, ..Export::new(Dialect::AwsCur, Format::CsvGzip) };
        let pipeline = Self::empty(export).await;
        pipeline.deliver(MONTHS[0], 1);
        pipeline.deliver(MONTHS[1], 1);
        pipeline.write_parquet();
        pipeline
    }

    /// With nothing delivered.
    async fn empty(export: Export) -> Self {
        let (folder, emulator) = (TempDir::new().unwrap(), bigquery_alone().await);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let finops = Finops::unconfigured()
            .within(folder.path())
            .with("FINOPS_AWS_SOURCE", &path("source"))
            .with("FINOPS_STAGING_DIR", &path("staging"))
            .with("FINOPS_PARQUET_DIR", &path("parquet"))
            .with("FINOPS_DATABASE_DUCKDB_DATABASE_PATH", &path("finops.duckdb"))
            .with("FINOPS_DATABASE_BIGQUERY_PROJECT_ID", PROJECT)
            .with("FINOPS_DATABASE_BIGQUERY_DATASET_ID", DATASET)
            .with("FINOPS_DATABASE_BIGQUERY_TABLE_ID", TABLE)
            .with("BIGQUERY_EMULATOR_HOST", &emulator.url());
        Self { folder, emulator, finops, export }
    }

    /// Delivers a month's run of that number.
    fn deliver(&self, month: &str, number: u32) -> Delivered {
        let run = Run::again(month.parse().unwrap(), number);
        self.export.deliver(&self.folder.path().join("source"), &run).unwrap()
    }

    /// The content of a month's run of that number.
    fn delivered(&self, month: &str, number: u32) -> Delivered {
        let elsewhere = TempDir::new().unwrap();
        self.export.deliver(elsewhere.path(), &Run::again(month.parse().unwrap(), number)).unwrap()
    }

    /// The steps before the last one.
    fn write_parquet(&self) {
        for step in ["extract-billing", "load-billing-local", "export-parquet"] {
            let outcome = self.finops.run(&["aws", step]);
            assert_eq!(outcome.code, 0, "{step}: {}\n{}", outcome.stdout, outcome.stderr);
        }
    }

    pub fn parquet_files(&self) -> [PathBuf; 2] {
        MONTHS.map(|month| self.folder.path().join(format!("parquet/{month}_aws_billing.parquet")))
    }

    /// The bytes of both files.
    pub fn bytes(&self) -> u64 {
        self.parquet_files().iter().map(|file| fs::metadata(file).unwrap().len()).sum()
    }

    /// The last step, which must end with `code`.
    pub fn load(&self, code: i32) -> Value {
        self.finops.report_of(&["aws", "load-billing-remote", "--output", "json"], code)
    }

    /// How many uploads were begun.
    pub fn uploads(&self) -> usize {
        let requests = self.emulator.requests();
        requests.iter().filter(|request| request.method == "POST" && request.path.starts_with("/upload/")).count()
    }

    /// How many bytes arrived.
    pub fn uploaded(&self) -> u64 {
        self.emulator.requests().iter().map(|request| request.uploaded as u64).sum()
    }

    /// The months in the state table, one a row.
    pub fn recorded(&self) -> Vec<String> {
        let sql = format!(
            "SELECT CAST(billing_period AS VARCHAR)[:7] FROM \"{PROJECT}:{DATASET}\".\"finops_loads\" ORDER BY ALL"
        );
        self.emulator.query(&sql).unwrap().into_iter().map(|mut row| row.remove(0).unwrap()).collect()
    }

    /// The rows and costs in the table, by execution id.
    fn figures(&self) -> BTreeMap<String, Figures> {
        let sql = format!(
            "SELECT execution_id, line_item_currency_code, count(*), \
             sum(CAST(bq_bignumeric_text(line_item_unblended_cost) AS DECIMAL(38,18))) \
             FROM \"{PROJECT}:{DATASET}\".\"{TABLE}\" \
             WHERE bill_billing_period_start_date IN (TIMESTAMP '2025-08-01', TIMESTAMP '2025-09-01') GROUP BY ALL"
        );
        let mut found = BTreeMap::<String, Figures>::new();
        for row in self.emulator.query(&sql).unwrap() {
            let [execution_id, currency, rows, cost] = <[_; 4]>::try_from(row).unwrap().map(Option::unwrap);
            let figures = (rows.parse().unwrap(), cost.parse().unwrap());
            found.entry(execution_id).or_default().insert(currency, figures);
        }
        found
    }

    /// Asserts that the table has these runs of August and September.
    pub fn assert_has(&self, numbers: [u32; 2]) {
        let figures_of = self.figures();
        let runs = MONTHS.iter().zip(numbers).map(|(month, number)| self.delivered(month, number));
        let runs: BTreeMap<_, _> = runs.map(|run| (run.execution_id.clone().unwrap(), run)).collect();
        assert_eq!(figures_of.keys().collect::<Vec<_>>(), runs.keys().collect::<Vec<_>>());
        for (execution_id, run) in runs {
            let figures = &figures_of[&execution_id];
            assert_eq!(figures.values().map(|(rows, _)| *rows).sum::<u64>(), run.rows as u64);
            let cost: BTreeMap<String, Amount> =
                run.cost.iter().map(|(currency, cost)| (currency.clone(), cost.parse().unwrap())).collect();
            assert_eq!(
                figures
                    .iter()
                    .map(|(currency, (_, cost))| (currency.clone(), cost.clone()))
                    .collect::<BTreeMap<_, _>>(),
                cost
            );
        }
    }

    async fn table(&self) -> Value {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/{TABLE}", self.emulator.url());
        client().get(url).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_tables_may_have_names_of_any_script() {
    let pipeline = Pipeline::exported().await;
    let finops = pipeline
        .finops
        .with("FINOPS_DATABASE_DUCKDB_SCHEMA", "my costs (all)")
        .with("FINOPS_AWS_TABLE_ID", "Kosten_März")
        .with("FINOPS_DATABASE_BIGQUERY_TABLE_ID", "Kosten März");
    for status in ["loaded", "skipped"] {
        for step in ["load-billing-local", "load-billing-remote"] {
            let report = finops.report_of(&["aws", step, "--output", "json"], 0);
            assert_eq!(each(&report, "status"), [status; 2], "{step}: {report:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_reaches_bigquery_with_every_digit_once_and_month_by_month() {
    let pipeline = Pipeline::exported().await;
    let report = pipeline.load(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    assert_eq!(month(&report, "2025-09")["verified"], json!(["files", "rows"]));
    pipeline.assert_has([1, 1]);
    assert_eq!((pipeline.uploads(), pipeline.uploaded()), (2, pipeline.bytes()));
    let table = pipeline.table().await;
    assert_eq!(table["timePartitioning"], json!({"type": "MONTH", "field": "bill_billing_period_start_date"}));
    assert_eq!(table["clustering"]["fields"], json!(["line_item_usage_start_date"]));
    assert_eq!(table["labels"], json!({"managed_by": "finops", "finops_way": "staged"}));
    let types: BTreeMap<&str, &str> = table["schema"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap()))
        .collect();
    for (name, expected) in [
        ("execution_id", "STRING"),
        ("line_item_unblended_cost", "BIGNUMERIC"),
        ("line_item_usage_start_date", "TIMESTAMP"),
    ] {
        assert_eq!(types[name], expected, "{name}");
    }

    assert_eq!(each(&pipeline.load(0), "status"), ["skipped", "skipped"]);
    assert_eq!(pipeline.uploads(), 2, "nothing is uploaded again");

    pipeline.deliver("2025-09", 2);
    pipeline.write_parquet();
    let report = pipeline.load(0);
    assert_eq!(each(&report, "status"), ["loaded", "skipped"], "{report:#}");
    assert_eq!(month(&report, "2025-09")["action"], "reload");
    pipeline.assert_has([1, 2]);
    assert_eq!(pipeline.uploads(), 3);
    assert_eq!(pipeline.recorded(), ["2025-08", "2025-09", "2025-09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_of_any_length_reach_bigquery_to_the_last_digit() {
    let pipeline = Pipeline::empty(Export::new(Dialect::AwsCur, Format::CsvGzip)).await;
    let source = pipeline.folder.path().join("source");
    let long = ["0.0000000064381927710542360001", "3.25"];
    tree::Delivery::new("2025-08", "august", &["1.000000000000000001"]).write(&source);
    tree::Delivery::new("2025-09", "september", &long).write(&source);
    pipeline.write_parquet();
    let report = pipeline.load(0);
    assert_eq!(month(&report, "2025-09")["cost"], json!({"USD": "3.2500000064381927710542360001"}), "{report:#}");
    let sql = format!(
        "SELECT bq_bignumeric_text(line_item_unblended_cost) FROM \"{PROJECT}:{DATASET}\".\"{TABLE}\" ORDER BY 1"
    );
    let costs = pipeline.emulator.query(&sql).unwrap().concat();
    assert_eq!(costs, [long[0], "1.000000000000000001", "3.25"].map(|cost| Some(cost.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_file_that_was_replaced_by_hand_never_becomes_another_month() {
    let pipeline = Pipeline::exported().await;
    let [august, september] = pipeline.parquet_files();
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let listed = size(&september);
    assert_ne!(size(&august), listed);
    fs::copy(&august, &september).unwrap();
    let report = pipeline.load(0);
    assert_eq!(each(&report, "status"), ["waiting", "loaded"], "{report:#}");
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["2025-09_aws_billing.parquet"]);
    assert_eq!(pipeline.recorded(), ["2025-08"]);

    // Also if the manifest is changed with it.
    let manifest = september.with_file_name("2025-09_aws_billing.manifest.json");
    let changed = fs::read_to_string(&manifest).unwrap().replace(&listed.to_string(), &size(&august).to_string());
    fs::write(&manifest, changed).unwrap();
    let report = pipeline.load(1);
    assert_eq!(each(&report, "status"), ["failed", "skipped"], "{report:#}");
    assert_eq!(pipeline.recorded(), ["2025-08"]);

    let outcome = pipeline.finops.run(&["aws", "export-parquet", "--overwrite"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(each(&pipeline.load(0), "status"), ["loaded", "skipped"]);
    pipeline.assert_has([1, 1]);
}

/// A table of the staged pipeline, with August's delivery of such amounts as a local file.
async fn local_table() -> (Table<BigQueryHarness>, TempDir) {
    let mut table = Table::<BigQueryHarness>::new().await;
    table.target.staged = true;
    (table, TempDir::new().unwrap())
}

#[tokio::test]
async fn a_local_file_whose_types_are_not_the_tables_is_uploaded_into_a_staging_table() {
    let (table, folder) = local_table().await;
    let delivery = floating("e", &["0.1", "2.00000000000001"]);
    let mut load = table.prepare(&delivery).await;
    let path = folder.path().join("august.parquet");
    fs::write(&path, &delivery.files[0].1).unwrap();
    load.batches[0].files = vec![path.to_str().unwrap().to_owned()];
    table.replace(&load).await.unwrap();
    assert_eq!(costs(&table), column(&["0.1", "2.00000000000001"]));
    let sent: usize = table.harness.emulator.requests().iter().map(|request| request.uploaded).sum();
    assert_eq!((fills(&table.harness).len(), sent), (1, delivery.files[0].1.len()));
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

#[tokio::test]
async fn a_local_file_that_disappears_leaves_the_month_unchanged() {
    let (table, folder) = local_table().await;
    table.load(&floating("before", &["1"])).await.unwrap();
    let before = table.snapshot().await;
    let mut load = table.prepare(&floating("e", &["2"])).await;
    let gone = folder.path().join("gone.parquet").to_str().unwrap().to_owned();
    load.batches[0].files = vec![gone.clone()];
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_names(&error.full_message(), &["2025-08", "cannot read", &gone]);
    assert_eq!(table.snapshot().await, before);
    assert!(table.harness.emulator.requests().iter().all(|request| !request.path.starts_with("/upload/")));
}

#[tokio::test]
async fn a_table_of_the_other_way_is_refused_by_each() {
    for staged in [true, false] {
        let (mut table, _folder) = local_table().await;
        table.target.staged = staged;
        table.load(&floating("e", &["1"])).await.unwrap();
        table.inspect().await;
        table.target.staged = !staged;
        let (ours, other) =
            if staged { ("the job", "the staged pipeline") } else { ("the staged pipeline", "the job") };
        let refused = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
        let prepared = table.harness.warehouse().prepare(&table.target, &[], &[]).await.unwrap_err();
        for error in [refused, prepared] {
            assert_eq!(error.kind(), ErrorKind::ForeignTable);
            assert_names(&error.full_message(), &[&format!("is written by {other}"), &format!("and {ours} would")]);
        }
    }
}
