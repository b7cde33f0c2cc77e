//! The jobs that swap a month in: each number is used once, even if runs fail or are killed.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use bigquery_emulator::{Fault, FaultKind, JobFault, When};
use finops::{
    error::ErrorKind,
    flow::replace::Replaced,
    warehouse::{MonthLoad, Swap, Warehouse},
};
use finops_core::{hint, model::load_record::LoadStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
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

/// The job `number` fails.
fn job_fault(number: usize, reason: &str) -> JobFault {
    JobFault { job_id_contains: job(number), times: 1, reason: reason.to_owned(), message: "injected".to_owned() }
}

/// The write to the state table, which follows the query that sums the staged rows, is refused.
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
    assert_eq!(error.kind(), ErrorKind::Permission, "{}", error.full_message());
    assert_eq!((table.month("2025-08").len(), table.recorded()), (2, 0));
    table
}

/// The result of a load whose first query, which counts or sums the month's rows, is delayed while `meanwhile` happens.
async fn replace_while(
    table: &Table<BigQueryHarness>,
    load: &MonthLoad,
    meanwhile: impl AsyncFnOnce(),
) -> finops::error::Result<Replaced> {
    let emulator = &table.harness.emulator;
    let queries = || emulator.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/queries")).count();
    let before = queries();
    emulator.hold_jobs("request_");
    let (replaced, ()) = tokio::join!(table.harness.warehouse().replace_month(&table.target, load), async {
        until(|| queries() > before).await;
        meanwhile().await;
        emulator.release();
    });
    replaced
}

/// The month's job 2, as another run might have left it: it failed. It loads the files, as in earlier versions.
async fn insert_failing_second_job(table: &Table<BigQueryHarness>) {
    table.harness.emulator.add_job_fault(job_fault(2, "invalid"));
    let mut body = table.harness.loads_sent().remove(0);
    body["jobReference"]["jobId"] = json!(job(2));
    body["configuration"]["load"]["destinationTable"]["tableId"] = json!(format!("{TABLE}$202508"));
    body["configuration"]["load"]["writeDisposition"] = json!("WRITE_TRUNCATE");
    let sent = table.harness.call(Method::POST, "/jobs", body).await;
    assert_eq!(sent["jobReference"]["jobId"], job(2));
    let path = format!("/jobs/{}?location=US", job(2));
    while table.harness.call(Method::GET, &path, Value::Null).await["status"]["state"] != "DONE" {}
}

#[tokio::test]
async fn a_swap_replaces_the_partition_of_its_month_and_nothing_else() {
    let table = Table::<BigQueryHarness>::new().await;
    let delivery = delivery("a");
    let load = table.load(&delivery).await.unwrap();
    assert_eq!(load.record.job_id, Some(job(1)));

    let staged = table.harness.loads_sent().remove(0);
    assert_eq!(staged["jobReference"]["location"], "US");
    let sent = &staged["configuration"]["load"];
    let staging = sent["destinationTable"]["tableId"].as_str().unwrap();
    assert!(staging.starts_with("finops_staging_202508_"), "{staging}");
    assert_eq!(
        (&sent["writeDisposition"], &sent["createDisposition"]),
        (&json!("WRITE_APPEND"), &json!("CREATE_NEVER"))
    );
    assert_eq!(sent["sourceUris"], json!([format!("gs://billing/{}", delivery.files[0].0)]));
    let names: Vec<_> = sent["schema"]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert_eq!(names, delivery.table_columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>());

    let [swap] = table.harness.swaps_sent().try_into().unwrap();
    assert_eq!((&swap["jobReference"]["jobId"], &swap["jobReference"]["location"]), (&json!(job(1)), &json!("US")));
    let sent = &swap["configuration"]["copy"];
    assert_eq!(sent["sourceTable"]["tableId"], format!("{staging}$202508"));
    assert_eq!(sent["destinationTable"]["tableId"], format!("{TABLE}$202508"));
    assert_eq!(
        (&sent["writeDisposition"], &sent["createDisposition"]),
        (&json!("WRITE_TRUNCATE"), &json!("CREATE_NEVER"))
    );
}

#[tokio::test]
async fn a_swap_that_was_not_recorded_is_recorded_by_the_next_run_and_not_loaded_again() {
    let table = with_an_unrecorded_load("a").await;
    let next = table.harness.connect();
    let load = table.prepare(&delivery("a")).await;

    let Replaced::Committed(load, _) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("superseded")
    };

    assert_eq!((load.record.sequence, load.record.rows, load.record.job_id.clone()), (1, 2, Some(job(1))));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, load.record);
    assert_eq!((table.harness.load_inserts(), table.harness.swaps()), (1, [job(1)].into()));
}

#[tokio::test]
async fn a_run_killed_while_its_swap_runs_is_completed_by_the_next() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    let emulator = &table.harness.emulator;
    emulator.hold_jobs(&job(1));
    // It requests the job before it stages the month, and then waits for it.
    tokio::select! {
        replaced = table.replace(&load) => panic!("a paused job ended: {replaced:?}"),
        () = until(|| table.harness.times_asked_for(&job(1)) >= 2) => {}
    }
    assert_eq!((table.harness.swaps(), table.month("2025-08").len()), ([job(1)].into(), 0));
    emulator.release();

    let next = table.harness.connect();
    let Replaced::Committed(load, _) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("superseded")
    };

    assert_eq!((table.harness.load_inserts(), table.harness.swaps()), (1, [job(1)].into()));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, load.record);
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

    let loaded = table.loaded_month("2025-08").await.unwrap();

    assert_eq!((loaded.record.execution_id.as_str(), loaded.rows_in_table), ("a", 0));
    let load = table.load(&delivery("b")).await.unwrap();
    assert_eq!((load.record.sequence, table.harness.load_inserts(), table.harness.swaps().len()), (2, 2, 2));
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 2);
}

#[tokio::test]
async fn a_newer_delivery_is_loaded_over_an_unrecorded_older_one() {
    let table = with_an_unrecorded_load("a").await;
    let next = table.harness.connect();
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["9"])).await;
    // No clock shows which of the two is newer. The run lists the deliveries again, and then it knows.
    assert!(matches!(next.replace_month(&table.target, &load).await.unwrap(), Replaced::Superseded));
    let Replaced::Committed(load, _) = next.replace_month(&table.target, &load).await.unwrap() else {
        panic!("superseded")
    };
    assert_eq!((load.record.sequence, load.record.rows), (2, 1));
    assert_eq!(table.month("2025-08").len(), 1);
}

#[tokio::test]
async fn a_run_is_superseded_once_by_all_loads_that_it_did_not_know() {
    let table = Table::<BigQueryHarness>::new().await;
    for execution_id in ["a", "b", "c"] {
        table.load(&delivery(execution_id)).await.unwrap();
    }
    let next = table.harness.connect();
    // It read the state table before any of them was recorded.
    let late = MonthLoad { previous: None, ..table.prepare(&delivery("d")).await };
    assert!(matches!(next.replace_month(&table.target, &late).await.unwrap(), Replaced::Superseded));
    let Replaced::Committed(load, _) = next.replace_month(&table.target, &late).await.unwrap() else {
        panic!("superseded")
    };
    assert_eq!(load.record.sequence, 4);
}

#[tokio::test]
async fn a_month_that_another_run_swaps_while_it_is_staged_is_superseded() {
    let table = Table::<BigQueryHarness>::new().await;
    let other = table.prepare(&Delivery::of_costs("2025-08", "b", &["7", "8"])).await;
    let load = table.prepare(&delivery("a")).await;

    let (prepared, staged, record) = table.harness.warehouse().stage_month(&table.target, &load).await;
    let next = table.harness.connect();
    let Replaced::Committed(first, _) = next.replace_month(&table.target, &other).await.unwrap() else {
        panic!("superseded")
    };
    let swapped = table.harness.warehouse().swap(&prepared, staged, record).await.unwrap();

    assert!(matches!(swapped, Swap::Superseded), "{swapped:?}");
    assert_eq!((table.recorded(), table.loaded_month("2025-08").await.unwrap().record), (1, first.record));
    // The run lists the deliveries again, and is not superseded twice.
    assert_eq!(table.load(&delivery("c")).await.unwrap().record.sequence, 2);
}

#[tokio::test]
async fn a_swap_replaced_while_it_is_summed_is_not_recorded_with_the_cost_of_the_other_swap() {
    let table = with_an_unrecorded_load("a").await;
    let other = table.harness.connect();
    // It has as many rows, so that the number of rows shows nothing.
    let newer = table.prepare(&Delivery::of_costs("2025-08", "b", &["7", "8"])).await;
    assert!(matches!(other.replace_month(&table.target, &newer).await.unwrap(), Replaced::Superseded));
    let (prepared, staged, record) = other.stage_month(&table.target, &newer).await;
    let (load, before) = (table.prepare(&delivery("a")).await, table.month("2025-08"));

    let is_delayed = Cell::new(false);
    let (replaced, swapped) = tokio::join!(
        replace_while(&table, &load, async || {
            is_delayed.set(true);
            until(|| table.month("2025-08") != before).await;
        }),
        async {
            until(|| is_delayed.get()).await;
            other.swap(&prepared, staged, record).await.unwrap()
        }
    );

    assert!(matches!(replaced.unwrap(), Replaced::Superseded));
    let Swap::Committed(swapped) = swapped else { panic!("superseded") };
    assert_eq!((swapped.record.sequence, swapped.record.cost["USD"].to_string().as_str()), (2, "15"));
    assert_eq!((table.recorded(), table.loaded_month("2025-08").await.unwrap().record), (1, swapped.record));
}

#[tokio::test]
async fn a_later_job_that_failed_neither_hides_an_unrecorded_swap_nor_replaces_lost_rows() {
    let table = with_an_unrecorded_load("a").await;
    insert_failing_second_job(&table).await;
    let done = table.load(&delivery("a")).await.unwrap();
    assert_eq!((done.record.status, done.record.sequence), (LoadStatus::Loaded, 1));
    assert_eq!(table.harness.swaps(), [job(1)].into());

    let table = with_an_unrecorded_load("a").await;
    insert_failing_second_job(&table).await;
    table.harness.delete_month("2025-08".parse().unwrap()).await;
    let done = table.load(&delivery("a")).await.unwrap();
    assert_eq!((done.record.sequence, table.harness.swaps()), (3, [job(1), job(3)].into()));
    assert_eq!(table.month("2025-08").len(), 2);
}

#[tokio::test]
async fn an_account_without_permission_to_see_jobs_can_load() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    table.harness.emulator.add_fault(Fault {
        method: "GET".to_owned(),
        path_contains: format!("/jobs/{}", job(1)),
        after: 0,
        times: 1,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    });
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 1);
}

#[tokio::test]
async fn a_load_whose_billed_bytes_are_not_known_is_recorded() {
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
async fn a_swap_whose_answer_is_lost_is_one_job() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = table.prepare(&delivery("a")).await;
    table.harness.emulator.add_fault(Fault {
        method: "POST".to_owned(),
        path_contains: "/jobs".to_owned(),
        // The staging load comes first.
        after: 1,
        times: 1,
        kind: FaultKind::Reset,
        when: When::AfterEffect,
    });

    let load = table.replace(&load).await.unwrap();

    assert_eq!((load.record.sequence, load.record.rows), (1, 2));
    assert_eq!((table.harness.swaps_sent().len(), table.harness.swaps()), (2, [job(1)].into()));
    assert_eq!((table.harness.load_inserts(), table.recorded()), (1, 1));
}

#[tokio::test]
async fn a_failed_swap_uses_up_its_number_and_changes_nothing() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_job_fault(job_fault(1, "accessDenied"));
    let error = table.load(&delivery("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.full_message().contains(&job(1)), "{}", error.full_message());
    assert_eq!((table.month("2025-08").len(), table.recorded()), (0, 0));

    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.sequence, load.record.job_id), (2, Some(job(2))));
}

#[tokio::test]
async fn a_failure_while_a_month_is_staged_uses_no_number() {
    let table = Table::<BigQueryHarness>::new().await;
    let staging = JobFault { job_id_contains: "-finops_staging_".to_owned(), ..job_fault(1, "invalid") };
    table.harness.emulator.add_job_fault(staging);
    let error = table.load(&delivery("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.full_message().contains("-finops_staging_202508_"), "{}", error.full_message());
    assert_eq!((table.harness.swaps().len(), table.recorded()), (0, 0));

    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.sequence, load.record.job_id), (1, Some(job(1))));
}

#[tokio::test]
async fn a_swap_with_a_transient_failure_is_sent_again_under_the_next_numbers() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_job_fault(job_fault(1, "backendError"));
    table.harness.emulator.add_job_fault(job_fault(2, "jobInternalError"));
    let started = Instant::now();
    let load = table.load(&delivery("a")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(600), "the second wait is longer than the first");
    assert_eq!((load.record.sequence, table.recorded()), (3, 1));
    assert_eq!(table.harness.swaps(), [job(1), job(2), job(3)].into());
    assert_eq!(table.harness.load_inserts(), 1, "it is staged once");
}

#[tokio::test]
async fn after_a_swap_that_keeps_failing_the_next_run_continues_with_the_next_number() {
    let table = Table::<BigQueryHarness>::new().await;
    (1..=5).for_each(|number| table.harness.emulator.add_job_fault(job_fault(number, "backendError")));
    let error = table.load(&delivery("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Warehouse);
    assert!(error.next_step().unwrap().contains(hint::RUN_AGAIN), "{error:?}");
    assert_eq!(table.harness.swaps().len(), 5);
    assert_eq!(table.load(&delivery("a")).await.unwrap().record.sequence, 6);
}

#[tokio::test]
async fn a_forced_reload_is_the_next_number() {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&delivery("a")).await.unwrap();
    let load = MonthLoad { force: true, ..table.prepare(&delivery("a")).await };
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("a")));
    assert_eq!((table.harness.swaps().len(), table.month("2025-08").len()), (2, 2));
}

#[tokio::test]
async fn a_delivery_that_comes_back_is_loaded_again() {
    let table = Table::<BigQueryHarness>::new().await;
    for (execution_id, costs) in [("a", ["1"].as_slice()), ("b", &["2", "3"]), ("a", &["1"])] {
        table.load(&Delivery::of_costs("2025-08", execution_id, costs)).await.unwrap();
    }
    let record = table.loaded_month("2025-08").await.unwrap().record;
    assert_eq!((record.sequence, record.execution_id.as_str(), record.rows), (3, "a", 1));
    assert_eq!((table.harness.swaps().len(), table.month("2025-08").len()), (3, 1));
}

#[tokio::test]
async fn a_staged_month_with_wrong_figures_is_not_swapped_and_the_loaded_one_is_unchanged() {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "z", &["7"])).await.unwrap();
    let (load, before) = (table.prepare(&delivery("a")).await, table.snapshot().await);

    // Staged rows that are lost before they are counted, and a manifest that counts more rows.
    let lost = replace_while(&table, &load, async || {
        let staging = table.harness.loads_sent().pop().unwrap();
        let staging = staging["configuration"]["load"]["destinationTable"]["tableId"].as_str().unwrap().to_owned();
        table.harness.call(Method::DELETE, &format!("/datasets/{DATASET}/tables/{staging}$202508"), Value::Null).await;
    });
    let lost = lost.await.unwrap_err();
    let more = table.replace(&MonthLoad { rows: Some(3), ..load }).await.unwrap_err();

    for (error, why) in [(lost, "the load wrote 2 rows, 0 are staged"), (more, "3 rows were expected")] {
        assert_eq!(error.kind(), ErrorKind::Verification);
        let message = error.full_message();
        assert!(message.contains("2025-08") && message.contains(why), "{message}");
    }
    assert_eq!((table.snapshot().await, table.harness.swaps()), (before, [job(1)].into()));
    assert_eq!(table.recorded(), 1);

    let load = table.load(&delivery("a")).await.unwrap();
    assert_eq!((load.record.status, load.record.sequence), (LoadStatus::Loaded, 2));
    assert_eq!(load.record, table.loaded_month("2025-08").await.unwrap().record);
}
