//! Python libraries of others: how they read the sample exports, and what the job loaded from them.

use std::{path::Path, process::Command};

use billing_exports::{ColumnType, Delivered, Dialect, Export, Format};
use finops_core::Amount;
use serde_json::{Map, Value, json};

use crate::{
    flow::figures::{Sample, example, expected, figures, in_bigquerys_types},
    staging::steps::Pipeline,
    support::{
        program::{DATASET, TABLE, each, month},
        require::{self, Tool},
        servers::PROJECT,
        tables::in_bigquery,
    },
};

/// What `witness.py` prints for a task; without Python's client the test is skipped.
fn witness(sample: &Sample, task: &[&str]) -> Option<Value> {
    let mut command = Command::new(require::python()?);
    command.env_clear().arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/warehouse/witness.py"));
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
    reads_what_the_job_did("first", &["load"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_python_client_reads_what_the_job_did_with_a_conversion() {
    reads_what_the_job_did("parquet-athena", &["load", "query"]).await;
}

/// After a run from `tree`, whose months are staged by a job of each of these types.
async fn reads_what_the_job_did(tree: &str, staged_by: &[&str]) {
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
    let staged = seen["staged"].as_array().unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        let loaded = json!({"rows": expected["rows"], "cost": expected["unblended_cost"]["USD"]});
        assert_eq!(seen["months"][name], loaded, "{name}");
        let partition = format!("{TABLE}${}", name.replace('-', ""));
        let job = json!(["copy", "DONE", partition, "WRITE_TRUNCATE"]);
        assert_eq!(seen["jobs"][month(&report, name)["job_id"].as_str().unwrap()], job, "{name}");
        if staged_by.contains(&"query") {
            assert!(staged.contains(&json!(["query", "DONE", "WRITE_APPEND", null])), "{staged:?}");
        }
        assert!(staged.contains(&json!(["load", "DONE", "WRITE_APPEND", expected["rows"]])), "{name}: {staged:?}");
    }
    assert_eq!(staged.len(), 3 * staged_by.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_loads_into_a_table_that_googles_python_client_created() {
    let sample = Sample::new().await;
    let Some(created) = witness(&sample, &["create"]) else { return };
    assert_eq!(each(&sample.finops.report(0), "status"), ["loaded"; 3]);
    assert_eq!(in_bigquery(&sample.emulator), figures(&expected("first")));
    let after = witness(&sample, &["read"]).unwrap();
    assert_eq!(after["labels"], created["labels"]);
    assert_eq!(after["columns"].as_object().unwrap().len(), in_bigquerys_types(&expected("first")).len());
    assert_eq!(sample.finops.report(0)["pipelines"][0]["status"], "nothing_to_do");
}

/// A library that reads Parquet, and what it calls the types of text, timestamps, days and amounts.
struct Reader {
    library: &'static str,
    types: fn(ColumnType) -> &'static str,
}

const READERS: [Reader; 2] = [
    Reader {
        library: "pyarrow",
        types: |of| match of {
            ColumnType::String => "string",
            ColumnType::Timestamp => "timestamp[us]",
            ColumnType::Date => "date32[day]",
            ColumnType::Decimal => "decimal128(38, 18)",
        },
    },
    Reader {
        library: "polars",
        types: |of| match of {
            ColumnType::String => "String",
            ColumnType::Timestamp => "Datetime(time_unit='us', time_zone=None)",
            ColumnType::Date => "Date",
            ColumnType::Decimal => "Decimal(precision=38, scale=18)",
        },
    },
];

/// Compares what each reader sees in the months' Parquet files with what the generator says that it delivered.
fn others_read(export: Export, file: &str, [period, cost]: [&str; 2], first_days: [&str; 2]) {
    let pipeline = Pipeline::new(export);
    let delivered = pipeline.deliver(1);
    pipeline.report("run-pipeline");
    for Reader { library, types } in READERS {
        for (Delivered { billing_period, execution_id, rows, cost: costs, columns, .. }, first_day) in
            delivered.iter().zip(first_days)
        {
            let Some(python) = require::python() else { return };
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/warehouse/witness_parquet.py");
            let path = pipeline.folder.path().join("data/exports").join(format!("{billing_period}_{file}.parquet"));
            let mut command = Command::new(python);
            command.env_clear().arg("-B").arg(script).arg(library).arg(path).args([period, cost]);
            let seen: Value = serde_json::from_str(&require::output(&mut command)).unwrap();
            if seen.is_null() {
                require::skip(Tool::PythonBigquery, &format!("Python has no {library}: run `make servers`"));
                continue;
            }
            let of_columns = columns.iter().map(|(name, of)| ((*name).to_owned(), json!(types(*of))));
            let of_run = ("execution_id".to_owned(), json!(types(ColumnType::String)));
            let expected_types: Map<_, _> = of_columns.chain([of_run]).collect();
            assert_eq!(seen["types"], Value::Object(expected_types), "{library}");
            assert_eq!(seen["rows"], *rows, "{library}");
            let seen_cost: Amount = seen["cost"].as_str().unwrap().parse().unwrap();
            assert_eq!(seen_cost.to_string(), costs["USD"], "{library}");
            assert_eq!(seen["months"], json!([first_day]), "{library}");
            assert_eq!(seen["execution_ids"], json!([execution_id]), "{library}");
        }
    }
}

#[test]
fn pyarrow_and_polars_read_the_parquet_files_of_aws_as_they_were_delivered() {
    let export = Export { parts: 2, ..Export::new(Dialect::AwsCur2, Format::CsvGzip) };
    let columns = ["bill_billing_period_start_date", "line_item_unblended_cost"];
    others_read(export, "aws_billing", columns, ["2025-08-01 00:00:00", "2025-09-01 00:00:00"]);
}

#[test]
fn pandas_and_polars_sum_amounts_exactly_unless_duckdb_makes_floats_of_them() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur2, Format::CsvGzip));
    let [august, _] = pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let Some(python) = require::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/warehouse/witness_money.py");
    let [database, file] = ["data/finops.duckdb", "data/exports/2025-08_aws_billing.parquet"]
        .map(|path| pipeline.folder.path().join(path));
    let august_rows = "(FROM main.aws_billing_data WHERE bill_billing_period_start_date = '2025-08-01')";
    let mut command = Command::new(python);
    command.env_clear().arg("-B").arg(script).arg(database).arg(august_rows).arg(file).arg("line_item_unblended_cost");
    let seen: Value = serde_json::from_str(&require::output(&mut command)).unwrap();
    if let Some(library) = seen["lacks"].as_str() {
        require::skip(Tool::PythonBigquery, &format!("Python has no {library}: run `make servers`"));
        return;
    }
    assert_eq!(seen["df"], "float64", "DuckDB's rule, which the documents warn of");
    let sums = seen["sums"].as_object().unwrap();
    assert_eq!(sums.len(), 5);
    for (how, sum) in sums {
        let sum: Amount = sum.as_str().unwrap().parse().unwrap();
        assert_eq!(sum.to_string(), august.cost["USD"], "{how}");
    }
}

#[test]
fn pyarrow_and_polars_read_the_parquet_files_of_azure_as_they_were_delivered() {
    let export = Export::new(Dialect::AzureActualEnterprise, Format::Csv);
    let columns = ["billingPeriodStartDate", "costInBillingCurrency"];
    others_read(export, "azure_billing", columns, ["2025-08-01", "2025-09-01"]);
}
