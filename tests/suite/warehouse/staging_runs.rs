//! The real program with staging tables: what a stopped run leaves, and what the next run does with it.

use std::{collections::BTreeMap, process::Command};

use bigquery_emulator::{Emulator, FaultKind, LoggedRequest, Options, When};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{
        bigquery::until,
        delivery,
        jobs::CloudJob,
        program::{BUCKET, DATASET, Finops, TABLE, assert_names, each, month},
        servers::{PROJECT, StorageServer, client},
        tree::{Delivery, REPORT},
    },
    warehouse::{
        discovery,
        staging::{fault, rows},
    },
};

const STAGING: &str = "finops_staging_";

/// A delivery in Parquet, of the rows that the query gives: keys in the bucket, and contents.
fn parquet(month: &str, assembly_id: &str, query: &str) -> Vec<(String, Vec<u8>)> {
    let csv = Delivery::new(month, assembly_id, &[]);
    let file = format!("cur/{REPORT}/{}/{assembly_id}/{REPORT}-00001.snappy.parquet", csv.period_folder());
    let mut manifest = csv.manifest.clone();
    manifest["contentType"] = "Parquet".into();
    manifest["compression"] = "Parquet".into();
    manifest["reportKeys"] = json!([file]);
    let bytes = delivery::Delivery::new(month, assembly_id).parquet(query).files.remove(0).1;
    vec![(file, bytes), (format!("cur/{REPORT}/{}", csv.manifest_key()), manifest.to_string().into())]
}

async fn put(storage: &StorageServer, files: Vec<(String, Vec<u8>)>) {
    for (key, bytes) in files {
        storage.put(BUCKET, &key, bytes).await;
    }
}

/// The bodies of the jobs that were sent.
fn jobs_sent(emulator: &Emulator) -> Vec<Value> {
    let requests = emulator.requests().into_iter();
    requests.filter(|request| request.method == "POST" && request.path.ends_with("/jobs")).map(|r| r.body).collect()
}

/// The number of jobs that load files without conversion into a table of their own, and of jobs that convert such a table.
fn staged_and_converted(emulator: &Emulator) -> (usize, usize) {
    let jobs = jobs_sent(emulator);
    let fills = |job: &&Value| {
        let table = &job["configuration"]["load"]["destinationTable"]["tableId"];
        table.as_str().is_some_and(|table| table.starts_with(STAGING) && table.ends_with("_files"))
    };
    let converts = |job: &&Value| job["configuration"]["query"].is_object() && job["configuration"]["dryRun"] != true;
    let converted = jobs.iter().filter(converts).count();
    (jobs.iter().filter(fills).count(), converted)
}

/// The ids of the copy jobs that were sent.
fn copies_sent(emulator: &Emulator) -> Vec<String> {
    let copies = jobs_sent(emulator).into_iter().filter(|job| job["configuration"]["copy"].is_object());
    copies.map(|job| job["jobReference"]["jobId"].as_str().unwrap().to_owned()).collect()
}

/// The staging tables that exist, with the time from their creation until they expire, in milliseconds.
async fn staging_tables(emulator: &Emulator) -> BTreeMap<String, i64> {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables", emulator.url());
    let list: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    let tables = list["tables"].as_array().unwrap().iter();
    let named = tables.map(|table| (table["tableReference"]["tableId"].as_str().unwrap().to_owned(), table));
    let ms = |table: &Value, key: &str| table[key].as_str().unwrap().parse::<i64>().unwrap();
    let staging = named.filter(|(name, _)| name.starts_with(STAGING));
    staging.map(|(name, table)| (name, ms(table, "expirationTime") - ms(table, "creationTime"))).collect()
}

/// Pauses the jobs whose ids begin with `paused`, stops a run once it has requested one of them `times` times, and asserts
/// that the run ends, the month is unchanged and the staging tables expire. Returns their names.
async fn stop(job: &CloudJob, paused: &str, times: usize) -> Vec<String> {
    let figures = job.figures();
    job.emulator.hold_jobs(paused);
    let asks = |request: &LoggedRequest| request.method == "GET" && request.path.contains(&format!("/jobs/{paused}"));
    let asked = || job.emulator.requests().iter().filter(|request| asks(request)).count();
    let before = asked();
    let run = job.finops.spawn();
    until(|| asked() >= before + times).await;
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    let output = tokio::task::block_in_place(|| run.wait_with_output()).unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(job.figures(), figures);
    let left = staging_tables(&job.emulator).await;
    let day = 24 * 3_600_000;
    assert!(left.values().all(|lives| (1..=day).contains(lives)), "{left:?}");
    left.into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_while_it_swaps_is_completed_by_the_next() {
    let job = CloudJob::loaded(&[Delivery::new("2025-09", "first", &["1"])]).await;
    put(&job.storage, parquet("2025-09", "second", &rows("2025-09", "DOUBLE", &["0.1", "0.2"]))).await;
    let swap = format!("finops-{DATASET}-{TABLE}-202509-2");
    // It requests the job once before it stages anything.
    let left = stop(&job, &swap, 2).await;
    assert_eq!(left.len(), 1);
    job.emulator.release();

    let report = job.finops.report(0);
    let loaded = month(&report, "2025-09");
    assert_eq!((&loaded["status"], &loaded["job_id"]), (&json!("loaded"), &json!(swap)), "{report:#}");
    assert_eq!(job.figures()["2025-09"], (2, "0.3".to_owned()));
    assert_eq!(staged_and_converted(&job.emulator), (1, 1));
    assert_eq!(copies_sent(&job.emulator), [format!("finops-{DATASET}-{TABLE}-202509-1"), swap]);
    assert_eq!(staging_tables(&job.emulator).await.into_keys().collect::<Vec<_>>(), left, "it expires");
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_while_it_stages_leaves_nothing_that_the_next_one_uses() {
    let job = CloudJob::loaded(&[Delivery::new("2025-09", "first", &["1"])]).await;
    put(&job.storage, parquet("2025-09", "second", &rows("2025-09", "DOUBLE", &["0.1", "0.2"]))).await;
    let left = stop(&job, &format!("finops-{DATASET}-{TABLE}-202509-{STAGING}"), 1).await;
    assert_eq!(left.len(), 2, "for the rows and for the files: {left:?}");
    job.emulator.release();

    let report = job.finops.report(0);
    let loaded = month(&report, "2025-09");
    let swap = format!("finops-{DATASET}-{TABLE}-202509-2");
    assert_eq!((&loaded["status"], &loaded["job_id"]), (&json!("loaded"), &json!(swap)), "{report:#}");
    assert_eq!(job.figures()["2025-09"], (2, "0.3".to_owned()));
    assert_eq!(staged_and_converted(&job.emulator), (2, 1));
    assert_eq!(staging_tables(&job.emulator).await.into_keys().collect::<Vec<_>>(), left, "its own is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staging_table_that_cannot_be_removed_is_named_in_a_warning() {
    let job = CloudJob::new(&[]).await;
    put(&job.storage, parquet("2025-09", "first", &rows("2025-09", "DOUBLE", &["0.1", "0.2"]))).await;
    let refused = FaultKind::Status(403, "accessDenied".to_owned());
    job.emulator.add_fault(fault("DELETE", STAGING, 0, refused, When::BeforeEffect));
    let outcome = job.finops.run(&["run", "--output", "json"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let left = staging_tables(&job.emulator).await.into_keys().collect::<Vec<_>>();
    let [name] = left.as_slice() else { panic!("{left:?}") };
    assert_names(&outcome.stderr, &["could not be removed", name, "expires in a day", "accessDenied"]);
    assert_eq!(job.figures()["2025-09"], (2, "0.3".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_months_without_all_columns_takes_them_as_they_are_staged() {
    let seed = TempDir::new().unwrap();
    std::fs::create_dir(seed.path().join(BUCKET)).unwrap();
    let storage = StorageServer::start(seed.path());
    let storage_url = Some(storage.url().to_owned());
    let options = Options { project: PROJECT.to_owned(), storage: storage_url, ..Options::default() };
    let emulator = Emulator::start(options).await.unwrap();
    let finops = Finops::cloud(&storage, &emulator);
    let with_column = Delivery::new("2025-08", "first", &["1.25"]).with_column("resourceTags/user:team", "blue");
    // In Parquet, with the table's own types, and without some of its columns.
    let direct = parquet("2025-10", "first", &rows("2025-10", "DECIMAL(38, 9)", &["0.1", "0.2"]));
    let csv = Delivery::new("2025-09", "first", &["3.5", "0.000000000000000000000000000000000001"]);
    let csv = csv.files().into_iter().map(|(key, bytes)| (format!("cur/{REPORT}/{key}"), bytes)).collect();
    let wide = with_column.files().into_iter().map(|(key, bytes)| (format!("cur/{REPORT}/{key}"), bytes)).collect();
    put(&storage, wide).await;
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    assert_eq!(staged_and_converted(&emulator), (0, 0));
    put(&storage, csv).await;
    put(&storage, direct).await;

    let report = finops.report(0);

    assert_eq!(each(&report, "status"), ["loaded", "loaded", "skipped"], "{report:#}");
    for billing_period in ["2025-09", "2025-10"] {
        let id = format!("finops-{DATASET}-{TABLE}-{}-1", billing_period.replace('-', ""));
        assert_eq!(month(&report, billing_period)["job_id"], id.as_str());
        assert_eq!(month(&report, billing_period)["rows"], 2);
    }
    let table = format!("\"{PROJECT}:{DATASET}\".\"{TABLE}\"");
    let sql = format!(
        "SELECT CAST(bill_billing_period_start_date AS VARCHAR)[:7], resource_tags_user_team, line_item_product_code, \
         bq_bignumeric_text(line_item_unblended_cost) FROM {table} ORDER BY ALL"
    );
    let found = emulator.query(&sql).unwrap();
    let found: Vec<Vec<&str>> =
        found.iter().map(|row| row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect()).collect();
    let expected = [
        ["2025-08", "blue", "AmazonEC2", "1.25"],
        ["2025-09", "NULL", "AmazonEC2", "0.000000000000000000000000000000000001"],
        ["2025-09", "NULL", "AmazonEC2", "3.5"],
        ["2025-10", "NULL", "NULL", "0.1"],
        ["2025-10", "NULL", "NULL", "0.2"],
    ];
    assert_eq!(found, expected);
    assert_eq!((staged_and_converted(&emulator), copies_sent(&emulator).len()), ((0, 0), 3));
    assert_eq!(staging_tables(&emulator).await.len(), 0);
    assert_eq!(each(&finops.report(0), "status"), ["skipped"; 3]);
    discovery::check(&emulator.requests());
}
