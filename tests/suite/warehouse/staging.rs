//! Every month goes through a staging table: what can be seen of it, and how often each step is done.

use bigquery_emulator::{Fault, FaultKind, JobFault, When};
use finops::{
    error::ErrorKind,
    flow::replace::Replaced,
    warehouse::{Committed, MonthLoad},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    bigquery::{BigQueryHarness, until},
    delivery::Delivery,
    harness::{DATASET, Harness, ReplaceMonth, Rows, TABLE, Table},
    servers::{PROJECT, query},
};

pub const MONTH: &str = "2025-08";
/// What the names of the month's staging tables begin with, and the ids of the jobs that fill them contain.
pub const STAGING: &str = "finops_staging_202508_";

/// The id of the month's numbered job.
pub fn job(number: usize) -> String {
    format!("finops-{DATASET}-{TABLE}-202508-{number}")
}

/// A query for a row of `month` for each of `costs`, whose column has the type `cost_type` in the files.
pub fn rows(month: &str, cost_type: &str, costs: &[&str]) -> String {
    let values: Vec<String> = costs.iter().map(|cost| format!("('{cost}')")).collect();
    format!(
        "SELECT 'li-' || cost AS identity_line_item_id, TIMESTAMP '{month}-01' AS bill_billing_period_start_date, \
         TIMESTAMP '{month}-02 16:00:00' AS line_item_usage_start_date, \
         '000123456789' AS line_item_usage_account_id, 'Usage' AS line_item_line_item_description, \
         'USD' AS line_item_currency_code, CAST(cost AS {cost_type}) AS line_item_unblended_cost \
         FROM (VALUES {}) AS costs(cost)",
        values.join(", ")
    )
}

/// A delivery of August as one Parquet file, with floating amounts as AWS has them.
pub fn floating(execution_id: &str, costs: &[&str]) -> Delivery {
    Delivery::new(MONTH, execution_id).parquet(&rows(MONTH, "DOUBLE", costs))
}

/// A table whose August was loaded under number 1, from CSV.
pub async fn with_a_month() -> Table<BigQueryHarness> {
    let table = Table::<BigQueryHarness>::new().await;
    table.load(&Delivery::of_costs(MONTH, "old", &["1", "2"])).await.unwrap();
    table
}

/// The staging tables that exist.
pub async fn staging_tables(harness: &BigQueryHarness) -> Vec<String> {
    let list = harness.call(Method::GET, &format!("/datasets/{DATASET}/tables"), Value::Null).await;
    let names = list["tables"].as_array().unwrap().iter();
    let names = names.map(|table| table["tableReference"]["tableId"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("finops_staging_")).collect()
}

/// The ids of the jobs of this kind that were sent with a matching destination, each as often as it was sent.
fn sent(harness: &BigQueryHarness, kind: &str, destination: impl Fn(&str) -> bool) -> Vec<String> {
    let requests = harness.emulator.requests().into_iter();
    let jobs = requests.filter(|request| request.method == "POST" && request.path.ends_with("/jobs"));
    let jobs = jobs.filter(|request| {
        let table = &request.body["configuration"][kind]["destinationTable"]["tableId"];
        table.as_str().is_some_and(&destination)
    });
    jobs.map(|request| request.body["jobReference"]["jobId"].as_str().unwrap().to_owned()).collect()
}

fn is_for_files(table: &str) -> bool {
    table.starts_with(STAGING) && ["_files", "_texts", "_modes"].iter().any(|form| table.ends_with(form))
}

/// The jobs that load files without conversion, into a table of their own.
pub fn fills(harness: &BigQueryHarness) -> Vec<String> {
    sent(harness, "load", is_for_files)
}

/// The jobs that append files to the table that is swapped in.
pub fn appends(harness: &BigQueryHarness) -> Vec<String> {
    sent(harness, "load", |table| table.starts_with(STAGING) && !is_for_files(table))
}

/// The jobs that convert files into the table that is swapped in.
pub fn conversions(harness: &BigQueryHarness) -> Vec<String> {
    sent(harness, "query", |table| table.starts_with(STAGING))
}

/// The jobs that replace the month. All are numbered copies, and nothing else ever writes into the table.
pub fn swaps(harness: &BigQueryHarness) -> Vec<String> {
    let is_the_tables = |table: &str| table.starts_with(TABLE);
    for kind in ["load", "query"] {
        assert_eq!(sent(harness, kind, is_the_tables), [""; 0], "{kind}");
    }
    sent(harness, "copy", is_the_tables)
}

/// The ids of the first numbered jobs, up to that number.
pub fn jobs_up_to(number: usize) -> Vec<String> {
    (1..=number).map(job).collect()
}

/// The one staging table that a run left, which expires within a day.
pub async fn left_to_expire(harness: &BigQueryHarness) -> String {
    let tables = staging_tables(harness).await;
    let [name] = tables.as_slice() else { panic!("one staging table, not {tables:?}") };
    let staging = harness.call(Method::GET, &format!("/datasets/{DATASET}/tables/{name}"), Value::Null).await;
    let ms = |key: &str| staging[key].as_str().unwrap().parse::<i64>().unwrap();
    let (day, lives) = (24 * 3_600_000, ms("expirationTime") - ms("creationTime"));
    assert!((day - 3_600_000..=day).contains(&lives), "{lives} ms");
    name.clone()
}

/// The month's costs as text.
pub fn costs(table: &Table<BigQueryHarness>) -> Rows {
    let (costs, name) = (table.harness.amount("line_item_unblended_cost"), table.harness.table(TABLE));
    let month = format!("{} = TIMESTAMP '{MONTH}-01 00:00:00'", table.target.key_columns.partition);
    table.harness.rows(&format!("SELECT {costs} FROM {name} WHERE {month} ORDER BY ALL")).unwrap()
}

/// One column's values.
pub fn column(values: &[&str]) -> Rows {
    values.iter().map(|value| vec![Some((*value).to_owned())]).collect()
}

pub fn fault(method: &str, path_contains: &str, after: usize, kind: FaultKind, when: When) -> Fault {
    let (method, path_contains) = (method.to_owned(), path_contains.to_owned());
    Fault { method, path_contains, after, times: 1, kind, when }
}

pub fn job_fault(job_id_contains: &str, reason: &str, message: &str) -> JobFault {
    let (job_id_contains, reason) = (job_id_contains.to_owned(), reason.to_owned());
    JobFault { job_id_contains, times: 1, reason, message: message.to_owned() }
}

async fn job_resource(harness: &BigQueryHarness, id: &str) -> Value {
    harness.call(Method::GET, &format!("/jobs/{id}?location=US"), Value::Null).await
}

/// Query to billed bytes, of all query jobs so far.
async fn queries_billed(harness: &BigQueryHarness) -> Vec<(String, u64)> {
    let list = harness.call(Method::GET, "/jobs?projection=full&maxResults=1000", Value::Null).await;
    assert!(list["nextPageToken"].is_null());
    let jobs = list["jobs"].as_array().unwrap().iter().filter(|job| job["configuration"]["query"].is_object());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    jobs.map(|job| {
        let billed = text(&job["statistics"]["query"]["totalBytesBilled"]).parse().unwrap();
        (text(&job["configuration"]["query"]["query"]), billed)
    })
    .collect()
}

#[tokio::test]
async fn floating_amounts_reach_the_month_by_one_load_one_query_and_one_copy() {
    let table = with_a_month().await;
    let harness = &table.harness;
    let delivery = floating("new", &["0.1", "0.2"]).parquet(&rows(MONTH, "DOUBLE", &["0.0000001", "-12345678.9"]));
    let load = table.prepare(&delivery).await;
    let (old, billed_before) = (table.month(MONTH), queries_billed(harness).await.len());
    assert_eq!(old.len(), 2);
    harness.emulator.hold_jobs(&job(2));

    let (replaced, staged) = tokio::join!(table.replace(&load), async {
        until(|| swaps(harness).len() == 2).await;
        assert_eq!(table.month(MONTH), old, "until the new month is complete");
        let name = left_to_expire(harness).await;
        let staging = harness.call(Method::GET, &format!("/datasets/{DATASET}/tables/{name}"), Value::Null).await;
        assert_eq!(staging["labels"], json!({"managed_by": "finops"}));
        assert_eq!(staging["numRows"], "4");
        harness.emulator.release();
        name
    });

    let load = replaced.unwrap();
    assert_eq!((load.record.sequence, load.record.rows, load.record.files), (2, 4, 2));
    assert_eq!(load.record.job_id, Some(job(2)));
    assert_eq!(load.record.cost["USD"].to_string(), "-12345678.5999999");
    assert_eq!(costs(&table), column(&["-12345678.9", "0.0000001", "0.1", "0.2"]));
    let id = |what: &str| vec![format!("finops-{DATASET}-{TABLE}-202508-{staged}-{what}-1")];
    assert_eq!((fills(harness), conversions(harness)), (id("files"), id("query")));
    assert_eq!(swaps(harness), jobs_up_to(2));
    assert_eq!(staging_tables(harness).await, [""; 0]);
    let labels = &job_resource(harness, &job(2)).await["configuration"]["labels"];
    assert_eq!((&labels["finops_files"], &labels["finops_rows"]), (&json!("2"), &json!("4")));
    assert_eq!(labels["finops_staging"], json!(staged));
    assert!(labels["finops_work"].as_str().unwrap().starts_with("s2-"), "{labels}");
    // Newest first. The month is billed for converting and summing, but not for recording.
    let mut queries = queries_billed(harness).await;
    queries.truncate(queries.len() - billed_before);
    queries.retain(|(query, _)| !query.contains("finops_loads"));
    assert_eq!(queries.len(), 2, "{queries:?}");
    let billed: u64 = queries.iter().map(|(_, billed)| billed).sum();
    assert!(billed > 0);
    assert_eq!(load.bytes_billed, billed);
}

#[tokio::test]
async fn files_with_the_tables_types_are_appended_without_conversion_and_copied() {
    let table = with_a_month().await;
    let exact = ["0.100000000000000001", "12345678901234567890.000000000000000003"];
    let delivery = Delivery::new(MONTH, "new").parquet(&rows(MONTH, "DECIMAL(38, 18)", &exact));
    let load = table.load(&delivery).await.unwrap();
    assert_eq!((load.record.sequence, load.record.rows), (2, 2));
    assert_eq!(load.record.cost["USD"].to_string(), "12345678901234567890.100000000000000004");
    assert_eq!(costs(&table), column(&exact));
    assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (0, 0));
    assert_eq!((appends(&table.harness).len(), swaps(&table.harness)), (2, jobs_up_to(2)));
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

#[tokio::test]
async fn files_whose_schema_is_refused_are_converted_and_use_no_number() {
    for message in [
        "Provided Schema does not match Table demo:billing.aws_cur$202508. Field x is missing in new schema",
        "Provided Schema does not match Table demo:billing.aws_cur$202508. Field x has changed type from A to B",
        "Provided Schema does not match Table demo:billing.aws_cur$202508. Cannot add fields (field: x)",
        "Error while reading data, error message: Parquet column 'x' has type INT64 which does not match the target \
         type STRING.",
    ] {
        let table = with_a_month().await;
        table.harness.emulator.add_job_fault(job_fault("-load-1", "invalid", message));
        let load = table.load(&Delivery::of_costs(MONTH, "new", &["3", "4", "5"])).await.unwrap();
        assert_eq!((load.record.sequence, load.record.job_id, load.record.rows), (2, Some(job(2)), 3), "{message}");
        assert_eq!((appends(&table.harness).len(), fills(&table.harness).len()), (2, 1));
        assert_eq!((conversions(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(2)));
        assert_eq!(costs(&table), column(&["3", "4", "5"]));
        assert_eq!(staging_tables(&table.harness).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_month_that_fails_after_its_schema_was_refused_leaves_nothing_behind() {
    let table = with_a_month().await;
    let load = table.prepare(&Delivery::of_costs(MONTH, "new", &["3", "4", "5"])).await;
    let before = table.snapshot().await;
    let refusal = "Provided Schema does not match Table demo:billing.aws_cur$202508. Field x is missing in new schema";
    table.harness.emulator.add_job_fault(job_fault("-load-1", "invalid", refusal));
    let denied = FaultKind::Status(403, "accessDenied".to_owned());
    // The first table is the one that is swapped in, the second takes the files without conversion.
    table.harness.emulator.add_fault(fault("POST", "/tables", 1, denied, When::BeforeEffect));
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!((table.snapshot().await, staging_tables(&table.harness).await), (before, Vec::new()));
    assert_eq!((fills(&table.harness).len(), swaps(&table.harness)), (0, jobs_up_to(1)));

    let load = table.replace(&load).await.unwrap();

    assert_eq!((load.record.sequence, costs(&table)), (2, column(&["3", "4", "5"])));
    assert_eq!((appends(&table.harness).len(), fills(&table.harness).len()), (3, 0));
    assert_eq!((swaps(&table.harness), staging_tables(&table.harness).await), (jobs_up_to(2), Vec::new()));
}

/// A table whose August was loaded again, from floating amounts, by a run that died before it recorded it.
async fn with_an_unrecorded_load() -> (Table<BigQueryHarness>, MonthLoad) {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4", "5"])).await;
    // The query that sums the staged rows comes first.
    let refused = FaultKind::Status(403, "accessDenied".to_owned());
    table.harness.emulator.add_fault(fault("POST", "/queries", 1, refused, When::BeforeEffect));
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!((costs(&table), table.recorded()), (column(&["3", "4", "5"]), 1));
    (table, load)
}

#[tokio::test]
async fn a_swap_that_was_not_recorded_is_recorded_by_the_next_run_which_stages_nothing() {
    let (table, load) = with_an_unrecorded_load().await;
    let replaced = table.harness.connect().replace_month(&table.target, &load).await.unwrap();
    let Replaced::Committed(load, _) = replaced else { panic!("overtaken") };
    assert_eq!((load.record.sequence, load.record.rows, load.record.files), (2, 3, 1));
    assert_eq!(load.record.job_id.clone(), Some(job(2)));
    assert_eq!(load.record, table.loaded_month(MONTH).await.unwrap().record);
    assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (1, 1));
    assert_eq!((appends(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(2)));
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

#[tokio::test]
async fn an_unrecorded_swap_whose_month_was_deleted_since_is_done_again_from_the_files() {
    let (table, load) = with_an_unrecorded_load().await;
    table.harness.delete_month(MONTH.parse().unwrap()).await;
    let load = table.replace(&load).await.unwrap();
    assert_eq!((load.record.sequence, costs(&table)), (3, column(&["3", "4", "5"])));
    assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (2, 2));
    assert_eq!(swaps(&table.harness), jobs_up_to(3));
    assert_eq!(staging_tables(&table.harness).await, [""; 0]);
}

/// A table whose August is loaded again by a job that still runs, although the run that began it died.
async fn with_a_running_swap() -> (Table<BigQueryHarness>, MonthLoad) {
    let table = with_a_month().await;
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    let old = table.month(MONTH);
    let asked = asked_for_second_job(&table.harness);
    table.harness.emulator.hold_jobs(&job(2));
    tokio::select! {
        replaced = table.replace(&load) => panic!("a paused job ended: {replaced:?}"),
        // Before anything is staged, and once the job is there.
        () = until(|| asked_for_second_job(&table.harness) == asked + 2) => {}
    }
    assert_eq!(table.month(MONTH), old);
    (table, load)
}

fn asked_for_second_job(harness: &BigQueryHarness) -> usize {
    harness.emulator.requests().iter().filter(|r| r.method == "GET" && r.path.ends_with(&job(2))).count()
}

/// The next run, which comes while the swap still runs.
async fn complete(table: &Table<BigQueryHarness>, load: &MonthLoad) -> Committed {
    let (harness, next) = (&table.harness, table.harness.connect());
    let asked = asked_for_second_job(harness);
    let (replaced, ()) = tokio::join!(next.replace_month(&table.target, load), async {
        until(|| asked_for_second_job(harness) > asked).await;
        harness.emulator.release();
    });
    let Replaced::Committed(load, _) = replaced.unwrap() else { panic!("overtaken") };
    *load
}

#[tokio::test]
async fn a_run_killed_while_its_swap_runs_is_completed_by_the_next_which_stages_nothing() {
    let (table, load) = with_a_running_swap().await;
    let left = left_to_expire(&table.harness).await;
    let load = complete(&table, &load).await;
    assert_eq!((load.record.sequence, load.record.rows, load.record.files), (2, 2, 1));
    assert_eq!((costs(&table), table.recorded()), (column(&["3", "4"]), 2));
    assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (1, 1));
    assert_eq!((appends(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(2)));
    assert_eq!(left_to_expire(&table.harness).await, left, "no run removes another's");
}

#[tokio::test]
async fn after_a_transient_failure_of_a_killed_runs_swap_the_files_are_loaded_again() {
    let (table, load) = with_a_running_swap().await;
    let left = left_to_expire(&table.harness).await;
    table.harness.emulator.add_job_fault(job_fault(&job(2), "backendError", "injected"));
    let load = complete(&table, &load).await;
    assert_eq!((load.record.sequence, costs(&table)), (3, column(&["3", "4"])));
    assert_eq!((fills(&table.harness).len(), conversions(&table.harness).len()), (2, 2));
    assert_eq!(swaps(&table.harness), jobs_up_to(3));
    assert_eq!(left_to_expire(&table.harness).await, left, "the killed run's own");
}

#[tokio::test]
async fn two_runs_at_once_swap_a_delivery_once() {
    let table = with_a_month().await;
    let (harness, other) = (&table.harness, table.harness.connect());
    let load = table.prepare(&floating("new", &["3", "4"])).await;
    let same = MonthLoad { run_id: "another".to_owned(), ..load.clone() };
    // Both have read the numbers before either swaps.
    harness.emulator.hold_jobs(&format!("finops-{DATASET}-{TABLE}-202508-{STAGING}"));
    let (one, two, ()) = tokio::join!(table.replace(&load), other.replace_month(&table.target, &same), async {
        until(|| fills(harness).len() == 2).await;
        harness.emulator.release();
    });
    let (one, Replaced::Committed(two, _)) = (one.unwrap(), two.unwrap()) else { panic!("the other run is overtaken") };
    assert_eq!((one.record.sequence, one.record.job_id), (2, Some(job(2))));
    assert_eq!((two.record.sequence, two.record.job_id), (2, Some(job(2))));
    assert_eq!((fills(harness).len(), conversions(harness).len()), (2, 2), "each run stages for itself");
    let mut swaps = swaps(harness);
    swaps.dedup();
    assert_eq!((swaps, table.recorded()), (jobs_up_to(2), 2));
    assert_eq!((costs(&table), staging_tables(harness).await), (column(&["3", "4"]), Vec::new()));
}

#[tokio::test]
async fn two_runs_at_once_with_different_deliveries_swap_one_after_the_other() {
    let table = with_a_month().await;
    let (harness, other) = (&table.harness, table.harness.connect());
    let first = table.prepare(&floating("b", &["3", "4"])).await;
    let second = table.prepare(&floating("c", &["5", "6", "7"])).await;
    let staging = format!("finops-{DATASET}-{TABLE}-202508-{STAGING}");
    harness.emulator.hold_jobs(&staging);
    let own = harness.warehouse();
    let (one, two, ()) =
        tokio::join!(own.replace_month(&table.target, &first), other.replace_month(&table.target, &second), async {
            until(|| fills(harness).len() == 2).await;
            harness.emulator.release();
        });
    // Either may come first; the other lists the deliveries again.
    let (winner, loser, seen) = match (one.unwrap(), two.unwrap()) {
        (Replaced::Committed(done, _), Replaced::Superseded) => (done, (&other, &second), ["3", "4"].as_slice()),
        (Replaced::Superseded, Replaced::Committed(done, _)) => (done, (own, &first), ["5", "6", "7"].as_slice()),
        ended => panic!("{ended:?}"),
    };
    assert_eq!((winner.record.sequence, costs(&table)), (2, column(seen)));
    assert_eq!(staging_tables(harness).await, [""; 0]);
    let Replaced::Committed(last, _) = loser.0.replace_month(&table.target, loser.1).await.unwrap() else {
        panic!("twice")
    };
    assert_eq!((last.record.sequence, table.month(MONTH).len()), (3, loser.1.rows.unwrap().try_into().unwrap()));
    assert_eq!((table.recorded(), staging_tables(harness).await), (3, Vec::new()));
}

#[tokio::test]
async fn a_column_that_others_added_to_the_table_has_no_value_in_staged_rows() {
    let table = with_a_month().await;
    let sql = format!("ALTER TABLE `{PROJECT}`.{DATASET}.{TABLE} ADD COLUMN note FLOAT64, ADD COLUMN made DATE");
    query(&table.harness.emulator, &sql).await;

    table.load(&floating("new", &["3", "4"])).await.unwrap();

    assert_eq!((costs(&table), staging_tables(&table.harness).await.len()), (column(&["3", "4"]), 0));
    assert_eq!(table.select("note IS NULL AND made IS NULL"), column(&["true", "true"]));
}

#[tokio::test]
async fn a_column_whose_name_no_table_can_have_is_refused_by_name_before_any_file_is_loaded() {
    let table = with_a_month().await;
    let query = format!("SELECT *, 'x' AS \"a/b\" FROM ({})", rows(MONTH, "DOUBLE", &["3"]));
    let mut load = table.prepare(&floating("new", &["3"])).await;
    let odd = table.prepare(&Delivery::new(MONTH, "odd").parquet(&query).renamed("a/b", "a_b")).await;
    load.batches[0].columns.clone_from(&odd.batches[0].columns);
    let error = table.replace(&load).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.full_message().contains("`a/b`"), "{error:?}");
    assert_eq!((fills(&table.harness).len(), staging_tables(&table.harness).await.len()), (0, 0));
    assert_eq!((appends(&table.harness).len(), swaps(&table.harness)), (1, jobs_up_to(1)));
}
