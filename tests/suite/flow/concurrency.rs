//! Readers while a month is replaced, and runs that replace it at the same time.

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use finops::flow::replace::Replaced;
use finops::warehouse::{MonthLoad, Swap, Warehouse};
use finops_core::model::load_record::LoadedMonth;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use crate::{
    support::{
        bigquery::{BigQueryHarness, until},
        delivery::Delivery,
        harness::{DATASET, Harness, ReplaceMonth, TABLE, Table},
        servers::{PROJECT, query},
    },
    warehouse::duckdb::{DuckDbHarness, rows},
};

/// How often a reader queries, at least.
const READS: usize = 60;

/// The id of the swap with this number.
fn job(number: usize) -> String {
    format!("finops-{DATASET}-{TABLE}-202508-{number}")
}

/// Two deliveries of the month, and what a reader may see of each: rows and cost.
fn two_deliveries() -> [(Delivery, (String, String)); 2] {
    let many = vec!["2"; 20_000];
    [
        (Delivery::of_costs("2025-08", "small", &["1", "1", "1"]), ("3".to_owned(), "3".to_owned())),
        (Delivery::of_costs("2025-08", "large", &many), ("20000".to_owned(), "40000".to_owned())),
    ]
}

/// Rows and cost of the month, in SQL that both warehouses read.
fn month_query(table: &str, text: &str) -> String {
    format!(
        "SELECT COUNT(*), CAST(SUM(line_item_unblended_cost) AS {text}) FROM {table} \
         WHERE bill_billing_period_start_date >= TIMESTAMP '2025-08-01 00:00:00' \
         AND bill_billing_period_start_date < TIMESTAMP '2025-09-01 00:00:00'"
    )
}

/// Rows, and cost without the zeros after the point.
fn seen(rows: &[Vec<Option<String>>]) -> (String, String) {
    let text = |at: usize| rows[0][at].clone().unwrap_or_else(|| "none".to_owned());
    let cost = text(1);
    let cost = if cost.contains('.') { cost.trim_end_matches('0').trim_end_matches('.').to_owned() } else { cost };
    (text(0), cost)
}

async fn see(harness: &BigQueryHarness) -> (String, String) {
    seen(&query(&harness.emulator, &month_query(&format!("`{PROJECT}`.`{DATASET}`.`{TABLE}`"), "STRING")).await)
}

#[tokio::test]
async fn a_reader_of_duckdb_never_sees_a_month_empty_partial_or_doubled() {
    let table = Table::<DuckDbHarness>::new().await;
    let deliveries = two_deliveries();
    table.load(&deliveries[0].0).await.unwrap();
    let reader = table.harness.warehouse().reader().unwrap();
    let sql = month_query(&table.harness.table(TABLE), "VARCHAR");
    let reads = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let reading = thread::spawn({
        let (reads, stop) = (Arc::clone(&reads), Arc::clone(&stop));
        move || {
            let mut all_seen = BTreeSet::new();
            while !stop.load(SeqCst) {
                all_seen.insert(seen(&rows(&reader, &sql).unwrap()));
                reads.fetch_add(1, SeqCst);
            }
            all_seen
        }
    });

    for (delivery, _) in deliveries.iter().rev().cycle() {
        table.load(delivery).await.unwrap();
        // Each delivery is read while it is loaded.
        let before = reads.load(SeqCst);
        until(|| reads.load(SeqCst) >= before + 2 || reading.is_finished()).await;
        if reads.load(SeqCst) >= READS || reading.is_finished() {
            break;
        }
    }
    stop.store(true, SeqCst);
    let all_seen = reading.join().unwrap();

    assert_eq!(all_seen, deliveries.map(|(_, legal)| legal).into());
}

#[tokio::test]
async fn a_reader_of_bigquery_sees_the_old_month_while_the_new_one_is_staged_and_swapped() {
    let table = Table::<BigQueryHarness>::new().await;
    let [(small, old), (large, new)] = two_deliveries();
    table.load(&small).await.unwrap();
    let (harness, load) = (&table.harness, table.prepare(&large).await);
    let sees_old = async |job: &str| {
        for _ in 0..READS {
            assert_eq!(see(harness).await, old);
        }
        let path = format!("/jobs/{job}?location=US");
        assert_eq!(harness.call(Method::GET, &path, Value::Null).await["status"]["state"], "RUNNING");
    };
    harness.emulator.hold_jobs("finops-");

    let (replaced, ()) = tokio::join!(table.replace(&load), async {
        until(|| harness.load_inserts() == 2).await;
        let staging = harness.loads_sent().pop().unwrap()["jobReference"]["jobId"].clone();
        sees_old(staging.as_str().unwrap()).await;
        harness.emulator.release();
        harness.emulator.hold_jobs(&job(2));
        until(|| harness.swaps_sent().len() == 2).await;
        sees_old(&job(2)).await;
        harness.emulator.release();
    });

    assert_eq!(replaced.unwrap().record.rows, 20_000);
    assert_eq!(see(harness).await, new);
}

#[tokio::test]
async fn a_reader_of_bigquery_never_sees_a_month_empty_partial_or_doubled() {
    let table = Table::<BigQueryHarness>::new().await;
    let deliveries = two_deliveries();
    table.load(&deliveries[0].0).await.unwrap();
    let (done, mut all_seen) = (Cell::new(false), BTreeSet::new());

    tokio::join!(
        async {
            for (delivery, _) in deliveries.iter().rev().cycle().take(4) {
                table.load(delivery).await.unwrap();
            }
            done.set(true);
        },
        async {
            for look in 0.. {
                all_seen.insert(see(&table.harness).await);
                if done.get() && look >= READS {
                    break;
                }
            }
        }
    );

    let legal: BTreeSet<_> = deliveries.map(|(_, legal)| legal).into();
    assert!(all_seen.is_subset(&legal) && !all_seen.is_empty(), "{all_seen:?}");
}

#[tokio::test]
async fn two_runs_at_once_swap_a_delivery_once() {
    let table = Table::<BigQueryHarness>::new().await;
    let (harness, other) = (&table.harness, table.harness.connect());
    let load = table.prepare(&Delivery::of_costs("2025-08", "a", &["1", "2"])).await;
    let same = MonthLoad { run_id: "another".to_owned(), ..load.clone() };
    harness.emulator.hold_jobs("finops-");

    let (one, two, ()) = tokio::join!(table.replace(&load), other.replace_month(&table.target, &same), async {
        until(|| harness.load_inserts() == 2).await;
        harness.emulator.release();
        harness.emulator.hold_jobs(&job(1));
        until(|| harness.swaps_sent().len() == 2).await;
        harness.emulator.release();
    });

    let (one, Replaced::Committed(two, _)) = (one.unwrap(), two.unwrap()) else {
        panic!("the other run is superseded")
    };
    assert_eq!((one.record.sequence, &one.record.job_id), (two.record.sequence, &two.record.job_id));
    // Each has its own staging table.
    assert_eq!((harness.load_jobs().len(), harness.swaps()), (2, [job(1)].into()));
    assert_eq!(table.recorded(), 1);
    assert_eq!(see(harness).await, ("2".to_owned(), "3".to_owned()));
}

#[tokio::test]
async fn a_run_waits_for_a_running_swap_of_another_delivery_and_is_superseded() {
    let table = Table::<BigQueryHarness>::new().await;
    let (harness, other) = (&table.harness, table.harness.connect());
    let first = table.prepare(&Delivery::of_costs("2025-08", "a", &["1"])).await;
    let second = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let (prepared, staged, record) = other.stage_month(&table.target, &second).await;
    harness.emulator.hold_jobs(&job(1));

    let (one, two, ()) = tokio::join!(
        table.replace(&first),
        async {
            // Both requested the job before they staged the month; the first one waits for it.
            until(|| harness.times_asked_for(&job(1)) >= 3).await;
            other.swap(&prepared, staged, record).await
        },
        async {
            until(|| harness.swaps_sent().len() == 2).await;
            harness.emulator.release();
        }
    );

    assert_eq!(one.unwrap().record.sequence, 1);
    assert!(matches!(two.unwrap(), Swap::Superseded));
    assert_eq!(see(harness).await, ("1".to_owned(), "1".to_owned()));

    let load = table.load(&Delivery::of_costs("2025-08", "b", &["2"])).await.unwrap();
    assert_eq!((load.record.sequence, load.record.previous_execution_id.as_deref()), (2, Some("a")));
}

#[tokio::test]
async fn a_run_that_read_the_state_before_another_run_loaded_is_superseded_once() {
    let table = Table::<BigQueryHarness>::new().await;
    let late = table.harness.connect();
    // Job times have whole milliseconds.
    let started = Timestamp::now().as_millisecond();
    until(|| Timestamp::now().as_millisecond() > started).await;
    let stale = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let first = table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();

    assert!(matches!(late.replace_month(&table.target, &stale).await.unwrap(), Replaced::Superseded));

    // It has listed the deliveries again, and its delivery is still the newer one.
    let rows_in_table = first.record.rows;
    let again = MonthLoad { previous: Some(LoadedMonth { record: first.record, rows_in_table }), ..stale };
    let Replaced::Committed(load, _) = late.replace_month(&table.target, &again).await.unwrap() else {
        panic!("superseded")
    };
    assert_eq!(load.record.sequence, 2);
    assert_eq!(see(&table.harness).await, ("1".to_owned(), "2".to_owned()));
}
