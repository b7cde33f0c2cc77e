//! Python libraries that others wrote: what they make of the sample exports, and of what the job did with them.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    figures::{Sample, example, expected, figures, in_bigquerys_types},
    program::{DATASET, TABLE, each, month},
    require,
    servers::PROJECT,
    tables::in_bigquery,
};

/// What `witness.py` prints for a task; without Python's client the test is skipped.
fn witness(sample: &Sample, task: &[&str]) -> Option<Value> {
    let mut command = Command::new(require::python()?);
    command.env_clear().arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/witness.py"));
    command.args([&sample.emulator.url(), PROJECT, DATASET, TABLE]).args(task);
    Some(serde_json::from_str(&require::output(&mut command)).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_expected_figures_are_those_of_the_committed_parquet_files_and_their_costs_those_of_csv() {
    let Some(python) = require::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/expected.py");
    for name in ["parquet-athena", "parquet-versioned"] {
        let computed = require::output(Command::new(&python).arg(&script).arg(example(name)));
        let computed: Value = serde_json::from_str(&computed).unwrap();
        assert_eq!(computed, expected(name), "examples/aws/{name}.expected.json");
        for (month, csv) in expected("first").as_object().unwrap() {
            for figure in ["rows", "unblended_cost"] {
                assert_eq!(computed[month][figure], csv[figure], "{figure} of {month} in {name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_python_client_reads_what_the_job_did() {
    reads_what_the_job_did("first", "load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_python_client_reads_what_the_job_did_by_way_of_staging() {
    reads_what_the_job_did("parquet-athena", "query").await;
}

/// After a run from `tree`, whose months are replaced by jobs of type `job_type`.
async fn reads_what_the_job_did(tree: &str, job_type: &str) {
    let sample = Sample::of(tree).await;
    let report = sample.finops.report(0);
    let months = each(&report, "billing_period").into_iter();
    let ids: Vec<&str> = months.map(|name| month(&report, name)["job_id"].as_str().unwrap()).collect();
    let Some(seen) = witness(&sample, &[&["read"], ids.as_slice()].concat()) else { return };
    let expected = expected(tree);

    assert_eq!(seen["columns"], Value::Object(in_bigquerys_types(&expected)));
    assert_eq!(seen["partitioning"], json!(["MONTH", "bill_billing_period_start_date"]));
    assert_eq!(seen["clustering"], json!(["line_item_usage_start_date"]));
    assert_eq!(seen["labels"], json!({"managed_by": "finops"}));
    // 600 + 600 + 624 rows, and 64.7727638496 + 64.8631195632 + 66.6636662496 USD, by hand.
    assert_eq!(seen["rows"], 1824);
    assert_eq!(seen["listed_costs"], json!([1824, "196.2995496624"]));
    assert_eq!(seen["rows_of_september"], expected["2025-09"]["rows"]);
    for (name, expected) in expected.as_object().unwrap() {
        let loaded = json!({"rows": expected["rows"], "cost": expected["unblended_cost"]["USD"]});
        assert_eq!(seen["months"][name], loaded, "{name}");
        let partition = format!("{TABLE}${}", name.replace('-', ""));
        let rows = if job_type == "load" { expected["rows"].clone() } else { Value::Null };
        let job = json!([job_type, "DONE", partition, "WRITE_TRUNCATE", rows]);
        assert_eq!(seen["jobs"][month(&report, name)["job_id"].as_str().unwrap()], job, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_loads_into_a_table_that_googles_python_client_made() {
    let sample = Sample::new().await;
    let Some(made) = witness(&sample, &["create"]) else { return };
    assert_eq!(each(&sample.finops.report(0), "status"), ["loaded"; 3]);
    assert_eq!(in_bigquery(&sample.emulator), figures(&expected("first")));
    let after = witness(&sample, &["read"]).unwrap();
    assert_eq!(after["labels"], made["labels"]);
    assert_eq!(after["columns"].as_object().unwrap().len(), in_bigquerys_types(&expected("first")).len());
    assert_eq!(sample.finops.report(0)["pipelines"][0]["status"], "nothing_to_do");
}
