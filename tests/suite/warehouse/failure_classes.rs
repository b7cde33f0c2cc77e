//! Each way in which BigQuery, or the network between, can fail, and how the load ends.

use std::time::{Duration, Instant};

use bigquery_emulator::{Fault, FaultKind, JobFault, When};
use finops::{
    error::ErrorKind,
    flow::replace::{self, Replaced},
    warehouse::Warehouse,
};
use finops_core::hint;
use reqwest::Method;
use serde_json::Value;

use crate::{
    support::{
        bigquery::{BigQueryHarness, until},
        delivery::Delivery,
        harness::{Harness, ReplaceMonth, Table},
        jobs::CloudJob,
        program::{each, month},
        tables::load_jobs,
        tree,
    },
    warehouse::staging::{appends, job, jobs_up_to, staging_tables, swaps},
};

const PAGE: &str = "<html>\n<title>Sign in</title>";
/// The jobs of a month: the load, then the copy.
const INSERTS: (&str, &str) = ("POST", "/jobs");
const POLLS: (&str, &str) = ("GET", "/jobs/");
/// The queries of a month: the one that sums the staged rows, then the one that records the load.
const QUERIES: (&str, &str) = ("POST", "/queries");
const TABLES: (&str, &str) = ("POST", "/tables");
const REMOVALS: (&str, &str) = ("DELETE", "/tables/finops_staging_");
/// The end of the id of the job that loads a month's files.
const LOAD: &str = "-load-1";

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

/// A fault of the request that comes after `after` others of the kind.
fn fault_after(after: usize, place: (&str, &str), kind: FaultKind, when: When) -> Fault {
    Fault { after, ..fault(place, 1, kind, when) }
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

/// Every request of a month meets the failure once; the month is loaded, once.
async fn assert_temporary(kind: FaultKind, when: When) {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    for place in [TABLES, INSERTS, POLLS, QUERIES, REMOVALS] {
        table.harness.emulator.add_fault(fault(place, 1, kind.clone(), when));
    }
    // The second time that a request of the kind is sent is the first of the copy, and of the record.
    for place in [INSERTS, QUERIES] {
        table.harness.emulator.add_fault(fault_after(1, place, kind.clone(), when));
    }
    let places = [TABLES, INSERTS, QUERIES, REMOVALS];
    let before = places.map(|place| sent(&table, place));
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2), "{kind:?}");
    let now = places.map(|place| sent(&table, place));
    // The answer to a removal is empty.
    let removals = if kind == answer(200, &[], "") { 1 } else { 2 };
    assert_eq!([0, 1, 2, 3].map(|at| now[at] - before[at]), [2, 4, 4, removals], "each once more: {kind:?}");
    assert_eq!((table.harness.load_jobs().len(), distinct_swaps(&table)), (2, jobs_up_to(2)), "{kind:?}");
    assert_eq!((table.month("2025-08").len(), staging_tables(&table.harness).await), (2, Vec::new()), "{kind:?}");
}

/// The swaps that were sent, each once.
fn distinct_swaps(table: &Table<BigQueryHarness>) -> Vec<String> {
    let mut swaps = swaps(&table.harness);
    swaps.dedup();
    swaps
}

/// Which of a month's jobs meets the failure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Struck {
    Load,
    Swap,
}

/// The load fails at the first such answer, and the month is unchanged. No staging table is left, and no number is used.
async fn assert_final(kind: FaultKind, expected: ErrorKind, message: &str, hint: &str) {
    let cases = [Struck::Load, Struck::Swap];
    let cases = cases.map(|struck| assert_final_of(struck, kind.clone(), expected, message, hint));
    futures::future::join_all(cases).await;
}

async fn assert_final_of(struck: Struck, kind: FaultKind, expected: ErrorKind, message: &str, hint: &str) {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    let (snapshot, before) = (table.snapshot().await, sent(&table, INSERTS));
    let after = usize::from(struck == Struck::Swap);
    table.harness.emulator.add_fault(fault_after(after, INSERTS, kind.clone(), When::BeforeEffect));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), expected, "{struck:?} {kind:?}: {error:?}");
    assert!(error.full_message().contains(message), "{struck:?} {kind:?}: {}", error.full_message());
    assert!(error.next_step().unwrap().contains(hint), "{struck:?} {kind:?}: {error:?}");
    assert_eq!(sent(&table, INSERTS), before + 1 + after, "{struck:?} {kind:?}");
    assert_eq!(table.snapshot().await, snapshot);
    // After a server's failure it is not known whether the copy began, which would need its source.
    let in_doubt = struck == Struck::Swap && matches!(kind, FaultKind::Answer { status: 500.., .. });
    assert_eq!(staging_tables(&table.harness).await.len(), usize::from(in_doubt), "{struck:?} {kind:?}");

    let replaced = table.harness.connect().replace_month(&table.target, &load).await.unwrap();
    let Replaced::Committed(done, _) = replaced else { panic!("overtaken") };
    assert_eq!((done.record.job_id, table.month("2025-08").len()), (Some(job(2)), 2), "{struck:?} {kind:?}");
}

#[tokio::test]
async fn each_request_is_repeated_after_a_temporary_failure() {
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
    futures::future::join_all(kinds.map(|kind| assert_temporary(kind, When::BeforeEffect))).await;
}

/// The requests that a run reads with before it loads, and while it waits for a query.
const READS: [(&str, &str); 3] = [("GET", "/datasets/billing?"), ("GET", "/tables/aws_cur"), ("GET", "/queries/")];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_reads_before_it_loads_is_requested_again_or_ends_the_run() {
    let job = CloudJob::loaded(&[tree::Delivery::new("2025-09", "first", &["7"])]).await;
    for (method, path) in READS {
        let path = path.trim_end_matches('?');
        for kind in [status(503, "backendError"), answer(502, &[], PAGE), FaultKind::Reset] {
            job.emulator.add_fault(fault((method, path), 1, kind.clone(), When::BeforeEffect));
            assert_eq!(each(&job.finops.report(0), "status"), ["skipped"], "{path} {kind:?}");
        }
        // A request that is not sent cannot fail.
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
async fn after_a_lost_or_garbled_answer_nothing_is_done_twice() {
    let kinds = [
        FaultKind::Reset,
        status(503, "backendError"),
        answer(502, &[], PAGE),
        answer(200, &[], PAGE),
        answer(200, &[], "{}"),
        answer(200, &[], ""),
    ];
    futures::future::join_all(kinds.map(|kind| assert_temporary(kind, When::AfterEffect))).await;
}

#[tokio::test]
async fn a_permanent_failure_is_final_and_says_what_to_do() {
    tokio::join!(
        // If a copy is refused with this reason, a query replaces it.
        assert_final_of(Struck::Load, status(400, "invalid"), ErrorKind::Warehouse, "(400 invalid)", "report it"),
        assert_final(status(400, "invalidQuery"), ErrorKind::Warehouse, "(400 invalidQuery)", "report it"),
        assert_final(status(400, "stopped"), ErrorKind::Warehouse, "(400 stopped)", "cancelled"),
        // A load is sent again: the dataset or table that it names may be new.
        assert_final_of(
            Struck::Swap,
            status(404, "notFound"),
            ErrorKind::NotFound,
            "(404 notFound)",
            "names of project"
        ),
        assert_final(status(403, "accessDenied"), ErrorKind::Permission, "(403 accessDenied)", "roles/bigquery"),
        assert_final(status(403, "quotaExceeded"), ErrorKind::Quota, "(403 quotaExceeded)", "quota is used up"),
        assert_final(status(403, ""), ErrorKind::Permission, "(403)", "roles"),
        assert_final_of(
            Struck::Load,
            status(501, "notImplemented"),
            ErrorKind::Warehouse,
            "(501 notImplemented)",
            "run again"
        ),
        assert_final(status(401, "authError"), ErrorKind::Credentials, "(401 authError)", "gcloud auth"),
        assert_final(
            answer(401, &[], PAGE),
            ErrorKind::Credentials,
            "`<html> <title>Sign in</title>` (401)",
            "gcloud auth"
        ),
        assert_final(answer(403, &[], PAGE), ErrorKind::Permission, "`<html> <title>Sign in</title>` (403)", "roles"),
        assert_final(answer(418, &[], ""), ErrorKind::Warehouse, "empty (418)", "run again"),
    );
}

#[tokio::test]
async fn a_refused_copy_is_repeated_as_a_query_under_the_same_number() {
    for (code, reason) in [(400, "invalid"), (501, "notImplemented")] {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
        let before = sent(&table, INSERTS);
        let kind = status(code, reason);
        table.harness.emulator.add_fault(fault_after(1, INSERTS, kind, When::BeforeEffect));
        let load = table.replace(&load).await.unwrap();
        assert_eq!((load.record.job_id, load.record.rows), (Some(job(2)), 2), "{code} {reason}");
        assert_eq!((sent(&table, INSERTS), table.recorded()), (before + 3, 2), "{code} {reason}");
        let path = format!("/jobs/{}?location=US", job(2));
        let swap = table.harness.call(Method::GET, &path, Value::Null).await;
        assert!(swap["configuration"]["query"].is_object(), "{swap}");
        assert_eq!((table.month("2025-08").len(), staging_tables(&table.harness).await), (2, Vec::new()));
    }
}

#[tokio::test]
async fn finops_waits_as_long_as_a_service_asks() {
    for after in [0, 1] {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
        let kind = answer(429, &[("Retry-After", "2")], "");
        table.harness.emulator.add_fault(fault_after(after, INSERTS, kind, When::BeforeEffect));
        let started = Instant::now();
        table.replace(&load).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(2), "without the service's request, the wait is far shorter");
    }
}

#[tokio::test]
async fn finops_does_not_wait_if_a_service_asks_for_a_long_wait() {
    let kind = answer(503, &[("Retry-After", "3600")], PAGE);
    assert_final(kind, ErrorKind::Warehouse, "the service asks to wait 3600 s", "run again in 3600 s").await;
}

#[tokio::test]
async fn after_a_transient_failure_a_load_runs_as_another_job_and_a_swap_under_the_next_number() {
    let reasons = ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable", "backendError"];
    let cases = reasons.map(|reason| [(reason, Struck::Load), (reason, Struck::Swap)]);
    futures::future::join_all(cases.into_iter().flatten().map(async |(reason, struck)| {
        let table = with_a_month().await;
        // The load, its second attempt and the swap.
        let (struck_job, loads, sequence) = match struck {
            Struck::Load => (LOAD.to_owned(), 3, 2),
            Struck::Swap => (job(2), 2, 3),
        };
        table.harness.emulator.add_job_fault(job_fault(&struck_job, reason));
        let load = table.load(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await.unwrap();
        assert_eq!((load.record.sequence, table.recorded()), (sequence, 2), "{struck:?} {reason}");
        assert_eq!((table.harness.load_inserts(), table.harness.load_jobs().len()), (loads, loads), "{reason}");
        assert_eq!(swaps(&table.harness).last(), load.record.job_id.as_ref());
        assert_eq!(swaps(&table.harness).len(), usize::try_from(sequence).unwrap(), "{struck:?} {reason}");
        assert_eq!((table.month("2025-08").len(), staging_tables(&table.harness).await), (2, Vec::new()));
    }))
    .await;
}

#[tokio::test]
async fn a_job_that_fails_permanently_fails_the_month_which_is_unchanged() {
    use Struck::{Load, Swap};
    let ends = [
        // A copy that is invalid is repeated by a query.
        (&[Load][..], "invalid", ErrorKind::Data, hint::FILES_REFUSED),
        (&[Load, Swap], "invalidQuery", ErrorKind::Warehouse, hint::REPORT_REQUEST),
        (&[Load, Swap], "notFound", ErrorKind::NotFound, hint::WENT_AWAY),
        (&[Load, Swap], "accessDenied", ErrorKind::Permission, hint::GRANT_FOR_LOAD),
        (&[Load, Swap], "duplicate", ErrorKind::Busy, hint::CREATED_MEANWHILE),
        (&[Load, Swap], "stopped", ErrorKind::Warehouse, hint::CANCELLED),
        (&[Load, Swap], "quotaExceeded", ErrorKind::Quota, hint::WAIT_FOR_QUOTA),
        (&[Load, Swap], "somethingNew", ErrorKind::Warehouse, hint::RUN_AGAIN),
    ];
    let cases = ends.iter().flat_map(|end| end.0.iter().map(move |struck| (*struck, end.1, end.2, end.3)));
    futures::future::join_all(cases.map(async |(struck, reason, kind, hint)| {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
        let before = table.snapshot().await;
        let struck_job = if struck == Load { LOAD.to_owned() } else { job(2) };
        table.harness.emulator.add_job_fault(job_fault(&struck_job, reason));
        let error = table.replace(&load).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{struck:?} {reason}: {error:?}");
        let (failed, used) = match struck {
            Load => (appends(&table.harness).pop().unwrap(), 1),
            Swap => (job(2), 2),
        };
        let job = format!("(job {failed}, {reason}): injected");
        assert!(error.full_message().contains(&job), "{}", error.full_message());
        assert!(error.next_step().unwrap().contains(hint), "{struck:?} {reason}: {error:?}");
        assert_eq!((table.harness.load_inserts(), swaps(&table.harness)), (2, jobs_up_to(used)), "{struck:?} {reason}");
        assert_eq!((table.snapshot().await, staging_tables(&table.harness).await), (before, Vec::new()));
    }))
    .await;
}

#[tokio::test]
async fn after_a_transient_failure_a_query_runs_again_and_a_job_is_inserted_again_under_its_id() {
    let reasons = ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable"];
    futures::future::join_all(reasons.map(async |reason| {
        let table = with_a_month().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
        let (inserts, queries) = (sent(&table, INSERTS), sent(&table, QUERIES));
        for place in [INSERTS, QUERIES] {
            for after in [0, 1] {
                let kind = status(400, reason);
                table.harness.emulator.add_fault(fault_after(after, place, kind, When::BeforeEffect));
            }
        }
        let load = table.replace(&load).await.unwrap();
        assert_eq!((load.record.sequence, table.recorded()), (2, 2), "{reason}");
        assert_eq!((sent(&table, INSERTS), sent(&table, QUERIES)), (inserts + 4, queries + 4), "{reason}");
        assert_eq!((table.harness.load_jobs().len(), distinct_swaps(&table)), (2, jobs_up_to(2)), "{reason}");
    }))
    .await;
}

#[tokio::test]
async fn credentials_that_expire_before_the_swap_change_nothing() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    let before = table.snapshot().await;
    table.harness.emulator.add_fault(fault(QUERIES, 1, status(401, "authError"), When::BeforeEffect));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error:?}");
    assert!(error.next_step().unwrap().contains("gcloud auth"), "{error:?}");
    assert_eq!((table.snapshot().await, staging_tables(&table.harness).await), (before, Vec::new()));
    assert_eq!(swaps(&table.harness), jobs_up_to(1));
}

#[tokio::test]
async fn if_credentials_expire_after_the_swap_the_next_run_records_it() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    table.harness.emulator.add_fault(fault_after(1, QUERIES, status(401, "authError"), When::BeforeEffect));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!((error.kind(), table.recorded()), (ErrorKind::Credentials, 1), "{error:?}");
    assert!(error.next_step().unwrap().contains("gcloud auth"), "{error:?}");

    let replaced = table.harness.connect().replace_month(&table.target, &load).await.unwrap();

    let Replaced::Committed(load, _) = replaced else { panic!("overtaken") };
    assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2));
    assert_eq!((table.harness.load_inserts(), swaps(&table.harness)), (2, jobs_up_to(2)), "nothing is loaded again");
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

#[tokio::test]
async fn when_a_quota_ends_the_run_a_running_month_is_completed_and_no_other_begins() {
    for struck_job in ["202508-2", "202508-finops_staging_"] {
        let table = with_a_month().await;
        let under_way = table.prepare(&Delivery::of_costs("2025-07", "a", &["1"])).await;
        let struck = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
        let (emulator, warehouse) = (&table.harness.emulator, table.harness.warehouse());
        let prepared = warehouse.prepare(&table.target, &[], &[]).await.unwrap();
        emulator.hold_jobs("finops-billing-aws_cur-202507-");
        emulator.add_job_fault(job_fault(struck_job, "quotaExceeded"));
        let replace = |load| replace::replace_month(warehouse, &table.target, &prepared, load, async { Ok(true) });

        let (ended, ()) = tokio::join!(replace(&under_way), async {
            until(|| table.harness.load_inserts() == 2).await;
            assert_eq!(replace(&struck).await.unwrap_err().kind(), ErrorKind::Quota);
            emulator.release();
        });

        let Replaced::Committed(ended, _) = ended.unwrap() else { panic!("overtaken") };
        assert_eq!((ended.record.rows, staging_tables(&table.harness).await), (1, Vec::new()));
        let before = emulator.requests().len();
        let error = replace(&struck).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota);
        assert!(
            error.full_message().contains("loading 2025-08 into demo.billing.aws_cur was not started"),
            "{error:?}"
        );
        assert_eq!(table.replace(&struck).await.unwrap_err().kind(), ErrorKind::Quota, "no table is prepared either");
        assert_eq!(emulator.requests().len(), before);
    }
}

/// Asserts that a run of three months, whose first meets `strike`, begins no other, and says why for each.
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
        assert!(error["hint"].as_str().unwrap().contains(hint::WAIT_FOR_QUOTA), "{report:#}");
    }
    let first = load_jobs(&job.emulator)[1].1.clone();
    assert_eq!(load_jobs(&job.emulator).len(), 2, "one of the three was tried");
    assert!(first.starts_with("finops_staging_202511_"), "newest first: {first}");
    assert_eq!(job.figures(), figures);

    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_refused_for_a_quota_ends_the_run() {
    // After the dry run of the record.
    for after in [1, 2] {
        let refused = fault_after(after, INSERTS, status(403, "quotaExceeded"), When::BeforeEffect);
        assert_ends_the_run(|job| job.emulator.add_fault(refused)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_failed_for_a_quota_ends_the_run() {
    for struck in [LOAD, "202511-1"] {
        assert_ends_the_run(|job| job.emulator.add_job_fault(job_fault(struck, "quotaExceeded"))).await;
    }
}
