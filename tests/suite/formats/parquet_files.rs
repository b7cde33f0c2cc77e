//! Parquet files with mistakes, and what a plan says about valid ones.

use finops_core::hint;
use serde_json::Value;

use crate::support::{
    jobs::LocalJob,
    program::{assert_names, each, month},
    tables::duckdb_value,
    tree::{Delivery, write},
};

fn september(queries: &[&str]) -> Delivery {
    Delivery::new("2025-09", "second", &[]).in_parquet(queries)
}

/// A job that loaded September from CSV; then the delivery comes and fails.
fn fails(delivery: &Delivery, status: &str) -> Value {
    let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["7"])]);
    let before = job.figures();
    delivery.write(&job.source);
    let report = job.finops.report(1);
    assert_eq!(each(&report, "status"), [status], "{report:#}");
    assert_eq!(job.figures(), before, "September is unchanged");
    month(&report, "2025-09")["error"].clone()
}

fn assert_refused(delivery: &Delivery, kind: &str, parts: &[&str], hint: &str) {
    let error = fails(delivery, "failed");
    assert_eq!(error["kind"], kind, "{error:#}");
    assert_names(error["message"].as_str().unwrap(), parts);
    assert!(error["hint"].as_str().unwrap().starts_with(hint), "{error:#}");
}

#[test]
fn files_that_disagree_on_a_column_are_refused_with_both() {
    for (one, other, parts) in [
        ("1 AS n", "'1' AS n", ["00002", "00001", "column `n` is STRING, expected INT64"]),
        ("1 AS n", "1 AS N", ["00002", "00001", "it has a column `N`"]),
        ("1 AS n, 2 AS m", "1 AS n", ["00002", "00001", "it lacks the column `m`"]),
    ] {
        let (one, other) = (format!("SELECT {{base}}, {one}"), format!("SELECT {{base}}, {other}"));
        assert_refused(&september(&[&one, &other]), "data", &parts, hint::MIXED_DELIVERIES);
    }
}

#[test]
fn decimals_that_duckdb_would_round_fail_the_month() {
    let part = |cost: &str| format!("SELECT {{base}}, {cost} AS rate");
    let parts = |costs: &[&str]| {
        let queries: Vec<String> = costs.iter().map(|cost| part(cost)).collect();
        september(&queries.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let unlike = parts(&["0.1234567890123456789::DECIMAL(38,19)", "1.5::DECIMAL(38,5)"]);
    assert_refused(
        &unlike,
        "data",
        &["2025-09", "column rate is DECIMAL(38,19) and DECIMAL(38,5)", "00001"],
        hint::CSV_OR_BIGQUERY,
    );
    let longer = parts(&["0.123456789012345678::DECIMAL(38,18)", "1.5::DECIMAL(38,10)"]);
    assert_refused(
        &longer,
        "data",
        &["column `rate` is DECIMAL beyond (38,18), expected DECIMAL", "00002"],
        hint::MIXED_DELIVERIES,
    );

    let job = LocalJob::new(&[]);
    parts(&["0.123456789012345678::DECIMAL(18,18)", "12345.67::DECIMAL(9,2)"]).write(&job.source);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    let sum = duckdb_value(&job.database, "SELECT sum(rate) FROM billing.aws_cur");
    assert_eq!(sum, "12345.793456789012345678");
}

#[test]
fn nanoseconds_in_utc_whose_digits_duckdb_drops_are_refused_with_their_column() {
    let delivery = september(&["SELECT {base}, TIMESTAMP_NS '2025-09-02 16:00:00.123456789' AS since"]);
    let mut bytes = delivery.data_files().remove(0).1;
    // TIMESTAMP: not in UTC, unit NANOS; in the compact protocol of Thrift. DuckDB writes no other.
    let at = bytes.windows(4).position(|bytes| bytes == [0x8c, 0x12, 0x1c, 0x3c]).unwrap();
    bytes[at + 1] = 0x11;
    let job = LocalJob::new(&[]);
    delivery.write(&job.source);
    write(&delivery.data_path(&job.source, 0), &bytes);
    let report = job.finops.report(1);
    let error = &month(&report, "2025-09")["error"];
    assert_eq!(error["kind"], "data", "{report:#}");
    assert_names(error["message"].as_str().unwrap(), &["column since is TIMESTAMP(NANOS) in UTC", "00001"]);
    assert_names(error["hint"].as_str().unwrap(), &[hint::MICROSECONDS]);
}

#[test]
fn every_file_needs_the_columns_that_every_table_has() {
    for column in ["line_item_unblended_cost", "bill_billing_period_start_date"] {
        let without = format!("SELECT * EXCLUDE {column} FROM (SELECT {{base}})");
        assert_refused(&september(&[&without]), "data", &["00001", "no column that gives", column], hint::IS_EXPORT);
        assert_refused(
            &september(&["SELECT {base}", &without]),
            "data",
            &["00002", "it lacks the column", column],
            hint::MIXED_DELIVERIES,
        );
    }
}

#[test]
fn damaged_files_are_refused_by_name() {
    let whole = september(&["SELECT {base}"]);
    let bytes = whole.data_files().remove(0).1;
    let mut other_length = bytes.clone();
    let at = other_length.len() - 5;
    other_length[at] = 0x7f;
    for (bytes, parts) in [
        (bytes[..bytes.len() / 2].to_vec(), ["00001", "does not end as a Parquet file does"]),
        (Vec::new(), ["00001", "too short"]),
        (other_length, ["00001", "which cannot be"]),
    ] {
        let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["7"])]);
        let before = job.figures();
        whole.write(&job.source);
        write(&whole.data_path(&job.source, 0), &bytes);
        let report = job.finops.report(1);
        assert_names(month(&report, "2025-09")["error"]["message"].as_str().unwrap(), &parts);
        assert_eq!(job.figures(), before);
    }
}

#[test]
fn data_that_is_damaged_within_a_whole_file_fails_the_month() {
    let delivery = september(&["SELECT {base}, md5(i::VARCHAR) AS noise FROM range(5000) AS r(i)"]);
    let mut bytes = delivery.data_files().remove(0).1;
    bytes[500..5_000].fill(0x5a);
    let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["7"])]);
    let before = job.figures();
    delivery.write(&job.source);
    write(&delivery.data_path(&job.source, 0), &bytes);
    let report = job.finops.report(1);
    assert_eq!(each(&report, "status"), ["failed"], "{report:#}");
    assert_eq!(job.figures(), before);
}

#[test]
fn a_delivery_without_rows_replaces_nothing() {
    let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["7"])]);
    let before = job.figures();
    september(&["SELECT {base} LIMIT 0", "SELECT {base} LIMIT 0"]).write(&job.source);
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped"]);
    assert_names(each(&report, "reason")[0], &["empty delivery"]);
    assert_eq!(job.figures(), before);
}

#[test]
fn a_plan_refuses_a_list_and_names_its_column() {
    let delivery = september(&["SELECT {base}, ['a'] AS tags"]);
    let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["7"])]);
    delivery.write(&job.source);
    let plan = job.finops.report_of(&["plan", "--output", "json"], 1);
    let change = &plan["pipelines"][0]["schema"][0];
    assert_eq!((&change["column"], &change["change"]), (&"tags".into(), &"refuse".into()), "{plan:#}");
    assert_eq!(change["billing_periods"], serde_json::json!(["2025-09"]));
    assert_eq!(month(&plan, "2025-09")["action"], "refuse");
    let error = fails(&delivery, "refused");
    assert_eq!(error["kind"], "schema");
    assert_names(error["message"].as_str().unwrap(), &["tags", "2025-09"]);
}

#[test]
fn a_plan_names_the_columns_that_are_cast_in_each_month_and_changes_nothing() {
    let job = LocalJob::loaded(&[Delivery::new("2025-07", "first", &["7"])]);
    let before = job.figures();
    for month in ["2025-08", "2025-09"] {
        Delivery::new(month, "second", &[]).in_parquet(&["SELECT {base}"]).write(&job.source);
    }
    let plan = job.finops.report_of(&["plan", "--output", "json"], 0);
    let changes = plan["pipelines"][0]["schema"].as_array().unwrap();
    let cast = serde_json::json!({
        "column": "line_item_unblended_cost", "change": "cast", "from": "DOUBLE", "to": "DECIMAL",
        "billing_periods": ["2025-09", "2025-08"],
        "reason": "each number becomes its shortest decimal",
    });
    assert_eq!(changes, &[cast]);
    assert_eq!(job.figures(), before);
}

#[test]
fn a_footer_of_more_than_the_first_read_is_read_whole() {
    let more: Vec<String> =
        (0..2_000).map(|n| format!("'v' AS resource_tags_user_a_tag_with_a_long_name_{n}")).collect();
    let delivery = september(&[&format!("SELECT {{base}}, {}", more.join(", "))]);
    let job = LocalJob::new(&[]);
    delivery.write(&job.source);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
}

#[test]
fn a_file_without_a_footer_says_to_fetch_it_again() {
    let job = LocalJob::new(&[]);
    let delivery = september(&["SELECT {base}"]);
    delivery.write(&job.source);
    write(&delivery.data_path(&job.source, 0), b"PAR1, cut off");
    let report = job.finops.report(1);
    let said = month(&report, "2025-09")["error"]["hint"].as_str().unwrap();
    assert!(said.starts_with(hint::FETCH_AGAIN), "{said}");
}
