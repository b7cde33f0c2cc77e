//! Every format and layout of a Cost and Usage Report, as the first months of a table and as later ones of a table that
//! began with each of the others. Rows, costs, names and types are compared with `examples/aws/*.expected.json`, which
//! `scripts/expected.py` computed without finops.

use std::{collections::BTreeMap, fs, path::Path};

use bigquery_emulator::Emulator;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    flow::figures::{MONTHS, example, expected, figures},
    support::{
        program::{BUCKET, DATASET, Finops, TABLE, each, month},
        servers::{PROJECT, StorageServer, bigquery, client},
        tables::{in_bigquery, in_duckdb},
        tree::copy,
    },
};

/// CSV and Parquet, each in both of its layouts: the same report, the same months.
const TREES: [&str; 4] = ["first", OVERWRITTEN, "parquet-athena", "parquet-versioned"];
/// The first tree in AWS's layout in which each delivery overwrites the one before.
const OVERWRITTEN: &str = "first-overwritten";

/// The committed sample that has the tree's rows.
fn sample(tree: &'static str) -> &'static str {
    if tree == OVERWRITTEN { TREES[0] } else { tree }
}

/// Writes the tree to a folder.
fn lay_out(tree: &'static str, to: &Path) {
    copy(&example(sample(tree)), to);
    if tree != OVERWRITTEN {
        return;
    }
    for period in fs::read_dir(to.join("cur/cost-and-usage")).unwrap() {
        let folder = period.unwrap().path();
        let path = folder.join("cost-and-usage-Manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let assembly = manifest["assemblyId"].as_str().unwrap().to_owned();
        for file in fs::read_dir(folder.join(&assembly)).unwrap() {
            let file = file.unwrap();
            fs::rename(file.path(), folder.join(file.file_name())).unwrap();
        }
        fs::remove_dir(folder.join(&assembly)).unwrap();
        let keys = manifest["reportKeys"].as_array().unwrap().iter();
        let keys: Vec<String> = keys.map(|key| key.as_str().unwrap().replace(&format!("/{assembly}/"), "/")).collect();
        manifest["reportKeys"] = keys.into();
        fs::write(&path, manifest.to_string()).unwrap();
    }
}

/// The bucket with the later export.
const LATER: &str = "later-mirror";

/// The columns and types of a table that began with `first`, once all months of `later` are in it too.
fn types(first: &'static str, later: &'static str) -> BTreeMap<String, String> {
    let of_tree = |name: &'static str, months: &[&str]| {
        let expected = expected(sample(name));
        let columns = |month: &&str| expected[*month]["columns"].as_object().unwrap().clone();
        months
            .iter()
            .flat_map(columns)
            .map(|(name, t)| (name, t.as_str().unwrap().to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let mut types = of_tree(later, &MONTHS);
    types.extend(of_tree(first, &MONTHS[1..]));
    types
}

/// What each run says about the months that it loads.
fn assert_loaded(report: &Value, tree: &'static str, months: &[&str], in_bigquery: bool) {
    let expected = expected(sample(tree));
    for billing_period in months {
        let (month, expected) = (month(report, billing_period), &expected[billing_period]);
        assert_eq!(month["status"], "loaded", "{report:#}");
        for (key, other) in [("rows", "rows"), ("files", "files"), ("cost", "unblended_cost")] {
            assert_eq!(month[key], expected[other], "{key} of {billing_period} from {tree}");
        }
        assert_eq!(month["verified"], serde_json::json!(["files", "rows"]));
        let billed = month["bytes_billed"].as_u64().unwrap();
        // A query is billed for 10 MiB at least: the one that sums the cost, and for Parquet the one that converts.
        let queries = if !in_bigquery {
            0
        } else if sample(tree) == "first" {
            1
        } else {
            2
        };
        assert_eq!(billed, queries * (10 << 20), "{billing_period} from {tree}");
    }
}

fn duckdb_types(database: &Path) -> BTreeMap<String, String> {
    let connection = duckdb::Connection::open(database).unwrap();
    let sql = format!("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{TABLE}'");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    let names = |sql_type: &str| match sql_type {
        "VARCHAR" => "STRING".to_owned(),
        "DECIMAL(38,18)" => "DECIMAL".to_owned(),
        other => other.to_owned(),
    };
    rows.map(|row| row.map(|(name, sql_type)| (name, names(&sql_type))).unwrap()).collect()
}

async fn bigquery_types(emulator: &Emulator) -> BTreeMap<String, String> {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables/{TABLE}", emulator.url());
    let table: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    let fields = table["schema"]["fields"].as_array().unwrap();
    let text = |field: &Value, key: &str| field[key].as_str().unwrap().to_owned();
    fields.iter().map(|field| (text(field, "name"), text(field, "type").replace("BIGNUMERIC", "DECIMAL"))).collect()
}

/// The tables of a dataset that are neither the report's nor the state's.
async fn other_tables(emulator: &Emulator) -> Vec<String> {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/{DATASET}/tables", emulator.url());
    let list: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    let names = list["tables"].as_array().unwrap().iter();
    let names = names.map(|table| table["tableReference"]["tableId"].as_str().unwrap().to_owned());
    names.filter(|name| name != TABLE && name != "finops_loads").collect()
}

/// The months that are new or changed when the tree `later` replaces `first`.
fn to_load(first: &str, later: &str) -> &'static [&'static str] {
    if later == first { &MONTHS[..1] } else { &MONTHS }
}

fn begins_in_duckdb_with(first: &'static str) {
    for later in TREES {
        let folder = TempDir::new().unwrap();
        let (source, database) = (folder.path().join("export"), folder.path().join("finops.duckdb"));
        lay_out(first, &source);
        let finops = Finops::local(&source.join("cur"), &database);
        let report = finops.report_of(&["run", "--end-date", "2025-09", "--output", "json"], 0);
        assert_loaded(&report, first, &MONTHS[1..], false);

        fs::remove_dir_all(&source).unwrap();
        lay_out(later, &source);
        let report = finops.report(0);
        assert_loaded(&report, later, to_load(first, later), false);
        assert_eq!(in_duckdb(&database), figures(&expected(sample(later))), "{first}, then {later}");
        assert_eq!(duckdb_types(&database), types(first, later), "{first}, then {later}");
        assert_eq!(each(&finops.report(0), "status"), ["skipped"; 3]);
    }
}

async fn begins_in_bigquery_with(first: &'static str) {
    for later in TREES {
        let seed = TempDir::new().unwrap();
        lay_out(first, &seed.path().join(BUCKET));
        lay_out(later, &seed.path().join(LATER));
        let storage = StorageServer::start(seed.path());
        let emulator = bigquery(&storage).await;
        let finops = Finops::cloud(&storage, &emulator);
        let report = finops.report_of(&["run", "--end-date", "2025-09", "--output", "json"], 0);
        assert_loaded(&report, first, &MONTHS[1..], true);

        let finops = finops.with("AWS_GCS_BUCKET", LATER);
        let report = finops.report(0);
        assert_loaded(&report, later, to_load(first, later), true);
        assert_eq!(in_bigquery(&emulator), figures(&expected(sample(later))), "{first}, then {later}");
        assert_eq!(bigquery_types(&emulator).await, types(first, later), "{first}, then {later}");
        assert_eq!(other_tables(&emulator).await, Vec::<String>::new(), "no staging table is left");
        assert_eq!(each(&finops.report(0), "status"), ["skipped"; 3]);
    }
}

macro_rules! for_each_tree {
    ($($name:ident: $tree:expr),+ $(,)?) => {
        mod duckdb_takes_every_format_after {
            $(#[test]
            fn $name() {
                super::begins_in_duckdb_with($tree);
            })+
        }
        mod bigquery_takes_every_format_after {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::begins_in_bigquery_with($tree).await;
            })+
        }
    };
}

for_each_tree!(
    versioned_csv: "first",
    overwritten_csv: super::OVERWRITTEN,
    parquet_for_athena: "parquet-athena",
    versioned_parquet: "parquet-versioned",
);

#[test]
fn the_same_report_is_the_same_rows_from_csv_and_from_parquet() {
    let folder = TempDir::new().unwrap();
    let connection = duckdb::Connection::open_in_memory().unwrap();
    let trees = TREES.into_iter().filter(|tree| *tree != OVERWRITTEN);
    for tree in trees {
        let database = folder.path().join(format!("{tree}.duckdb"));
        Finops::local(&example(tree).join("cur"), &database).report(0);
        connection.execute_batch(&format!("ATTACH '{}' AS \"{tree}\" (READ_ONLY)", database.display())).unwrap();
    }
    let columns = types(TREES[0], TREES[0]).into_keys().collect::<Vec<_>>().join(", ");
    let rows = |tree: &str| format!("SELECT {columns} FROM \"{tree}\".{DATASET}.{TABLE}");
    for parquet in &TREES[2..] {
        for (one, other) in [(TREES[0], *parquet), (*parquet, TREES[0])] {
            let sql = format!("SELECT count(*) FROM ({} EXCEPT ALL {})", rows(one), rows(other));
            let different: u64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(different, 0, "rows of {one} that {other} has not");
        }
    }
}
