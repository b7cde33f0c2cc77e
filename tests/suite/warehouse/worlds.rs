//! Behaviour of BigQuery that is not certain: loads are right either way.

use bigquery_emulator::{FaultKind, Options, When};
use finops::{
    error::ErrorKind,
    flow::replace::{Replaced, replace_month},
    warehouse::Warehouse,
};
use serde_json::{Value, json};

use crate::{
    support::{
        bigquery::BigQueryHarness,
        delivery::{Delivery, HEADER, line},
        harness::{Harness, Table},
        jobs::CloudJob,
        program::assert_names,
        servers::query,
        tree,
    },
    warehouse::{
        conformance::{amounts, for_each_warehouse},
        staging::{appends, costs, fault, rows, swaps},
    },
};

for_each_warehouse!(an_empty_text_is_no_value_quoted_or_not_in_csv_and_parquet,);

async fn an_empty_text_is_no_value_quoted_or_not_in_csv_and_parquet<H: Harness>() {
    let table = Table::<H>::new().await;
    let described = |id: &str, text: &str| line("2025-08", id, "USD", "1").replace(&format!("Usage of {id}"), text);
    let csv = [described("1", ""), described("2", "\"\""), described("3", "x")].concat();
    table.load(&Delivery::new("2025-08", "csv").csv(&format!("{HEADER}\n{csv}"))).await.unwrap();
    // With amounts in DOUBLE and in DECIMAL, which are read in different ways.
    for (month, cost_type) in [("2025-09", "DOUBLE"), ("2025-10", "DECIMAL(38, 18)")] {
        let rows = rows(month, cost_type, &["4"]).replace("'Usage' AS", "'' AS");
        table.load(&Delivery::new(month, "parquet").parquet(&rows)).await.unwrap();
    }
    let found = table.select("line_item_line_item_description");
    assert_eq!(found, [[Some("x".to_owned())], [None], [None], [None], [None]]);
}

/// Loads both in one run, one after the other, with an emulator that does the opposite in each case that is not certain.
async fn loaded_in_the_other_world(deliveries: [Delivery; 2]) -> Table<BigQueryHarness<true>> {
    let table = Table::<BigQueryHarness<true>>::new().await;
    let [first, second] = [table.prepare(&deliveries[0]).await, table.prepare(&deliveries[1]).await];
    let warehouse = table.harness.warehouse();
    let prepared = warehouse.prepare(&table.target, &deliveries[0].table_columns(), &[]).await.unwrap();
    for load in [first, second] {
        let replaced = replace_month(warehouse, &table.target, &prepared, &load, async { Ok(true) }).await;
        assert!(matches!(replaced, Ok(Replaced::Committed(..))), "{replaced:?}");
    }
    table
}

/// The destinations of the load jobs that were sent, as the parts of their names after the attempt's own.
fn forms<const TURNED: bool>(harness: &BigQueryHarness<TURNED>) -> Vec<String> {
    let requests = harness.emulator.requests().into_iter();
    let loads = requests.filter(|request| request.body["configuration"]["load"].is_object());
    let names = loads.map(|request| {
        let table = &request.body["configuration"]["load"]["destinationTable"]["tableId"];
        table.as_str().unwrap().split('_').skip(4).collect::<Vec<_>>().join("_")
    });
    names.collect()
}

#[tokio::test]
async fn csv_amounts_with_exponents_that_a_load_refuses_are_loaded_as_text_and_the_next_month_at_once() {
    let first = Delivery::of_costs("2025-08", "a", &["2.1e-07", "-1.5E+3"]);
    let table = Box::pin(loaded_in_the_other_world([first, Delivery::of_costs("2025-09", "b", &["3e-38"])])).await;
    assert_eq!(amounts(&table), ["-1500", "0.00000000000000000000000000000000000003", "0.00000021"]);
    assert_eq!(forms(&table.harness), ["", "texts", "texts"]);
}

#[tokio::test]
async fn a_bad_amount_is_named_with_its_column_and_the_next_month_is_loaded_straight() {
    let table = Table::<BigQueryHarness>::new().await;
    let error = table.load(&Delivery::of_costs("2025-08", "a", &["1", "much"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_names(&error.full_message(), &["column line_item_unblended_cost: 1 value is not a decimal", "`much`"]);
    table.load(&Delivery::of_costs("2025-09", "b", &["3"])).await.unwrap();
    assert_eq!(forms(&table.harness), ["", "texts", ""]);
}

/// Rows with a map, whose keys are REQUIRED in the file.
fn tagged(month: &str) -> Delivery {
    let rows = rows(month, "DOUBLE", &["1"]);
    Delivery::new(month, "tagged").parquet(&format!("SELECT *, MAP {{'a': 'x'}} AS tags FROM ({rows})"))
}

#[tokio::test]
async fn required_fields_that_a_load_refuses_go_into_required_columns_and_the_next_month_at_once() {
    let table = Box::pin(loaded_in_the_other_world(["2025-08", "2025-09"].map(tagged))).await;
    let tags = Some(r#"{"a":"x"}"#.to_owned());
    assert_eq!(table.select("tags"), [[tags.clone()], [tags]]);
    assert_eq!(forms(&table.harness), ["files", "modes", "modes"]);
}

#[tokio::test]
async fn timestamps_without_a_zone_that_a_load_refuses_are_read_as_utc() {
    let local = |month: &str| Delivery::new(month, "local").parquet(&rows(month, "DECIMAL(38, 18)", &["1"]));
    let text = "CAST(bill_billing_period_start_date AS VARCHAR), CAST(line_item_usage_start_date AS VARCHAR)";
    let expected = ["08", "09"].map(|month| [format!("2025-{month}-01 00:00:00"), format!("2025-{month}-02 16:00:00")]);
    let expected = expected.map(|row| row.map(Some).to_vec());
    let table = Box::pin(loaded_in_the_other_world(["2025-08", "2025-09"].map(local))).await;
    assert_eq!(table.select(text), expected);
    assert_eq!(forms(&table.harness), ["", "files", "", "files"]);
    let table = Table::<BigQueryHarness>::new().await;
    for month in ["2025-08", "2025-09"] {
        table.load(&local(month)).await.unwrap();
    }
    assert_eq!(table.select(text), expected);
    assert_eq!(forms(&table.harness), ["", ""]);
}

#[tokio::test]
async fn a_nul_in_csv_is_kept() {
    let table = Table::<BigQueryHarness>::new().await;
    let row = line("2025-08", "1", "USD", "1").replace("Usage", "a\0b");
    table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{row}"))).await.unwrap();
    assert_eq!(table.select("line_item_line_item_description"), [[Some("a\0b of 1".to_owned())]]);
}

#[tokio::test]
async fn a_map_that_bigquery_loads_as_null_fails_its_month() {
    let table = Table::<BigQueryHarness>::new().await;
    let mut delivery = tagged("2025-08");
    // Groups of other names, which finops does not notice.
    let bytes = &mut delivery.files[0].1;
    while let Some(at) = bytes.windows(9).position(|name| name == b"key_value") {
        bytes[at..at + 9].copy_from_slice(b"old_names");
    }
    let error = table.load(&delivery).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert_names(&error.full_message(), &["the files have values of tags, and none of them was read"]);
    assert_eq!((table.select("tags").len(), table.recorded()), (0, 0));
}

#[tokio::test]
async fn after_a_new_dataset_was_not_found_the_job_runs_again_and_nothing_is_loaded_twice() {
    // At the dry run of the state, at the append, at the check, at the swap, at the record.
    for after in 0..5 {
        let table = Table::<BigQueryHarness>::new().await;
        let load = table.prepare(&Delivery::of_costs("2025-08", "a", &["1", "2"])).await;
        let is_job = |path: &str| path.ends_with("/jobs") || path.ends_with("/queries");
        let sent = |harness: &BigQueryHarness| {
            harness.emulator.requests().iter().filter(|sent| sent.method == "POST" && is_job(&sent.path)).count()
        };
        let before = sent(&table.harness);
        for path in ["/jobs", "/queries"] {
            let body = json!({"error": {"code": 404, "message": "Not found: Dataset demo:billing",
                "errors": [{"reason": "notFound"}]}});
            let answer = FaultKind::Answer { status: 404, headers: Vec::new(), body: body.to_string() };
            table.harness.emulator.add_fault(fault("POST", path, after, answer, When::BeforeEffect));
        }
        table.replace(&load).await.unwrap();
        assert_eq!(costs(&table).len(), 2, "{after}");
        assert_eq!((swaps(&table.harness).len().min(1), table.recorded()), (1, 1), "{after}");
        assert!(sent(&table.harness) > before + usize::from(after < 2), "{after}");
        assert!(!appends(&table.harness).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_billing_fails_before_anything_is_staged() {
    let deliveries = [tree::Delivery::new("2025-09", "first", &["3.5"])];
    let job = CloudJob::with(Options { sandbox: true, ..Options::default() }, &deliveries).await;
    let report = job.finops.report(2);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "configuration", "{report:#}");
    assert_names(error["hint"].as_str().unwrap(), &["no billing account", "gcloud billing projects link"]);
    let loads = job.emulator.requests().into_iter().filter(|request| request.body["configuration"]["load"].is_object());
    assert_eq!(loads.count(), 0);
    assert_eq!(query(&job.emulator, "SELECT COUNT(*) FROM billing.aws_cur").await, [[Some("0".to_owned())]]);

    let check = job.finops.report_of(&["check", "--output", "json"], 1);
    let state = check["checks"].as_array().unwrap().iter().find(|finding| finding["check"] == "state_table").unwrap();
    assert_eq!(state["status"], "failed", "{check:#}");
    assert_names(state["hint"].as_str().unwrap(), &["no billing account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_to_do_does_not_ask_whether_it_could_record() {
    let job = CloudJob::loaded(&[tree::Delivery::new("2025-09", "first", &["3.5"])]).await;
    let before = job.emulator.requests().len();
    job.finops.report(0);
    let dry = |body: &Value| body["configuration"]["dryRun"] == true;
    assert!(!job.emulator.requests()[before..].iter().any(|request| dry(&request.body)));
}
