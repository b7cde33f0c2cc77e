//! What BigQuery refuses, and failures that end when a request is sent again.

use bigquery_emulator::{Fault, FaultKind, When};
use finops::{
    error::ErrorKind,
    warehouse::{MonthLoad, Warehouse},
};
use finops_core::{
    hint,
    model::column_type::ColumnType,
    schema::{Column, table_changes},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    bigquery::BigQueryHarness,
    delivery::Delivery,
    harness::{DATASET, Harness, ReplaceMonth, Table},
    servers::PROJECT,
};

fn fault(method: &str, path: &str, times: usize, kind: FaultKind) -> Fault {
    let (method, path_contains) = (method.to_owned(), path.to_owned());
    Fault { method, path_contains, after: 0, times, kind, when: When::BeforeEffect }
}

fn status(code: u16, reason: &str) -> FaultKind {
    FaultKind::Status(code, reason.to_owned())
}

async fn with_a_month() -> Table<BigQueryHarness> {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    table
}

#[tokio::test]
async fn a_refused_load_is_named_with_what_to_do_and_changes_nothing() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2", "3"])).await;
    let before = table.snapshot().await;
    for (code, reason, kind, hint) in [
        (401, "authError", ErrorKind::Credentials, hint::LOG_IN),
        (403, "accessDenied", ErrorKind::Permission, hint::GRANT_EDITOR),
        (403, "billingNotEnabled", ErrorKind::Permission, hint::CHECK_ROLES),
        (403, "accessNotConfigured", ErrorKind::Configuration, hint::ENABLE_API),
        (404, "notFound", ErrorKind::NotFound, hint::CHECK_NAMES),
    ] {
        // The load of the files fails, or the swap that follows it.
        for (after, loads, swaps) in [(0, 1, 0), (1, 1, 1)] {
            // A load that does not find its table is sent again, because the table is new.
            if (code, after) == (404, 0) {
                continue;
            }
            let sent = (table.harness.load_inserts(), table.harness.swaps_sent().len());
            table.harness.emulator.add_fault(Fault { after, ..fault("POST", "/jobs", 1, status(code, reason)) });
            let error = table.replace(&load).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{reason}");
            let message = error.full_message();
            assert!(message.contains("2025-08") && message.contains("demo.billing.aws_cur"), "{message}");
            assert!(error.next_step().unwrap().contains(hint), "{reason}: {:?}", error.next_step());
            let now = (table.harness.load_inserts(), table.harness.swaps_sent().len());
            assert_eq!(now, (sent.0 + loads, sent.1 + swaps), "{reason} is final");
            assert_eq!(table.snapshot().await, before);
        }
    }
    table.replace(&load).await.unwrap();
}

#[tokio::test]
async fn requests_are_repeated_after_a_temporary_failure() {
    let table = with_a_month().await;
    for (sequence, kind) in (2..).zip([
        status(429, "rateLimitExceeded"),
        status(403, "rateLimitExceeded"),
        status(500, "internalError"),
        status(502, "badGateway"),
        status(503, "backendError"),
        FaultKind::Reset,
    ]) {
        table.harness.emulator.add_fault(fault("POST", "/jobs", 1, kind.clone()));
        // The load of the files is sent again before it.
        let swap = Fault { after: 1, ..fault("POST", "/jobs", 1, kind.clone()) };
        table.harness.emulator.add_fault(swap);
        table.harness.emulator.add_fault(fault("GET", "/jobs/", 1, kind.clone()));
        table.harness.emulator.add_fault(fault("POST", "/queries", 1, kind.clone()));
        let load = table.load(&Delivery::of_costs("2025-08", &format!("b{sequence}"), &["2"])).await.unwrap();
        assert_eq!(load.record.sequence, sequence, "{kind:?}");
    }
    assert_eq!(table.recorded(), 7);
}

#[tokio::test]
async fn a_service_that_does_not_answer_fails_the_load_and_changes_nothing() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let before = table.snapshot().await;
    let sent = table.harness.load_inserts();
    table.harness.emulator.add_fault(fault("POST", "/jobs", 5, status(503, "backendError")));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Warehouse);
    assert!(error.next_step().unwrap().contains(hint::RUN_AGAIN), "{:?}", error.next_step());
    assert_eq!(table.harness.load_inserts(), sent + 5);
    assert_eq!(table.snapshot().await, before);
}

#[tokio::test]
async fn without_the_permission_to_create_a_dataset_the_error_says_how_to_create_it() {
    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_fault(fault("POST", "/datasets", 1, status(403, "accessDenied")));
    let delivery = Delivery::of_costs("2025-08", "a", &["1"]);
    let error = table.harness.warehouse().prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.full_message().contains("demo.billing"), "{}", error.full_message());
    assert!(error.next_step().unwrap().contains(&hint::create_dataset("US", "demo", "billing")), "{error:?}");
}

#[tokio::test]
async fn without_the_permission_to_read_the_table_the_error_says_so() {
    let table = with_a_month().await;
    table.harness.emulator.add_fault(fault("GET", "/tables/aws_cur", 1, status(403, "accessDenied")));
    let error = table.harness.warehouse().look_up(&table.target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.full_message().contains("demo.billing.aws_cur"), "{}", error.full_message());
}

#[tokio::test]
async fn a_job_of_another_account_is_recognised() {
    let table = with_a_month().await;
    // The other run knows nothing of the load, and has no permission to read its job.
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    let load = MonthLoad { previous: None, ..load };
    let (job, denied) = ("/jobs/finops-billing-aws_cur-202508-1", status(403, "accessDenied"));
    table.harness.emulator.add_fault(fault("GET", job, usize::MAX, denied));
    let before = table.select("*");
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.next_step().unwrap().contains(hint::ONE_ACCOUNT), "{:?}", error.next_step());
    assert_eq!((table.select("*"), table.recorded()), (before, 1));
}

/// Creates a foreign table with the state table's name.
async fn create_foreign_state_table(harness: &BigQueryHarness) {
    let dataset = json!({"datasetReference": {"datasetId": DATASET}, "location": "US"});
    harness.call(Method::POST, "/datasets", dataset).await;
    let table = json!({
        "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": "finops_loads"},
        "schema": {"fields": [{"name": "mine", "type": "STRING"}]},
    });
    harness.call(Method::POST, &format!("/datasets/{DATASET}/tables"), table).await;
}

#[tokio::test]
async fn a_state_table_that_finops_did_not_create_is_refused_before_anything_is_loaded() {
    let table = Table::<BigQueryHarness>::new().await;
    create_foreign_state_table(&table.harness).await;
    let (warehouse, delivery) = (table.harness.warehouse(), Delivery::of_costs("2025-08", "a", &["1"]));

    let inspected = warehouse.look_up(&table.target).await.unwrap_err();
    let prepared = warehouse.prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap_err();
    // It appears only after the run has checked whether it exists.
    table.harness.emulator.add_fault(fault("GET", "/tables/finops_loads", 1, status(404, "notFound")));
    let raced = warehouse.prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap_err();

    for error in [inspected, prepared, raced] {
        assert_eq!(error.kind(), ErrorKind::ForeignTable, "{}", error.full_message());
        assert!(error.full_message().contains("demo.billing.finops_loads"), "{}", error.full_message());
        assert!(error.next_step().unwrap().contains(hint::FOREIGN_STATE), "{error:?}");
    }
}

#[tokio::test]
async fn a_state_table_with_other_columns_or_types_is_named_with_them() {
    let text = |name: &str| json!({"name": name, "type": "STRING"});
    let (sound, state) = (with_a_month().await, format!("/datasets/{DATASET}/tables/finops_loads"));
    let sound = sound.harness.call(Method::GET, &state, Value::Null).await;
    let mut retyped = sound["schema"]["fields"].as_array().unwrap().clone();
    *retyped.iter_mut().find(|field| field["name"] == "sequence").unwrap() = text("sequence");
    for (fields, named) in [
        (vec![text("mine")], "the column pipeline is missing"),
        (retyped, "the column sequence is STRING, expected INT64"),
    ] {
        let table = with_a_month().await;
        let path = format!("/datasets/{DATASET}/tables");
        table.harness.call(Method::DELETE, &format!("{path}/finops_loads"), Value::Null).await;
        let state = json!({
            "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": "finops_loads"},
            "schema": {"fields": fields}, "labels": {"managed_by": "finops"},
        });
        table.harness.call(Method::POST, &path, state).await;
        let (warehouse, delivery) = (table.harness.warehouse(), Delivery::of_costs("2025-08", "a", &["1"]));
        let loaded = warehouse.loaded(&table.target.name).await.unwrap_err();
        let prepared = warehouse.prepare(&table.target, &delivery.table_columns(), &[]).await.unwrap_err();
        for error in [loaded, prepared] {
            assert_eq!(error.kind(), ErrorKind::Schema, "{}", error.full_message());
            let message = error.full_message();
            assert!(message.contains("demo.billing.finops_loads") && message.contains(named), "{message}");
            assert!(error.next_step().unwrap().contains(hint::RESTORE_STATE), "{error:?}");
        }
    }
}

#[tokio::test]
async fn tables_do_not_expire_although_the_dataset_lets_new_ones_expire() {
    let table = Table::<BigQueryHarness>::new().await;
    let dataset = json!({
        "datasetReference": {"datasetId": DATASET}, "location": "US", "defaultTableExpirationMs": "86400000",
    });
    table.harness.call(Method::POST, "/datasets", dataset).await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    let expirations = async || {
        let mut found = Vec::new();
        for name in ["aws_cur", "finops_loads"] {
            let path = format!("/datasets/{DATASET}/tables/{name}");
            found.push(table.harness.call(Method::GET, &path, Value::Null).await["expirationTime"].clone());
        }
        found
    };
    assert_eq!(expirations().await, [Value::Null, Value::Null]);

    // The expiration of tables that were created with one is removed too.
    for name in ["aws_cur", "finops_loads"] {
        let path = format!("/datasets/{DATASET}/tables/{name}");
        table.harness.call(Method::PATCH, &path, json!({"expirationTime": "4102444800000"})).await;
    }
    table.load(&Delivery::of_costs("2025-08", "b", &["2"])).await.unwrap();
    assert_eq!(expirations().await, [Value::Null, Value::Null]);
}

#[tokio::test]
async fn if_a_table_disappears_while_it_is_prepared_the_error_says_to_run_again() {
    let table = with_a_month().await;
    let gone = status(404, "notFound");
    table.harness.emulator.add_fault(Fault { after: 1, ..fault("GET", "/tables/aws_cur", usize::MAX, gone) });
    let columns = Delivery::of_costs("2025-08", "a", &["1"]).table_columns();
    let added = Column { name: "added".to_owned(), column_type: ColumnType::String };
    let change = table_changes(&columns, &[added], &[]);
    let error = table.harness.warehouse().prepare(&table.target, &columns, &change).await.unwrap_err();
    assert_eq!((error.kind(), error.next_step()), (ErrorKind::NotFound, Some(hint::TABLE_GONE)), "{error:?}");

    let table = Table::<BigQueryHarness>::new().await;
    table.harness.emulator.add_fault(fault("POST", "/tables", 2, status(409, "duplicate")));
    let error = table.harness.warehouse().prepare(&table.target, &columns, &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.next_step()), (ErrorKind::Busy, Some(hint::TABLE_COMES_AND_GOES)), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_a_required_number_or_time_fails_and_says_to_report_it() {
    let answer = |body: Value| FaultKind::Answer { status: 200, headers: Vec::new(), body: body.to_string() };
    let rows = |row: &[&str]| {
        let cells: Vec<Value> = row.iter().map(|value| json!({"v": value})).collect();
        let fields: Vec<Value> = row.iter().map(|_| json!({"name": "a", "type": "STRING"})).collect();
        answer(json!({
            "jobComplete": true, "jobReference": {"projectId": PROJECT, "jobId": "j", "location": "US"},
            "schema": {"fields": fields}, "rows": [{"f": cells}], "totalRows": "1",
        }))
    };
    let table = with_a_month().await;
    let (warehouse, name) = (table.harness.warehouse(), &table.target.name);
    let loaded = warehouse.loaded(name).await.unwrap();
    table.harness.emulator.add_fault(fault("POST", "/queries", 1, rows(&["202508", "many"])));
    let error = warehouse.inspect(name, &loaded).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::REPORT), "{}", error.full_message());

    let mut found = table.harness.call(Method::GET, &format!("/datasets/{DATASET}/tables/aws_cur"), Value::Null).await;
    found["creationTime"] = "soon".into();
    table.harness.emulator.add_fault(fault("GET", "/tables/aws_cur", 1, answer(found)));
    let error = warehouse.inspect(name, &loaded).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::REPORT_IF_IT_STAYS), "{}", error.full_message());

    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["2"])).await;
    table.harness.emulator.add_fault(fault("POST", "/queries", 1, rows(&["?"])));
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.next_step(), Some(hint::REPORT_SUM), "{}", error.full_message());
}
