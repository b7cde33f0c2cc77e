//! The job with its surroundings: an export, the program, and a warehouse.

use std::path::{Path, PathBuf};

use bigquery_emulator::Options;
use finops::{
    flow::{
        export::{Export, ExportOptions, Months, Run, Source},
        run::run_export,
    },
    storage::{Local, Store},
    warehouse::Warehouse,
};
use finops_core::{
    formats::formats,
    model::provider::Provider,
    plan::{Rules, age::MaxAge},
    report::run::PipelineReport,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    program::{BUCKET, DATASET, Finops, TABLE},
    servers::{BigQueryServer, StorageServer, bigquery_with},
    tables::{Figures, in_bigquery, in_duckdb},
    tree::{Delivery, REPORT},
};

/// On one machine: a folder with exports, and a DuckDB file.
pub struct LocalJob {
    _folder: TempDir,
    pub source: PathBuf,
    pub database: PathBuf,
    pub finops: Finops,
}

impl LocalJob {
    /// With the deliveries in the folder.
    pub fn new(deliveries: &[Delivery]) -> Self {
        let folder = TempDir::new().unwrap();
        let (source, database) = (folder.path().join("cur"), folder.path().join("finops.duckdb"));
        std::fs::create_dir(&source).unwrap();
        for delivery in deliveries {
            delivery.write(&source);
        }
        let finops = Finops::local(&source, &database);
        Self { _folder: folder, source, database, finops }
    }

    /// The same after a run that loads everything.
    pub fn loaded(deliveries: &[Delivery]) -> Self {
        let job = Self::new(deliveries);
        let report = job.finops.report(0);
        assert_eq!(report["pipelines"][0]["status"], "succeeded", "{report:#}");
        job
    }

    /// The table's figures.
    pub fn figures(&self) -> Figures {
        in_duckdb(&self.database)
    }
}

/// In place of the cloud: a bucket on a storage server, and the BigQuery emulator.
pub struct CloudJob {
    _seed: TempDir,
    pub storage: StorageServer,
    pub emulator: BigQueryServer,
    pub finops: Finops,
}

impl CloudJob {
    /// With the deliveries in the bucket, below `cur`.
    pub async fn new(deliveries: &[Delivery]) -> Self {
        Self::below("cur", deliveries).await
    }

    /// With the deliveries in the bucket, below another prefix.
    pub async fn below(prefix: &str, deliveries: &[Delivery]) -> Self {
        Self::set_up(prefix, deliveries, Options::default()).await
    }

    /// With the deliveries in the bucket, below `cur`, and an emulator of these options.
    pub async fn with(options: Options, deliveries: &[Delivery]) -> Self {
        Self::set_up("cur", deliveries, options).await
    }

    async fn set_up(prefix: &str, deliveries: &[Delivery], options: Options) -> Self {
        let seed = TempDir::new().unwrap();
        let above = seed.path().join(BUCKET).join(prefix);
        std::fs::create_dir_all(&above).unwrap();
        for delivery in deliveries {
            delivery.write(&above);
        }
        let storage = StorageServer::start(seed.path());
        let emulator = bigquery_with(&storage, options).await;
        let finops = Finops::cloud(&storage, &emulator).with("AWS_GCS_PREFIX", prefix);
        Self { _seed: seed, storage, emulator, finops }
    }

    /// The same after a run that loads everything.
    pub async fn loaded(deliveries: &[Delivery]) -> Self {
        let job = Self::new(deliveries).await;
        let report: Value = job.finops.report(0);
        assert_eq!(report["pipelines"][0]["status"], "succeeded", "{report:#}");
        job
    }

    /// Uploads a delivery below `cur`.
    pub async fn put(&self, delivery: &Delivery) {
        for (key, bytes) in delivery.files() {
            self.storage.put(BUCKET, &format!("cur/{REPORT}/{key}"), bytes).await;
        }
    }

    /// The table's figures.
    pub fn figures(&self) -> Figures {
        in_bigquery(&self.emulator)
    }
}

/// Loads an export of AWS from a folder into the warehouse, within this process.
pub async fn run_in_process<W: Warehouse>(source: &Path, warehouse: &W) -> PipelineReport {
    let export = Export {
        provider: Provider::Aws,
        formats: formats(Provider::Aws),
        options: ExportOptions::default(),
        label: None,
        name: None,
        name_setting: String::new(),
        source: Source::Local(source.to_owned()),
        prefix: String::new(),
        dataset: DATASET.to_owned(),
        table: TABLE.to_owned(),
    };
    run_export_in_process(&export, source, warehouse).await
}

/// Loads an export in the folder `source` into the warehouse, within this process.
pub async fn run_export_in_process<W: Warehouse>(export: &Export, source: &Path, warehouse: &W) -> PipelineReport {
    let rules = Rules { force: false, now: Timestamp::now(), wait_max: SignedDuration::from_hours(48) };
    let (run_id, months, max_age) = ("run".to_owned(), Months::default(), MaxAge::default());
    let run = Run { run_id, months, rules, max_age, dry_run: false };
    run_export(export, &Store::Local(Local::new(source)), warehouse, &run, &|_| {}).await
}
