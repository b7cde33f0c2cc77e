//! A job that loads Azure's exports, with its surroundings, in either warehouse.

use std::{collections::BTreeMap, fs, path::PathBuf};

use billing_exports::{Delivered, Export, Run};
use finops_core::Amount;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{
        harness::Rows,
        program::{BUCKET, DATASET, Finops},
        servers::{BigQueryServer, PROJECT, StorageServer, bigquery, client},
        tables::exact_in_bigquery,
    },
    warehouse::duckdb::rows,
};

/// The table of an [`AzureJob`] with one export.
pub const TABLE: &str = "azure";

/// A folder of exports, which a bucket mirrors where the warehouse is BigQuery, and the program.
pub struct AzureJob {
    folder: TempDir,
    cloud: Option<(StorageServer, BigQueryServer)>,
    /// Set up for one export below the folder, and the table [`TABLE`].
    pub finops: Finops,
}

impl AzureJob {
    /// On one machine, with DuckDB.
    pub fn local() -> Self {
        let folder = TempDir::new().unwrap();
        let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let finops = Finops::unconfigured()
            .with("WAREHOUSE", "duckdb")
            .with("DUCKDB_PATH", &text("finops.duckdb"))
            .with("AZURE_SOURCE", &text(BUCKET));
        Self::set_up(folder, None, finops)
    }

    /// In place of the cloud: a storage server and the BigQuery emulator.
    pub async fn cloud() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let storage = StorageServer::start(folder.path());
        let emulator = bigquery(&storage).await;
        let finops = Finops::unconfigured()
            .with("GCP_PROJECT_ID", PROJECT)
            .with("STORAGE_EMULATOR_HOST", storage.url())
            .with("BIGQUERY_EMULATOR_HOST", &emulator.url())
            .with("AZURE_GCS_BUCKET", BUCKET);
        Self::set_up(folder, Some((storage, emulator)), finops)
    }

    fn set_up(folder: TempDir, cloud: Option<(StorageServer, BigQueryServer)>, finops: Finops) -> Self {
        let finops = finops.with("PIPELINE", "azure").with("AZURE_DATASET", DATASET).with("AZURE_TABLE_NAME", TABLE);
        Self { folder, cloud, finops }
    }

    /// The folder of the exports' files on this machine.
    pub fn source(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The storage server, where there is one.
    pub fn storage(&self) -> Option<&StorageServer> {
        self.cloud.as_ref().map(|(storage, _)| storage)
    }

    /// The BigQuery emulator, where there is one.
    pub fn emulator(&self) -> Option<&BigQueryServer> {
        self.cloud.as_ref().map(|(_, emulator)| emulator)
    }

    /// Delivers a run of the export, data files first.
    pub async fn deliver(&self, export: &Export, run: &Run) -> Delivered {
        let delivered = export.deliver(&self.source(), run).unwrap();
        for path in delivered.files.iter().map(|file| &file.path).chain([&delivered.manifest]) {
            self.mirror(path).await;
        }
        delivered
    }

    /// Uploads the current content of a file of the folder to the bucket.
    pub async fn mirror(&self, path: &str) {
        if let Some((storage, _)) = &self.cloud {
            storage.put(BUCKET, path, fs::read(self.source().join(path)).unwrap()).await;
        }
    }

    /// Changes the manifest of what was delivered.
    pub async fn change_manifest(&self, delivered: &Delivered, change: impl FnOnce(&mut Value)) {
        let path = self.source().join(&delivered.manifest);
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        self.write(&delivered.manifest, &manifest.to_string()).await;
    }

    /// Puts a file into the folder and the bucket.
    pub async fn write(&self, path: &str, text: &str) {
        fs::write(self.source().join(path), text).unwrap();
        self.mirror(path).await;
    }

    /// The table as [`AzureJob::rows`] calls it.
    pub fn table(&self, name: &str) -> String {
        match &self.cloud {
            None => format!("{DATASET}.{name}"),
            Some(_) => format!("\"{PROJECT}:{DATASET}\".\"{name}\""),
        }
    }

    /// An amount of a table, in [`AzureJob::rows`].
    pub fn amount(&self, column: &str) -> String {
        match &self.cloud {
            None => column.to_owned(),
            Some(_) => exact_in_bigquery(column),
        }
    }

    /// The texts that a query in DuckDB's SQL returns. The query does not go through the program.
    pub fn rows(&self, sql: &str) -> Rows {
        if let Some((_, emulator)) = &self.cloud {
            return emulator.query(sql).unwrap();
        }
        let connection = duckdb::Connection::open(self.folder.path().join("finops.duckdb")).unwrap();
        rows(&connection, sql).unwrap()
    }

    /// Month to rows and exact cost of a table.
    pub fn figures(&self, table: &str, [period, cost]: [&str; 2]) -> BTreeMap<String, (usize, String)> {
        let (table, cost) = (self.table(table), self.amount(cost));
        let sql = format!(
            "SELECT CAST({period} AS VARCHAR)[:7], CAST(count(*) AS VARCHAR), CAST(sum({cost}) AS VARCHAR) \
             FROM {table} GROUP BY 1"
        );
        let figures = |row: Vec<Option<String>>| {
            let [month, rows, cost] = <[_; 3]>::try_from(row).unwrap().map(Option::unwrap);
            (month, (rows.parse().unwrap(), cost.parse::<Amount>().unwrap().to_string()))
        };
        self.rows(&sql).into_iter().map(figures).collect()
    }

    /// A table that another program created.
    pub async fn create_foreign_table(&self, name: &str) {
        let Some((_, emulator)) = &self.cloud else {
            let connection = duckdb::Connection::open(self.folder.path().join("finops.duckdb")).unwrap();
            let create = format!("CREATE SCHEMA {DATASET}; CREATE TABLE {DATASET}.{name} (mine VARCHAR)");
            return connection.execute_batch(&create).unwrap();
        };
        let table = json!({
            "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": name},
            "schema": {"fields": [{"name": "mine", "type": "STRING"}]},
        });
        let dataset = json!({"datasetReference": {"datasetId": DATASET}, "location": "US"});
        for (path, body) in [("datasets".to_owned(), dataset), (format!("datasets/{DATASET}/tables"), table)] {
            let url = format!("{}/bigquery/v2/projects/{PROJECT}/{path}", emulator.url());
            let answer = client().post(url).json(&body).send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
        }
    }
}

/// The columns of month and cost in actual and amortized cost.
pub const COST: [&str; 2] = ["billingPeriodStartDate", "costInBillingCurrency"];
/// Those of FOCUS.
pub const FOCUS: [&str; 2] = ["BillingPeriodStart", "BilledCost"];

/// Month to rows and cost of what was delivered in USD.
pub fn expected<'a>(delivered: impl IntoIterator<Item = &'a Delivered>) -> BTreeMap<String, (usize, String)> {
    let figures = |d: &Delivered| (d.billing_period.clone(), (d.rows, d.cost["USD"].clone()));
    delivered.into_iter().map(figures).collect()
}

/// The id of the run.
pub fn id(delivered: &Delivered) -> &str {
    delivered.execution_id.as_deref().unwrap()
}

/// Runs each rule in both warehouses.
macro_rules! in_each_warehouse {
    ($($rule:ident),+ $(,)?) => {
        mod in_duckdb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                super::$rule(crate::support::azure_job::AzureJob::local()).await;
            })+
        }
        mod in_bigquery {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                super::$rule(crate::support::azure_job::AzureJob::cloud().await).await;
            })+
        }
    };
}

pub(crate) use in_each_warehouse;
