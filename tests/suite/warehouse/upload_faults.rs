//! Uploads that are interrupted, refused, killed, or at the same time as those of another run.

use std::{
    io::Read,
    process::{Child, Command},
};

use bigquery_emulator::{Fault, FaultKind, When};
use finops_core::hint;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        bigquery::{BigQueryHarness, until},
        delivery::Delivery,
        harness::Table,
        program::{assert_names, each, month},
        servers::PROJECT,
    },
    warehouse::{
        staging::{MONTH, job, rows, staging_tables},
        upload::Pipeline,
    },
};

const MEBIBYTE: u64 = 1 << 20;

/// A fault of the upload's requests of this method.
fn fault(method: &str, kind: FaultKind, when: When) -> Fault {
    Fault { method: method.to_owned(), path_contains: "/upload/".to_owned(), after: 0, times: 1, kind, when }
}

fn status(code: u16, reason: &str) -> FaultKind {
    FaultKind::Status(code, reason.to_owned())
}

fn wait(seconds: &str) -> FaultKind {
    let headers = vec![("Retry-After".to_owned(), seconds.to_owned())];
    FaultKind::Answer { status: 503, headers, body: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_continues_after_a_lost_connection() {
    let pipeline = Pipeline::of_rows(12_000).await;
    let bytes = pipeline.bytes();
    assert!(bytes > 2 * MEBIBYTE, "{bytes} bytes: each file must be longer than what is lost of it");
    pipeline.emulator.add_fault(fault("PUT", FaultKind::Cut(900_000), When::AfterEffect));
    let report = pipeline.load(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    pipeline.assert_has([1, 1]);
    assert_eq!(pipeline.uploads(), 2, "none began again");
    // Three units of 256 KiB had arrived completely.
    assert_eq!(pipeline.uploaded() - bytes, 900_000 - 3 * (256 << 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_continues_after_late_or_lost_answers() {
    let pipeline = Pipeline::exported().await;
    pipeline.emulator.add_fault(fault("POST", status(503, "backendError"), When::BeforeEffect));
    pipeline.emulator.add_fault(fault("PUT", wait("1"), When::BeforeEffect));
    // First the request that begins the first file's upload fails; then only the answer to its data is lost.
    pipeline.emulator.add_fault(Fault { after: 1, ..fault("PUT", FaultKind::Reset, When::AfterEffect) });
    let report = pipeline.load(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    pipeline.assert_has([1, 1]);
    assert_eq!(pipeline.uploads(), 3, "one request to begin was refused");
    let jobs = ["finops-billing-aws_cur-202508-1", "finops-billing-aws_cur-202509-1"];
    assert_eq!(jobs.map(|job| each(&report, "job_id").contains(&job)), [true; 2], "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_upload_starts_again_a_limited_number_of_times() {
    for (code, reason) in [(404, "notFound"), (410, "gone")] {
        let pipeline = Pipeline::exported().await;
        pipeline.emulator.add_fault(fault("PUT", status(code, reason), When::BeforeEffect));
        let report = pipeline.load(0);
        assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
        pipeline.assert_has([1, 1]);
        assert_eq!(pipeline.uploads(), 3);
    }
    let pipeline = Pipeline::exported().await;
    pipeline.emulator.add_fault(Fault { times: 3, ..fault("PUT", status(410, "gone"), When::BeforeEffect) });
    let report = pipeline.load(1);
    assert_eq!(each(&report, "status"), ["failed", "loaded"], "{report:#}");
    assert_eq!(pipeline.uploads(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_says_what_the_account_needs() {
    let pipeline = Pipeline::exported().await;
    pipeline.emulator.add_fault(fault("POST", status(403, "accessDenied"), When::BeforeEffect));
    let report = pipeline.load(1);
    assert_eq!(each(&report, "status"), ["failed", "loaded"], "{report:#}");
    let error = &month(&report, "2025-09")["error"];
    assert_eq!(error["kind"], "permission");
    assert_names(error["hint"].as_str().unwrap(), &[hint::GRANT_EDITOR]);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_and_credentials_go_to_no_other_server_than_bigquery() {
    let pipeline = Pipeline::exported().await;
    for location in ["http://127.0.0.1:1/upload?secret", "nowhere"] {
        let headers = vec![("Location".to_owned(), location.to_owned())];
        let kind = FaultKind::Answer { status: 200, headers, body: String::new() };
        pipeline.emulator.add_fault(fault("POST", kind, When::BeforeEffect));
    }
    let report = pipeline.load(1);
    assert_eq!(each(&report, "status"), ["failed", "failed"], "{report:#}");
    assert_names(&report.to_string(), &["an answer that is not BigQuery's, without a URL"]);
    assert!(!report.to_string().contains("secret"), "{report:#}");
}

fn end(mut run: Child) -> (Option<i32>, String) {
    tokio::task::block_in_place(|| {
        let mut stderr = String::new();
        run.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (run.wait().unwrap().code(), stderr)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_or_killed_while_it_uploads_leaves_nothing_behind() {
    let pipeline = Pipeline::exported().await;
    for (signal, code) in [("-TERM", Some(143)), ("-KILL", None)] {
        let uploaded = pipeline.uploaded();
        pipeline.emulator.add_fault(fault("PUT", FaultKind::Hang, When::BeforeEffect));
        let run = pipeline.finops.start(&["aws", "load-billing-remote"]);
        until(|| pipeline.uploaded() > uploaded).await;
        assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
        assert_eq!(end(run).0, code, "{signal}");
        assert_eq!(pipeline.recorded(), [""; 0], "{signal}");
    }
    let table = format!("\"{PROJECT}:billing\".\"aws_cur\"");
    assert_eq!(pipeline.emulator.query(&format!("SELECT 1 FROM {table}")).unwrap().len(), 0);

    assert_eq!(each(&pipeline.load(0), "status"), ["loaded", "loaded"]);
    pipeline.assert_has([1, 1]);
    assert_eq!(pipeline.recorded(), ["2025-08", "2025-09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_load_each_month_once() {
    let pipeline = Pipeline::exported().await;
    let runs = [(); 2].map(|()| pipeline.finops.start(&["aws", "load-billing-remote"]));
    for run in runs {
        let (code, stderr) = end(run);
        assert_eq!(code, Some(0), "{stderr}");
    }
    pipeline.assert_has([1, 1]);
    assert_eq!(pipeline.recorded(), ["2025-08", "2025-09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_taken_during_an_upload_causes_no_second_upload() {
    let mut table = Table::<BigQueryHarness>::new().await;
    table.target.staged = true;
    let delivery = Delivery::new(MONTH, "e").parquet(&rows(MONTH, "DECIMAL(38,18)", &["1", "2"]));
    let mut load = table.prepare(&delivery).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("august.parquet");
    std::fs::write(&path, &delivery.files[0].1).unwrap();
    load.batches[0].files = vec![path.to_str().unwrap().to_owned()];
    let emulator = &table.harness.emulator;
    emulator.add_fault(fault("PUT", wait("3"), When::BeforeEffect));
    let take = async {
        until(|| emulator.requests().iter().any(|request| request.uploaded > 0)).await;
        let load = json!({
            "sourceUris": ["gs://billing/none"],
            "destinationTable": {"projectId": PROJECT, "datasetId": "billing", "tableId": "aws_cur$202508"},
            "schema": {"fields": [{"name": "a", "type": "STRING"}]},
        });
        let other = json!({
            "jobReference": {"projectId": PROJECT, "jobId": job(1), "location": "US"},
            "configuration": {"load": load},
        });
        table.harness.call(Method::POST, "/jobs", other).await
    };
    let (loaded, taken): (_, Value) = futures::join!(table.replace(&load), take);
    let record = loaded.unwrap().record;
    assert_eq!(taken["jobReference"]["jobId"], job(1));
    assert_eq!((record.job_id, record.sequence, record.rows), (Some(job(2)), 2, 2));
    let sent: usize = emulator.requests().iter().map(|request| request.uploaded).sum();
    assert_eq!(sent, 2 * delivery.files[0].1.len(), "refused at first, then accepted");
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}
