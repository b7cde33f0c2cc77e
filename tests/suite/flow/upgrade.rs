//! State, tables and jobs of an earlier version continue to work.
//!
//! See `tests/fixtures/upgrade/README.md` for the files and how they were created.

use std::{collections::BTreeMap, fs, io::Read, path::Path, time::Duration};

use bigquery_emulator::LoggedRequest;
use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    support::{
        bigquery::until,
        harness::Rows,
        jobs::{CloudJob, LocalJob},
        program::{BUCKET, DATASET, Finops, each, month},
        servers::{PROJECT, client, query},
        tables::Figures,
        tree,
    },
    warehouse::duckdb::rows,
};

/// The state table's columns in the earlier version.
const COLUMNS: &str = "pipeline, export_name, table_name, billing_period, sequence, execution_id, fingerprint, \
                       manifest_uri, job_id, status, rows, files, bytes, cost, previous_execution_id, run_id, loaded_at";
const SKIPPED: [&str; 3] = ["skipped"; 3];
/// The killed run's job of September.
const KILLED: &str = "finops-billing-aws_cur-202509-2";

/// The state table: the names of its columns, and the earlier version's columns of each row.
#[derive(Debug, PartialEq)]
struct State {
    columns: Vec<String>,
    rows: Rows,
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upgrade").join(name)
}

/// Month to rows and cost after the earlier version's run, except `changed`.
fn figures(changed: &[(&str, u64, &str)]) -> Figures {
    let first = [("2025-08", 2, "12345678.123456807612"), ("2025-09", 2, "4.5"), ("2025-10", 1, "10")];
    let all = first.iter().chain(changed);
    all.map(|(month, rows, cost)| ((*month).to_owned(), (*rows, (*cost).to_owned()))).collect()
}

/// Each month that `finops status` shows, with its delivery and the rows that are in the table.
fn shown(finops: &Finops) -> BTreeMap<String, (String, u64)> {
    let status = finops.report_of(&["status", "--output", "json"], 0);
    let text = |month: &Value, key: &str| month[key].as_str().unwrap().to_owned();
    let months = status[0]["months"].as_array().unwrap().iter();
    months
        .map(|month| {
            assert_eq!((&month["rows"], &month["status"]), (&month["rows_in_table"], &"loaded".into()), "{month:#}");
            (text(month, "billing_period"), (text(month, "execution_id"), month["rows"].as_u64().unwrap()))
        })
        .collect()
}

/// The result of [`shown`] if the months are of these deliveries.
fn deliveries(of: [(&str, u64); 3]) -> BTreeMap<String, (String, u64)> {
    ["2025-08", "2025-09", "2025-10"]
        .iter()
        .zip(of)
        .map(|(month, (id, rows))| ((*month).to_owned(), (id.to_owned(), rows)))
        .collect()
}

/// Asserts that all of the earlier version's columns and rows are there; there may be more of both.
#[track_caller]
fn assert_kept(before: &State, after: &State) {
    assert_eq!(before.columns.join(", "), COLUMNS);
    assert_eq!(after.columns.get(..before.columns.len()), Some(&before.columns[..]));
    for row in &before.rows {
        assert!(after.rows.contains(row), "{row:?} is not in {:?}", after.rows);
    }
}

/// A DuckDB file that the earlier version wrote, and the export that it was loaded from.
fn local() -> LocalJob {
    let job = LocalJob::new(&[]);
    tree::copy(&fixture("delivered"), &job.source);
    let packed = fs::read(fixture("finops.duckdb.gz")).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    fs::write(&job.database, bytes).unwrap();
    job
}

fn state_in_duckdb(job: &LocalJob) -> State {
    let connection = duckdb::Connection::open(&job.database).unwrap();
    let columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = 'finops_loads' ORDER BY column_index";
    let columns = rows(&connection, columns).unwrap().into_iter().map(|mut row| row.remove(0).unwrap()).collect();
    let state = format!("SELECT {COLUMNS} FROM {DATASET}.finops_loads ORDER BY billing_period, sequence");
    State { columns, rows: rows(&connection, &state).unwrap() }
}

/// A bucket and a BigQuery after the first run of the earlier version.
async fn cloud() -> CloudJob {
    let job = CloudJob::new(&[]).await;
    put(&job, "delivered").await;
    replay(&job, "first_load", "").await;
    job
}

/// Uploads the files of a folder of the fixture below `cur`.
async fn put(job: &CloudJob, folder: &str) {
    let mut folders = vec![fixture(folder)];
    while let Some(path) = folders.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(fixture(folder)).unwrap().to_str().unwrap();
                job.storage.put(BUCKET, &format!("cur/{key}"), fs::read(&path).unwrap()).await;
            }
        }
    }
}

/// Sends what the earlier version sent, each request after the job before is done. It does not wait for the job `running`.
async fn replay(job: &CloudJob, recording: &str, running: &str) {
    let recorded: Value = serde_json::from_slice(&fs::read(fixture("bigquery.json")).unwrap()).unwrap();
    for request in recorded[recording].as_array().unwrap() {
        let now = Timestamp::now();
        let tomorrow = (now + SignedDuration::from_hours(24)).as_millisecond().to_string();
        let now = now.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string();
        let body = request["body"].to_string().replace("{now}", &now).replace("{tomorrow}", &tomorrow);
        let url = format!("{}{}", job.emulator.url(), request["path"].as_str().unwrap());
        let answer = client().post(&url).body(body).send().await.unwrap();
        let (status, answer) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success() && answer["jobComplete"] != false, "{request}: {answer}");
        let inserted = request["path"].as_str().unwrap().ends_with("/jobs");
        let Some(id) = answer["jobReference"]["jobId"].as_str().filter(|id| inserted && *id != running) else {
            continue;
        };
        let done = async {
            loop {
                let found = client().get(format!("{url}/{id}?location=US")).send().await.unwrap();
                let found: Value = found.json().await.unwrap();
                if found["status"]["state"] == "DONE" {
                    return assert!(found["status"]["errorResult"].is_null(), "{found:#}");
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), done).await.expect("a replayed job does not end");
    }
}

async fn state_in_bigquery(job: &CloudJob) -> State {
    let table = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/finops_loads", job.emulator.url());
    let table: Value = client().get(table).send().await.unwrap().json().await.unwrap();
    let fields = table["schema"]["fields"].as_array().unwrap().iter();
    let columns = fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect();
    let names = COLUMNS.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let state = format!("SELECT {names} FROM `{PROJECT}`.`{DATASET}`.`finops_loads`");
    let mut rows = query(&job.emulator, &state).await;
    rows.sort();
    State { columns, rows }
}

/// The requests since the first `before` that may change something; a query that only reads does not.
fn writes(job: &CloudJob, before: usize) -> Vec<LoggedRequest> {
    let reads = |request: &LoggedRequest| {
        let sql = request.body["query"].as_str().unwrap_or_default();
        request.method == "GET" || request.path.ends_with("/queries") && sql.trim_start().starts_with("SELECT")
    };
    job.emulator.requests().into_iter().skip(before).filter(|request| !reads(request)).collect()
}

/// Asserts that the months have these figures, that the state names these deliveries, and that no job still runs.
async fn assert_completed(job: &CloudJob, before: &State, expected: &Figures, of: [(&str, u64); 3]) {
    assert_eq!(&job.figures(), expected);
    assert_eq!(shown(&job.finops), deliveries(of));
    assert_kept(before, &state_in_bigquery(job).await);
    let jobs = format!("{}/bigquery/v2/projects/{PROJECT}/jobs?allUsers=true", job.emulator.url());
    for state in ["pending", "running"] {
        let jobs = client().get(format!("{jobs}&stateFilter={state}")).send().await.unwrap();
        let jobs: Value = jobs.json().await.unwrap();
        assert!(jobs["jobs"].as_array().is_none_or(Vec::is_empty) && jobs["error"].is_null(), "{jobs:#}");
    }
    assert_eq!(each(&job.finops.report(0), "status"), SKIPPED);
    assert_eq!(&job.figures(), expected, "after one more run");
}

#[test]
fn status_plan_and_a_run_without_deliveries_change_nothing_in_duckdb() {
    let job = local();
    let (state, file) = (state_in_duckdb(&job), fs::read(&job.database).unwrap());
    assert_eq!(shown(&job.finops), deliveries([("first", 2), ("first", 2), ("first", 1)]));
    assert_eq!(each(&job.finops.report_of(&["plan", "--output", "json"], 0), "action"), ["skip"; 3]);
    assert!(fs::read(&job.database).unwrap() == file, "status or plan changed the file");
    assert_eq!(each(&job.finops.report(0), "status"), SKIPPED);
    assert_eq!((state_in_duckdb(&job), job.figures()), (state, figures(&[])));
}

#[test]
fn a_redelivery_is_loaded_into_duckdb_beside_what_was_loaded_before() {
    let job = local();
    let before = state_in_duckdb(&job);
    tree::copy(&fixture("redelivered"), &job.source);
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded", "skipped"]);
    assert_eq!(month(&report, "2025-09")["previous_cost"]["USD"], "4.5");
    assert_eq!(job.figures(), figures(&[("2025-09", 3, "24")]));
    assert_eq!(shown(&job.finops), deliveries([("first", 2), ("second", 3), ("first", 1)]));
    assert_kept(&before, &state_in_duckdb(&job));
    assert_eq!(each(&job.finops.report(0), "status"), SKIPPED);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_plan_and_a_run_without_deliveries_change_nothing_in_bigquery() {
    let job = cloud().await;
    let (state, before) = (state_in_bigquery(&job).await, job.emulator.requests().len());
    assert_eq!(shown(&job.finops), deliveries([("first", 2), ("first", 2), ("first", 1)]));
    assert_eq!(each(&job.finops.report_of(&["plan", "--output", "json"], 0), "action"), ["skip"; 3]);
    assert_eq!(each(&job.finops.report(0), "status"), SKIPPED);
    let writes = writes(&job, before);
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!((state_in_bigquery(&job).await, job.figures()), (state, figures(&[])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_is_loaded_into_bigquery_beside_what_was_loaded_before() {
    let job = cloud().await;
    let before = state_in_bigquery(&job).await;
    put(&job, "redelivered").await;
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded", "skipped"]);
    assert_eq!(month(&report, "2025-09")["previous_cost"]["USD"], "4.5");
    let expected = figures(&[("2025-09", 3, "24")]);
    assert_completed(&job, &before, &expected, [("first", 2), ("second", 3), ("first", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_job_was_done_when_its_run_was_killed_has_the_redelivery_once() {
    let job = cloud().await;
    put(&job, "redelivered").await;
    replay(&job, "killed_redelivery", "").await;
    let before = state_in_bigquery(&job).await;
    assert_eq!(job.figures(), figures(&[("2025-09", 3, "24")]), "the state does not know of it yet");
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "loaded", "skipped"]);
    let expected = figures(&[("2025-09", 3, "24")]);
    assert_completed(&job, &before, &expected, [("first", 2), ("second", 3), ("first", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_job_still_runs_after_its_run_was_killed_has_the_redelivery_once() {
    let job = cloud().await;
    put(&job, "redelivered").await;
    job.emulator.hold_jobs(KILLED);
    replay(&job, "killed_redelivery", KILLED).await;
    let (state, before) = (state_in_bigquery(&job).await, job.emulator.requests().len());
    assert_eq!(job.figures(), figures(&[]), "the job still runs");
    let run = job.finops.spawn();
    // It requests that job, or all jobs.
    let asks = |request: &LoggedRequest| {
        let of_killed = request.path.contains(KILLED) || request.body["jobReference"]["jobId"] == KILLED;
        of_killed || request.method == "GET" && request.path.ends_with("/jobs")
    };
    until(|| job.emulator.requests().iter().skip(before).any(asks)).await;
    job.emulator.release();
    let output = tokio::task::block_in_place(|| run.wait_with_output()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(each(&report, "status"), ["skipped", "loaded", "skipped"]);
    let expected = figures(&[("2025-09", 3, "24")]);
    assert_completed(&job, &state, &expected, [("first", 2), ("second", 3), ("first", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staged_month_whose_run_was_killed_has_the_redelivery_once() {
    let job = cloud().await;
    put(&job, "redelivered-parquet").await;
    replay(&job, "killed_staged_redelivery", "").await;
    let before = state_in_bigquery(&job).await;
    assert_eq!(job.figures(), figures(&[("2025-10", 2, "0.75")]), "the state does not know of it yet");
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "skipped", "skipped"]);
    let expected = figures(&[("2025-10", 2, "0.75")]);
    assert_completed(&job, &before, &expected, [("first", 2), ("first", 2), ("second", 2)]).await;
}
