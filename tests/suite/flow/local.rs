//! The whole job from a folder into DuckDB: what changes in an export, and what that changes in the table.

use std::{fs, process::Command};

use crate::support::{
    jobs::{CloudJob, LocalJob},
    program::{DATASET, Finops, TABLE, assert_names, each, month},
    servers::{PROJECT, query},
    tables::{duckdb_value, in_duckdb},
    tree::{Delivery, REPORT, change_unseen, write},
};

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

fn october() -> Delivery {
    Delivery::new("2025-10", "first", &["10"])
}

/// September with a tag that October lacks, October with tags that differ by case alone and a cell of two lines.
fn months_of_different_columns() -> [Delivery; 2] {
    let september = Delivery::new("2025-09", "first", &["0.0000000186", "1E-10", "12345678.123456789012"]);
    let october = Delivery::new("2025-10", "first", &["10"]);
    [
        september.with_column("resourceTags/user:Retired", "r"),
        october
            .with_column("resourceTags/user:Name", "upper")
            .with_column("resourceTags/user:name", "lower, \"quoted\"\nand broken"),
    ]
}

#[test]
fn both_layouts_load_from_the_exports_folder_or_the_one_above() {
    let job = LocalJob::new(&[september(), october().overwriting()]);
    let below = job.finops.clone().with("AWS_SOURCE", job.source.join(REPORT).to_str().unwrap());
    assert_eq!(each(&below.report_of(&["plan", "--output", "json"], 0), "action"), ["load", "load"]);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "loaded"]);
    assert_eq!(each(&below.report(0), "status"), ["skipped", "skipped"]);
}

#[test]
fn a_folder_named_with_wildcards_quotes_and_spaces_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (source, database) = (folder.path().join("it's [cur] *?"), folder.path().join("größe.duckdb"));
    september().write(&source);
    Delivery::new("2025-09", "decoy", &["99"]).write(&folder.path().join("it's c x"));
    assert_eq!(each(&Finops::local(&source, &database).report(0), "status"), ["loaded"]);
    assert_eq!(in_duckdb(&database)["2025-09"], (2, "4.5".to_owned()));
}

#[test]
fn files_of_an_older_delivery_in_the_same_folder_are_not_loaded() {
    let job = LocalJob::new(&[september().in_parts(2).overwriting()]);
    let again = Delivery::new("2025-09", "second", &["7"]).overwriting();
    again.write(&job.source);
    assert!(september().in_parts(2).overwriting().data_path(&job.source, 1).exists());
    assert_eq!(month(&job.finops.report(0), "2025-09")["files"], 1);
    assert_eq!(job.figures()["2025-09"], (1, "7".to_owned()));
}

#[test]
fn rewritten_files_are_loaded_only_with_other_bytes() {
    let job = LocalJob::loaded(&[september().overwriting(), october()]);
    september().overwriting().write(&job.source);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
    Delivery::new("2025-09", "first", &["3.5", "2"]).overwriting().write(&job.source);
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded"]);
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["changed in place", "moved by +1 USD"]);
}

#[test]
fn files_are_read_again_only_if_they_changed_since_the_load_whatever_their_time() {
    let job = LocalJob::loaded(&[september(), october()]);
    let set_run_id = |run_id: &str| {
        let sql = format!("UPDATE billing.finops_loads SET run_id = '{run_id}'");
        duckdb::Connection::open(&job.database).unwrap().execute_batch(&sql).unwrap();
    };
    change_unseen(&september().data_path(&job.source, 0));
    // As if the load had begun after that, the bytes that are there now would be those that it read.
    set_run_id("29991231T000000Z-000000");
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
    // What was not read for the plan can be loaded all the same.
    let forced = job.finops.report_of(&["run", "--force", "--start-date", "2025-10", "--output", "json"], 0);
    assert_eq!(each(&forced, "status"), ["loaded"]);

    set_run_id("20250101T000000Z-000000");
    let report = job.finops.clone().with("END_DATE", "2025-09").report(1);
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["changed in place"]);
}

#[test]
fn a_delivery_that_goes_back_to_an_earlier_one_is_loaded_again() {
    let job = LocalJob::loaded(&[september()]);
    Delivery::new("2025-09", "second", &["7"]).write(&job.source);
    job.finops.report(0);
    september().write(&job.source);
    assert_eq!(each(&job.finops.report(0), "action"), ["reload"]);
    assert_eq!(job.figures()["2025-09"], (2, "4.5".to_owned()));
}

#[test]
fn a_loaded_month_whose_files_are_removed_is_unchanged() {
    let job = LocalJob::loaded(&[september(), october()]);
    fs::remove_file(september().data_path(&job.source, 0)).unwrap();
    let report = job.finops.report(0);
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["source files are no longer there"]);
    fs::remove_dir_all(job.source.join(REPORT).join(september().period_folder())).unwrap();
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
    assert_eq!(job.figures()["2025-09"], (2, "4.5".to_owned()));
}

#[test]
fn a_loaded_month_without_some_of_its_files_waits_and_is_unchanged() {
    let job = LocalJob::loaded(&[september().in_parts(2)]);
    fs::remove_file(september().in_parts(2).data_path(&job.source, 0)).unwrap();
    assert_eq!(each(&job.finops.report(0), "status"), ["waiting"]);
    let stale = job.finops.clone().with("WAIT_MAX_HOURS", "0").report(1);
    assert_eq!(month(&stale, "2025-09")["error"]["kind"], "stale");
    assert_eq!(job.figures()["2025-09"], (2, "4.5".to_owned()));
}

#[test]
fn a_dropped_table_has_no_previous_cost() {
    let job = LocalJob::loaded(&[september()]);
    duckdb::Connection::open(&job.database).unwrap().execute_batch("DROP TABLE billing.aws_cur").unwrap();
    let report = job.finops.report(0);
    let month = month(&report, "2025-09");
    assert_eq!(month["previous_cost"], serde_json::json!({}));
    assert!(!month["reason"].as_str().unwrap().contains("cost"), "{month:#}");
}

#[test]
fn a_month_with_rows_deleted_by_hand_is_loaded_again_and_the_reason_says_so() {
    let job = LocalJob::loaded(&[september(), october()]);
    let before = job.figures();
    let execute = |sql: &str| duckdb::Connection::open(&job.database).unwrap().execute_batch(sql).unwrap();
    for (sql, statuses, reason) in [
        (
            "DELETE FROM billing.aws_cur WHERE line_item_unblended_cost = 1",
            ["skipped", "loaded"],
            "the table has 1 of the 2 rows that were loaded",
        ),
        ("DROP TABLE billing.aws_cur", ["loaded", "loaded"], "the 2 rows that were loaded are no longer in the table"),
    ] {
        execute(sql);
        let report = job.finops.report(0);
        assert_eq!(each(&report, "status"), statuses);
        assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &[reason]);
        assert_eq!(job.figures(), before);
    }
}

#[test]
fn months_with_different_columns_share_one_table_in_duckdb() {
    let [september, october] = months_of_different_columns();
    let job = LocalJob::loaded(&[september]);
    october.write(&job.source);
    let report = job.finops.report(0);
    let changes = report["pipelines"][0]["schema"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.iter().all(|change| change["change"] == "add" && change["to"] == "STRING"), "{changes:?}");
    let names: Vec<&str> = changes.iter().map(|change| change["column"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("resource_tags_user_name_")), "{names:?}");
    let value = |column: &str, month: &str| {
        let sql = format!(
            "SELECT any_value({column}) FROM {DATASET}.{TABLE} WHERE month(bill_billing_period_start_date) = {month}"
        );
        duckdb_value(&job.database, &format!("COALESCE(({sql}), 'NULL')"))
    };
    assert_eq!(value("resource_tags_user_retired", "9"), "r");
    assert_eq!(value("resource_tags_user_retired", "10"), "NULL");
    assert_eq!(value(names[0], "9"), "NULL");
    assert_eq!(value(names[0], "10"), "upper");
    assert_eq!(value(names[1], "10"), "lower, \"quoted\"\nand broken");
    assert_eq!(job.figures()["2025-09"], (3, "12345678.123456807712".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn months_with_different_columns_share_one_table_in_bigquery() {
    let [september, october] = months_of_different_columns();
    let job = CloudJob::loaded(&[september]).await;
    job.put(&october).await;
    let report = job.finops.report(0);
    let changes = report["pipelines"][0]["schema"].as_array().unwrap();
    let names: Vec<&str> = changes.iter().map(|change| change["column"].as_str().unwrap()).collect();
    let sql = format!(
        "SELECT resource_tags_user_retired, {}, CAST(line_item_unblended_cost AS STRING) \
         FROM `{PROJECT}`.`{DATASET}`.`{TABLE}` ORDER BY line_item_unblended_cost",
        names.join(", ")
    );
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        query(&job.emulator, &sql).await,
        [
            [text("r"), None, None, text("0.0000000001")],
            [text("r"), None, None, text("0.0000000186")],
            [None, text("upper"), text("lower, \"quoted\"\nand broken"), text("10")],
            [text("r"), None, None, text("12345678.123456789012")],
        ]
    );
}

#[test]
fn a_header_longer_than_the_first_read_is_read_completely() {
    let mut wide = september();
    for number in 0..3_000 {
        wide = wide.with_column(&format!("resourceTags/user:a-tag-with-a-longer-name-{number}"), "");
    }
    // Stored, not compressed, so that the header fills more than the 64 KiB that are read at first.
    let csv = format!("{}\n{}\n", wide.header.join(","), wide.rows[0].join(","));
    let job = LocalJob::new(&[september()]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, csv.as_bytes()).unwrap();
    write(&september().data_path(&job.source, 0), &encoder.finish().unwrap());
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    let columns = format!("SELECT count(*) FROM duckdb_columns() WHERE table_name = '{TABLE}'");
    assert_eq!(duckdb_value(&job.database, &columns), "3008");
}

#[test]
fn a_terminal_sees_the_progress_and_programs_only_the_data() {
    let job = LocalJob::new(&[september(), october()]);
    // stderr is a terminal, stdout a pipe.
    let script = "import os, pty, subprocess, sys\n\
        terminal, program = pty.openpty()\n\
        run = subprocess.run(sys.argv[1:], stderr=program, stdout=subprocess.PIPE)\n\
        os.close(program)\n\
        seen = b''\n\
        try:\n    seen = os.read(terminal, 65536)\nexcept OSError:\n    pass\n\
        sys.stderr.buffer.write(seen)\n\
        sys.stdout.buffer.write(run.stdout)\n";
    let output = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_finops"), "run", "--output", "json"])
        .env("TERM", "xterm-256color")
        .envs(job.finops.environment())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_names(&stderr, &["  loading 2025-", "\u{1b}["]);
    assert!(serde_json::from_str::<serde_json::Value>(&stdout).is_ok(), "{stdout}");
}
