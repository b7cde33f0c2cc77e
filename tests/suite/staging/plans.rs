//! `run-pipeline --dry-run` says what the steps then do.

use std::{collections::BTreeMap, fs};

use billing_exports::{Dialect, Export, Format};
use serde_json::{Value, json};

use crate::{
    staging::steps::Pipeline,
    support::{
        program::assert_names,
        tree::{Delivery, REPORT},
    },
};

const STEPS: [&str; 3] = ["extract-billing", "load-billing-local", "export-parquet"];

/// A pipeline of the report that `tree` delivers.
fn pipeline() -> Pipeline {
    Pipeline::new(Export { name: REPORT.to_owned(), ..Export::new(Dialect::AwsCur, Format::CsvGzip) })
}

fn deliver(pipeline: &Pipeline, delivery: &Delivery) {
    delivery.write(&pipeline.folder.path().join("delivered"));
}

fn overwritten(assembly_id: &str, costs: &[&str]) -> Delivery {
    Delivery::new("2025-09", assembly_id, costs).in_parts(2).overwriting()
}

/// What the dry run says about September, and the table for people.
#[track_caller]
fn dry_run(pipeline: &Pipeline) -> (Value, String) {
    let arguments = ["aws", "run-pipeline", "--dry-run"];
    let json = pipeline.finops.run(&[&arguments[..], &["--output", "json"]].concat());
    assert_eq!(json.code, 0, "{}", json.stderr);
    let months: Vec<Value> = serde_json::from_str(&json.stdout).unwrap();
    (months.into_iter().next().unwrap(), pipeline.finops.run(&arguments).stdout)
}

/// Step to what it does with each month; a month that it does not know is skipped.
type Actions = BTreeMap<(String, String), String>;

/// Asserts that the dry run says `expected` about September, changes nothing, and says for each month what the steps then do.
#[track_caller]
fn assert_does(pipeline: &Pipeline, expected: [&str; 3]) {
    let before = pipeline.files("data");
    let outcome = pipeline.finops.run(&["aws", "run-pipeline", "--dry-run", "--output", "json"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(pipeline.files("data"), before, "it creates nothing");
    let months: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(STEPS.map(|step| months[0]["steps"][step].as_str().unwrap_or("nothing")), expected, "{months:#?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut planned = Actions::new();
    for (month, step) in months.iter().flat_map(|month| STEPS.map(|step| (month, step))) {
        if let Some(action) = month["steps"][step].as_str().filter(|action| *action != "skip") {
            planned.insert((step.to_owned(), text(&month["billing_period"])), action.to_owned());
        }
    }
    let mut done = Actions::new();
    for step in pipeline.report("run-pipeline") {
        for month in step["months"].as_array().unwrap().iter().filter(|month| month["action"] != "skip") {
            done.insert((text(&step["step"]), text(&month["billing_period"])), text(&month["action"]));
        }
    }
    assert_eq!(planned, done);
}

fn in_duckdb(pipeline: &Pipeline, sql: &str) {
    let database = pipeline.folder.path().join("data/finops.duckdb");
    assert_eq!(duckdb::Connection::open(database).unwrap().execute(sql, []).unwrap(), 1);
}

/// The exit codes of a dry run, of `discover-manifests`, and of a run.
fn codes(pipeline: &Pipeline) -> [i32; 3] {
    let steps: [&[&str]; 3] = [&["run-pipeline", "--dry-run"], &["discover-manifests"], &["run-pipeline"]];
    steps.map(|step| pipeline.finops.run(&[&["aws"], step].concat()).code)
}

#[test]
fn a_place_without_a_manifest_fails_the_dry_run_as_it_fails_the_run() {
    let pipeline = pipeline();
    fs::create_dir(pipeline.folder.path().join("delivered")).unwrap();
    for step in [&["run-pipeline", "--dry-run"][..], &["discover-manifests"], &["extract-billing"]] {
        let outcome = pipeline.finops.run(&[&["aws"], step].concat());
        assert_eq!(outcome.code, 1, "{step:?}: {}", outcome.stdout);
        assert_names(&outcome.stderr, &["there is no manifest of export `report` below delivered"]);
    }
    deliver(&pipeline, &Delivery::new("2025-09", "first", &["1"]));
    for (flag, wrong, said) in [
        ("--export-name", "raport", "export `raport` below delivered; the exports there: `report` in delivered/"),
        ("--prefix", "cur", "export `report` below delivered/cur; the folders in delivered: `report`"),
    ] {
        let outcome = pipeline.finops.run(&["aws", "discover-manifests", flag, wrong]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{flag}");
        assert_names(&outcome.stderr, &[said, "hint: "]);
    }
}

#[test]
fn a_month_that_is_refused_fails_the_dry_run_as_it_fails_the_run() {
    let pipeline = pipeline();
    deliver(&pipeline, &Delivery::new("2025-08", "first", &["1"]));
    let broken = Delivery::new("2025-09", "first", &["2"]);
    deliver(&pipeline, &broken);
    let report = pipeline.folder.path().join("delivered").join(REPORT);
    for (key, _) in broken.files().iter().filter(|(key, _)| key.ends_with("Manifest.json")) {
        fs::write(report.join(key), "{}").unwrap();
    }
    assert_eq!(codes(&pipeline), [1, 0, 1]);
    deliver(&pipeline, &broken);
    assert_eq!(codes(&pipeline), [0, 0, 0]);
}

#[test]
fn a_staged_file_that_is_no_csv_fails_the_dry_run_until_its_delivery_is_replaced() {
    let pipeline = pipeline();
    let broken = |month: &str| {
        let mut broken = Delivery::new(month, "first", &["1"]);
        broken.header[0] = "lineItem/UnblendedCost".to_owned();
        broken.header.retain(|column| column != "bill/BillingPeriodStartDate");
        broken
    };
    deliver(&pipeline, &broken("2025-09"));
    // Only staged files can be checked.
    assert_eq!(codes(&pipeline), [0, 0, 1]);
    assert_eq!(codes(&pipeline), [1, 0, 1]);
    deliver(&pipeline, &Delivery::new("2025-09", "second", &["2"]));
    assert_eq!(codes(&pipeline), [0, 0, 0]);
}

#[test]
fn an_error_of_the_settings_that_only_a_later_step_finds_is_one_in_the_dry_run() {
    let pipeline = pipeline();
    deliver(&pipeline, &Delivery::new("2025-09", "first", &["1"]));
    pipeline.report("extract-billing");
    let other = Export { name: "other".to_owned(), ..Export::new(Dialect::AwsCur, Format::CsvGzip) };
    fs::remove_dir_all(pipeline.folder.path().join("delivered")).unwrap();
    other
        .deliver(&pipeline.folder.path().join("delivered"), &billing_exports::Run::of("2025-08".parse().unwrap()))
        .unwrap();
    fs::write(pipeline.folder.path().join("config.toml"), "[aws]\nsource = \"delivered\"\n").unwrap();
    pipeline.finops.run(&["aws", "extract-billing"]);
    assert_eq!(codes(&pipeline), [2; 3]);
}

#[test]
fn ids_that_are_longer_than_a_file_name_may_be_are_staged() {
    let pipeline = pipeline();
    let id = "ä".repeat(300);
    deliver(&pipeline, &overwritten(&id, &["1", "2"]));
    assert_does(&pipeline, ["load"; 3]);
    assert_does(&pipeline, ["skip"; 3]);
    deliver(&pipeline, &overwritten(&(id + "2"), &["3", "4"]));
    assert_does(&pipeline, ["reload"; 3]);
    assert_eq!(pipeline.files("data/staging").len(), 3, "{:?}", pipeline.files("data/staging"));
}

#[test]
fn folders_of_finopss_own_that_were_emptied_are_filled_again_by_their_step() {
    let pipeline = pipeline();
    deliver(&pipeline, &Delivery::new("2025-09", "first", &["1"]));
    pipeline.report("run-pipeline");
    fs::remove_dir_all(pipeline.folder.path().join("data/staging/2025-09")).unwrap();
    let outcome = pipeline.run("load-billing-local");
    assert_eq!(outcome.code, 1);
    let said = [
        "no manifest of export `report` below ./data/staging",
        "2025-09 is loaded",
        "run `finops aws extract-billing`",
    ];
    assert_names(&outcome.stderr, &said);
    assert_eq!(
        dry_run(&pipeline).0["steps"],
        json!({
            "extract-billing": "load", "load-billing-local": "reload", "export-parquet": "reload", "load-billing-remote": null
        })
    );
    assert_eq!(codes(&pipeline), [0; 3]);
}

#[test]
fn first_deliveries_redeliveries_and_nothing_to_do() {
    let pipeline = pipeline();
    deliver(&pipeline, &Delivery::new("2025-08", "first", &["1"]));
    deliver(&pipeline, &Delivery::new("2025-09", "first", &["2"]));
    assert_does(&pipeline, ["load"; 3]);
    assert_does(&pipeline, ["skip"; 3]);
    deliver(&pipeline, &Delivery::new("2025-09", "second", &["3"]));
    assert_does(&pipeline, ["reload"; 3]);
}

#[test]
fn a_month_that_was_overwritten_under_the_same_id() {
    let pipeline = pipeline();
    deliver(&pipeline, &overwritten("first", &["1", "2"]));
    pipeline.report("run-pipeline");
    deliver(&pipeline, &overwritten("first", &["1", "5"]));
    deliver(&pipeline, &overwritten("first", &["4", "5"]));
    let (month, table) = dry_run(&pipeline);
    assert_eq!(month["staging"]["other"], "first");
    assert_eq!(month["duckdb"]["other"], "first");
    assert_names(&table, &["  extract  load    write  "]);
    assert_does(&pipeline, ["reload"; 3]);
    assert_does(&pipeline, ["skip"; 3]);
}

#[test]
fn a_month_that_lost_rows_in_duckdb_or_did_not_verify() {
    let pipeline = pipeline();
    deliver(&pipeline, &overwritten("first", &["1", "2"]));
    pipeline.report("run-pipeline");
    for damage in [
        "DELETE FROM aws_billing_data WHERE line_item_unblended_cost = 2",
        "UPDATE finops_loads SET status = 'unverified' WHERE sequence = (SELECT max(sequence) FROM finops_loads)",
    ] {
        in_duckdb(&pipeline, damage);
        // The Parquet file has all of its rows.
        assert_does(&pipeline, ["skip", "reload", "skip"]);
        assert_does(&pipeline, ["skip"; 3]);
    }
}

#[test]
fn a_month_that_a_mirror_has_half_replaced_waits() {
    let pipeline = pipeline();
    deliver(&pipeline, &overwritten("first", &["1", "2"]));
    pipeline.report("run-pipeline");
    let second = overwritten("second", &["3", "4"]);
    let report = pipeline.folder.path().join("delivered").join(REPORT);
    let files = second.files();
    for (key, bytes) in files.iter().filter(|(key, _)| !key.ends_with("00002.csv.gz")) {
        fs::write(report.join(key), bytes).unwrap();
    }
    let (month, table) = dry_run(&pipeline);
    assert_names(month["obstacle"].as_str().unwrap(), &["waiting for 1 of 2 files to be replaced"]);
    assert_names(&table, &["  wait  "]);
    assert_does(&pipeline, ["wait", "skip", "skip"]);
    deliver(&pipeline, &second);
    assert_does(&pipeline, ["reload"; 3]);
}

#[test]
fn files_missing_in_the_staging_folder_are_fetched_and_the_months_loaded_from_them_are_unchanged() {
    let pipeline = pipeline();
    deliver(&pipeline, &overwritten("first", &["1", "2"]));
    pipeline.report("run-pipeline");
    let staged = pipeline.files("data/staging");
    fs::remove_file(staged.iter().find(|path| path.to_str().unwrap().ends_with("00002.csv.gz")).unwrap()).unwrap();
    assert_does(&pipeline, ["load", "skip", "skip"]);
}

#[test]
fn a_month_that_is_staged_and_no_longer_delivered_is_still_brought_further() {
    let pipeline = pipeline();
    deliver(&pipeline, &Delivery::new("2025-08", "first", &["1"]));
    deliver(&pipeline, &Delivery::new("2025-09", "first", &["2"]));
    pipeline.report("extract-billing");
    fs::remove_dir_all(pipeline.folder.path().join("delivered").join(REPORT).join("20250901-20251001")).unwrap();
    assert_does(&pipeline, ["nothing", "load", "load"]);
}
