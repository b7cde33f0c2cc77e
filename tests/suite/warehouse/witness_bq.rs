//! BigQuery's own command-line client: what it reads of the job's results, and a table that it created for the job.

use std::{fs, path::Path};

use bigquery_emulator::Emulator;
use serde_json::{Value, json};

use crate::{
    flow::figures::{Sample, expected, figures, in_bigquerys_types},
    support::{
        program::{DATASET, TABLE, each, month},
        require::{self, Tool},
        servers::PROJECT,
        tables::{Figures, in_bigquery},
    },
    warehouse::{discovery, upload::Pipeline},
};

/// What `bq` prints; without it the test is skipped.
fn bq(emulator: &Emulator, folder: &Path, arguments: &[&str]) -> Option<String> {
    let Some(discovery) = discovery::path() else {
        require::skip(Tool::Bq, "there is no Cloud SDK with BigQuery's discovery document, which `bq` reads");
        return None;
    };
    let token = folder.join("token");
    fs::write(&token, "any").unwrap();
    let mut bq = require::cloud_sdk("bq", Tool::Bq, folder)?;
    bq.env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &token).arg("--discovery_file").arg(discovery);
    bq.args(["--api", &emulator.url(), "--project_id", PROJECT, "--quiet", "--headless"]).args(arguments);
    Some(require::output(&mut bq))
}

#[tokio::test(flavor = "multi_thread")]
async fn bq_reads_what_the_job_did() {
    let Sample { folder, emulator, finops, .. } = &Sample::new().await;
    let report = finops.report(0);
    let text = |arguments: &[&str]| bq(emulator, folder.path(), arguments);
    let json = |arguments: &[&str]| -> Option<Value> {
        Some(serde_json::from_str(&text(&[&["--format=json"], arguments].concat())?).unwrap())
    };
    let name = format!("{DATASET}.{TABLE}");
    let expected = expected("first");

    let Some(table) = json(&["show", &name]) else { return };
    let fields = table["schema"]["fields"].as_array().unwrap();
    let found: serde_json::Map<_, _> =
        fields.iter().map(|field| (field["name"].as_str().unwrap().to_owned(), field["type"].clone())).collect();
    assert_eq!(found, in_bigquerys_types(&expected));
    assert_eq!(found.len(), fields.len());
    assert!(fields.iter().all(|field| field["mode"] == "NULLABLE"));
    assert_eq!(table["timePartitioning"], json!({"type": "MONTH", "field": "bill_billing_period_start_date"}));
    assert_eq!(table["clustering"]["fields"], json!(["line_item_usage_start_date"]));
    assert_eq!(table["labels"]["managed_by"], "finops");
    let partition = json(&["show", &format!("{name}$202509")]).unwrap();
    assert_eq!(partition["numRows"], expected["2025-09"]["rows"].to_string());

    let start = "bill_billing_period_start_date";
    let cost = "CAST(SUM(line_item_unblended_cost) AS STRING)";
    let query = format!("SELECT {start} AS month, COUNT(*) AS n, {cost} AS cost FROM {name} GROUP BY {start}");
    let rows = json(&["query", "--nouse_legacy_sql", &query]).unwrap();
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("month")[..7].to_owned(), (text("n").parse().unwrap(), text("cost")))
    };
    assert_eq!(rows.as_array().unwrap().iter().map(row).collect::<Figures>(), figures(&expected));
    let query = format!("SELECT COUNT(*) AS n FROM {name} WHERE {start} = TIMESTAMP '2025-10-01 00:00:00 UTC'");
    let csv = text(&["--format=csv", "query", "--nouse_legacy_sql", &query]).unwrap();
    assert_eq!(csv.lines().collect::<Vec<_>>(), ["n", &expected["2025-10"]["rows"].to_string()]);

    let listed = json(&["ls", "--jobs", "--max_results=100"]).unwrap();
    let listed: Vec<&Value> = listed.as_array().unwrap().iter().map(|job| &job["jobReference"]["jobId"]).collect();
    for billing_period in each(&report, "billing_period") {
        assert!(listed.contains(&&month(&report, billing_period)["job_id"]), "{billing_period} in {listed:?}");
    }
    let september = month(&report, "2025-09");
    let job = json(&["show", "--job", "--location=US", september["job_id"].as_str().unwrap()]).unwrap();
    assert_eq!(job["configuration"]["copy"]["destinationTable"]["tableId"], format!("{TABLE}$202509"));
    assert_eq!(job["configuration"]["copy"]["writeDisposition"], "WRITE_TRUNCATE");
    assert_eq!(job["status"], json!({"state": "DONE"}));
    assert_eq!(job["statistics"]["copy"]["copiedRows"], september["rows"].to_string());
    // The load of its files, into the staging table.
    let is_load = |id: &&str| id.contains("-202509-finops_staging_") && id.ends_with("-load-1");
    let load = listed.iter().filter_map(|id| id.as_str()).find(is_load).unwrap();
    let load = json(&["show", "--job", "--location=US", load]).unwrap();
    assert_eq!(load["configuration"]["load"]["writeDisposition"], "WRITE_APPEND");
    assert_eq!(load["statistics"]["load"]["outputRows"], september["rows"].to_string());
    assert_eq!(load["statistics"]["load"]["inputFiles"], september["files"].to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_loads_into_a_table_that_bq_created() {
    let Sample { folder, emulator, finops, .. } = &Sample::new().await;
    let bq = |arguments: &[&str]| bq(emulator, folder.path(), arguments);
    let schema = "line_item_unblended_cost:BIGNUMERIC,bill_billing_period_start_date:TIMESTAMP,\
                  line_item_usage_start_date:TIMESTAMP,line_item_currency_code:STRING,bill_bill_type:STRING";
    if bq(&["mk", "--location=US", "--dataset", DATASET]).is_none() {
        return;
    }
    let table = format!("{DATASET}.{TABLE}");
    bq(&[
        "mk",
        "--table",
        &format!("--schema={schema}"),
        "--time_partitioning_type=MONTH",
        "--time_partitioning_field=bill_billing_period_start_date",
        "--clustering_fields=line_item_usage_start_date",
        "--label=managed_by:finops",
        &table,
    ]);
    assert_eq!(each(&finops.report(0), "status"), ["loaded"; 3]);
    assert_eq!(in_bigquery(emulator), figures(&expected("first")));
    let table: Value = serde_json::from_str(&bq(&["--format=json", "show", &table]).unwrap()).unwrap();
    let names = table["schema"]["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap());
    let created: Vec<&str> = schema.split(',').map(|column| column.split_once(':').unwrap().0).collect();
    assert_eq!(names.take(5).collect::<Vec<_>>(), created, "the columns that were there stay in front");
    assert_eq!(finops.report(0)["pipelines"][0]["status"], "nothing_to_do");
}

#[tokio::test(flavor = "multi_thread")]
async fn bq_uploads_what_finops_wrote_as_parquet() {
    let pipeline = Pipeline::exported().await;
    pipeline.load(0);
    let bq = |arguments: &[&str]| bq(&pipeline.emulator, pipeline.folder.path(), arguments);
    let name = format!("{DATASET}.{TABLE}");
    let Some(table) = bq(&["--format=json", "show", &name]) else { return };
    let schema = pipeline.folder.path().join("schema.json");
    let table: Value = serde_json::from_str(&table).unwrap();
    fs::write(&schema, table["schema"]["fields"].to_string()).unwrap();
    let rows = |table: &str| {
        pipeline.emulator.query(&format!("SELECT * FROM \"{PROJECT}:{DATASET}\".\"{table}\" ORDER BY ALL")).unwrap()
    };
    for file in pipeline.parquet_files() {
        bq(&[
            "--location=US",
            "load",
            "--source_format=PARQUET",
            "--decimal_target_types=BIGNUMERIC",
            &format!("{DATASET}.of_bq"),
            file.to_str().unwrap(),
            schema.to_str().unwrap(),
        ]);
    }
    assert_eq!(rows("of_bq"), rows(TABLE));
    assert_eq!(pipeline.uploads(), 4, "bq sends as finops does");
}
