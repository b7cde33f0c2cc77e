//! The order of a run, what it may write, and how months fail.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use bigquery_emulator::{FaultKind, LoggedRequest};
use billing_exports::{Dialect, Export as Generated, Format, Run as Delivered};
use finops::{
    error::{ErrorKind, Result},
    warehouse::{
        Found, Limits, Loaded, MonthLoad, NewRecord, Stage, Swap, TableName, Target, Warehouse,
        duckdb::{DuckDb, Staged},
    },
};
use finops_core::{
    hint,
    report::run::{MonthStatus, PipelineReport},
    schema::{Column, SchemaChange},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        azure_job::{AzureJob, TABLE as AZURE_TABLE},
        delivery::Delivery as Month,
        harness::{Harness, Table},
        jobs::{CloudJob, LocalJob, run_in_process},
        program::{DATASET, TABLE, assert_names, each, month},
        servers::{self, PROJECT},
        tree::Delivery,
    },
    warehouse::{
        duckdb::{DuckDbHarness, rows},
        swap::{call, fault, table_path},
    },
};

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

/// A short name of a request.
fn what(request: &LoggedRequest) -> &'static str {
    let sql = request.body["query"].as_str().unwrap_or_default();
    match (request.method.as_str(), request.path.rsplit('/').next().unwrap()) {
        ("GET", DATASET) => "datasets.get",
        ("GET", TABLE) => "tables.get",
        ("POST", "queries") if sql.contains("INFORMATION_SCHEMA.PARTITIONS") => "rows",
        ("POST", "queries") if sql.starts_with("SELECT * FROM") && sql.contains("finops_loads") => "state",
        _ => "other",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_to_do_sends_four_requests_to_bigquery_the_state_before_the_table() {
    let job = CloudJob::loaded(&[september()]).await;
    let before = job.emulator.requests().len();
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
    let mut sent: Vec<_> = job.emulator.requests()[before..].iter().map(what).collect();
    // The last two go at once.
    sent.get_mut(2..).unwrap().sort_unstable();
    assert_eq!(sent, ["datasets.get", "state", "rows", "tables.get"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_run_writes_to_bigquery() {
    let job = CloudJob::loaded(&[september()]).await;
    job.put(&Delivery::new("2025-09", "second", &["7"])).await;
    let before = job.emulator.requests().len();
    for arguments in [["plan", "--output", "json"].as_slice(), &["status", "--output", "json"], &["run", "--dry-run"]] {
        let outcome = job.finops.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
    }
    let sent = &job.emulator.requests()[before..];
    assert!(sent.iter().all(|request| what(request) != "other"), "{sent:#?}");
}

#[test]
fn nothing_but_a_run_writes_to_duckdb() {
    let job = LocalJob::loaded(&[september()]);
    Delivery::new("2025-09", "second", &["7"]).write(&job.source);
    let folder = |path: &Path| {
        let entries = fs::read_dir(path.parent().unwrap()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    let before = (fs::read(&job.database).unwrap(), folder(&job.database));
    for arguments in [["plan"].as_slice(), &["status"], &["run", "--dry-run"]] {
        let outcome = job.finops.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
        assert!((fs::read(&job.database).unwrap(), folder(&job.database)) == before, "{arguments:?} changes the file");
    }
    let missing = job.database.with_file_name("missing.duckdb");
    for arguments in [["plan"].as_slice(), &["status"]] {
        let finops = job.finops.clone().with("DUCKDB_PATH", missing.to_str().unwrap());
        assert_eq!(finops.run(arguments).code, 0);
        assert!(!missing.exists(), "{arguments:?} creates it");
    }
}

/// Passes requests to storage. At the first of them, it keeps the requests that BigQuery got until then.
#[derive(Clone)]
struct Witness {
    job: Arc<CloudJob>,
    asked_before: Arc<Mutex<Option<Vec<&'static str>>>>,
}

async fn pass_on(State(witness): State<Witness>, request: Request) -> Response {
    let asked = || witness.job.emulator.requests().iter().map(what).collect();
    witness.asked_before.lock().unwrap().get_or_insert_with(asked);
    servers::pass_on(&servers::client(), witness.job.storage.url(), request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_read_before_the_first_listing_and_before_the_table() {
    let job = Arc::new(CloudJob::new(&[september()]).await);
    job.finops.report(0);
    let skipped = job.emulator.requests().len();
    let witness = Witness { job: Arc::clone(&job), asked_before: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass_on).with_state(witness.clone());
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    // The third attempt to read the state succeeds.
    let busy = FaultKind::Status(503, "backendError".to_owned());
    job.emulator.add_fault(fault("POST", "/queries", 2, busy));
    assert_eq!(each(&job.finops.clone().with("STORAGE_EMULATOR_HOST", &url).report(0), "status"), ["skipped"]);

    let seen = witness.asked_before.lock().unwrap().take().unwrap();
    let seen = &seen[skipped..];
    assert_eq!(seen.iter().filter(|what| **what == "state").count(), 3, "{seen:?}");
    let all: Vec<_> = job.emulator.requests()[skipped..].iter().map(what).collect();
    assert_eq!(all[..4], ["datasets.get", "state", "state", "state"], "{all:?}");
    assert_eq!(all.len(), 6, "{all:?}");
    server.abort();
}

/// September is refused: the column `note` of its table takes no NULL.
fn assert_refused_for_the_required_column(report: &Value) {
    let found = month(report, "2025-09");
    assert_eq!((&found["status"], &found["action"]), (&json!("refused"), &json!("refuse")), "{report:#}");
    assert_eq!(found["error"]["kind"], "schema");
    assert_names(found["error"]["message"].as_str().unwrap(), &["column note", "takes no NULL", TABLE, "2025-09"]);
    assert_names(found["error"]["hint"].as_str().unwrap(), &["ALTER TABLE", TABLE, "ALTER COLUMN note DROP NOT NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_a_required_column_are_refused_and_the_column_is_named() {
    let local = LocalJob::loaded(&[september()]);
    let table = format!("{DATASET}.{TABLE}");
    let execute = |sql: &str| duckdb::Connection::open(&local.database).unwrap().execute_batch(sql).unwrap();
    execute(&format!("ALTER TABLE {table} ADD COLUMN note VARCHAR DEFAULT 'none'"));
    execute(&format!("ALTER TABLE {table} ALTER COLUMN note DROP DEFAULT"));
    execute(&format!("ALTER TABLE {table} ALTER COLUMN note SET NOT NULL"));
    Delivery::new("2025-09", "second", &["7"]).write(&local.source);
    let figures = local.figures();
    assert_refused_for_the_required_column(&local.finops.report(1));
    assert_eq!(local.figures(), figures);
    // The hint works.
    execute(&format!("ALTER TABLE {table} ALTER COLUMN note DROP NOT NULL"));
    assert_eq!(each(&local.finops.report(0), "status"), ["loaded"]);

    let cloud = CloudJob::loaded(&[september()]).await;
    let mut table = call(&cloud, Method::GET, &table_path(), Value::Null).await;
    call(&cloud, Method::DELETE, &table_path(), Value::Null).await;
    let fields = table["schema"]["fields"].as_array_mut().unwrap();
    fields.push(json!({"name": "note", "type": "STRING", "mode": "REQUIRED"}));
    let wanted = json!({
        "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE},
        "schema": table["schema"], "timePartitioning": table["timePartitioning"],
        "clustering": table["clustering"], "labels": table["labels"],
    });
    call(&cloud, Method::POST, &format!("/datasets/{DATASET}/tables"), wanted).await;
    let before = cloud.emulator.requests().len();
    assert_refused_for_the_required_column(&cloud.finops.report(1));
    assert!(cloud.emulator.requests()[before..].iter().all(|request| what(request) != "other"), "nothing is staged");
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_stages_a_month_does_not_change_the_old_one() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Month::of_costs("2025-08", "a", &["1", "2"])).await.unwrap();
    let load = table.prepare(&Month::of_costs("2025-08", "b", &vec!["2"; 5_000])).await;
    let warehouse = table.harness.warehouse();
    let prepared = warehouse.prepare(&table.target, &[], &[]).await.unwrap();
    let reader = warehouse.reader().unwrap();
    let seen = || rows(&reader, &format!("SELECT count(*) FROM {DATASET}.{TABLE}")).unwrap();
    let old = vec![vec![Some("2".to_owned())]];
    {
        let mut staging = Box::pin(warehouse.stage(&prepared, &load));
        assert!(futures::poll!(&mut staging).is_pending(), "it goes on on another thread");
    }
    assert_eq!(seen(), old);
    // One that was staged to its end; it waits for the one before.
    let Stage::Ready(staged, figures) = warehouse.stage(&prepared, &load).await.unwrap() else { panic!("not staged") };
    assert_eq!((figures.rows(), seen()), (5_000, old.clone()));
    drop(staged);
    assert_eq!((seen(), table.recorded()), (old, 1));

    assert_eq!(table.replace(&load).await.unwrap().record.sequence, 2);
    assert_eq!(seen(), [vec![Some("5000".to_owned())]]);
}

/// DuckDB, with another stage for the months of `instead`.
struct Fake<F> {
    duckdb: DuckDb,
    instead: F,
}

impl<F: Fn(&MonthLoad) -> Option<Stage<Staged>>> Warehouse for Fake<F> {
    type Table = <DuckDb as Warehouse>::Table;
    type Staged = Staged;

    fn limits(&self) -> Limits {
        self.duckdb.limits()
    }

    fn table_name(&self, name: &TableName) -> String {
        self.duckdb.table_name(name)
    }

    async fn loaded(&self, name: &TableName) -> Result<Loaded> {
        self.duckdb.loaded(name).await
    }

    async fn inspect(&self, name: &TableName, loaded: &Loaded) -> Result<Option<Found>> {
        self.duckdb.inspect(name, loaded).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Self::Table> {
        self.duckdb.prepare(target, columns, changes).await
    }

    async fn stage(&self, table: &Self::Table, month: &MonthLoad) -> Result<Stage<Staged>> {
        match (self.instead)(month) {
            Some(stage) => Ok(stage),
            None => self.duckdb.stage(table, month).await,
        }
    }

    async fn swap(&self, table: &Self::Table, staged: Staged, record: NewRecord) -> Result<Swap> {
        self.duckdb.swap(table, staged, record).await
    }

    async fn discard(&self, staged: Staged) {
        self.duckdb.discard(staged).await;
    }
}

/// Runs the export of `job`, with `instead` in place of staging.
async fn run(job: &LocalJob, instead: impl Fn(&MonthLoad) -> Option<Stage<Staged>>) -> PipelineReport {
    let warehouse = Fake { duckdb: DuckDb::open(&job.database).unwrap(), instead };
    run_in_process(&job.source, &warehouse).await
}

fn statuses(report: &PipelineReport) -> Vec<(String, Option<MonthStatus>)> {
    report.months.iter().map(|month| (month.billing_period.to_string(), month.status())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_one_month_does_not_stop_the_others() {
    let months = ["2025-08", "2025-09", "2025-10"].map(|month| Delivery::new(month, "first", &["1"]));
    let job = LocalJob::new(&months);
    let report = run(&job, |month| {
        assert_ne!(month.billing_period.to_string(), "2025-09", "an error in finops");
        None
    })
    .await;
    let (loaded, failed) = (Some(MonthStatus::Loaded), Some(MonthStatus::Failed));
    let expected = [("2025-10", loaded), ("2025-09", failed), ("2025-08", loaded)];
    assert_eq!(statuses(&report), expected.map(|(month, status)| (month.to_owned(), status)));
    assert_names(&report.months[1].error.as_ref().unwrap().message, &["2025-09", "because of an error in finops"]);
    assert_eq!(report.months[1].error.as_ref().unwrap().hint.as_deref(), Some(hint::REPORT_LINES));
    assert_eq!(job.figures().into_keys().collect::<Vec<_>>(), ["2025-08", "2025-10"]);
    // The next run loads the month.
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "loaded", "skipped"]);
}

#[tokio::test]
async fn a_superseded_month_whose_manifest_is_removed_is_still_in_the_report() {
    for others in [true, false] {
        let october = Delivery::new("2025-10", "first", &["1"]);
        let mut deliveries = vec![september()];
        deliveries.extend(others.then_some(october));
        let job = LocalJob::new(&deliveries);
        let superseded = AtomicBool::new(false);
        let report = run(&job, |month| {
            if month.billing_period.to_string() != "2025-09" {
                return None;
            }
            assert!(!superseded.swap(true, SeqCst), "it is gone");
            fs::remove_dir_all(job.source.join("report").join(september().period_folder())).unwrap();
            Some(Stage::Superseded)
        })
        .await;
        assert!(superseded.load(SeqCst));
        let mut expected = vec![("2025-09".to_owned(), Some(MonthStatus::Failed))];
        if others {
            expected.insert(0, ("2025-10".to_owned(), Some(MonthStatus::Loaded)));
        }
        assert_eq!(statuses(&report), expected, "{report:?}");
        let error = report.months.last().unwrap().error.as_ref().unwrap();
        assert_eq!(error.kind, ErrorKind::Busy);
        assert_names(&error.message, &["2025-09 was replaced by other runs"]);
        assert_eq!(error.hint.as_deref(), Some(hint::SUPERSEDED));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_another_kind_than_the_recorded_one_are_refused_without_the_loaded_delivery_too() {
    let job = AzureJob::local();
    let actual = Generated { rows: 6, parts: 1, ..Generated::new(Dialect::AzureActualEnterprise, Format::Csv) };
    let amortized = Generated { dialect: Dialect::AzureAmortizedEnterprise, ..actual.clone() };
    let [august, september] = ["2025-08", "2025-09"].map(|month| Delivered::of(month.parse().unwrap()));
    let delivered = job.deliver(&actual, &august).await;
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
    let recorded = || {
        let (kind, table) = ("SELECT kind FROM", job.table("finops_loads"));
        job.rows(&format!("{kind} {table} WHERE table_name = '{AZURE_TABLE}'"))
    };
    assert_eq!(recorded(), vec![vec![Some("azure_actual".to_owned())]]);

    fs::remove_file(job.source().join(&delivered.manifest)).unwrap();
    job.deliver(&amortized, &september).await;
    let report = job.finops.report(1);
    assert_eq!(month(&report, "2025-09")["status"], "refused", "{report:#}");
    assert_names(month(&report, "2025-09")["error"]["message"].as_str().unwrap(), &["another kind than the table"]);
    assert_eq!(recorded().len(), 1);
}
