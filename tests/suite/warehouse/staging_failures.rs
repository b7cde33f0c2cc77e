//! Failures while a month is staged. What fails temporarily is done again. After other failures the month is unchanged, and
//! before the swap no number is used. No staging table is left.

use bigquery_emulator::{FaultKind, When};
use finops::{
    error::{Error, ErrorKind},
    flow::replace::Replaced,
    warehouse::MonthLoad,
};
use finops_core::hint;
use serde_json::json;

use crate::support::harness::ReplaceMonth;
use crate::{
    support::{bigquery::BigQueryHarness, delivery::Delivery, harness::Table},
    warehouse::staging::{
        MONTH, STAGING, appends, column, conversions, costs, fault, fills, floating, job, job_fault, jobs_up_to,
        left_to_expire, rows, staging_tables, swaps, with_a_month,
    },
};

fn refused(code: u16, reason: &str) -> FaultKind {
    FaultKind::Status(code, reason.to_owned())
}

/// The load fails and changes nothing. The next run loads a good delivery under the number `next`.
async fn assert_fails(table: &Table<BigQueryHarness>, load: &MonthLoad, next: usize) -> Error {
    let good = table.prepare(&floating("good", &["7"])).await;
    let before = table.snapshot().await;
    let error = table.replace(load).await.unwrap_err();
    assert_eq!(table.snapshot().await, before, "{error:?}");
    assert_eq!(staging_tables(&table.harness).await, [""; 0], "{error:?}");
    assert_eq!(swaps(&table.harness), jobs_up_to(next - 1), "{error:?}");

    // A run of its own: this one begins nothing more after a quota.
    let other = table.harness.connect();
    let Replaced::Committed(done, _) = other.replace_month(&table.target, &good).await.unwrap() else {
        panic!("overtaken")
    };
    assert_eq!((done.record.job_id, costs(table)), (Some(job(next)), column(&["7"])), "{error:?}");
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    error
}

#[tokio::test]
async fn a_value_that_has_no_decimal_is_named_with_its_column_and_an_example_and_uses_no_number() {
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
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        let message = error.full_message();
        let what = format!("column line_item_unblended_cost: {count} not a decimal");
        assert!(message.contains(MONTH) && message.contains(&what), "{message}");
        assert!(message.contains(&format!("such as `{example}`")), "{message}");
        assert!(message.contains(&load.batches[0].files[0]), "{message}");
        let may_mean_none = hint::name_no_value("AWS_NULL_VALUES");
        let hint = if example == "twelve" { may_mean_none.as_str() } else { hint::COMPARE_VALUES };
        assert!(error.next_step().unwrap().contains(hint), "{error:?}");
    }
}

#[tokio::test]
async fn a_row_of_another_month_is_counted_before_the_swap_and_uses_no_number() {
    let table = with_a_month().await;
    let stray = format!("{} UNION ALL {}", rows(MONTH, "DOUBLE", &["1"]), rows("2025-09", "DOUBLE", &["2"]));
    let load = table.prepare(&Delivery::new(MONTH, "bad").parquet(&stray)).await;
    let error = assert_fails(&table, &load, 2).await;
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
    assert!(error.full_message().contains("1 row belongs to 2025-09"), "{error:?}");
    assert_eq!(conversions(&table.harness).len(), 2, "that of the good delivery too");
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
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
    assert!(error.full_message().contains(&load.batches[0].files[0]), "{error:?}");
}

#[tokio::test]
async fn a_staging_load_that_fails_permanently_uses_no_number() {
    for (reason, kind) in [
        ("accessDenied", ErrorKind::Permission),
        ("quotaExceeded", ErrorKind::Quota),
        ("notFound", ErrorKind::NotFound),
    ] {
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
    assert_eq!((error.kind(), fills(&table.harness).len()), (ErrorKind::Warehouse, 6), "{error:?}");
    assert_eq!(conversions(&table.harness).len(), 1, "of the good delivery only");
}

#[tokio::test]
async fn a_conversion_that_fails_permanently_uses_no_number() {
    for (reason, kind) in [
        ("accessDenied", ErrorKind::Permission),
        ("quotaExceeded", ErrorKind::Quota),
        ("stopped", ErrorKind::Warehouse),
        ("notFound", ErrorKind::NotFound),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_job_fault(job_fault("-query-1", reason, "injected"));
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        let job = format!("(job {}, {reason}): injected", conversions(&table.harness)[0]);
        assert!(error.full_message().contains(&job), "{error:?}");
    }
}

#[tokio::test]
async fn requests_for_staging_that_are_refused_fail_the_month() {
    // In their order: the tables for the rows and for the files, the load, the conversion.
    for (path, after, reason, kind) in [
        ("/tables", 0, "accessDenied", ErrorKind::Permission),
        ("/tables", 0, "quotaExceeded", ErrorKind::Quota),
        ("/tables", 1, "accessDenied", ErrorKind::Permission),
        ("/tables", 1, "quotaExceeded", ErrorKind::Quota),
        ("/jobs", 0, "accessDenied", ErrorKind::Permission),
        ("/jobs", 1, "accessDenied", ErrorKind::Permission),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_fault(fault("POST", path, after, refused(403, reason), When::BeforeEffect));
        assert_eq!(assert_fails(&table, &load, 2).await.kind(), kind, "{path} {after}");
    }
}

#[tokio::test]
async fn a_refused_swap_uses_no_number() {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    let before = table.snapshot().await;
    table.harness.emulator.add_fault(fault("POST", "/jobs", 2, refused(403, "accessDenied"), When::BeforeEffect));
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!((table.snapshot().await, staging_tables(&table.harness).await), (before, Vec::new()));
    assert_eq!(swaps(&table.harness), jobs_up_to(2), "it was requested");
    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
}

#[tokio::test]
async fn a_swap_that_fails_permanently_uses_up_its_number() {
    for (reason, kind) in [
        ("accessDenied", ErrorKind::Permission),
        ("quotaExceeded", ErrorKind::Quota),
        ("stopped", ErrorKind::Warehouse),
        ("notFound", ErrorKind::NotFound),
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
async fn values_that_cannot_be_read_again_are_still_a_fault_of_the_data() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::new(MONTH, "bad").parquet(&rows(MONTH, "DOUBLE", &["nan"]))).await;
    table.harness.emulator.add_fault(fault("POST", "/queries", 0, refused(403, "accessDenied"), When::BeforeEffect));
    let before = table.month(MONTH);
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
    assert!(error.full_message().contains("a value cannot be converted"), "{error:?}");
    assert_eq!((table.month(MONTH), staging_tables(&table.harness).await), (before, Vec::new()));
    assert_eq!(swaps(&table.harness), jobs_up_to(1));
}

#[tokio::test]
async fn a_run_that_loses_its_credentials_leaves_the_swap_to_the_next_run() {
    let table = with_a_month().await;
    let harness = &table.harness;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    harness.emulator.hold_jobs(&job(2));
    // The first request for the job is sent before anything is staged.
    harness.emulator.add_fault(fault("GET", &job(2), 1, refused(401, "authError"), When::BeforeEffect));
    let before = table.snapshot().await;
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Credentials);
    assert_eq!(table.snapshot().await, before);
    assert_eq!(swaps(harness), jobs_up_to(2));
    let left = left_to_expire(harness).await;
    harness.emulator.release();

    let replaced = harness.connect().replace_month(&table.target, &load).await.unwrap();

    let Replaced::Committed(done, _) = replaced else { panic!("overtaken") };
    assert_eq!((done.record.sequence, costs(&table)), (2, column(&["3", "4"])));
    assert_eq!((fills(harness).len(), appends(harness).len(), swaps(harness)), (1, 1, jobs_up_to(2)));
    assert_eq!(left_to_expire(harness).await, left, "the copy may have needed it");
}

#[tokio::test]
async fn a_staging_table_that_cannot_be_removed_does_not_fail_the_month() {
    // First the table of the files is removed, then the one that was swapped in.
    for (after, is_of_files) in [(0, true), (1, false)] {
        let table = with_a_month().await;
        let harness = &table.harness;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        harness.emulator.add_fault(fault("DELETE", STAGING, after, refused(403, "accessDenied"), When::BeforeEffect));
        assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
        let left = left_to_expire(harness).await;
        assert_eq!(left.ends_with("_files"), is_of_files, "{left}");
        // It does not prevent the next load either.
        assert_eq!(table.load(&floating("newer", &["5"])).await.unwrap().record.sequence, 3);
        assert_eq!((costs(&table), left_to_expire(harness).await), (column(&["5"]), left));
    }
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_is_no_failure() {
    for after in [0, 1] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        table.harness.emulator.add_fault(fault("DELETE", STAGING, after, FaultKind::Reset, When::AfterEffect));
        assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_staging_load_with_a_wrong_count_changes_nothing_and_uses_no_number() {
    let none = "2 rows were expected, as the files say, and 0 were read";
    for (files, rows, what) in [
        ("1", "1", format!("{none}; the load wrote 1 rows, 0 are staged (")),
        ("2", "0", format!("expected 1 files, 2 were read; {none} (")),
    ] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        let statistics = json!({"load": {"inputFiles": files, "outputRows": rows, "badRecords": "0"}});
        let body = json!({"status": {"state": "DONE"}, "statistics": statistics}).to_string();
        let answer = FaultKind::Answer { status: 200, headers: Vec::new(), body };
        table.harness.emulator.add_fault(fault("POST", "/jobs", 0, answer, When::BeforeEffect));
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.kind(), ErrorKind::Verification, "{error:?}");
        assert!(error.full_message().contains(&what), "{error:?}");
        assert_eq!(error.next_step(), Some(hint::DELIVER_AGAIN));
    }
}

#[tokio::test]
async fn a_staging_load_with_a_transient_failure_runs_again_as_a_new_job() {
    for reason in ["jobBackendError", "backendError"] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault(STAGING, reason, "injected"));
        let load = table.load(&floating("new", &["3", "4"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows), (2, 2), "{reason}");
        let fills = fills(&table.harness);
        assert!(fills.len() == 2 && fills[0] != fills[1], "{fills:?}");
        assert_eq!((conversions(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(2)));
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_conversion_with_a_transient_failure_runs_again_as_a_new_job_over_the_same_files() {
    for reason in ["jobBackendError", "backendError"] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault("-query-1", reason, "injected"));
        let load = table.load(&floating("new", &["3", "4"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows), (2, 2), "{reason}");
        let conversions = conversions(&table.harness);
        assert!(conversions.len() == 2 && conversions[0] != conversions[1], "{conversions:?}");
        assert_eq!((fills(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(2)));
        assert_eq!((costs(&table), staging_tables(&table.harness).await), (column(&["3", "4"]), Vec::new()));
    }
}

#[tokio::test]
async fn a_swap_with_a_transient_failure_runs_again_under_the_next_number_with_the_staged_rows() {
    for reason in ["backendError", "jobRateLimitExceeded"] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault(&job(2), reason, "injected"));
        let load = table.load(&floating("new", &["3", "4"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows), (3, 2), "{reason}");
        assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (1, 1));
        assert_eq!(swaps(&table.harness), jobs_up_to(3));
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_done_twice() {
    // The requests of a load in their order: the two tables, the job that loads the files, the one that converts them, the
    // one that copies the rows.
    for (path, after, sent) in [
        ("/tables", 0, (1, 1, 2)),
        ("/tables", 1, (1, 1, 2)),
        ("/jobs", 0, (2, 1, 2)),
        ("/jobs", 1, (1, 2, 2)),
        ("/jobs", 2, (1, 1, 3)),
    ] {
        let table = with_a_month().await;
        let harness = &table.harness;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        harness.emulator.add_fault(fault("POST", path, after, FaultKind::Reset, When::AfterEffect));
        let load = table.replace(&load).await.unwrap();
        assert_eq!((load.record.sequence, load.record.rows, table.recorded()), (2, 2, 2), "{path} {after}");
        let (mut fills, mut conversions, mut swaps) = (fills(harness), conversions(harness), swaps(harness));
        assert_eq!((fills.len(), conversions.len(), swaps.len()), sent, "{path} {after}");
        fills.dedup();
        conversions.dedup();
        swaps.dedup();
        assert_eq!((fills.len(), conversions.len(), swaps), (1, 1, jobs_up_to(2)), "{path} {after}");
        assert_eq!((costs(&table), staging_tables(harness).await), (column(&["3", "4"]), Vec::new()));
    }
}

#[tokio::test]
async fn a_staging_load_repeats_its_requests_after_a_temporary_failure() {
    let status = |code, reason: &str| FaultKind::Status(code, reason.to_owned());
    for (method, path, kind) in [
        ("POST", "/jobs", status(400, "jobBackendError")),
        ("POST", "/jobs", status(503, "jobInternalError")),
        // BigQuery may not find a new job at first.
        ("GET", STAGING, status(404, "notFound")),
        // An account may lack the permission to see whether there is a job of that number.
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

#[tokio::test]
async fn columns_that_bigquery_refuses_during_staging_fail_with_a_hint() {
    for (struck, hint) in [(STAGING, hint::REPORT_OR_CSV), ("-query-1", hint::COLUMNS_CHANGED)] {
        let table = with_a_month().await;
        let load = table.prepare(&floating("new", &["3", "4"])).await;
        let refused = "Provided Schema does not match Table t. Field a is missing in new schema";
        table.harness.emulator.add_job_fault(job_fault(struck, "invalid", refused));
        let error = assert_fails(&table, &load, 2).await;
        assert_eq!(error.next_step(), Some(hint), "{}", error.full_message());
    }
}
