//! Bad input ends in an error that names the object and the month. Loaded months are unchanged.

use std::fs;

use finops_core::hint;
use serde_json::{Value, json};

use crate::support::{
    jobs::{CloudJob, LocalJob},
    program::{BUCKET, assert_names, each, month},
    tables::Figures,
    tree::{Delivery, REPORT, gzip, write},
};

fn august() -> Delivery {
    Delivery::new("2025-08", "first", &["1.25", "2"])
}

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "0.0000000186"])
}

fn september_again() -> Delivery {
    Delivery::new("2025-09", "second", &["7", "8", "9"])
}

fn october() -> Delivery {
    Delivery::new("2025-10", "first", &["10"])
}

/// The rows of August and September after their first delivery.
fn first_deliveries() -> Figures {
    [("2025-08", (2, "3.25")), ("2025-09", (2, "3.5000000186"))]
        .map(|(month, (rows, cost))| (month.to_owned(), (rows, cost.to_owned())))
        .into()
}

/// The same with October.
fn with_october() -> Figures {
    let mut figures = first_deliveries();
    figures.insert("2025-10".to_owned(), (1, "10".to_owned()));
    figures
}

/// Runs a job with August and September loaded, a bad new delivery of September, and a good one of October. October loads,
/// September fails and is unchanged. Returns September's report.
fn bad_september(job: &LocalJob, status: &str) -> Value {
    october().write(&job.source);
    let outcome = job.finops.run(&["run", "--output", "json"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["pipelines"][0]["status"], "failed");
    assert_eq!(each(&report, "status"), ["loaded", status, "skipped"], "{report:#}");
    assert_eq!(job.figures(), with_october());
    let september = month(&report, "2025-09").clone();
    let error = &september["error"];
    assert_names(&outcome.stderr, &["error: ", error["message"].as_str().unwrap(), "hint: "]);
    assert!(error["hint"].is_string(), "{error}");
    september
}

fn message(month: &Value) -> &str {
    month["error"]["message"].as_str().unwrap()
}

#[test]
fn a_truncated_file_fails_its_month_alone() {
    // A small file ends within its header's first read; a large one only shows when all of it is read.
    for rows in [3, 30_000] {
        let job = LocalJob::loaded(&[august(), september()]);
        let again = Delivery::new("2025-09", "second", &vec!["1.5"; rows]);
        again.write(&job.source);
        let path = again.data_path(&job.source, 0);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() > 64 << 10, rows > 3, "{} bytes", bytes.len());
        fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let september = bad_september(&job, "failed");
        assert_eq!(september["error"]["kind"], "data");
        assert_names(message(&september), &[path.to_str().unwrap(), "truncated"]);
        let hint = if rows > 3 { hint::FETCH_FILE } else { hint::FETCH_AGAIN };
        assert!(september["error"]["hint"].as_str().unwrap().starts_with(hint), "{september:#}");
    }
}

#[test]
fn a_file_that_is_not_gzip_fails_its_month_alone() {
    let job = LocalJob::loaded(&[august(), september()]);
    september_again().write(&job.source);
    let path = september_again().data_path(&job.source, 0);
    fs::write(&path, "identity/LineItemId\n1\n").unwrap();
    assert_names(message(&bad_september(&job, "failed")), &[path.to_str().unwrap(), "gzip"]);
}

#[test]
fn a_manifest_that_is_not_json_fails_its_month_alone() {
    let job = LocalJob::loaded(&[august(), september()]);
    let path = job.source.join(REPORT).join(september().manifest_key());
    fs::write(&path, "<html>Bad Gateway</html>").unwrap();
    let september = bad_september(&job, "refused");
    assert_eq!(september["action"], "refuse");
    assert_eq!(september["error"]["kind"], "manifest");
    assert_names(message(&september), &["2025-09", path.to_str().unwrap(), "not a manifest of a billing export"]);
}

#[test]
fn a_folder_that_contradicts_its_manifest_is_refused() {
    let job = LocalJob::loaded(&[august(), september()]);
    let period = json!({"start": "20250801T000000.000Z", "end": "20250901T000000.000Z"});
    september_again().with_manifest("billingPeriod", period).write(&job.source);
    let september = bad_september(&job, "refused");
    assert_names(message(&september), &["2025-09", "20250801T000000.000Z", "20250901-20251001"]);
}

#[test]
fn a_manifest_whose_range_is_no_calendar_month_fails_its_month_alone() {
    for (start, end) in [("20250901", "20250915"), ("20250915", "20251015")] {
        let job = LocalJob::loaded(&[august(), september()]);
        let range = json!({"start": format!("{start}T000000.000Z"), "end": format!("{end}T000000.000Z")});
        let folder = job.source.join(REPORT).join(format!("{start}-{end}"));
        for (key, bytes) in september_again().with_manifest("billingPeriod", range).files() {
            let below = key.strip_prefix(&september().period_folder()).unwrap();
            write(&folder.join(below.trim_start_matches('/')), &bytes);
        }
        let september = bad_september(&job, "refused");
        assert_eq!(september["error"]["kind"], "manifest");
        let manifest = folder.join("report-Manifest.json");
        let expected = "one whole calendar month was expected";
        assert_names(message(&september), &["2025-09", manifest.to_str().unwrap(), start, end, expected]);
        assert_names(september["error"]["hint"].as_str().unwrap(), &[hint::COMPARE_MANIFEST]);
    }
}

#[test]
fn zip_is_refused_by_name() {
    let job = LocalJob::loaded(&[august(), september()]);
    september_again().with_manifest("compression", "ZIP").write(&job.source);
    let september = bad_september(&job, "refused");
    assert_eq!(september["error"]["kind"], "manifest");
    assert_names(message(&september), &["2025-09", "ZIP", "choose"]);
}

#[test]
fn files_that_are_not_the_parquet_files_of_their_manifest_fail_their_month() {
    let job = LocalJob::loaded(&[august(), september()]);
    september_again().with_manifest("contentType", "Parquet").write(&job.source);
    let september = bad_september(&job, "failed");
    assert_eq!(september["error"]["kind"], "data");
    assert_names(message(&september), &["report-00001.csv.gz", "does not end as a Parquet file does"]);
}

#[test]
fn a_delivery_without_a_cost_or_month_column_never_replaces_a_loaded_one() {
    for name in ["lineItem/UnblendedCost", "bill/BillingPeriodStartDate"] {
        let job = LocalJob::loaded(&[september()]);
        let before = job.figures();
        let mut delivery = Delivery::new("2025-09", "second", &["7"]);
        let column = delivery.header.iter_mut().find(|column| *column == name).unwrap();
        column.push('X');
        delivery.write(&job.source);
        let report = job.finops.report(1);
        let error = &month(&report, "2025-09")["error"];
        assert_eq!(error["kind"], "data", "{report:#}");
        assert_names(error["message"].as_str().unwrap(), &["no column that gives"]);
        assert_eq!(job.figures(), before);
    }
}

#[test]
fn a_header_that_differs_from_that_of_another_file_fails_the_month_and_names_both_files() {
    let job = LocalJob::loaded(&[august(), september()]);
    let again = september_again().in_parts(3);
    again.write(&job.source);
    let other = again.clone().with_column("resourceTags/user:Team", "a");
    let (path, sibling) = (again.data_path(&job.source, 1), again.data_path(&job.source, 0));
    write(&path, &other.data_files()[1].1);
    let september = bad_september(&job, "failed");
    assert_names(message(&september), &[path.to_str().unwrap(), sibling.to_str().unwrap(), "9 columns, expected 8"]);
}

/// Asserts that September was refused for a row that is not its own, in the words that both warehouses share.
#[track_caller]
fn assert_another_month(september: &Value, named: &[&str]) {
    let error = &september["error"];
    assert_eq!(error["kind"], "data");
    assert_names(message(september), &["2025-09 cannot be loaded: 1 row belongs to "]);
    assert_names(message(september), named);
    assert_names(
        error["hint"].as_str().unwrap(),
        &["nothing was changed", "finops replaces whole months", "add `second` to AWS_LEAVE_OUT"],
    );
}

#[test]
fn a_row_of_another_month_fails_the_month() {
    let job = LocalJob::loaded(&[august(), september()]);
    let mut again = september_again();
    again.rows[1][1] = "2025-08-01T00:00:00Z".to_owned();
    again.write(&job.source);
    let september = bad_september(&job, "failed");
    let what = "1 row belongs to 2025-08, by bill_billing_period_start_date";
    assert_another_month(&september, &[what, again.data_path(&job.source, 0).to_str().unwrap()]);
}

#[test]
fn a_row_without_a_month_fails_the_month() {
    let job = LocalJob::loaded(&[august(), september()]);
    let mut again = september_again();
    again.rows[1][1] = String::new();
    again.write(&job.source);
    let what = "1 row belongs to no month, by bill_billing_period_start_date";
    assert_another_month(&bad_september(&job, "failed"), &[what, "report-00001.csv.gz"]);
}

#[test]
fn an_amount_that_duckdb_cannot_store_or_read_fails_the_month_and_names_the_column() {
    for amount in ["1.234567890123456789012345678901234567891", "1.9e-60", "12,5", "free"] {
        let job = LocalJob::loaded(&[august(), september()]);
        Delivery::new("2025-09", "second", &["7", amount]).write(&job.source);
        let september = bad_september(&job, "failed");
        assert_names(message(&september), &["2025-09", "line_item_unblended_cost", &format!("`{amount}`")]);
    }
}

#[test]
fn a_row_with_too_few_or_too_many_fields_fails_the_month() {
    for row in ["a,b", "1,2,3,4,5,6,7,8,9"] {
        let job = LocalJob::loaded(&[august(), september()]);
        september_again().write(&job.source);
        let path = september_again().data_path(&job.source, 0);
        write(&path, &gzip(format!("{}\n{row}\n", september().header.join(",")).as_bytes()));
        assert_names(message(&bad_september(&job, "failed")), &["2025-09", path.to_str().unwrap()]);
    }
}

#[test]
fn a_row_of_megabytes_and_many_files_do_not_fill_the_logs() {
    let mut long = september_again();
    long.rows[1][4] = "x".repeat(3 << 20);
    let mut stray = Delivery::new("2025-09", "second", &["1"; 50]).in_parts(50);
    stray.rows[49][1] = "2025-08-01T00:00:00Z".to_owned();
    for (bad, what) in [(long, "report-00001.csv.gz"), (stray, "report-00001.csv.gz or 49 others")] {
        let job = LocalJob::loaded(&[august(), september()]);
        bad.write(&job.source);
        let september = bad_september(&job, "failed");
        assert_names(message(&september), &["2025-09", what]);
        assert!(message(&september).len() < 1000, "{}", message(&september));
    }
}

#[test]
fn an_empty_delivery_never_replaces_a_month() {
    let no_files = Delivery { parts: 0, ..Delivery::new("2025-09", "second", &[]) };
    let headers_only = Delivery::new("2025-09", "second", &[]).in_parts(2);
    for (empty, what) in [(no_files, "lists no files"), (headers_only, "2 files have headers and no rows")] {
        let job = LocalJob::loaded(&[august(), september()]);
        empty.write(&job.source);
        let report = job.finops.report(0);
        assert_eq!(each(&report, "status"), ["skipped", "skipped"]);
        assert_eq!(report["pipelines"][0]["status"], "nothing_to_do");
        assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["empty delivery", what]);
        assert_eq!(job.figures(), first_deliveries());
    }
}

#[test]
fn a_month_waits_for_a_missing_file_and_names_it() {
    let job = LocalJob::loaded(&[august(), september()]);
    let again = september_again().in_parts(3);
    again.write(&job.source);
    let path = again.data_path(&job.source, 1);
    let late = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();

    let waiting = job.finops.report(0);
    assert_eq!(each(&waiting, "status"), ["waiting", "skipped"]);
    assert_eq!(waiting["pipelines"][0]["status"], "nothing_to_do");
    let reason = month(&waiting, "2025-09")["reason"].as_str().unwrap();
    assert_names(reason, &["waiting for 1 of 3 files", "20250901-20251001/second/report-00002.csv.gz"]);
    assert_eq!(job.figures(), first_deliveries());

    let stale = job.finops.clone().with("WAIT_MAX_HOURS", "0").report(1);
    let september = month(&stale, "2025-09");
    assert_eq!(stale["pipelines"][0]["status"], "failed");
    assert_eq!((&september["status"], &september["action"]), (&json!("failed"), &json!("wait")));
    assert_eq!(september["error"]["kind"], "stale");
    assert_names(message(september), &["2025-09", "report-00002.csv.gz"]);
    assert_eq!(job.figures(), first_deliveries());

    fs::write(&path, late).unwrap();
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "skipped"]);
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
}

#[test]
fn without_any_manifest_a_run_fails_unless_no_month_is_requested() {
    let job = LocalJob::new(&[]);
    let misspelt = job.finops.clone().with("AWS_EXPORT_NAME", "raport");
    for command in ["plan", "run"] {
        let outcome = misspelt.run(&[command]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert_names(&outcome.stderr, &["there is no manifest of export `raport` below ", hint::NO_MANIFEST]);
    }
    assert_eq!(job.finops.report(1)["pipelines"][0]["error"]["kind"], "not_found");

    let job = LocalJob::loaded(&[Delivery::new("2025-09", "first", &["1"])]);
    let none = job.finops.run(&["run", "--start-date", "2030-01"]);
    assert_eq!(none.code, 0, "{}", none.stderr);
    assert_names(&none.stdout, &["nothing to do: none of the months asked for is there"]);
}

#[test]
fn exports_of_one_name_in_two_folders_are_refused_and_both_folders_are_named() {
    let job = LocalJob::new(&[september()]);
    let folder = job.source.join("20250901-20251001");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("report-Manifest.json"), "{}").unwrap();
    let report = job.finops.clone().with("AWS_EXPORT_NAME", REPORT).report(2);
    assert_eq!(report["pipelines"][0]["error"]["hint"], hint::NARROWER_PREFIX, "{report:#}");
}

#[test]
fn a_missing_folder_is_named() {
    let job = LocalJob::new(&[]);
    let gone = job.source.join("nowhere");
    let report = job.finops.clone().with("AWS_SOURCE", gone.to_str().unwrap()).report(1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "not_found");
    assert_names(error["message"].as_str().unwrap(), &[gone.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bucket_is_named() {
    let job = CloudJob::new(&[august()]).await;
    let report = job.finops.clone().with("AWS_GCS_BUCKET", "billing-miror").report(1);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "not_found");
    assert_names(error["message"].as_str().unwrap(), &["gs://billing-miror"]);
    assert_names(error["hint"].as_str().unwrap(), &[&hint::check_bucket("billing-miror")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_bigquery_a_row_of_another_month_or_of_none_fails_the_month() {
    for (stray, month_of) in [("2025-08-01T00:00:00Z", "2025-08"), ("", "no month")] {
        let job = CloudJob::loaded(&[august(), september()]).await;
        let mut again = september_again();
        again.rows[1][1] = stray.to_owned();
        job.put(&again).await;
        job.put(&october()).await;
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status"), ["loaded", "failed", "skipped"], "{report:#}");
        let what = format!("1 row belongs to {month_of}, by bill_billing_period_start_date");
        let file = "gs://billing-mirror/cur/report/20250901-20251001/second/report-00001.csv.gz";
        assert_another_month(month(&report, "2025-09"), &[&what, file]);
        assert_eq!(job.figures(), with_october());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_bigquery_a_bad_delivery_fails_its_month_alone() {
    let mut no_amount = september_again();
    no_amount.rows[2][7] = "free".to_owned();
    let truncated = september_again();
    for (bad, what) in [(no_amount, "free"), (truncated, "gzip")] {
        let job = CloudJob::loaded(&[august(), september()]).await;
        job.put(&bad).await;
        if what == "gzip" {
            let (key, bytes) = bad.data_files().remove(0);
            job.storage.put(BUCKET, &format!("cur/{REPORT}/{key}"), &bytes[..bytes.len() - 9]).await;
        }
        job.put(&october()).await;
        let report = job.finops.report(1);
        assert_eq!(each(&report, "status"), ["loaded", "failed", "skipped"], "{report:#}");
        let september = month(&report, "2025-09");
        assert_names(message(september), &[what]);
        let names_the_month = ["2025-09", "20250901-20251001"].iter().any(|name| message(september).contains(name));
        assert!(names_the_month, "{}", message(september));
        assert_eq!(job.figures(), with_october());
    }
}
