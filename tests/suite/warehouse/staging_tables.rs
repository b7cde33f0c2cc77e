//! The table that a month is staged in: its form, its place, and how long it exists.

use bigquery_emulator::{LoggedRequest, Options};
use finops::{
    error::ErrorKind,
    flow::replace::{self, Replaced},
    warehouse::{MonthLoad, Warehouse},
};
use finops_core::hint;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        bigquery::{BigQueryHarness, until},
        delivery::{Delivery, HEADER, line},
        harness::{DATASET, Harness, TABLE, Table},
        jobs::CloudJob,
        program::{assert_names, each},
        servers::PROJECT,
        tree,
    },
    warehouse::swap::{call, swaps, table, table_path},
};

const DAY: i64 = 24 * 3_600_000;
const KEY: &str = "projects/p/locations/us/keyRings/r/cryptoKeys/k";
/// The staging table of another run.
const OTHERS: &str = "finops_staging_202308_0123456789abcdef";

/// A dataset whose partitions expire after 60 days, with a table that finops created and others changed.
async fn tables(harness: &BigQueryHarness) {
    let dataset = json!({
        "datasetReference": {"projectId": PROJECT, "datasetId": DATASET},
        "location": "US",
        "defaultPartitionExpirationMs": (60 * DAY).to_string(),
    });
    harness.call(Method::POST, "/datasets", dataset).await;
    let of_delivery = |name: &str| {
        let of = match name {
            name if name.ends_with("_date") => "TIMESTAMP",
            "line_item_unblended_cost" => "BIGNUMERIC",
            _ => "STRING",
        };
        json!({"name": name, "type": of})
    };
    let mut fields: Vec<Value> = HEADER.split(',').map(of_delivery).collect();
    fields[0]["mode"] = "REQUIRED".into();
    fields[3]["description"] = "The service".into();
    fields.insert(2, json!({"name": "by_hand", "type": "INTEGER", "description": "somebody's"}));
    let table = json!({
        "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE},
        "schema": {"fields": fields},
        "timePartitioning": {"type": "MONTH", "field": "bill_billing_period_start_date"},
        "clustering": {"fields": ["line_item_usage_account_id", "line_item_usage_start_date"]},
        "encryptionConfiguration": {"kmsKeyName": KEY},
        "labels": {"managed_by": "finops"},
    });
    harness.call(Method::POST, &format!("/datasets/{DATASET}/tables"), table).await;
    let others = json!({
        "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": OTHERS},
        "schema": {"fields": [{"name": "a", "type": "STRING"}]},
        "labels": {"managed_by": "finops"},
    });
    harness.call(Method::POST, &format!("/datasets/{DATASET}/tables"), others).await;
}

/// The staging tables that exist.
pub async fn staging_tables(harness: &BigQueryHarness) -> Vec<String> {
    let list = harness.call(Method::GET, &format!("/datasets/{DATASET}/tables"), Value::Null).await;
    let names = list["tables"].as_array().unwrap().iter();
    let names = names.map(|table| table["tableReference"]["tableId"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("finops_staging_")).collect()
}

#[tokio::test]
async fn a_staging_table_has_the_tables_form_and_keeps_old_months() {
    let table = table(Options { truncates_keep_annotations: true, ..Options::default() }).await;
    let harness = &table.harness;
    tables(harness).await;
    let load = table.prepare(&Delivery::of_costs("2023-08", "a", &["1", "2"])).await;
    let job = format!("finops-{DATASET}-{TABLE}-202308-1");
    harness.emulator.hold_jobs(&job);

    let (replaced, ()) = tokio::join!(table.replace(&load), async {
        until(|| !swaps(&harness.emulator).is_empty()).await;
        let mut names = staging_tables(harness).await;
        names.retain(|name| name != OTHERS);
        let [name] = names.as_slice() else { panic!("one staging table, not {names:?}") };
        assert!(name.starts_with("finops_staging_202308_"), "{name}");
        let path = format!("/datasets/{DATASET}/tables/{name}");
        let staging = harness.call(Method::GET, &path, Value::Null).await;
        let target = harness.call(Method::GET, &table_path(), Value::Null).await;
        for key in ["schema", "clustering", "encryptionConfiguration"] {
            assert_eq!(staging[key], target[key], "{key}");
        }
        let partitioning = &staging["timePartitioning"];
        assert_eq!(
            (&partitioning["type"], &partitioning["field"]),
            (&json!("MONTH"), &target["timePartitioning"]["field"])
        );
        let ms = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
        assert!(ms(&partitioning["expirationMs"]) > 20 * 365 * DAY, "{partitioning}");
        let lives = ms(&staging["expirationTime"]) - ms(&staging["creationTime"]);
        assert!((1..=DAY).contains(&lives), "{lives} ms");
        assert_eq!((&staging["labels"], &staging["numRows"]), (&json!({"managed_by": "finops"}), &json!("2")));
        harness.emulator.release();
    });

    assert_eq!(replaced.unwrap().record.rows, 2);
    assert_eq!(table.month("2023-08").len(), 2);
    assert_eq!(table.select("by_hand"), vec![vec![None], vec![None]]);
    assert_eq!(swaps(&harness.emulator), ["202308-1 copy"]);
    assert_eq!(staging_tables(harness).await, [OTHERS]);
    assert_eq!(
        harness.call(Method::GET, &table_path(), Value::Null).await["timePartitioning"]["expirationMs"],
        Value::Null
    );
}

#[tokio::test]
async fn a_staging_table_is_removed_after_a_month_that_is_refused_superseded_or_not_loadable() {
    let table = Table::<BigQueryHarness>::new().await;
    let harness = &table.harness;
    tables(harness).await;
    let stray = format!("{HEADER}\n{}{}", line("2023-08", "1", "USD", "1"), line("2023-09", "2", "USD", "2"));
    let error = table.load(&Delivery::new("2023-08", "stray").csv(&stray)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{}", error.full_message());
    assert_names(&error.full_message(), &["1 row belongs to 2023-09"]);
    assert_eq!(staging_tables(harness).await, [OTHERS]);

    let broken = format!("{HEADER}\n{}", line("2023-08", "1", "USD", "much"));
    assert_eq!(table.load(&Delivery::new("2023-08", "bad").csv(&broken)).await.unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(staging_tables(harness).await, [OTHERS]);

    // The result of a query has no REQUIRED column, and amounts in doubles need a query.
    let doubles = "SELECT '1' AS identity_line_item_id, TIMESTAMP '2023-08-01' AS bill_billing_period_start_date, \
                   TIMESTAMP '2023-08-02' AS line_item_usage_start_date, 'USD' AS line_item_currency_code, \
                   1::DOUBLE AS line_item_unblended_cost";
    let error = table.load(&Delivery::new("2023-08", "doubles").parquet(doubles)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{}", error.full_message());
    assert_names(error.next_step().unwrap(), &[&hint::take_null("demo.billing.aws_cur", "...")]);
    assert_eq!(staging_tables(harness).await, [OTHERS]);

    // If the files' column is not REQUIRED too, they are not loaded into it: BigQuery would move values between rows.
    let nulls = doubles.replace("'1' AS", "NULL::VARCHAR AS").replace("1::DOUBLE", "1::DECIMAL(38,18)");
    let error = table.load(&Delivery::new("2023-08", "nulls").parquet(&nulls)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{}", error.full_message());
    assert_names(error.next_step().unwrap(), &[&hint::take_null("demo.billing.aws_cur", "...")]);
    assert_eq!(staging_tables(harness).await, [OTHERS]);

    let load: MonthLoad = table.prepare(&Delivery::of_costs("2023-08", "a", &["1"])).await;
    let warehouse = harness.warehouse();
    let prepared = warehouse.prepare(&table.target, &[], &[]).await.unwrap();
    let replaced = replace::replace_month(warehouse, &table.target, &prepared, &load, async { Ok(false) }).await;
    assert!(matches!(replaced, Ok(Replaced::Superseded)), "{replaced:?}");
    assert_eq!(staging_tables(harness).await, [OTHERS]);
    assert_eq!((swaps(&harness.emulator).len(), table.recorded()), (0, 0), "nothing was swapped");
}

/// The staging tables that were requested, each as often as the request was sent.
fn created(requests: &[LoggedRequest], dataset: &str) -> Vec<String> {
    let inserts = requests.iter().filter(|request| request.method == "POST");
    let inserts = inserts.filter(|request| request.path.ends_with(&format!("/datasets/{dataset}/tables")));
    let names = inserts.filter_map(|request| request.body["tableReference"]["tableId"].as_str());
    names.filter(|name| name.starts_with("finops_staging_")).map(str::to_owned).collect()
}

/// Creates the dataset of the command `bq mk --dataset --location=L project:dataset` in the hint.
async fn follow(job: &CloudJob, hint: &str) -> String {
    let (_, command) = hint.split_once("bq mk --dataset --location=").unwrap_or_else(|| panic!("{hint}"));
    let (location, name) = command.split_once(' ').unwrap();
    let dataset = name.strip_prefix(&format!("{PROJECT}:")).unwrap();
    let body = json!({"datasetReference": {"projectId": PROJECT, "datasetId": dataset}, "location": location});
    call(job, Method::POST, "/datasets", body).await;
    dataset.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_tables_are_created_in_the_staging_dataset_which_must_exist_in_the_same_location() {
    let september = tree::Delivery::new("2025-09", "first", &["3.5", "1"]);
    let job = CloudJob::new(&[september]).await;
    let is_write = |request: &LoggedRequest| request.method != "GET" && !request.path.ends_with("/queries");

    let finops = job.finops.clone().with("STAGING_DATASET", "staging");
    let report = finops.report(2);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "configuration", "{report:#}");
    assert_names(error["message"].as_str().unwrap(), &["demo.staging", "STAGING_DATASET", "does not exist"]);
    let changes: Vec<_> = job.emulator.requests().into_iter().filter(is_write).map(|request| request.path).collect();
    assert_eq!(changes, [""; 0], "nothing is changed");

    assert_eq!(error["hint"], hint::create_staging("US", PROJECT, "staging"));
    assert_eq!(follow(&job, error["hint"].as_str().unwrap()).await, "staging");
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    let requests = job.emulator.requests();
    assert_eq!((created(&requests, "staging").len(), created(&requests, DATASET).len()), (1, 0));
    let left = call(&job, Method::GET, "/datasets/staging/tables", Value::Null).await;
    assert_eq!(left["totalItems"], 0, "{left}");

    let far = json!({"datasetReference": {"projectId": PROJECT, "datasetId": "far"}, "location": "EU"});
    call(&job, Method::POST, "/datasets", far).await;
    job.put(&tree::Delivery::new("2025-09", "second", &["7"])).await;
    let before = job.emulator.requests().len();
    let report = job.finops.clone().with("STAGING_DATASET", "far").report(2);
    let error = &report["pipelines"][0]["error"];
    assert_names(error["message"].as_str().unwrap(), &["demo.far", "is in EU", "in US"]);
    assert!(!job.emulator.requests()[before..].iter().any(is_write), "nothing is changed");
    assert_eq!(job.figures()["2025-09"], (2, "4.5".to_owned()));

    assert_eq!(error["hint"], hint::move_staging("US", PROJECT));
    let other = follow(&job, error["hint"].as_str().unwrap()).await;
    assert_eq!(each(&job.finops.clone().with("STAGING_DATASET", &other).report(0), "status"), ["loaded"]);
    assert_eq!(job.figures()["2025-09"], (1, "7".to_owned()));
}
