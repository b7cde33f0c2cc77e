//! BigQuery, at the emulator, for the conformance suite.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use bigquery_emulator::{Emulator, LoggedRequest};
use finops::{
    error::Result,
    warehouse::bigquery::{BigQuery, Options},
};
use finops_core::{BillingPeriod, model::load_record::STATE_TABLE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    harness::{ByHand, DATASET, Harness, Rows, TABLE},
    servers::{self, BigQueryServer, PROJECT, StorageServer},
};

const BUCKET: &str = "billing";

/// An emulator, and the bucket that it loads from. With `TURNED`, it does the opposite in each case
/// where BigQuery's behaviour is not certain.
pub struct BigQueryHarness<const TURNED: bool = false> {
    pub emulator: BigQueryServer,
    storage: StorageServer,
    warehouse: BigQuery,
}

impl<const TURNED: bool> BigQueryHarness<TURNED> {
    async fn of(options: bigquery_emulator::Options) -> Self {
        let seed = tempfile::tempdir().unwrap();
        fs::create_dir(seed.path().join(BUCKET)).unwrap();
        let storage = StorageServer::start(seed.path());
        let emulator = servers::bigquery_with(&storage, options).await;
        let warehouse = connect(&emulator);
        Self { emulator, storage, warehouse }
    }

    /// Sends a request, not through the code under test, such as `DELETE` of `/datasets/d/tables/t`.
    pub async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        servers::call(&self.emulator, method, path, body).await
    }
}

impl BigQueryHarness {
    /// With an emulator of these options.
    pub async fn with(options: bigquery_emulator::Options) -> Self {
        Self::of(options).await
    }

    /// A connection of its own, as another run has.
    pub fn connect(&self) -> BigQuery {
        connect(&self.emulator)
    }

    /// The bodies of the requests that insert jobs, each as often as it was sent.
    fn jobs_sent(&self) -> impl Iterator<Item = Value> {
        let requests = self.emulator.requests().into_iter();
        let inserts = requests.filter(|request| request.method == "POST" && request.path.ends_with("/jobs"));
        inserts.map(|request| request.body)
    }

    /// The bodies of the jobs that load files.
    pub fn loads_sent(&self) -> Vec<Value> {
        self.jobs_sent().filter(|job| job["configuration"]["load"].is_object()).collect()
    }

    /// The bodies of the jobs that swap a month in: copies, and queries where a copy is refused.
    pub fn swaps_sent(&self) -> Vec<Value> {
        self.jobs_sent().filter(|job| job["configuration"]["labels"]["finops_work"].is_string()).collect()
    }

    /// The ids of the swaps that were sent.
    pub fn swaps(&self) -> BTreeSet<String> {
        ids(&self.swaps_sent())
    }

    /// How often a load job was sent.
    pub fn load_inserts(&self) -> usize {
        self.loads_sent().len()
    }

    /// The ids of the load jobs that were sent.
    pub fn load_jobs(&self) -> BTreeSet<String> {
        ids(&self.loads_sent())
    }

    /// How often the job was requested.
    pub fn times_asked_for(&self, job: &str) -> usize {
        let asks = |request: &LoggedRequest| request.method == "GET" && request.path.ends_with(&format!("/jobs/{job}"));
        self.emulator.requests().iter().filter(|request| asks(request)).count()
    }
}

fn ids(jobs: &[Value]) -> BTreeSet<String> {
    jobs.iter().map(|job| job["jobReference"]["jobId"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the condition is true.
pub async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.expect("what was waited for does not come");
}

impl<const TURNED: bool> Harness for BigQueryHarness<TURNED> {
    type Warehouse = BigQuery;

    async fn start() -> Self {
        use bigquery_emulator::Options;
        Self::of(if TURNED { Options::alternative() } else { Options::default() }).await
    }

    fn warehouse(&self) -> &BigQuery {
        &self.warehouse
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> String {
        self.storage.put(BUCKET, name, bytes).await;
        format!("gs://{BUCKET}/{name}")
    }

    fn rows(&self, sql: &str) -> Result<Rows, String> {
        self.emulator.query(sql)
    }

    fn table(&self, name: &str) -> String {
        format!("\"{PROJECT}:{DATASET}\".\"{name}\"")
    }

    fn amount(&self, column: &str) -> String {
        format!("bq_bignumeric_text({column})")
    }

    async fn delete_month(&self, month: BillingPeriod) {
        let path = format!("/datasets/{DATASET}/tables/{TABLE}${}", month.partition_id());
        self.call(Method::DELETE, &path, Value::Null).await;
    }

    async fn drop_table(&self) {
        self.call(Method::DELETE, &format!("/datasets/{DATASET}/tables/{TABLE}"), Value::Null).await;
    }

    async fn create_foreign_table(&self) {
        let dataset = json!({"datasetReference": {"datasetId": DATASET}, "location": "US"});
        self.call(Method::POST, "/datasets", dataset).await;
        let table = json!({
            "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE},
            "schema": {"fields": [{"name": "mine", "type": "STRING"}]},
        });
        self.call(Method::POST, &format!("/datasets/{DATASET}/tables"), table).await;
    }

    fn another_run(&self) -> BigQuery {
        connect(&self.emulator)
    }

    async fn change_column(&self, change: ByHand<'_>) -> Result<(), String> {
        let path = format!("/datasets/{DATASET}/tables/{TABLE}");
        let mut table = self.call(Method::GET, &path, Value::Null).await;
        let fields = table["schema"]["fields"].as_array_mut().unwrap();
        let at = |name: &str, fields: &[Value]| fields.iter().position(|field| field["name"] == name).unwrap();
        match change {
            ByHand::Add(name) => {
                fields.push(json!({"name": name, "type": "STRING"}));
                self.call(Method::PATCH, &path, json!({"schema": table["schema"]})).await;
                return Ok(());
            }
            ByHand::Drop(name) => drop(fields.remove(at(name, fields))),
            ByHand::Rename(name, to) => {
                let at = at(name, fields);
                fields[at]["name"] = json!(to);
            }
            ByHand::Retype(name, to) => {
                let at = at(name, fields);
                fields[at]["type"] = json!(to);
            }
        }
        let has =
            |name: &Value| table["schema"]["fields"].as_array().unwrap().iter().any(|field| field["name"] == *name);
        let mut table_again = json!({
            "tableReference": table["tableReference"], "schema": table["schema"], "labels": table["labels"],
        });
        if has(&table["timePartitioning"]["field"]) {
            table_again["timePartitioning"] = table["timePartitioning"].clone();
        }
        if has(&table["clustering"]["fields"][0]) {
            table_again["clustering"] = table["clustering"].clone();
        }
        self.drop_table().await;
        self.call(Method::POST, &format!("/datasets/{DATASET}/tables"), table_again).await;
        Ok(())
    }

    async fn keep_state_columns(&self, columns: &[&str]) {
        let tables = format!("/datasets/{DATASET}/tables");
        let mut state = self.call(Method::GET, &format!("{tables}/{STATE_TABLE}"), Value::Null).await;
        let fields = state["schema"]["fields"].as_array_mut().unwrap();
        fields.retain(|field| columns.iter().any(|column| field["name"] == *column));
        let create = async |name: &str| {
            let mut table = json!({"schema": state["schema"], "labels": state["labels"]});
            table["tableReference"] = json!({"projectId": PROJECT, "datasetId": DATASET, "tableId": name});
            self.call(Method::POST, &tables, table).await;
        };
        let names = columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let fill = async |name: &str, from: &str| {
            let sql = format!("INSERT INTO {DATASET}.{name} ({names}) SELECT {names} FROM {DATASET}.{from}");
            self.call(Method::POST, "/queries", json!({"query": sql, "useLegacySql": false})).await;
        };
        create("kept").await;
        fill("kept", STATE_TABLE).await;
        self.drop_state_table().await;
        create(STATE_TABLE).await;
        fill(STATE_TABLE, "kept").await;
    }

    async fn drop_state_table(&self) {
        self.call(Method::DELETE, &format!("/datasets/{DATASET}/tables/{STATE_TABLE}"), Value::Null).await;
    }
}

fn connect(emulator: &Emulator) -> BigQuery {
    let options = Options {
        project: PROJECT.to_owned(),
        job_project: None,
        labels: BTreeMap::new(),
        default_location: "US".to_owned(),
        staging_dataset: None,
        emulator_host: Some(emulator.url()),
        credentials_path: None,
        concurrency: 8,
        forgotten_after: Duration::from_millis(300),
    };
    BigQuery::connect(options).unwrap()
}
