//! Each way in which BigQuery, or what lies between, can fail, and how the load ends then.

use std::time::{Duration, Instant};

use bigquery_emulator::{Fault, FaultKind, JobFault, When};
use finops::{error::Kind, flow::replace::Replaced};

use crate::{
    bigquery::{BigQueryHarness, until},
    delivery::Delivery,
    harness::{DATASET, ReplaceMonth, TABLE, Table},
    jobs::CloudJob,
    program::{each, month},
    tables::load_jobs,
    tree,
};

const PAGE: &str = "<html>\n<title>Sign in</title>";
const INSERTS: (&str, &str) = ("POST", "/jobs");
const POLLS: (&str, &str) = ("GET", "/jobs/");
const QUERIES: (&str, &str) = ("POST", "/queries");

fn status(code: u16, reason: &str) -> FaultKind {
    FaultKind::Status(code, reason.to_owned())
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FaultKind::Answer { status, headers, body: body.to_owned() }
}

fn fault((method, path): (&str, &str), times: usize, kind: FaultKind, when: When) -> Fault {
    Fault { method: method.to_owned(), path_contains: path.to_owned(), after: 0, times, kind, when }
}

fn job_fault(job_id_contains: &str, reason: &str) -> JobFault {
    let (job_id_contains, reason) = (job_id_contains.to_owned(), reason.to_owned());
    JobFault { job_id_contains, times: 1, reason, message: "injected".to_owned() }
}

async fn with_a_month() -> Table<BigQueryHarness> {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    table
}

/// How often a request was sent.
fn sent(table: &Table<BigQueryHarness>, (method, path): (&str, &str)) -> usize {
    let requests = table.harness.emulator.requests().into_iter();
    requests.filter(|request| request.method == method && request.path.contains(path)).count()
}

/// Every request of a load meets the failure once; the load goes through, once.
async fn assert_goes_away(kind: FaultKind, when: When) {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    for place in [INSERTS, POLLS, QUERIES] {
        table.harness.emulator.add_fault(fault(place, 1, kind.clone(), when));
    }
    let (inserts, queries) = (sent(&table, INSERTS), sent(&table, QUERIES));
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2), "{kind:?}");
    assert_eq!(sent(&table, INSERTS), inserts + 2, "{kind:?}");
    // Verifying and recording, and one of them again; a job that is found done is held against the table before.
    assert!((queries + 3..=queries + 4).contains(&sent(&table, QUERIES)), "{kind:?}");
    assert_eq!(table.harness.load_jobs().len(), 2, "{kind:?}");
    assert_eq!(table.month("2025-08").len(), 2);
}

/// The load is given up at the first such answer, and the month stands as it stood.
async fn assert_final(kind: FaultKind, expected: Kind, message: &str, hint: &str) {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    let (stood, before) = (table.snapshot().await, sent(&table, INSERTS));
    table.harness.emulator.add_fault(fault(INSERTS, 1, kind.clone(), When::BeforeEffect));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), expected, "{kind:?}: {error:?}");
    assert!(error.full_message().contains(message), "{kind:?}: {}", error.full_message());
    assert!(error.next_step().unwrap().contains(hint), "{kind:?}: {error:?}");
    assert_eq!(sent(&table, INSERTS), before + 1, "{kind:?}");
    assert_eq!(table.snapshot().await, stood);
}

#[tokio::test]
async fn what_goes_away_is_sent_again_wherever_it_strikes() {
    let kinds = [
        status(403, "rateLimitExceeded"),
        status(400, "backendError"),
        status(500, "internalError"),
        status(502, "badGateway"),
        status(429, ""),
        answer(502, &[], PAGE),
        answer(503, &[], ""),
        FaultKind::Reset,
    ];
    futures::future::join_all(kinds.map(|kind| assert_goes_away(kind, When::BeforeEffect))).await;
}

/// What a run reads before it loads, and while it waits for a query.
const READS: [(&str, &str); 3] = [("GET", "/datasets/billing?"), ("GET", "/tables/aws_cur"), ("GET", "/queries/")];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_reads_first_is_asked_for_again_or_ends_it() {
    let job = CloudJob::loaded(&[tree::Delivery::new("2025-09", "first", &["7"])]).await;
    for (method, path) in READS {
        let path = path.trim_end_matches('?');
        for kind in [status(503, "backendError"), answer(502, &[], PAGE), FaultKind::Reset] {
            job.emulator.add_fault(fault((method, path), 1, kind.clone(), When::BeforeEffect));
            assert_eq!(each(&job.finops.report(0), "status"), ["skipped"], "{path} {kind:?}");
        }
        // One that is not asked for has no fault to meet.
        let asked = job.emulator.requests().iter().filter(|r| r.method == method && r.path.contains(path)).count();
        if asked == 0 {
            continue;
        }
        job.emulator.add_fault(fault((method, path), 1, status(403, "accessDenied"), When::BeforeEffect));
        let report = job.finops.report(1);
        assert_eq!(report["pipelines"][0]["error"]["kind"], "permission", "{path}: {report:#}");
        assert_eq!(job.figures()["2025-09"].0, 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_or_garbled_after_the_effect_does_nothing_twice() {
    let kinds = [
        FaultKind::Reset,
        status(503, "backendError"),
        answer(502, &[], PAGE),
        answer(200, &[], PAGE),
        answer(200, &[], "{}"),
        answer(200, &[], ""),
    ];
    futures::future::join_all(kinds.map(|kind| assert_goes_away(kind, When::AfterEffect))).await;
}

#[tokio::test]
async fn what_stays_is_final_and_tells_what_to_do() {
    tokio::join!(
        assert_final(status(400, "invalid"), Kind::Warehouse, "(400 invalid)", "report it"),
        assert_final(status(400, "invalidQuery"), Kind::Warehouse, "(400 invalidQuery)", "report it"),
        assert_final(status(400, "stopped"), Kind::Warehouse, "(400 stopped)", "cancelled"),
        assert_final(status(404, "notFound"), Kind::NotFound, "(404 notFound)", "names of project"),
        assert_final(status(403, "accessDenied"), Kind::Permission, "(403 accessDenied)", "roles/bigquery"),
        assert_final(status(403, "quotaExceeded"), Kind::Quota, "(403 quotaExceeded)", "quota is used up"),
        assert_final(status(403, ""), Kind::Permission, "(403)", "roles"),
        assert_final(status(501, "notImplemented"), Kind::Warehouse, "(501 notImplemented)", "run again"),
        assert_final(status(401, "authError"), Kind::Credentials, "(401 authError)", "gcloud auth"),
        assert_final(answer(401, &[], PAGE), Kind::Credentials, "`<html> <title>Sign in</title>` (401)", "gcloud auth"),
        assert_final(answer(403, &[], PAGE), Kind::Permission, "`<html> <title>Sign in</title>` (403)", "roles"),
        assert_final(answer(418, &[], ""), Kind::Warehouse, "empty (418)", "run again"),
    );
}

#[tokio::test]
async fn a_service_that_asks_to_wait_a_moment_is_given_it() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let kind = answer(429, &[("Retry-After", "2")], "");
    table.harness.emulator.add_fault(fault(INSERTS, 1, kind, When::BeforeEffect));
    let started = Instant::now();
    table.replace(&load).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "without being asked, it is far less");
}

#[tokio::test]
async fn a_service_that_asks_to_wait_for_long_is_not_waited_for() {
    let kind = answer(503, &[("Retry-After", "3600")], PAGE);
    assert_final(kind, Kind::Warehouse, "the service asks to wait 3600 s", "run again in 3600 s").await;
}

#[tokio::test]
async fn a_job_that_fails_for_the_moment_is_replaced_by_the_next_number() {
    let reasons = ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable", "backendError"];
    futures::future::join_all(reasons.map(async |reason| {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault("finops-", reason));
        let load = table.load(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await.unwrap();
        assert_eq!((load.record.sequence, table.recorded()), (3, 2), "{reason}");
        assert_eq!(table.harness.load_inserts(), 3, "{reason}");
    }))
    .await;
}

#[tokio::test]
async fn a_job_that_fails_for_good_ends_the_month_which_stands_as_it_stood() {
    let ends = [
        ("invalid", Kind::Data, "delivered again"),
        ("invalidQuery", Kind::Warehouse, "report it"),
        ("notFound", Kind::NotFound, "run again"),
        ("accessDenied", Kind::Permission, "roles/storage.objectViewer"),
        ("duplicate", Kind::Busy, "run again"),
        ("stopped", Kind::Warehouse, "cancelled"),
        ("quotaExceeded", Kind::Quota, "quota is used up"),
        ("somethingNew", Kind::Warehouse, "run again"),
    ];
    futures::future::join_all(ends.map(async |(reason, kind, hint)| {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
        let stood = table.snapshot().await;
        table.harness.emulator.add_job_fault(job_fault("finops-", reason));
        let error = table.replace(&load).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{reason}: {error:?}");
        let job = format!("job finops-{DATASET}-{TABLE}-202508-2, {reason}");
        assert!(error.full_message().contains(&job), "{}", error.full_message());
        assert!(error.next_step().unwrap().contains(hint), "{reason}: {error:?}");
        assert_eq!(table.harness.load_inserts(), 2, "{reason}");
        assert_eq!(table.snapshot().await, stood);
    }))
    .await;
}

#[tokio::test]
async fn a_query_that_fails_for_the_moment_runs_again_and_a_load_is_inserted_again_under_its_number() {
    let reasons = ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable"];
    futures::future::join_all(reasons.map(async |reason| {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
        let (inserts, queries) = (sent(&table, INSERTS), sent(&table, QUERIES));
        for place in [INSERTS, QUERIES] {
            table.harness.emulator.add_fault(fault(place, 1, status(400, reason), When::BeforeEffect));
        }
        let load = table.replace(&load).await.unwrap();
        assert_eq!((load.record.sequence, table.recorded()), (2, 2), "{reason}");
        assert_eq!((sent(&table, INSERTS), sent(&table, QUERIES)), (inserts + 2, queries + 3), "{reason}");
    }))
    .await;
}

#[tokio::test]
async fn credentials_that_end_in_the_middle_cost_the_record_which_the_next_run_makes() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    table.harness.emulator.add_fault(fault(QUERIES, 1, status(401, "authError"), When::BeforeEffect));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!((error.kind(), table.recorded()), (Kind::Credentials, 1), "{error:?}");
    assert!(error.next_step().unwrap().contains("gcloud auth"), "{error:?}");

    let replaced = table.harness.connect().replace_month(&table.target, &load).await.unwrap();

    let Replaced::Committed(load) = replaced else { panic!("overtaken") };
    assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2));
    assert_eq!(table.harness.load_inserts(), 3, "the taken number was asked for, and nothing was loaded again");
    assert_eq!(table.harness.load_jobs().len(), 2);
}

#[tokio::test]
async fn a_month_under_way_ends_well_when_a_quota_ends_the_run_and_none_is_begun_after_it() {
    let table = with_a_month().await;
    let under_way = table.prepare(&Delivery::of_costs("2025-07", "a", &["1"])).await;
    let struck = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let emulator = &table.harness.emulator;
    emulator.hold_jobs(&format!("finops-{DATASET}-{TABLE}-202507-"));
    emulator.add_job_fault(job_fault("202508-2", "quotaExceeded"));

    let (ended, ()) = tokio::join!(table.replace(&under_way), async {
        until(|| table.harness.load_inserts() == 2).await;
        assert_eq!(table.replace(&struck).await.unwrap_err().kind(), Kind::Quota);
        emulator.release();
    });

    assert_eq!(ended.unwrap().record.rows, 1);
    let before = emulator.requests().len();
    let error = table.replace(&struck).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Quota);
    assert!(error.full_message().contains("loading 2025-08 into demo.billing.aws_cur was not begun"), "{error:?}");
    assert_eq!(emulator.requests().len(), before);
}

/// A run of three months whose first meets `strike` begins no other, and says of each why.
async fn assert_ends_the_run(strike: impl FnOnce(&CloudJob)) {
    let delivery = |month, id, cost| tree::Delivery::new(month, id, &[cost]);
    let mut job = CloudJob::loaded(&[delivery("2025-09", "first", "3.5")]).await;
    job.finops = job.finops.with("LOAD_CONCURRENCY", "1");
    let figures = job.figures();
    for (month, cost) in [("2025-09", "7"), ("2025-10", "8"), ("2025-11", "9")] {
        job.put(&delivery(month, "second", cost)).await;
    }
    strike(&job);

    let report = job.finops.report(1);

    assert_eq!(each(&report, "status"), ["failed"; 3], "{report:#}");
    for billing_period in ["2025-09", "2025-10", "2025-11"] {
        let error = &month(&report, billing_period)["error"];
        assert_eq!(error["kind"], "quota", "{report:#}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("quotaExceeded") && message.contains(billing_period), "{message}");
        assert!(error["hint"].as_str().unwrap().contains("quota is used up"), "{report:#}");
    }
    let first = load_jobs(&job.emulator)[1].1.clone();
    assert_eq!(load_jobs(&job.emulator).len(), 2, "one of the three was tried");
    assert_eq!(first, format!("{TABLE}$202511"), "newest first");
    assert_eq!(job.figures(), figures);

    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_refused_for_a_quota_ends_the_run() {
    assert_ends_the_run(|job| {
        job.emulator.add_fault(fault(INSERTS, 1, status(403, "quotaExceeded"), When::BeforeEffect));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_failed_for_a_quota_ends_the_run() {
    assert_ends_the_run(|job| job.emulator.add_job_fault(job_fault("finops-", "quotaExceeded"))).await;
}
