//! Several exports in one deployment, each with a table of its own.

use std::{fs, path::PathBuf};

use bigquery_emulator::{Fault, FaultKind, When};
use finops_core::hint;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    jobs::CloudJob,
    program::{BUCKET, DATASET, Finops, assert_names},
    servers::{BigQueryServer, PROJECT},
    tables::{duckdb_value, exact_in_bigquery},
    tree::{Delivery, REPORT, write},
};

fn of_prod() -> [Delivery; 2] {
    [Delivery::new("2025-09", "prod-1", &["3.5", "1"]), Delivery::new("2025-10", "prod-2", &["10"])]
}

/// A month that the other export has too.
fn of_legacy() -> Delivery {
    Delivery::new("2025-09", "legacy-1", &["0.25", "0.5", "0.25"])
}

/// Two exports below one folder, `prod/` and `legacy/`, and a DuckDB file.
struct Two {
    folder: TempDir,
    finops: Finops,
}

impl Two {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for delivery in of_prod() {
            delivery.write(&folder.path().join("prod"));
        }
        of_legacy().write(&folder.path().join("legacy"));
        let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let finops = Finops::unconfigured()
            .with("PIPELINE", "aws")
            .with("WAREHOUSE", "duckdb")
            .with("DUCKDB_PATH", &text("finops.duckdb"))
            .with("AWS_EXPORTS", "legacy,prod")
            .with("AWS_DATASET", DATASET)
            .with("AWS_PROD_SOURCE", &text("prod"))
            .with("AWS_PROD_TABLE_NAME", "aws_prod")
            .with("AWS_LEGACY_SOURCE", &text("legacy"))
            .with("AWS_LEGACY_TABLE_NAME", "aws_legacy");
        Self { folder, finops }
    }

    fn below(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Rows and cost of a table, `0` if it does not exist.
    fn contents(&self, table: &str) -> String {
        let database = self.below("finops.duckdb");
        let there = format!("SELECT count(*) FROM duckdb_tables() WHERE table_name = '{table}'");
        match duckdb_value(&database, &there).as_str() {
            "0" => "0".to_owned(),
            _ => duckdb_value(&database, &contents_query(&format!("{DATASET}.{table}"), "line_item_unblended_cost")),
        }
    }
}

fn contents_query(table: &str, cost: &str) -> String {
    format!("SELECT count(*) || ' rows, ' || sum(CAST({cost} AS DECIMAL(38,2))) FROM {table}")
}

const PROD: &str = "3 rows, 14.50";
const LEGACY: &str = "3 rows, 1.00";

/// The entry of a report, or of a status, by its table's name.
#[track_caller]
fn entry<'a>(entries: &'a Value, table: &str) -> &'a Value {
    let found = entries.as_array().unwrap().iter().find(|entry| entry["table"].as_str().unwrap().ends_with(table));
    found.unwrap_or_else(|| panic!("no {table} in {entries:#}"))
}

/// Each export's table and status.
fn statuses(report: &Value) -> Vec<(&str, &str)> {
    let pipelines = report["pipelines"].as_array().unwrap();
    pipelines.iter().map(|p| (p["table"].as_str().unwrap(), p["status"].as_str().unwrap())).collect()
}

fn months(entry: &Value) -> usize {
    entry["months"].as_array().unwrap().len()
}

#[test]
fn two_exports_load_into_two_tables_in_duckdb() {
    let two = Two::new();
    let plan = two.finops.report_of(&["plan", "--output", "json"], 0);
    assert_eq!(plan["pipelines"].as_array().unwrap().iter().map(months).collect::<Vec<_>>(), [1, 2]);
    let tables = |status| [("billing.aws_legacy", status), ("billing.aws_prod", status)];
    let report = two.finops.report(0);
    assert_eq!(statuses(&report), tables("succeeded"));
    assert!(report["pipelines"].as_array().unwrap().iter().all(|p| p["export"] == REPORT && p["pipeline"] == "aws"));
    assert_eq!((two.contents("aws_prod").as_str(), two.contents("aws_legacy").as_str()), (PROD, LEGACY));
    assert_eq!(statuses(&two.finops.report(0)), tables("nothing_to_do"));

    // A delivery to one changes nothing in the other.
    Delivery::new("2025-09", "legacy-2", &["9"]).write(&two.below("legacy"));
    let report = two.finops.report(0);
    assert_eq!(statuses(&report), [("billing.aws_legacy", "succeeded"), ("billing.aws_prod", "nothing_to_do")]);
    assert_eq!((two.contents("aws_prod").as_str(), two.contents("aws_legacy").as_str()), (PROD, "1 rows, 9.00"));
    let status = two.finops.report_of(&["status", "--output", "json"], 0);
    assert_eq!((months(entry(&status, "aws_prod")), months(entry(&status, "aws_legacy"))), (2, 1));
}

/// Two exports in one bucket, below `prod` and `legacy`, and how to load both.
async fn in_the_cloud() -> (CloudJob, Finops) {
    let job = CloudJob::below("prod", &of_prod()).await;
    for (key, bytes) in of_legacy().files() {
        job.storage.put(BUCKET, &format!("legacy/{REPORT}/{key}"), bytes).await;
    }
    let finops = job.finops.clone().without("AWS_GCS_PREFIX").without("AWS_TABLE_NAME");
    let finops = finops
        .with("AWS_EXPORTS", "legacy,prod")
        .with("AWS_PROD_GCS_PREFIX", "prod")
        .with("AWS_PROD_TABLE_NAME", "aws_prod")
        .with("AWS_LEGACY_GCS_PREFIX", "legacy")
        .with("AWS_LEGACY_DATASET", "archive")
        .with("AWS_LEGACY_TABLE_NAME", "aws_legacy");
    (job, finops)
}

fn contents_in(emulator: &BigQueryServer, dataset: &str, table: &str) -> String {
    let cost = exact_in_bigquery("line_item_unblended_cost");
    let rows = emulator.query(&contents_query(&format!("\"{PROJECT}:{dataset}\".\"{table}\""), &cost)).unwrap();
    rows[0][0].clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_exports_load_into_two_tables_and_datasets_in_bigquery() {
    let (job, finops) = in_the_cloud().await;
    let tables = |status| [("demo.archive.aws_legacy", status), ("demo.billing.aws_prod", status)];
    assert_eq!(statuses(&finops.report(0)), tables("succeeded"));
    assert_eq!(contents_in(&job.emulator, "billing", "aws_prod"), PROD);
    assert_eq!(contents_in(&job.emulator, "archive", "aws_legacy"), LEGACY);
    assert_eq!(statuses(&finops.report(0)), tables("nothing_to_do"));
    let status = finops.report_of(&["status", "--output", "json"], 0);
    assert_eq!((months(entry(&status, "aws_prod")), months(entry(&status, "aws_legacy"))), (2, 1));
}

#[test]
fn a_broken_export_does_not_stop_the_others_in_duckdb() {
    let gone = |two: &Two| fs::remove_dir_all(two.below("legacy")).unwrap();
    let ambiguous = |two: &Two| {
        let second = of_legacy().files().pop().unwrap();
        write(&two.below("legacy/second/20250901-20251001/second-Manifest.json"), &second.1);
    };
    let foreign = |two: &Two| {
        let create = format!("CREATE SCHEMA {DATASET}; CREATE TABLE {DATASET}.aws_legacy AS SELECT 42 AS mine");
        duckdb::Connection::open(two.below("finops.duckdb")).unwrap().execute_batch(&create).unwrap();
    };
    for (break_it, code, kind, said) in [
        (&gone as &dyn Fn(&Two), 1, "not_found", "legacy"),
        (&ambiguous, 2, "configuration", "there are several exports below"),
        (&foreign, 1, "foreign_table", "did not create"),
    ] {
        let two = Two::new();
        break_it(&two);
        let plan = two.finops.report_of(&["plan", "--output", "json"], code);
        assert_eq!(months(entry(&plan["pipelines"], "aws_prod")), 2);
        let report = two.finops.report(code);
        assert_eq!(statuses(&report), [("billing.aws_legacy", "failed"), ("billing.aws_prod", "succeeded")]);
        let error = &entry(&report["pipelines"], "aws_legacy")["error"];
        assert_eq!(error["kind"], kind);
        assert_names(error["message"].as_str().unwrap(), &[said]);
        if kind == "configuration" {
            assert_names(error["hint"].as_str().unwrap(), &[&hint::name_export("AWS_LEGACY_EXPORT_NAME")]);
        }
        assert_eq!(two.contents("aws_prod"), PROD);
        let outcome = two.finops.run(&["run"]);
        assert_eq!(outcome.code, code);
        assert_names(&outcome.stderr, &["error: legacy: "]);
        assert_names(&outcome.stdout, &["aws legacy", "aws prod report -> billing.aws_prod", "2 months unchanged"]);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_fails_only_its_month_of_its_export() {
    let two = Two::new();
    write(&two.below("legacy").join(REPORT).join(of_legacy().manifest_key()), b"not a manifest");
    let report = two.finops.report(1);
    assert_eq!(statuses(&report), [("billing.aws_legacy", "failed"), ("billing.aws_prod", "succeeded")]);
    assert_eq!(entry(&report["pipelines"], "aws_legacy")["months"][0]["status"], "refused");
    assert_eq!(two.contents("aws_prod"), PROD);
    assert_names(&two.finops.run(&["run"]).stderr, &["error: legacy: 2025-09: "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_does_not_stop_the_other_export_in_bigquery() {
    let (job, finops) = in_the_cloud().await;
    let report = finops.with("AWS_LEGACY_GCS_BUCKET", "no-such-bucket").report(1);
    assert_eq!(statuses(&report), [("demo.archive.aws_legacy", "failed"), ("demo.billing.aws_prod", "succeeded")]);
    let error = &entry(&report["pipelines"], "aws_legacy")["error"];
    assert_eq!(error["kind"], "not_found");
    assert_names(error["message"].as_str().unwrap(), &["no-such-bucket"]);
    assert_eq!(contents_in(&job.emulator, "billing", "aws_prod"), PROD);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_the_other_tables_if_one_cannot_be_read() {
    let (job, finops) = in_the_cloud().await;
    finops.report(0);
    job.emulator.add_fault(Fault {
        method: String::new(),
        path_contains: "/datasets/archive".to_owned(),
        after: 0,
        times: usize::MAX,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    let status = finops.report_of(&["status", "--output", "json"], 1);
    let (prod, legacy) = (entry(&status, "aws_prod"), entry(&status, "aws_legacy"));
    assert_eq!((months(prod), &prod["error"]), (2, &Value::Null));
    assert_eq!((months(legacy), legacy["error"]["kind"].as_str()), (0, Some("permission")));
    let outcome = finops.run(&["status"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stdout, &["aws legacy demo.archive.aws_legacy\nunknown\n", "prod-1", "prod-2"]);
    assert_names(&outcome.stderr, &["error: legacy: ", "demo.archive", "accessDenied", "hint: "]);
}

/// The files of a delivery whose report has another name: path below the folder above the report's, and content.
pub fn renamed(name: &str, delivery: Delivery) -> Vec<(String, Vec<u8>)> {
    let file = |(key, bytes): (String, Vec<u8>)| {
        let key = format!("{name}/{}", key.replace(&format!("{REPORT}-Manifest"), &format!("{name}-Manifest")));
        if !key.ends_with("-Manifest.json") {
            return (key, bytes);
        }
        let manifest = String::from_utf8(bytes).unwrap();
        (key, manifest.replace(&format!("/{REPORT}/"), &format!("/{name}/")).into_bytes())
    };
    delivery.with_manifest("reportName", name).files().into_iter().map(file).collect()
}

#[test]
fn tables_with_each_other_s_export_are_unchanged() {
    let two = Two::new();
    fs::remove_dir_all(two.below("legacy")).unwrap();
    for (key, bytes) in renamed("old", of_legacy()) {
        write(&two.below("legacy").join(key), &bytes);
    }
    two.finops.report(0);
    let turned = two.finops.clone().with("AWS_PROD_TABLE_NAME", "aws_legacy").with("AWS_LEGACY_TABLE_NAME", "aws_prod");
    let report = turned.report(1);
    assert_eq!(statuses(&report), [("billing.aws_prod", "failed"), ("billing.aws_legacy", "failed")]);
    for (table, holds, comes) in [("aws_prod", REPORT, "old"), ("aws_legacy", "old", REPORT)] {
        let error = &entry(&report["pipelines"], table)["error"];
        assert_eq!(error["kind"], "foreign_table");
        assert_names(error["message"].as_str().unwrap(), &[table, &format!("`{holds}`"), &format!("`{comes}`")]);
    }
    assert_eq!((two.contents("aws_prod").as_str(), two.contents("aws_legacy").as_str()), (PROD, LEGACY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_bigquery_with_another_export_is_unchanged_and_the_other_export_loads() {
    let (job, finops) = in_the_cloud().await;
    finops.report(0);
    for (key, bytes) in renamed("daily", Delivery::new("2025-10", "daily-1", &["7"])) {
        job.storage.put(BUCKET, &format!("others/{key}"), bytes).await;
    }
    for (key, bytes) in Delivery::new("2025-11", "prod-3", &["2"]).files() {
        job.storage.put(BUCKET, &format!("prod/{REPORT}/{key}"), bytes).await;
    }
    let report = finops.with("AWS_LEGACY_GCS_PREFIX", "others").report(1);
    assert_eq!(statuses(&report), [("demo.archive.aws_legacy", "failed"), ("demo.billing.aws_prod", "succeeded")]);
    let error = &entry(&report["pipelines"], "aws_legacy")["error"];
    assert_eq!(error["kind"], "foreign_table");
    assert_names(error["message"].as_str().unwrap(), &["demo.archive.aws_legacy", "`report`", "`daily`"]);
    assert_eq!(contents_in(&job.emulator, "archive", "aws_legacy"), LEGACY);
    assert_eq!(contents_in(&job.emulator, "billing", "aws_prod"), "4 rows, 16.50");
}
