//! The load jobs of a month: each number is used once, whatever becomes of the runs.

use std::time::{Duration, Instant};

use bigquery_emulator::{Fault, FaultKind, JobFault, When};
use finops::{error::Kind, flow::replace::Replaced, warehouse::MonthLoad};
use finops_core::state::LoadStatus;
use reqwest::Method;
use serde_json::json;

use crate::{
    bigquery::{BigQueryHarness, until},
    delivery::Delivery,
    harness::{DATASET, Harness, ReplaceMonth, TABLE, Table},
};

fn delivery(execution_id: &str) -> Delivery {
    Delivery::of_costs("2025-08", execution_id, &["1.5", "2"])
}

fn job(number: usize) -> String {
    format!("finops-{DATASET}-{TABLE}-202508-{number}")
}

fn job_fault(reason: &str, times: usize) -> JobFault {
    JobFault { job_id_contains: "finops-".to_owned(), times, reason: reason.to_owned(), message: "injected".to_owned() }
}

/// The write to the state table, which follows the query that sums the month, is refused.
fn no_record() -> Fault {
    let kind = FaultKind::Status(403, "accessDenied".to_owned());
    Fault {
        method: "POST".to_owned(),
        path_contains: "/queries".to_owned(),
        after: 1,
        times: 1,
        kind,
        when: When::BeforeEffect,
    }
}

/// A table whose month was loaded by a run that died before it recorded it.
async fn with_an_unrecorded_load(execution_id: &str) -> Table<BigQueryHarness> {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery(execution_id)).await;
    table.harness.emulator.add_fault(no_record());
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Permission, "{}", error.full_message());
    assert_eq!((table.month("2025-08").len(), table.recorded()), (2, 0));
    table
}

/// A load whose verifying query is refused and sent again while `meanwhile` happens.
async fn replace_while(
    table: &Table<BigQueryHarness>,
    load: &MonthLoad,
    meanwhile: impl AsyncFnOnce(),
) -> finops::error::Result<Replaced> {
    let emulator = &table.harness.emulator;
    let queries = || emulator.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/queries")).count();
    let before = queries();
    emulator.add_fault(Fault {
        method: "POST".to_owned(),
        path_contains: "/queries".to_owned(),
        after: 0,
        times: 3,
        kind: FaultKind::Status(503, "backendError".to_owned()),
        when: When::BeforeEffect,
    });
    let (replaced, ()) = tokio::join!(table.harness.warehouse().replace_month(&table.target, load), async {
        until(|| queries() > before).await;
        meanwhile().await;
    });
    replaced
}

/// Another run inserts the month's job 2, which loads `files`.
async fn insert_second_job(table: &Table<BigQueryHarness>, files: &[String]) {
    let mut body = table.harness.loads_sent().remove(0);
    body["jobReference"]["jobId"] = json!(job(2));
    body["configuration"]["labels"]["finops_work"] = json!("another");
    body["configuration"]["load"]["sourceUris"] = json!(files);
    table.harness.call(Method::POST, "/jobs", body).await;
}

#[tokio::test]
async fn a_job_replaces_its_months_partition_and_nothing_else() {
    let table = Table::<BigQueryHarness>::new().await;
    let delivery = delivery("a");
    let load = table.load(&delivery).await.unwrap();
    assert_eq!(load.record.job_id, Some(job(1)));
    let inserted = table.harness.loads_sent().remove(0);
    assert_eq!(inserted["jobReference"]["location"], "US");
    let sent = &inserted["configuration"]["load"];
    assert_eq!(sent["destinationTable"]["tableId"], format!("{TABLE}$202508"));
    assert_eq!(
        (&sent["writeDisposition"], &sent["createDisposition"]),
        (&json!("WRITE_TRUNCATE"), &json!("CREATE_NEVER"))
    );
    assert_eq!(sent["sourceUris"], json!([format!("gs://billing/{}", delivery.files[0].0)]));
    let names: Vec<_> = sent["schema"]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert_eq!(names, delivery.table_columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_load_that_was_not_recorded_is_recorded_by_the_next_run_and_not_loaded_again() {
    let table = with_an_unrecorded_load("a").await;
    let next = table.harness.connect();
    let load = table.prepare(&delivery("a")).await;

    let Replaced::Committed(load) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("overtaken")
    };

    assert_eq!((load.record.sequence, load.record.rows, load.record.job_id.clone()), (1, 2, Some(job(1))));
    assert_eq!(table.standing("2025-08").await.unwrap().record, load.record);
    assert_eq!(table.harness.load_jobs(), [job(1)].into());
}

#[tokio::test]
async fn a_run_killed_while_its_job_runs_is_completed_by_the_next() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    let emulator = &table.harness.emulator;
    emulator.hold_jobs("finops-");
    tokio::select! {
        replaced = table.replace(&load) => panic!("a held job ended: {replaced:?}"),
        () = until(|| emulator.requests().iter().any(|r| r.method == "GET" && r.path.ends_with(&job(1)))) => {}
    }
    emulator.release();

    let next = table.harness.connect();
    let Replaced::Committed(load) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("overtaken")
    };

    assert_eq!(table.harness.load_jobs(), [job(1)].into());
    assert_eq!(table.standing("2025-08").await.unwrap().record, load.record);
}

#[tokio::test]
async fn an_unrecorded_load_that_was_deleted_since_is_loaded_again() {
    let table = with_an_unrecorded_load("a").await;
    table.harness.delete_month("2025-08".parse().unwrap()).await;
    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.sequence, load.record.job_id), (2, Some(job(2))));
    assert_eq!(table.month("2025-08").len(), 2);

    let table = with_an_unrecorded_load("a").await;
    table.harness.drop_table().await;
    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.sequence, load.record.job_id), (2, Some(job(2))));
    assert_eq!(table.month("2025-08").len(), 2);
}

#[tokio::test]
async fn rows_of_a_new_table_do_not_count_for_records_of_the_old_one() {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&delivery("a")).await.unwrap();
    table.harness.drop_table().await;
    let load = table.prepare(&delivery("b")).await;
    table.harness.emulator.add_fault(no_record());
    table.replace(&load).await.unwrap_err();
    assert_eq!(table.month("2025-08").len(), 2);

    let standing = table.standing("2025-08").await.unwrap();

    assert_eq!((standing.record.execution_id.as_str(), standing.rows_in_table), ("a", 0));
    let load = table.load(&delivery("b")).await.unwrap();
    assert_eq!((load.record.sequence, table.harness.load_jobs().len()), (2, 2));
    assert_eq!(table.standing("2025-08").await.unwrap().rows_in_table, 2);
}

#[tokio::test]
async fn a_newer_delivery_is_loaded_over_an_unrecorded_older_one() {
    let table = with_an_unrecorded_load("a").await;
    let next = table.harness.connect();
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["9"])).await;
    // Which of the two is newer, no clock tells: the run looks at the deliveries again, and then it knows.
    assert!(matches!(next.replace_month(&table.target, &load).await.unwrap(), Replaced::Superseded));
    let Replaced::Committed(load) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("overtaken")
    };
    assert_eq!((load.record.sequence, load.record.rows), (2, 1));
    assert_eq!(table.month("2025-08").len(), 1);
}

#[tokio::test]
async fn a_run_is_told_once_of_all_loads_that_it_did_not_know() {
    let table = Table::<BigQueryHarness>::new().await;
    for execution_id in ["a", "b", "c"] {
        table.load(&delivery(execution_id)).await.unwrap();
    }
    let next = table.harness.connect();
    // It looked at the state table before any of them was recorded.
    let late = MonthLoad { previous: None, ..table.prepare(&delivery("d")).await };
    assert!(matches!(next.replace_month(&table.target, &late).await.unwrap(), Replaced::Superseded));
    let Replaced::Committed(load) = next.replace_month(&table.target, &late).await.unwrap() else {
        panic!("overtaken")
    };
    assert_eq!(load.record.sequence, 4);
}

#[tokio::test]
async fn a_load_that_another_one_replaced_before_it_was_summed_is_not_recorded_with_the_others_cost() {
    let table = Table::<BigQueryHarness>::new().await;
    let other = table.prepare(&Delivery::of_costs("2025-08", "b", &["7", "8"])).await;
    let load = table.prepare(&delivery("a")).await;

    let replaced = replace_while(&table, &load, async || insert_second_job(&table, &other.files).await).await;

    assert!(matches!(replaced.unwrap(), Replaced::Superseded));
    assert_eq!(table.recorded(), 0);
    // The run looks again, and is not told twice.
    assert_eq!(table.load(&delivery("c")).await.unwrap().record.sequence, 3);
}

#[tokio::test]
async fn a_later_job_that_failed_neither_overtakes_a_load_nor_excuses_it() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    let fail_second_job = async || {
        table.harness.emulator.add_job_fault(JobFault { job_id_contains: job(2), ..job_fault("invalid", 1) });
        insert_second_job(&table, &load.files).await;
    };
    let replaced = replace_while(&table, &load, fail_second_job).await.unwrap();
    let Replaced::Committed(done) = replaced else { panic!("overtaken") };
    assert_eq!((done.record.status, done.record.sequence), (LoadStatus::Loaded, 1));

    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    let fail_second_job_and_delete = async || {
        table.harness.emulator.add_job_fault(JobFault { job_id_contains: job(2), ..job_fault("invalid", 1) });
        insert_second_job(&table, &load.files).await;
        table.harness.delete_month("2025-08".parse().unwrap()).await;
    };
    let error = replace_while(&table, &load, fail_second_job_and_delete).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Verification, "{}", error.full_message());
}

#[tokio::test]
async fn an_account_that_may_not_know_which_jobs_exist_loads_all_the_same() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    table.harness.emulator.add_fault(Fault {
        method: "GET".to_owned(),
        path_contains: format!("/jobs/{}", job(2)),
        after: 0,
        times: 1,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 1);
}

#[tokio::test]
async fn a_load_whose_billed_bytes_are_not_known_is_recorded_all_the_same() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    table.harness.emulator.add_fault(Fault {
        method: "GET".to_owned(),
        path_contains: "/jobs/request_".to_owned(),
        after: 0,
        times: 1,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.bytes_billed, load.record.rows, table.recorded()), (0, 2, 1));
}

#[tokio::test]
async fn an_insert_whose_answer_is_lost_makes_one_job() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    table.harness.emulator.add_fault(Fault {
        method: "POST".to_owned(),
        path_contains: "/jobs".to_owned(),
        after: 0,
        times: 1,
        kind: FaultKind::Reset,
        when: When::AfterEffect,
    });

    let load = table.replace(&load).await.unwrap();

    assert_eq!((load.record.sequence, load.record.rows), (1, 2));
    assert_eq!((table.harness.load_inserts(), table.harness.load_jobs()), (2, [job(1)].into()));
    assert_eq!(table.recorded(), 1);
}

#[tokio::test]
async fn a_failed_job_uses_its_number_up() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_job_fault(job_fault("invalid", 1));
    let error = table.load(&delivery("a")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.full_message().contains(&job(1)), "{}", error.full_message());
    assert_eq!(table.recorded(), 0);

    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.sequence, load.record.job_id), (2, Some(job(2))));
}

#[tokio::test]
async fn a_job_that_failed_for_the_moment_is_sent_again_under_the_next_numbers() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_job_fault(job_fault("backendError", 1));
    table.harness.emulator.add_job_fault(job_fault("jobInternalError", 1));
    let started = Instant::now();
    let load = table.load(&delivery("a")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(600), "the second wait is longer than the first");
    assert_eq!((load.record.sequence, table.recorded()), (3, 1));
    assert_eq!(table.harness.load_jobs(), [job(1), job(2), job(3)].into());
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_given_up_and_the_next_run_goes_on_from_there() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_job_fault(job_fault("backendError", 5));
    let error = table.load(&delivery("a")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Warehouse);
    assert!(error.next_step().unwrap().contains("run again"), "{error:?}");
    assert_eq!(table.harness.load_jobs().len(), 5);
    assert_eq!(table.load(&delivery("a")).await.unwrap().record.sequence, 6);
}

#[tokio::test]
async fn a_forced_reload_is_the_next_number() {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&delivery("a")).await.unwrap();
    let load = MonthLoad { force: true, ..table.prepare(&delivery("a")).await };
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("a")));
    assert_eq!((table.harness.load_jobs().len(), table.month("2025-08").len()), (2, 2));
}

#[tokio::test]
async fn a_delivery_that_comes_back_is_loaded_again() {
    let table = Table::<BigQueryHarness>::new().await;
    for (execution_id, costs) in [("a", ["1"].as_slice()), ("b", &["2", "3"]), ("a", &["1"])] {
        table.load(&Delivery::of_costs("2025-08", execution_id, costs)).await.unwrap();
    }
    let record = table.standing("2025-08").await.unwrap().record;
    assert_eq!((record.sequence, record.execution_id.as_str(), record.rows), (3, "a", 1));
    assert_eq!((table.harness.load_jobs().len(), table.month("2025-08").len()), (3, 1));
}

#[tokio::test]
async fn a_load_that_does_not_add_up_is_recorded_as_unverified_and_loaded_again() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    let delete = async || table.harness.delete_month("2025-08".parse().unwrap()).await;

    let error = replace_while(&table, &load, delete).await.unwrap_err();

    assert_eq!(error.kind(), Kind::Verification);
    let message = error.full_message();
    assert!(message.contains("2025-08") && message.contains("the job wrote 2 rows"), "{message}");
    let record = table.standing("2025-08").await.unwrap().record;
    assert_eq!((record.status, record.sequence), (LoadStatus::Unverified, 1));

    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.status, load.record.sequence), (LoadStatus::Loaded, 2));
    assert_eq!(load.record, table.standing("2025-08").await.unwrap().record);
}
