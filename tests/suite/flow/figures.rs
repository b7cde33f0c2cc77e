//! The sample exports of koku-nise, against figures that `scripts/expected.py` computed without finops.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{
    program::{BUCKET, Finops, assert_names, each, month},
    servers::{BigQueryServer, StorageServer, bigquery},
    tables::{Figures, copy_jobs, in_bigquery, in_duckdb},
    tree::copy,
};

pub const MONTHS: [&str; 3] = ["2025-10", "2025-09", "2025-08"];

/// The folder of a sample export.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/aws").join(name)
}

/// What `scripts/expected.py` computed of it.
pub fn expected(name: &str) -> Value {
    serde_json::from_slice(&fs::read(example(&format!("{name}.expected.json"))).unwrap()).unwrap()
}

/// The expected rows and costs of each month.
pub fn figures(expected: &Value) -> Figures {
    let figure = |(month, figure): (&String, &Value)| {
        let cost = figure["unblended_cost"]["USD"].as_str().unwrap().to_owned();
        (month.clone(), (figure["rows"].as_u64().unwrap(), cost))
    };
    expected.as_object().unwrap().iter().map(figure).collect()
}

/// The columns of all months, with BigQuery's types.
pub fn in_bigquerys_types(expected: &Value) -> Map<String, Value> {
    let months = expected.as_object().unwrap().values();
    let columns = months.flat_map(|month| month["columns"].as_object().unwrap());
    columns.map(|(name, of)| (name.clone(), if of == "DECIMAL" { json!("BIGNUMERIC") } else { of.clone() })).collect()
}

/// A sample export in a bucket, and an emulator for the job.
pub struct Sample {
    pub folder: TempDir,
    pub emulator: BigQueryServer,
    pub finops: Finops,
    _storage: StorageServer,
}

impl Sample {
    /// The one from CSV.
    pub async fn new() -> Self {
        Self::of("first").await
    }

    pub async fn of(tree: &str) -> Self {
        let folder = TempDir::new().unwrap();
        copy(&example(tree), &folder.path().join("seed").join(BUCKET));
        let storage = StorageServer::start(&folder.path().join("seed"));
        let emulator = bigquery(&storage).await;
        let finops = Finops::cloud(&storage, &emulator);
        Self { folder, emulator, finops, _storage: storage }
    }
}

/// The figures after the redelivery of September.
fn redelivered() -> Figures {
    let mut figures = figures(&expected("first"));
    figures.extend(self::figures(&expected("redelivery")));
    figures
}

fn assert_first(report: &Value) {
    let expected = expected("first");
    assert_eq!(report["pipelines"][0]["status"], "succeeded");
    assert_eq!(each(report, "billing_period"), MONTHS);
    for billing_period in MONTHS {
        let (month, expected) = (month(report, billing_period), &expected[billing_period]);
        assert_eq!(month["action"], "load");
        assert_eq!(month["status"], "loaded");
        for (key, other) in [("rows", "rows"), ("files", "files"), ("cost", "unblended_cost")] {
            assert_eq!(month[key], expected[other], "{key} of {billing_period}");
        }
    }
}

fn assert_nothing_to_do(report: &Value) {
    assert_eq!(report["pipelines"][0]["status"], "nothing_to_do");
    assert_eq!(each(report, "action"), ["skip"; 3]);
    assert_eq!(each(report, "status"), ["skipped"; 3]);
    assert!(each(report, "reason").iter().all(|reason| reason.starts_with("already loaded on ")), "{report:#}");
}

fn assert_redelivery(report: &Value) {
    let (before, after) = (expected("first"), expected("redelivery"));
    let september = month(report, "2025-09");
    assert_eq!(each(report, "status"), ["skipped", "loaded", "skipped"]);
    assert_eq!(september["action"], "reload");
    assert_eq!(september["rows"], after["2025-09"]["rows"]);
    assert_eq!(september["cost"], after["2025-09"]["unblended_cost"]);
    assert_eq!(september["previous_cost"], before["2025-09"]["unblended_cost"]);
    // 66.8372795712 - 64.8631195632, by hand.
    assert_names(
        september["reason"].as_str().unwrap(),
        &["new delivery", "2a99b700-99bf-4ae8-9c25-0fe49c299545", "2025-09 moved by +1.974160008 USD"],
    );
}

#[test]
fn the_sample_exports_load_from_a_folder_into_duckdb_with_the_expected_figures() {
    let folder = TempDir::new().unwrap();
    let (source, database) = (folder.path().join("export"), folder.path().join("data/finops.duckdb"));
    copy(&example("first"), &source);
    let finops = Finops::local(&source.join("cur"), &database);

    assert_first(&finops.report(0));
    assert_eq!(in_duckdb(&database), figures(&expected("first")));

    assert_nothing_to_do(&finops.report(0));
    assert_eq!(in_duckdb(&database), figures(&expected("first")));

    copy(&example("redelivery"), &source);
    assert_redelivery(&finops.report(0));
    assert_eq!(in_duckdb(&database), redelivered());
    assert_nothing_to_do(&finops.report(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_exports_load_from_a_bucket_into_bigquery_with_the_expected_figures() {
    let seed = TempDir::new().unwrap();
    copy(&example("first"), &seed.path().join(BUCKET));
    let storage = StorageServer::start(seed.path());
    let emulator = bigquery(&storage).await;
    let finops = Finops::cloud(&storage, &emulator);

    assert_first(&finops.report(0));
    assert_eq!(in_bigquery(&emulator), figures(&expected("first")));
    assert_eq!(copy_jobs(&emulator).len(), 3);

    assert_nothing_to_do(&finops.report(0));
    assert_eq!(copy_jobs(&emulator).len(), 3, "the second run loads nothing");
    assert_eq!(in_bigquery(&emulator), figures(&expected("first")));

    let redelivery = example("redelivery/cur/cost-and-usage/20250901-20251001");
    upload(&storage, &redelivery, "cur/cost-and-usage/20250901-20251001").await;
    assert_redelivery(&finops.report(0));
    assert_eq!(in_bigquery(&emulator), redelivered());
    let partitions: Vec<String> = copy_jobs(&emulator).into_iter().skip(3).map(|(_, partition)| partition).collect();
    assert_eq!(partitions, ["aws_cur$202509"], "that month alone is loaded");
    assert_nothing_to_do(&finops.report(0));
}

/// Uploads a folder, its data before its manifests.
async fn upload(storage: &StorageServer, folder: &Path, key: &str) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort_by_key(|path| !path.is_dir());
    for path in entries {
        let key = format!("{key}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            Box::pin(upload(storage, &path, &key)).await;
        } else {
            storage.put(BUCKET, &key, fs::read(path).unwrap()).await;
        }
    }
}

#[test]
fn the_expected_figures_are_those_of_the_committed_csv_files() {
    for name in ["first", "redelivery"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/expected.py");
        let output = Command::new("python3").arg(script).arg(example(name)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let computed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(computed, expected(name), "examples/aws/{name}.expected.json");
    }
}
