//! What finops must not change: tables of others, and everything that it has no permission for.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread,
};

use bigquery_emulator::{Fault, FaultKind, LoggedRequest, When};
use finops_core::hint;
use serde_json::json;

use crate::support::{
    jobs::{CloudJob, LocalJob},
    program::{DATASET, TABLE, assert_names},
    servers::PROJECT,
    tables::duckdb_value,
    tree::Delivery,
};

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

#[test]
fn a_table_in_duckdb_that_finops_did_not_create_is_unchanged() {
    for kind in ["TABLE", "VIEW"] {
        let job = LocalJob::new(&[september()]);
        let create = format!("CREATE SCHEMA {DATASET}; CREATE {kind} {DATASET}.{TABLE} AS SELECT 42 AS mine");
        duckdb::Connection::open(&job.database).unwrap().execute_batch(&create).unwrap();
        let report = job.finops.report(1);
        let error = &report["pipelines"][0]["error"];
        assert_eq!(error["kind"], "foreign_table");
        assert_names(error["message"].as_str().unwrap(), &[TABLE, "did not create"]);
        assert_names(error["hint"].as_str().unwrap(), &[hint::ANOTHER_TABLE]);
        assert_eq!(duckdb_value(&job.database, &format!("SELECT mine FROM {DATASET}.{TABLE}")), "42");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_bigquery_that_finops_did_not_create_is_unchanged() {
    let job = CloudJob::new(&[september()]).await;
    let http = reqwest::Client::new();
    let datasets = format!("{}/bigquery/v2/projects/{PROJECT}/datasets", job.emulator.url());
    let dataset = json!({"datasetReference": {"projectId": PROJECT, "datasetId": DATASET}, "location": "US"});
    let table = json!({
        "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE},
        "schema": {"fields": [{"name": "mine", "type": "STRING"}]},
    });
    for (url, body) in [(datasets.clone(), dataset), (format!("{datasets}/{DATASET}/tables"), table)] {
        assert!(http.post(url).json(&body).send().await.unwrap().status().is_success());
    }
    let before = job.emulator.requests().len();
    let report = job.finops.report(1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "foreign_table");
    assert_names(error["message"].as_str().unwrap(), &["demo.billing.aws_cur", "did not create"]);
    let reads = |request: &LoggedRequest| {
        let sql = request.body["query"].as_str().unwrap_or_default();
        request.method == "GET" || (request.path.ends_with("/queries") && sql.starts_with("SELECT"))
    };
    assert!(job.emulator.requests()[before..].iter().all(reads), "nothing is changed");
}

#[test]
fn a_table_with_another_export_is_unchanged() {
    let job = LocalJob::loaded(&[september()]);
    let figures = job.figures();
    let other = job.source.with_file_name("other");
    fs::rename(&job.source, &other).unwrap();
    let folder = other.join("report/20250901-20251001");
    fs::rename(folder.join("report-Manifest.json"), folder.join("daily-Manifest.json")).unwrap();
    let manifest = fs::read_to_string(folder.join("daily-Manifest.json")).unwrap();
    let manifest = manifest.replace("\"reportName\":\"report\"", "\"reportName\":\"daily\"");
    fs::write(folder.join("daily-Manifest.json"), manifest).unwrap();
    fs::rename(other.join("report"), other.join("daily")).unwrap();
    let report = job.finops.clone().with("AWS_SOURCE", other.to_str().unwrap()).report(1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "foreign_table");
    assert_names(error["message"].as_str().unwrap(), &["`report`", "`daily`", TABLE]);
    assert_eq!(job.figures(), figures);
}

#[test]
fn a_folder_without_permission_to_read_is_named() {
    let job = LocalJob::new(&[september()]);
    fs::set_permissions(&job.source, fs::Permissions::from_mode(0o000)).unwrap();
    let root_reads_anything = fs::read_dir(&job.source).is_ok();
    if !root_reads_anything {
        let report = job.finops.report(1);
        assert_eq!(report["pipelines"][0]["error"]["kind"], "permission");
        assert_names(report["pipelines"][0]["error"]["message"].as_str().unwrap(), &[job.source.to_str().unwrap()]);
    }
    fs::set_permissions(&job.source, fs::Permissions::from_mode(0o700)).unwrap();
}

/// The URL of a storage server with the same answer to every request.
fn storage_that_answers(status: &'static str, message: &str) -> String {
    let body = json!({"error": {"message": message}}).to_string();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            if head.count() > 0 {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    url
}

#[test]
fn a_bucket_without_permission_to_read_is_named_with_a_hint() {
    for (status, kind, hint) in [
        ("401 Unauthorized", "credentials", hint::LOG_IN.to_owned()),
        ("403 Forbidden", "permission", hint::grant_viewer("billing-mirror")),
    ] {
        let job = LocalJob::new(&[]);
        let storage = storage_that_answers(status, "you shall not pass");
        let finops = job.finops.with("AWS_SOURCE", "gs://billing-mirror/cur").with("STORAGE_EMULATOR_HOST", &storage);
        let error = finops.report(1)["pipelines"][0]["error"].clone();
        assert_eq!(error["kind"], kind);
        assert_names(error["message"].as_str().unwrap(), &["gs://billing-mirror/cur"]);
        assert_names(error["hint"].as_str().unwrap(), &[&hint]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_in_bigquery_is_named_with_what_it_was_needed_for() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.add_fault(Fault {
        method: String::new(),
        path_contains: format!("/datasets/{DATASET}"),
        after: 0,
        times: usize::MAX,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    let report = job.finops.report(1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "permission");
    assert_names(error["message"].as_str().unwrap(), &["demo.billing", "accessDenied"]);
    assert!(error["hint"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_load_is_not_permitted_fails() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.add_fault(Fault {
        method: "POST".to_owned(),
        path_contains: "/jobs".to_owned(),
        // The dry run of the record passes.
        after: 1,
        times: usize::MAX,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    let report = job.finops.report(1);
    let error = &report["pipelines"][0]["months"][0]["error"];
    assert_eq!(error["kind"], "permission", "{report:#}");
    assert_names(error["message"].as_str().unwrap(), &["2025-09", "demo.billing.aws_cur"]);
}

#[test]
fn a_file_that_is_no_duckdb_database_is_unchanged() {
    let job = LocalJob::new(&[september()]);
    fs::write(&job.database, "somebody's notes, which are long enough to be looked at as a database").unwrap();
    let outcome = job.finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["error: ", job.database.to_str().unwrap(), hint::DATABASE_PATH]);
    assert!(fs::read_to_string(&job.database).unwrap().starts_with("somebody's notes"));
}
