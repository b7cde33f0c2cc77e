//! What a run finds under a month's numbers: swaps that were not recorded, jobs of other deliveries, and forgotten jobs.

use bigquery_emulator::{Fault, FaultKind};
use billing_exports::{Dialect, Export, Format, Run};
use finops::{
    error::ErrorKind,
    flow::replace::Replaced,
    warehouse::{Committed, MonthLoad},
};
use finops_core::hint;
use jiff::civil::Date;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        azure_job::AzureJob,
        bigquery::{BigQueryHarness, until},
        delivery::{Delivery, HEADER, line},
        harness::{DATASET, Harness, ReplaceMonth, TABLE, Table},
        program::{assert_names, month},
        servers::PROJECT,
    },
    warehouse::swap::{fault, job, refusal, swaps, table_path},
};

/// Two rows of August with a cost and a net cost.
fn delivery() -> Delivery {
    let row = |id: &str, cost: &str, net: &str| {
        let line = line("2025-08", id, "USD", cost);
        format!("{},Usage,{net}\n", line.trim_end())
    };
    let header = format!("{HEADER},line_item_line_item_type,line_item_net_unblended_cost");
    Delivery::new("2025-08", "a").csv(&format!("{header}\n{}{}", row("1", "1.5", "1.25"), row("2", "2", "1.5")))
}

/// The load of the delivery into the table.
async fn prepare(table: &Table<BigQueryHarness>) -> MonthLoad {
    MonthLoad { net_cost: table.target.key_columns.net_cost, ..table.prepare(&delivery()).await }
}

/// The second of the next queries is refused: the record, which comes after the sum.
fn no_record() -> Fault {
    Fault { after: 1, ..fault("POST", "/queries", 1, FaultKind::Status(403, "accessDenied".to_owned())) }
}

/// A table whose August was swapped by a run that died before it recorded it.
async fn with_an_unrecorded_swap() -> Table<BigQueryHarness> {
    let table = Table::<BigQueryHarness>::new().await;
    let load = prepare(&table).await;
    table.harness.emulator.add_fault(no_record());
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!((table.month("2025-08").len(), table.recorded()), (2, 0));
    assert_eq!(swaps(&table.harness.emulator), ["202508-1 copy"]);
    table
}

/// Another run replaces the month.
async fn replace(table: &Table<BigQueryHarness>, load: &MonthLoad) -> Replaced {
    table.harness.connect().replace_month(&table.target, load).await.unwrap()
}

fn committed(replaced: Replaced) -> Committed {
    let Replaced::Committed(committed, _) = replaced else { panic!("{replaced:?}") };
    *committed
}

#[tokio::test]
async fn a_swap_that_was_not_recorded_is_recorded_as_it_was_staged_without_loading_it_again() {
    let table = with_an_unrecorded_swap().await;
    let (load, loads) = (prepare(&table).await, table.harness.load_inserts());
    let record = committed(replace(&table, &load).await).record;
    assert_eq!((record.sequence, record.rows, record.job_id.clone()), (1, 2, Some(job(1))));
    assert_eq!(record.cost["USD"].to_string(), "3.5");
    assert_eq!(record.cost_net.as_ref().unwrap()["USD"].to_string(), "2.75");
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record, record);
    assert_eq!(
        (table.harness.load_inserts(), swaps(&table.harness.emulator)),
        (loads, vec!["202508-1 copy".to_owned()])
    );
}

#[tokio::test]
async fn a_swap_that_was_not_recorded_and_whose_rows_are_gone_is_done_again() {
    for dropped in [false, true] {
        let table = with_an_unrecorded_swap().await;
        if dropped {
            table.harness.drop_table().await;
        } else {
            table.harness.delete_month("2025-08".parse().unwrap()).await;
        }
        let record = committed(replace(&table, &prepare(&table).await).await).record;
        assert_eq!((record.sequence, table.month("2025-08").len()), (2, 2), "dropped: {dropped}");
        assert_eq!(swaps(&table.harness.emulator), ["202508-1 copy", "202508-2 copy"]);
    }
}

/// A load job that puts `files` into August under `number`, as earlier versions did, with these labels.
async fn insert(table: &Table<BigQueryHarness>, load: &MonthLoad, number: i64, labels: Value) {
    let schema = table.harness.call(Method::GET, &table_path(), Value::Null).await["schema"].clone();
    let destination = json!({"projectId": PROJECT, "datasetId": DATASET, "tableId": format!("{TABLE}$202508")});
    let body = json!({
        "jobReference": {"projectId": PROJECT, "jobId": job(number), "location": "US"},
        "configuration": {"labels": labels, "load": {
            "sourceUris": load.batches[0].files,
            "sourceFormat": "CSV",
            "skipLeadingRows": 1,
            "schema": schema,
            "destinationTable": destination,
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
        }},
    });
    table.harness.call(Method::POST, "/jobs", body).await;
    until(|| table.month("2025-08").len() == 2).await;
    let path = format!("/jobs/{}?location=US", job(number));
    while table.harness.call(Method::GET, &path, Value::Null).await["status"]["state"] != "DONE" {}
}

#[tokio::test]
async fn jobs_of_other_deliveries_and_of_older_versions_supersede_a_run_once() {
    // Older versions had no `s2-`: what they recorded for the same delivery was not staged and checked.
    for label in [json!("s2-0123456789abcdef"), json!("0123456789abcdef")] {
        let table = Table::<BigQueryHarness>::new().await;
        let load = prepare(&table).await;
        insert(&table, &load, 1, json!({"finops_work": label, "finops_rows": "2"})).await;
        let run = table.harness.connect();
        let first = run.replace_month(&table.target, &load).await.unwrap();
        assert!(matches!(first, Replaced::Superseded), "{first:?}");
        assert_eq!(table.recorded(), 0);
        let record = committed(run.replace_month(&table.target, &load).await.unwrap()).record;
        assert_eq!((record.sequence, record.job_id, record.rows), (2, Some(job(2)), 2));
        assert_eq!(swaps(&table.harness.emulator), ["202508-1 load", "202508-2 copy"]);
    }
}

#[tokio::test]
async fn another_delivery_that_reaches_further_is_not_replaced_unless_forced_or_gone() {
    for gone in [false, true] {
        let table = Table::<BigQueryHarness>::new().await;
        let load = MonthLoad { covers_until: Some(Date::constant(2025, 8, 20)), ..prepare(&table).await };
        let labels = json!({"finops_work": "s2-0", "finops_rows": "2", "finops_until": "20250831"});
        insert(&table, &load, 1, labels).await;
        let run = table.harness.connect();
        let first = run.replace_month(&table.target, &load).await.unwrap();
        assert!(matches!(first, Replaced::Superseded), "{first:?}");
        let again = if gone {
            table.harness.delete_month("2025-08".parse().unwrap()).await;
            load
        } else {
            let second = run.replace_month(&table.target, &load).await.unwrap();
            assert!(
                matches!(second, Replaced::Outreached(until) if until == Date::constant(2025, 8, 31)),
                "{second:?}"
            );
            MonthLoad { force: true, ..load }
        };
        assert_eq!(committed(run.replace_month(&table.target, &again).await.unwrap()).record.sequence, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_waits_where_an_interrupted_run_left_one_that_reaches_further() {
    let job = AzureJob::cloud().await;
    let export = Export { rows: 30, parts: 1, ..Export::new(Dialect::AzureActualEnterprise, Format::Csv) };
    let wide = Run::of("2025-09".parse().unwrap());
    let delivered = job.deliver(&export, &wide).await;
    job.emulator().unwrap().add_fault(no_record());
    let report = job.finops.report(1);
    assert_eq!(month(&report, "2025-09")["error"]["kind"], "permission", "{report:#}");

    // Its delivery is gone. The one that is there is not older, but covers fewer days.
    job.storage().unwrap().delete(crate::support::program::BUCKET, &delivered.manifest).await;
    job.deliver(&export, &Run { number: 2, ..wide.until(20) }).await;
    for _ in 0..2 {
        let report = job.finops.report(0);
        let found = month(&report, "2025-09");
        assert_eq!((&found["status"], &found["action"]), (&json!("waiting"), &json!("wait")), "{report:#}");
        assert_names(found["reason"].as_str().unwrap(), &["2025-09-30", "--force"]);
    }
    let report = job.finops.report_of(&["run", "--force", "--output", "json"], 0);
    assert_eq!(month(&report, "2025-09")["status"], "loaded");
}

#[tokio::test]
async fn a_number_whose_job_is_never_found_is_skipped() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = prepare(&table).await;
    let body = json!({
        "jobReference": {"projectId": PROJECT, "jobId": job(1), "location": "US"},
        "configuration": {"query": {"query": "SELECT 1", "useLegacySql": false}},
    });
    table.harness.call(Method::POST, "/jobs", body).await;
    let gone = FaultKind::Status(404, "notFound".to_owned());
    table.harness.emulator.add_fault(fault("GET", &job(1), usize::MAX, gone));
    let record = table.replace(&load).await.unwrap().record;
    assert_eq!((record.sequence, record.job_id, table.recorded()), (2, Some(job(2)), 1));
    assert_eq!(swaps(&table.harness.emulator), ["202508-1 query", "202508-1 copy", "202508-2 copy"]);
}

#[tokio::test]
async fn a_refusal_by_policy_is_never_taken_for_another_accounts_job() {
    let table = Table::<BigQueryHarness>::new().await;
    let load = prepare(&table).await;
    for (message, hint) in [
        ("Request is prohibited by vpcServiceControls", hint::LET_INTO_THE_PERIMETER),
        ("Denied by your organization's policy", hint::ASK_ADMINISTRATOR),
    ] {
        table.harness.emulator.add_fault(fault("GET", &job(1), 1, refusal(403, "accessDenied", message)));
        let error = table.replace(&load).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission, "{}", error.full_message());
        assert_eq!(error.next_step(), Some(hint));
    }
    // A job that can only be another account's is skipped, until an insert shows that its number is taken.
    let denied = || fault("GET", &job(1), 1, FaultKind::Status(403, "accessDenied".to_owned()));
    table.harness.emulator.add_fault(denied());
    let body = json!({
        "jobReference": {"projectId": PROJECT, "jobId": job(1), "location": "US"},
        "configuration": {"query": {"query": "SELECT 1", "useLegacySql": false}},
    });
    table.harness.call(Method::POST, "/jobs", body).await;
    table.harness.emulator.add_fault(fault("GET", &job(1), 1, refusal(403, "accessDenied", "vpcServiceControls")));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::LET_INTO_THE_PERIMETER));
    table.harness.emulator.add_fault(Fault { times: 2, ..denied() });
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::ONE_ACCOUNT));
    assert_eq!((error.kind(), table.recorded()), (ErrorKind::Permission, 0));
}

#[tokio::test]
async fn a_found_swap_whose_rows_the_account_does_not_see_is_not_recorded() {
    let table = with_an_unrecorded_swap().await;
    let load = prepare(&table).await;
    // First the partition is counted, which a policy does not affect, and then its rows are summed.
    let body = json!({"jobComplete": true, "jobReference": {"jobId": "j"}, "schema": {"fields": []}, "rows": []});
    let none = FaultKind::Answer { status: 200, headers: Vec::new(), body: body.to_string() };
    table.harness.emulator.add_fault(Fault { after: 1, ..fault("POST", "/queries", 1, none) });
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!((error.kind(), table.recorded()), (ErrorKind::Permission, 0), "{}", error.full_message());
    assert_eq!(error.next_step(), Some(hint::ROW_ACCESS));
}
