//! What fails on the way through a staging table: what goes away is done again; for the rest the old month stands. No
//! staging table is left.

use bigquery_emulator::{FaultKind, When};
use finops::{
    error::{Error, Kind},
    flow::replace::Replaced,
    warehouse::MonthLoad,
};
use serde_json::json;

use crate::harness::ReplaceMonth;
use crate::{
    bigquery::BigQueryHarness,
    delivery::Delivery,
    harness::Table,
    staging::{
        MONTH, STAGING, casts, column, costs, fault, fills, floating, job, job_fault, rows, staging_tables,
        with_a_month,
    },
};

fn refused(code: u16, reason: &str) -> FaultKind {
    FaultKind::Status(code, reason.to_owned())
}

/// The load fails and leaves everything as it was. The next run loads a good delivery under the number `next`.
async fn assert_fails(table: &Table<BigQueryHarness>, load: &MonthLoad, next: usize) -> Error {
    let good = table.prepare(&floating("good", &["7"])).await;
    let stood = table.snapshot().await;
    let error = table.replace(load).await.unwrap_err();
    assert_eq!(table.snapshot().await, stood, "{error:?}");
    assert_eq!(staging_tables(&table.harness).await, [""; 0], "{error:?}");
    let used: Vec<String> = (2..next).map(job).collect();
    assert_eq!(casts(&table.harness), used, "{error:?}");

    // A run of its own: this one begins nothing more after a quota.
    let other = table.harness.connect();
    let Replaced::Committed(done) = other.replace_month(&table.target, &good).await.unwrap() else {
        panic!("overtaken")
    };
    assert_eq!((done.record.job_id, costs(table)), (Some(job(next)), column(&["7"])), "{error:?}");
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    error
}

#[tokio::test]
async fn a_value_that_has_no_decimal_is_named_with_its_column_and_an_example() {
    for (cost_type, values, count, example) in [
        ("DOUBLE", ["1", "nan", "nan"], "2 values are", "nan"),
        ("DOUBLE", ["1", "inf", "2"], "1 value is", "inf"),
        ("DOUBLE", ["-inf", "1", "2"], "1 value is", "-inf"),
        ("DOUBLE", ["1", "2", "1e-60"], "1 value is", "1e-60"),
        ("DOUBLE", ["1", "2", "1e60"], "1 value is", "1e+60"),
        ("VARCHAR", ["1", "twelve", ""], "1 value is", "twelve"),
        ("VARCHAR", ["1", "1,5", "2"], "1 value is", "1,5"),
    ] {
        let table = with_a_month().await;
        let delivery = Delivery::new(MONTH, "bad").parquet(&rows(MONTH, cost_type, &values));
        let load = table.prepare(&delivery).await;
        let error = assert_fails(&table, &load, 3).await;
        assert_eq!(error.kind(), Kind::Data, "{error:?}");
        let message = error.full_message();
        let what = format!("column line_item_unblended_cost: {count} not a decimal");
        assert!(message.contains(MONTH) && message.contains(&what), "{message}");
        assert!(message.contains(&format!("such as `{example}`")), "{message}");
        assert!(message.contains(&load.files[0]), "{message}");
        assert!(error.next_step().unwrap().contains("nothing was changed"), "{error:?}");
    }
}

#[tokio::test]
async fn a_row_of_another_month_fails_the_query() {
    let table = with_a_month().await;
    let stray = format!("{} UNION ALL {}", rows(MONTH, "DOUBLE", &["1"]), rows("2025-09", "DOUBLE", &["2"]));
    let load = table.prepare(&Delivery::new(MONTH, "bad").parquet(&stray)).await;
    let error = assert_fails(&table, &load, 3).await;
    assert_eq!(error.kind(), Kind::Data, "{error:?}");
    assert!(error.full_message().contains("different partitions"), "{error:?}");
}

#[tokio::test]
async fn a_truncated_file_fails_the_staging_load_and_uses_no_number() {
    let table = with_a_month().await;
    let mut delivery = floating("bad", &["3", "4"]);
    // Its footer was read before.
    let half = delivery.files[0].1.len() / 2;
    delivery.files[0].1.truncate(half);
    let load = table.prepare(&delivery).await;
    let error = assert_fails(&table, &load, 2).await;
    assert_eq!(error.kind(), Kind::Data, "{error:?}");
    assert!(error.full_message().contains(&load.files[0]), "{error:?}");
}

#[tokio::test]
async fn a_staging_load_that_ends_for_good_uses_no_number() {
    for (reason, kind) in
        [("accessDenied", Kind::Permission), ("quotaExceeded", Kind::Quota), ("notFound", Kind::NotFound)]
    {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_job_fault(job_fault(STAGING, reason, "injected"));
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.full_message().contains("staging the files of 2025-08"), "{error:?}");
    }
}

#[tokio::test]
async fn a_staging_load_that_keeps_failing_is_given_up() {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    for _ in 0..5 {
        table.harness.emulator.add_job_fault(job_fault(STAGING, "jobBackendError", "injected"));
    }
    let error = assert_fails(&table, &load, 2).await;
    assert_eq!((error.kind(), fills(&table.harness).len()), (Kind::Warehouse, 6), "{error:?}");
}

#[tokio::test]
async fn requests_for_staging_that_are_refused_fail_the_month() {
    for (path, reason, kind) in [
        ("/tables", "accessDenied", Kind::Permission),
        ("/tables", "quotaExceeded", Kind::Quota),
        ("/jobs", "accessDenied", Kind::Permission),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_fault(fault("POST", path, 0, refused(403, reason), When::BeforeEffect));
        assert_eq!(assert_fails(&table, &load, 2).await.kind(), kind);
    }
}

#[tokio::test]
async fn a_query_that_is_not_taken_uses_no_number() {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    let stood = table.snapshot().await;
    table.harness.emulator.add_fault(fault("POST", "/jobs", 1, refused(403, "accessDenied"), When::BeforeEffect));
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), Kind::Permission);
    assert_eq!((table.snapshot().await, staging_tables(&table.harness).await), (stood, Vec::new()));
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
}

#[tokio::test]
async fn a_query_that_ends_for_good_uses_its_number_up() {
    for (reason, kind) in [
        ("accessDenied", Kind::Permission),
        ("quotaExceeded", Kind::Quota),
        ("stopped", Kind::Warehouse),
        ("notFound", Kind::NotFound),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_job_fault(job_fault(&job(2), reason, "injected"));
        let error = assert_fails(&table, &load, 3).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        let job = format!("(job {}, {reason}): injected", job(2));
        assert!(error.full_message().contains(&job), "{error:?}");
    }
}

#[tokio::test]
async fn values_that_cannot_be_looked_for_are_a_fault_of_the_data_all_the_same() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::new(MONTH, "bad").parquet(&rows(MONTH, "DOUBLE", &["nan"]))).await;
    table.harness.emulator.add_fault(fault("POST", "/queries", 0, refused(403, "accessDenied"), When::BeforeEffect));
    let stood = table.month(MONTH);
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Data, "{error:?}");
    assert!(error.full_message().contains("a value cannot be converted"), "{error:?}");
    assert_eq!((table.month(MONTH), staging_tables(&table.harness).await), (stood, Vec::new()));
}

#[tokio::test]
async fn a_run_that_loses_its_credentials_leaves_the_query_to_the_next_run() {
    let table = with_a_month().await;
    let harness = &table.harness;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    harness.emulator.hold_jobs(&job(2));
    // The first question is asked before anything is staged.
    harness.emulator.add_fault(fault("GET", &job(2), 1, refused(401, "authError"), When::BeforeEffect));
    let stood = table.snapshot().await;
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), Kind::Credentials);
    assert_eq!(table.snapshot().await, stood);
    assert_eq!((casts(harness), staging_tables(harness).await.len()), (vec![job(2)], 1), "the query may still need it");
    harness.emulator.release();

    let replaced = harness.connect().replace_month(&table.target, &load).await.unwrap();

    let Replaced::Committed(done) = replaced else { panic!("overtaken") };
    assert_eq!((done.record.sequence, costs(&table)), (2, column(&["3", "4"])));
    assert_eq!((fills(harness).len(), staging_tables(harness).await.len()), (1, 0), "nothing is staged again or left");
}

#[tokio::test]
async fn a_staging_table_that_cannot_be_removed_does_not_fail_the_month() {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    table.harness.emulator.add_fault(fault("DELETE", STAGING, 0, refused(403, "accessDenied"), When::BeforeEffect));
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
    assert_eq!(staging_tables(&table.harness).await.len(), 1);
    // Nor does it get into the way of the next load.
    assert_eq!(table.load(&floating("newer", &["5"])).await.unwrap().record.sequence, 3);
    assert_eq!((costs(&table), staging_tables(&table.harness).await.len()), (column(&["5"]), 1));
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_no_failure() {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    table.harness.emulator.add_fault(fault("DELETE", STAGING, 0, FaultKind::Reset, When::AfterEffect));
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

#[tokio::test]
async fn a_staging_load_that_does_not_add_up_leaves_the_month_alone() {
    for (files, rows, what) in
        [("1", "1", "the files hold 2 rows, the job wrote 1"), ("2", "2", "expected 1 files, the job read 2")]
    {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        let statistics = json!({"load": {"inputFiles": files, "outputRows": rows, "badRecords": "0"}});
        let body = json!({"status": {"state": "DONE"}, "statistics": statistics}).to_string();
        let answer = FaultKind::Answer { status: 200, headers: Vec::new(), body };
        table.harness.emulator.add_fault(fault("POST", "/jobs", 0, answer, When::BeforeEffect));
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.kind(), Kind::Verification, "{error:?}");
        assert!(error.full_message().contains(what), "{error:?}");
        assert!(error.next_step().unwrap().contains("nothing was changed"), "{error:?}");
    }
}

#[tokio::test]
async fn a_staging_load_that_failed_for_the_moment_runs_again_as_a_new_job() {
    for reason in ["jobBackendError", "backendError"] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault(STAGING, reason, "injected"));
        let load = table.load(&floating("new", &["3", "4"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows), (2, 2), "{reason}");
        let fills = fills(&table.harness);
        assert!(fills.len() == 2 && fills[0] != fills[1], "{fills:?}");
        assert_eq!(casts(&table.harness), [job(2)]);
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_query_that_failed_for_the_moment_runs_again_under_the_next_number_over_what_is_staged() {
    for reason in ["backendError", "jobRateLimitExceeded"] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault(&job(2), reason, "injected"));
        let load = table.load(&floating("new", &["3", "4"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows), (3, 2), "{reason}");
        assert_eq!((fills(&table.harness).len(), casts(&table.harness)), (1, vec![job(2), job(3)]));
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_does_nothing_twice() {
    // The requests of a load in their order: the table, the job that fills it, the job that converts it.
    for (path, after, sent) in [("/tables", 0, (1, 1)), ("/jobs", 0, (2, 1)), ("/jobs", 1, (1, 2))] {
        let table = with_a_month().await;
        let harness = &table.harness;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        harness.emulator.add_fault(fault("POST", path, after, FaultKind::Reset, When::AfterEffect));
        let load = table.replace(&load).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2), "{path} {after}");
        let (mut fills, mut casts) = (fills(harness), casts(harness));
        assert_eq!((fills.len(), casts.len()), sent, "{path} {after}");
        fills.dedup();
        casts.dedup();
        assert_eq!((fills.len(), casts.len()), (1, 1), "{path} {after}");
        assert_eq!((costs(&table), staging_tables(harness).await), (column(&["3", "4"]), Vec::new()));
    }
}

#[tokio::test]
async fn a_staging_load_bears_what_goes_away_of_its_requests() {
    let status = |code, reason: &str| FaultKind::Status(code, reason.to_owned());
    for (method, path, kind) in [
        ("POST", "/jobs", status(400, "jobBackendError")),
        ("POST", "/jobs", status(503, "jobInternalError")),
        // BigQuery may not know a new job for a moment.
        ("GET", STAGING, status(404, "notFound")),
        // Nor tell an account whether there is a job of that number.
        ("GET", &job(2), status(403, "accessDenied")),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_fault(fault(method, path, 0, kind.clone(), When::BeforeEffect));
        let load = table.replace(&load).await.unwrap_or_else(|error| panic!("{kind:?}: {error:?}"));
        assert_eq!((load.record.sequence, load.record.rows), (2, 2), "{kind:?}");
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}
