//! The whole job from a bucket into BigQuery: what it finds, loads and skips.

use finops_core::hint;
use serde_json::{Value, json};

use crate::support::{
    jobs::CloudJob,
    program::{BUCKET, DATASET, TABLE, assert_names, each, month},
    servers::{PROJECT, query},
    tables::{Figures, in_duckdb, load_jobs},
    tree::{Delivery, REPORT},
};

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1E-10", "12345678.123456789012"])
}

fn october() -> Delivery {
    Delivery::new("2025-10", "first", &["10"])
}

/// The rows of the table after both.
fn both() -> Figures {
    [("2025-09", (3, "12345681.623456789112")), ("2025-10", (1, "10"))]
        .map(|(month, (rows, cost))| (month.to_owned(), (rows, cost.to_owned())))
        .into()
}

/// The answer to a GET below the project.
async fn get(job: &CloudJob, path: &str) -> Value {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/{path}", job.emulator.url());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// A resource's schema as name and type.
fn fields(table: &Value) -> Vec<(&str, &str)> {
    let fields = table["schema"]["fields"].as_array().unwrap();
    fields.iter().map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap())).collect()
}

/// Runs once and asserts that both months load, and that a second run loads nothing.
fn assert_both_load(job: &CloudJob) {
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    assert_eq!(job.figures(), both());
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
    assert_eq!(load_jobs(&job.emulator).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_partitioned_by_month_clustered_and_labelled() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    let table = get(&job, &format!("datasets/{DATASET}/tables/{TABLE}")).await;
    assert_eq!(table["timePartitioning"], json!({"type": "MONTH", "field": "bill_billing_period_start_date"}));
    assert_eq!(table["clustering"], json!({"fields": ["line_item_usage_start_date"]}));
    assert_eq!(table["labels"], json!({"managed_by": "finops"}));
    assert!(table["schema"]["fields"].as_array().unwrap().iter().all(|field| field["mode"] != "REQUIRED"));
    let types = fields(&table);
    for expected in [
        ("bill_billing_period_start_date", "TIMESTAMP"),
        ("line_item_usage_amount", "BIGNUMERIC"),
        ("line_item_unblended_cost", "BIGNUMERIC"),
        ("line_item_product_code", "STRING"),
    ] {
        assert!(types.contains(&expected), "{expected:?} in {types:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_table_has_the_columns_that_others_rely_on_and_a_row_for_each_load() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    let again = Delivery::new("2025-09", "second", &["7"]);
    job.put(&again).await;
    job.finops.report(0);

    let table = get(&job, &format!("datasets/{DATASET}/tables/finops_loads")).await;
    assert_eq!(
        fields(&table),
        [
            ("pipeline", "STRING"),
            ("export_name", "STRING"),
            ("table_name", "STRING"),
            ("billing_period", "DATE"),
            ("sequence", "INTEGER"),
            ("execution_id", "STRING"),
            ("fingerprint", "STRING"),
            ("manifest_uri", "STRING"),
            ("job_id", "STRING"),
            ("status", "STRING"),
            ("rows", "INTEGER"),
            ("files", "INTEGER"),
            ("bytes", "INTEGER"),
            ("cost", "JSON"),
            ("previous_execution_id", "STRING"),
            ("run_id", "STRING"),
            ("loaded_at", "TIMESTAMP"),
            ("kind", "STRING"),
            ("issued_at", "TIMESTAMP"),
            ("covers_until", "DATE"),
            ("cost_net", "JSON"),
            ("scopes", "JSON"),
        ]
    );
    let sql = format!(
        "SELECT CAST(billing_period AS STRING), sequence, pipeline, export_name, table_name, execution_id, \
         previous_execution_id, status, `rows`, files, TO_JSON_STRING(cost), job_id, manifest_uri \
         FROM `{PROJECT}`.`{DATASET}`.`finops_loads` ORDER BY billing_period, sequence"
    );
    let rows = query(&job.emulator, &sql).await;
    let uri = |folder: &str| format!("gs://{BUCKET}/cur/{REPORT}/{folder}/{REPORT}-Manifest.json");
    let row = |period: &str, folder: &str, sequence: &str, ids: (&str, Option<&str>), rows: &str, cost: &str| {
        let job_id = format!("finops-{DATASET}-{TABLE}-{}-{sequence}", &folder[..6]);
        let ours = |text: &str| Some(text.to_owned());
        vec![
            ours(period),
            ours(sequence),
            ours("aws"),
            ours(REPORT),
            ours(TABLE),
            ours(ids.0),
            ids.1.map(str::to_owned),
            ours("loaded"),
            ours(rows),
            ours("1"),
            ours(&format!("{{\"USD\":\"{cost}\"}}")),
            Some(job_id),
            Some(uri(folder)),
        ]
    };
    assert_eq!(
        rows,
        [
            row("2025-09-01", "20250901-20251001", "1", ("first", None), "3", "12345681.623456789112"),
            row("2025-09-01", "20250901-20251001", "2", ("second", Some("first")), "1", "7"),
            row("2025-10-01", "20251001-20251101", "1", ("first", None), "1", "10"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_a_manifest_inside_its_delivery_is_never_read() {
    let job = CloudJob::new(&[september(), october()]).await;
    let copy = format!("cur/{REPORT}/20250901-20251001/first/{REPORT}-Manifest.json");
    job.storage.put(BUCKET, &copy, "not a manifest").await;
    assert_both_load(&job);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_layouts_load() {
    assert_both_load(&CloudJob::new(&[september(), october().overwriting()]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_without_types_or_without_columns_load() {
    let mut untyped = october();
    for column in untyped.manifest["columns"].as_array_mut().unwrap() {
        column.as_object_mut().unwrap().remove("type");
    }
    assert_both_load(&CloudJob::new(&[september().with_manifest("columns", json!([])), untyped]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_with_more_columns_than_its_manifest_counts() {
    let wide = october().with_column("resourceTags/user:Team", "a\nb").with_column("product/region", "eu");
    let job = CloudJob::new(&[september(), wide]).await;
    assert_both_load(&job);
    let sql = format!(
        "SELECT resource_tags_user_team, product_region FROM `{PROJECT}`.`{DATASET}`.`{TABLE}` \
         WHERE line_item_unblended_cost = 10"
    );
    assert_eq!(query(&job.emulator, &sql).await, [[Some("a\nb".to_owned()), Some("eu".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_in_the_mirror_whatever_bucket_and_prefix_the_manifest_has() {
    for head in ["another/prefix/at/the/provider", "", "cur"] {
        let mirrored = |delivery: Delivery| Delivery { key_head: head.to_owned(), ..delivery };
        assert_both_load(&CloudJob::new(&[mirrored(september()), mirrored(october().overwriting())]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_can_be_the_exports_folder_or_its_parent_or_empty() {
    let job = CloudJob::new(&[september(), october()]).await;
    for prefix in ["cur", "/cur/", &format!("cur/{REPORT}")] {
        let finops = job.finops.clone().with("AWS_GCS_PREFIX", prefix).with("AWS_EXPORT_NAME", REPORT);
        assert_eq!(each(&finops.report_of(&["plan", "--output", "json"], 0), "action"), ["load", "load"], "{prefix}");
    }
    assert_both_load(&CloudJob::below("", &[september(), october()]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_url_has_bucket_and_prefix() {
    let mut job = CloudJob::new(&[september(), october()]).await;
    let finops = job.finops.clone().without("AWS_GCS_BUCKET").without("AWS_GCS_PREFIX");
    job.finops = finops.with("AWS_SOURCE", &format!("gs://{BUCKET}/cur/"));
    assert_both_load(&job);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exports_name_is_only_needed_if_there_are_several_below_the_prefix() {
    let job = CloudJob::new(&[september(), october()]).await;
    let manifest = json!({
        "assemblyId": "x", "reportName": "daily", "compression": "GZIP", "contentType": "text/csv", "reportKeys": [],
        "billingPeriod": {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"},
    });
    let key = "cur/daily/20250901-20251001/daily-Manifest.json";
    assert_eq!(job.finops.report_of(&["plan", "--output", "json"], 0)["pipelines"][0]["export"], REPORT);

    job.storage.put(BUCKET, key, manifest.to_string()).await;
    let error = job.finops.report(2)["pipelines"][0]["error"].clone();
    assert_eq!(error["kind"], "configuration");
    assert_names(error["message"].as_str().unwrap(), &["`daily`", "`report`", "gs://billing-mirror/cur"]);
    assert_names(error["hint"].as_str().unwrap(), &[&hint::name_export("AWS_EXPORT_NAME")]);
    assert_eq!(load_jobs(&job.emulator), []);

    let named = job.finops.clone().with("AWS_EXPORT_NAME", REPORT).report(0);
    assert_eq!(each(&named, "status"), ["loaded", "loaded"]);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_more_than_a_thousand_objects_loads_completely() {
    let costs = vec!["0.01"; 1_200];
    let job = CloudJob::new(&[Delivery::new("2025-09", "first", &costs).in_parts(1_200), october()]).await;
    let report = job.finops.report(0);
    assert_eq!(month(&report, "2025-09")["files"], 1_200);
    assert_eq!(job.figures()["2025-09"], (1_200, "12".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_the_same_assembly_id_are_loaded() {
    let job = CloudJob::loaded(&[september().overwriting(), october()]).await;
    let mut changed = september().overwriting();
    changed.rows[0][7] = "4.5".to_owned();
    job.put(&changed).await;
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "loaded"]);
    let reason = month(&report, "2025-09")["reason"].as_str().unwrap();
    assert_eq!(reason, "its files changed in place; 2025-09 moved by +1 USD");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_mirrored_again_with_the_same_bytes_is_not_loaded_again() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    job.put(&october()).await;
    job.put(&september()).await;
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
    assert_eq!(load_jobs(&job.emulator).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_month_whose_files_are_removed_is_unchanged() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    for (key, _) in september().data_files() {
        job.storage.delete(BUCKET, &format!("cur/{REPORT}/{key}")).await;
    }
    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped", "skipped"]);
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["source files are no longer there"]);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_requested_months_are_read() {
    let job = CloudJob::new(&[Delivery::new("2025-08", "first", &["1"]), september(), october()]).await;
    let flags = ["run", "--start-date", "2025-09", "--end-date", "2025-09", "--output", "json"];
    assert_eq!(each(&job.finops.report_of(&flags, 0), "billing_period"), ["2025-09"]);
    let variable = job.finops.clone().with("START_DATE", "2025-10");
    assert_eq!(each(&variable.report(0), "billing_period"), ["2025-10"]);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_run_loads_loaded_months_again() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    let report = job.finops.report_of(&["run", "--force", "--output", "json"], 0);
    assert_eq!(each(&report, "action"), ["reload", "reload"]);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"]);
    assert_eq!(load_jobs(&job.emulator).len(), 4);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing() {
    let job = CloudJob::new(&[september(), october()]).await;
    for arguments in [&["plan", "--output", "json"][..], &["run", "--dry-run", "--output", "json"]] {
        let plan = job.finops.report_of(arguments, 0);
        assert_eq!(each(&plan, "action"), ["load", "load"]);
        assert_eq!(each(&plan, "reason"), ["not loaded yet", "not loaded yet"]);
        assert!(month(&plan, "2025-09").get("status").is_none() && plan["pipelines"][0].get("status").is_none());
    }
    assert!(job.emulator.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_loads_into_duckdb_too() {
    let job = CloudJob::new(&[september().in_parts(2), october()]).await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("finops.duckdb");
    let finops = job.finops.clone().with("WAREHOUSE", "duckdb").with("DUCKDB_PATH", database.to_str().unwrap());
    let report = finops.clone().with("TMPDIR", "/no/such/folder").report(1);
    assert_eq!(month(&report, "2025-09")["error"]["hint"], hint::SET_TMPDIR, "{report:#}");
    let finops = finops.with("TMPDIR", folder.path().to_str().unwrap());
    assert_eq!(each(&finops.report(0), "status"), ["loaded", "loaded"]);
    assert_eq!(in_duckdb(&database), both());
    assert_eq!(each(&finops.report(0), "status"), ["skipped", "skipped"]);
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["finops.duckdb"], "downloads are removed");
}
