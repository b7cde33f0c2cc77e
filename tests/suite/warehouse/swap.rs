//! The job that swaps a staged month in: a copy, or a query where a copy is not possible, and what either keeps.

use bigquery_emulator::{Emulator, Fault, FaultKind, JobFault, Options, When};
use finops::{
    error::{Error, ErrorKind, Result},
    warehouse::{Committed, MonthLoad, Stage, Swap, Warehouse, bigquery::BigQuery},
};
use finops_core::hint;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        bigquery::BigQueryHarness,
        delivery::Delivery,
        harness::{DATASET, Harness, TABLE, Table, target},
        jobs::CloudJob,
        program::{assert_names, each, month},
        servers::{self, PROJECT, query},
        tables::copy_jobs,
        tree,
    },
    warehouse::staging_tables::staging_tables,
};

/// The path of [`TABLE`].
pub fn table_path() -> String {
    format!("/datasets/{DATASET}/tables/{TABLE}")
}

/// The jobs that were sent under numbers: month, number and form, such as `202508-1 copy`.
pub fn swaps(emulator: &Emulator) -> Vec<String> {
    let prefix = format!("finops-{DATASET}-{TABLE}-");
    let requests = emulator.requests().into_iter().filter(|r| r.method == "POST" && r.path.ends_with("/jobs"));
    let swap = |body: Value| {
        let (number, configuration) =
            (body["jobReference"]["jobId"].as_str()?.strip_prefix(&prefix)?, body["configuration"].as_object()?);
        let form = ["copy", "query", "load"].into_iter().find(|form| configuration.contains_key(*form))?;
        (!number.contains("staging")).then(|| format!("{number} {form}"))
    };
    requests.filter_map(|request| swap(request.body)).collect()
}

/// The body of the last swap that was sent.
fn last_swap(emulator: &Emulator) -> Value {
    let requests = emulator.requests().into_iter().filter(|r| r.method == "POST" && r.path.ends_with("/jobs"));
    requests.map(|request| request.body["configuration"].clone()).next_back().unwrap()
}

/// The id of August's numbered job.
pub fn job(number: i64) -> String {
    format!("finops-{DATASET}-{TABLE}-202508-{number}")
}

pub fn fault(method: &str, path_contains: &str, times: usize, kind: FaultKind) -> Fault {
    let (method, path_contains) = (method.to_owned(), path_contains.to_owned());
    Fault { method, path_contains, after: 0, times, kind, when: When::BeforeEffect }
}

/// An answer in BigQuery's form.
pub fn refusal(status: u16, reason: &str, message: &str) -> FaultKind {
    let error = json!({"code": status, "message": message, "errors": [{"reason": reason, "message": message}]});
    FaultKind::Answer { status, headers: Vec::new(), body: json!({ "error": error }).to_string() }
}

/// A table in an emulator of these options.
pub async fn table(options: Options) -> Table<BigQueryHarness> {
    Table { harness: BigQueryHarness::with(options).await, target: target() }
}

/// The table, prepared for all of the deliveries.
async fn prepared(table: &Table<BigQueryHarness>, deliveries: &[Delivery]) -> (Prepared, Vec<MonthLoad>) {
    let mut loads = Vec::new();
    for delivery in deliveries {
        loads.push(table.prepare(delivery).await);
    }
    let columns = deliveries[0].table_columns();
    (table.harness.warehouse().prepare(&table.target, &columns, &[]).await.unwrap(), loads)
}

async fn stage(warehouse: &BigQuery, prepared: &Prepared, load: &MonthLoad) -> (Staged, Committing) {
    let Stage::Ready(staged, figures) = warehouse.stage(prepared, load).await.unwrap() else { panic!("not staged") };
    (staged, load.record(&target(), &figures))
}

type Prepared = <BigQuery as Warehouse>::Table;
type Staged = <BigQuery as Warehouse>::Staged;
type Committing = finops::warehouse::NewRecord;

/// Stages the month, lets something happen, and swaps it.
async fn swap_after(
    table: &Table<BigQueryHarness>,
    prepared: &Prepared,
    load: &MonthLoad,
    meanwhile: impl AsyncFnOnce(),
) -> Result<Swap> {
    let warehouse = table.harness.warehouse();
    let (staged, record) = stage(warehouse, prepared, load).await;
    meanwhile().await;
    warehouse.swap(prepared, staged, record).await
}

async fn committed(table: &Table<BigQueryHarness>, prepared: &Prepared, load: &MonthLoad) -> Committed {
    of_swap(swap_after(table, prepared, load, async || {}).await)
}

fn of_swap(swap: Result<Swap>) -> Committed {
    let Swap::Committed(committed) = swap.unwrap() else { panic!("superseded") };
    *committed
}

/// Creates the table again, with another form.
async fn create_again(harness: &BigQueryHarness, change: impl FnOnce(&mut Value)) {
    let found = harness.call(Method::GET, &table_path(), Value::Null).await;
    let mut wanted = json!({"tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE}});
    for key in ["schema", "timePartitioning", "clustering", "labels"] {
        wanted[key] = found[key].clone();
    }
    change(&mut wanted);
    harness.drop_table().await;
    harness.call(Method::POST, &format!("/datasets/{DATASET}/tables"), wanted).await;
}

fn two_months() -> [Delivery; 2] {
    [Delivery::of_costs("2025-08", "a", &["1", "2"]), Delivery::of_costs("2025-09", "a", &["3"])]
}

#[tokio::test]
async fn a_copy_that_the_tables_form_prevents_becomes_a_query_and_no_other_month_tries_a_copy() {
    for free in [false, true] {
        let options = Options { refused_copies_free_their_id: free, ..Options::default() };
        let table = table(options).await;
        let (prepared, loads) = prepared(&table, &two_months()).await;
        // Another run of finops created the table again, with another clustering.
        let other = async || {
            create_again(&table.harness, |table| table["clustering"] = json!({"fields": ["line_item_currency_code"]}))
                .await;
        };
        let first = of_swap(swap_after(&table, &prepared, &loads[0], other).await);
        let number = if free { 1 } else { 2 };
        assert_eq!((first.record.sequence, first.record.job_id), (number, Some(job(number))), "{free}");
        let second = committed(&table, &prepared, &loads[1]).await;
        assert_eq!(second.record.sequence, 1);
        assert_eq!(
            swaps(&table.harness.emulator),
            ["202508-1 copy".to_owned(), format!("202508-{number} query"), "202509-1 query".to_owned()]
        );
        assert_eq!((table.month("2025-08").len(), table.month("2025-09").len(), table.recorded()), (2, 1, 2));
    }
}

#[tokio::test]
async fn a_copy_that_fails_as_not_supported_is_repeated_as_a_query_under_the_next_number() {
    let not_supported = "Failed to copy Column partitioned table to Column partitioned table: not supported.";
    let table = Table::<BigQueryHarness>::new().await;
    let (prepared, loads) = prepared(&table, &two_months()).await;
    let (reason, message) = ("invalid".to_owned(), not_supported.to_owned());
    table.harness.emulator.add_job_fault(JobFault { job_id_contains: job(1), times: 1, reason, message });
    let first = committed(&table, &prepared, &loads[0]).await;
    assert_eq!((first.record.sequence, first.record.job_id), (2, Some(job(2))));
    assert!(first.bytes_billed > 0, "a query is billed");
    committed(&table, &prepared, &loads[1]).await;
    assert_eq!(swaps(&table.harness.emulator), ["202508-1 copy", "202508-2 query", "202509-1 query"]);

    // Refused when it was sent, so that its number is not used up.
    let load = table.prepare(&Delivery::of_costs("2025-08", "b", &["7"])).await;
    let prepared = table.harness.warehouse().prepare(&table.target, &[], &[]).await.unwrap();
    let refused = async || {
        table.harness.emulator.add_fault(fault("POST", "/jobs", 1, refusal(400, "invalid", not_supported)));
    };
    assert_eq!(of_swap(swap_after(&table, &prepared, &load, refused).await).record.sequence, 3);
    assert_eq!(swaps(&table.harness.emulator)[3..], ["202508-3 copy", "202508-3 query"]);
}

#[tokio::test]
async fn a_column_added_by_hand_meanwhile_is_left_empty_by_a_query_and_the_next_month_tries_a_copy() {
    let table = Table::<BigQueryHarness>::new().await;
    let (prepared, loads) = prepared(&table, &two_months()).await;
    let add_column = async || {
        let mut table_now = table.harness.call(Method::GET, &table_path(), Value::Null).await;
        let fields = table_now["schema"]["fields"].as_array_mut().unwrap();
        fields.push(json!({"name": "note", "type": "STRING"}));
        table.harness.call(Method::PATCH, &table_path(), json!({"schema": table_now["schema"]})).await;
    };
    let first = of_swap(swap_after(&table, &prepared, &loads[0], add_column).await);
    assert_eq!((first.record.sequence, first.record.rows), (2, 2));
    assert_eq!(table.select("note"), vec![vec![None], vec![None]]);
    committed(&table, &prepared, &loads[1]).await;
    assert_eq!(swaps(&table.harness.emulator), ["202508-1 copy", "202508-2 query", "202509-1 copy", "202509-2 query"]);
    // A run that sees the column from its beginning copies.
    table.load(&Delivery::of_costs("2025-09", "b", &["4"])).await.unwrap();
    assert_eq!(swaps(&table.harness.emulator)[4..], ["202509-3 copy"]);
}

async fn policies(table: &Table<BigQueryHarness>) -> usize {
    let list = table.harness.call(Method::GET, &format!("{}/rowAccessPolicies", table_path()), Value::Null).await;
    list["rowAccessPolicies"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_table_with_a_row_access_policy_is_never_copied_to_and_keeps_the_policy() {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&two_months()[0]).await.unwrap();
    table.harness.emulator.add_row_access_policy(DATASET, TABLE, "own_rows", "TRUE").unwrap();
    let load = table.load(&Delivery::of_costs("2025-08", "b", &["7", "8", "9"])).await.unwrap();
    assert_eq!((load.record.sequence, load.record.rows, table.month("2025-08").len()), (2, 3, 3));
    assert_eq!(swaps(&table.harness.emulator), ["202508-1 copy", "202508-2 query"]);
    assert_eq!(last_swap(&table.harness.emulator)["query"]["writeDisposition"], "WRITE_TRUNCATE_DATA");
    assert_eq!(policies(&table).await, 1);

    // An account that may not list policies continues as if there were none.
    let denied = FaultKind::Status(403, "accessDenied".to_owned());
    table.harness.emulator.add_fault(fault("GET", "/rowAccessPolicies", 2, denied));
    table.load(&Delivery::of_costs("2025-08", "c", &["7"])).await.unwrap();
    assert_eq!(swaps(&table.harness.emulator)[2..], ["202508-3 copy"]);
}

/// Sends a request to the job's emulator, not through the program.
pub async fn call(job: &CloudJob, method: Method, path: &str, body: Value) -> Value {
    servers::call(&job.emulator, method, path, body).await
}

/// Creates the table again, empty, with what others may add to it: descriptions, or policy tags too.
async fn annotate(job: &CloudJob, with_policy_tags: bool) {
    let found = call(job, Method::GET, &table_path(), Value::Null).await;
    let mut wanted = json!({"tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE}});
    for key in ["schema", "timePartitioning", "clustering", "labels"] {
        wanted[key] = found[key].clone();
    }
    for field in wanted["schema"]["fields"].as_array_mut().unwrap() {
        if field["name"] == "line_item_product_code" {
            field["description"] = "The service".into();
        }
        if with_policy_tags && field["name"] == "identity_line_item_id" {
            field["policyTags"] = json!({"names": ["projects/p/locations/us/taxonomies/1/policyTags/2"]});
        }
    }
    call(job, Method::DELETE, &table_path(), Value::Null).await;
    call(job, Method::POST, &format!("/datasets/{DATASET}/tables"), wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_swap_removes_is_named_and_no_later_month_is_swapped() {
    let deliveries = ["2025-08", "2025-09", "2025-10"].map(|month| tree::Delivery::new(month, "first", &["1", "2"]));
    let job = CloudJob::loaded(&deliveries).await;
    annotate(&job, false).await;
    let report = job.finops.report(1);
    let figures = job.figures();
    let [loaded] = figures.keys().collect::<Vec<_>>()[..] else { panic!("{figures:?}") };
    let error = &month(&report, loaded)["error"];
    assert_eq!(error["kind"], "schema");
    let lost = ["description of column line_item_product_code"];
    assert_names(error["message"].as_str().unwrap(), &lost);
    assert_names(error["hint"].as_str().unwrap(), &[hint::RESTORE_TABLE]);
    // All are under way at once, and those that follow end before their swap.
    for delivery in &deliveries {
        assert_names(month(&report, &delivery.month)["error"]["message"].as_str().unwrap(), &lost);
    }
    // The month is recorded, and the others are loaded by the next run.
    let report = job.finops.report(0);
    for delivery in &deliveries {
        let expected = if delivery.month == *loaded { "skipped" } else { "loaded" };
        assert_eq!(month(&report, &delivery.month)["status"], expected);
    }

    let options = Options { truncates_keep_annotations: true, ..Options::default() };
    let job = CloudJob::with(options, &deliveries[1..]).await;
    job.finops.report(0);
    annotate(&job, true).await;
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_tags_stay_since_months_are_replaced_by_a_query_that_keeps_them() {
    let job = CloudJob::loaded(&[tree::Delivery::new("2025-09", "first", &["1", "2"])]).await;
    annotate(&job, true).await;
    let copies = copy_jobs(&job.emulator).len();
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    assert_eq!(copy_jobs(&job.emulator).len(), copies, "no copy is tried");
    let staging = |body: &Value| body["tableReference"]["tableId"].as_str().is_some_and(|id| id.contains("staging"));
    let requests = job.emulator.requests();
    let created = requests.iter().map(|request| &request.body).filter(|body| staging(body));
    assert!(created.clone().count() > 0 && created.clone().all(|body| !body.to_string().contains("policyTags")));
    let fields = call(&job, Method::GET, &table_path(), Value::Null).await["schema"]["fields"].clone();
    let tagged = fields.as_array().unwrap().iter().filter(|field| !field["policyTags"].is_null()).count();
    assert_eq!(tagged, 1);
}

#[tokio::test]
async fn a_copy_of_another_number_of_rows_fails_and_is_not_recorded() {
    let table = Table::<BigQueryHarness>::new().await;
    let (prepared, loads) = prepared(&table, &two_months()).await;
    let statistics = json!({"endTime": "1", "copy": {"copiedRows": "1"}});
    let body = json!({"status": {"state": "DONE"}, "statistics": statistics}).to_string();
    let fewer = async || {
        let kind = FaultKind::Answer { status: 200, headers: Vec::new(), body };
        table.harness.emulator.add_fault(fault("GET", &job(1), 1, kind));
    };
    let error = swap_after(&table, &prepared, &loads[0], fewer).await.unwrap_err();
    assert_eq!((error.kind(), error.job_id()), (ErrorKind::Verification, Some(job(1).as_str())));
    assert_names(&error.full_message(), &["2 rows were staged", "copied 1"]);
    assert_eq!(error.next_step(), Some(hint::MONTH_CHANGED));
    assert_eq!(table.recorded(), 0);
}

#[tokio::test]
async fn a_table_that_others_dropped_or_created_again_meanwhile_is_not_written() {
    let table = Table::<BigQueryHarness>::new().await;
    let (prepared, loads) = prepared(&table, &two_months()).await;
    // A renamed table, too, is missing under its old name.
    let drop = async || table.harness.drop_table().await;
    let error: Error = swap_after(&table, &prepared, &loads[0], drop).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.full_message());
    assert_eq!(table.recorded(), 0);

    let load = table.prepare(&two_months()[0]).await;
    let prepared = table.harness.warehouse().prepare(&table.target, &[], &[]).await.unwrap();
    let foreign = async || {
        let narrower = |table: &mut Value| {
            table["labels"] = Value::Null;
            table["clustering"] = Value::Null;
            let fields = table["schema"]["fields"].as_array_mut().unwrap();
            fields.retain(|field| field["name"] != "line_item_unblended_cost");
        };
        create_again(&table.harness, narrower).await;
        let row = format!(
            "INSERT INTO `{PROJECT}`.`{DATASET}`.`{TABLE}` (identity_line_item_id, bill_billing_period_start_date) \
             SELECT 'theirs', TIMESTAMP '2025-08-01 00:00:00' FROM (SELECT 1)"
        );
        query(&table.harness.emulator, &row).await;
    };
    let error = swap_after(&table, &prepared, &load, foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignTable, "{}", error.full_message());
    assert_eq!(table.select("identity_line_item_id"), vec![vec![Some("theirs".to_owned())]]);
    assert_eq!(table.recorded(), 0);
}

#[tokio::test]
async fn a_month_begins_again_if_others_removed_its_staging_table() {
    for policy in [false, true] {
        let table = Table::<BigQueryHarness>::new().await;
        table.load(&two_months()[1]).await.unwrap();
        if policy {
            table.harness.emulator.add_row_access_policy(DATASET, TABLE, "own_rows", "TRUE").unwrap();
        }
        let (prepared, loads) = prepared(&table, &two_months()).await;
        let remove = async || {
            for name in staging_tables(&table.harness).await {
                table.harness.call(Method::DELETE, &format!("/datasets/{DATASET}/tables/{name}"), Value::Null).await;
            }
        };
        let swap = swap_after(&table, &prepared, &loads[0], remove).await.unwrap();
        assert!(matches!(swap, Swap::Superseded), "by query: {policy}, {swap:?}");
        let load = committed(&table, &prepared, &loads[0]).await;
        assert_eq!((load.record.rows, table.month("2025-08").len(), table.recorded()), (2, 2, 2));
        let sent = swaps(&table.harness.emulator);
        assert!(sent[1..].iter().all(|swap| swap.ends_with("query") == policy), "{sent:?}");
    }
}
