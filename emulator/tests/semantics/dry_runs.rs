//! Dry runs: their answers, and that they change nothing.

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::harness::Harness;

async fn dry_run(h: &Harness, sql: &str) -> (u16, Value) {
    let job = json!({
        "jobReference": {"projectId": "demo", "location": "US"},
        "configuration": {"dryRun": true, "query": {"query": sql, "useLegacySql": false}},
    });
    h.call("POST", "/jobs", job).await
}

#[tokio::test]
async fn q17_a_dry_run_creates_no_job_changes_nothing_and_bills_nothing() {
    let h = Harness::new().await;
    h.table().await;
    for (sql, kind) in [
        ("SELECT 1", "SELECT"),
        ("SELECT note, cost FROM d.t", "SELECT"),
        ("INSERT INTO d.t (note) VALUES ('a')", "INSERT"),
        ("DELETE FROM d.t WHERE true", "DELETE"),
        ("ALTER TABLE d.t ADD COLUMN more STRING", "ALTER_TABLE"),
        ("ALTER TABLE d.t SET OPTIONS (partition_expiration_days = NULL)", "ALTER_TABLE"),
        ("CREATE TABLE `demo`.`d`.`new` (a STRING)", "CREATE_TABLE"),
        ("CREATE SCHEMA `demo`.`other`", "CREATE_SCHEMA"),
    ] {
        let (status, job) = dry_run(&h, sql).await;
        assert_eq!(status, 200, "{sql}: {job}");
        assert_eq!(job["status"], json!({"state": "DONE"}), "{sql}");
        assert_eq!(job["jobReference"], json!({"projectId": "demo", "location": "US"}), "{sql}");
        assert_eq!(job["statistics"]["query"]["statementType"], kind, "{sql}");
        assert_eq!(job["statistics"]["query"]["totalBytesBilled"], "0", "{sql}");
        assert!(job["user_email"].as_str().unwrap().contains('@'), "{sql}");
        assert_eq!(job["configuration"]["dryRun"], true, "{sql}");
    }
    assert_eq!(h.get("/jobs").await.1.get("jobs"), Some(&json!([])));
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
    let (_, table) = h.get("/datasets/d/tables/t").await;
    assert_eq!(table["schema"]["fields"].as_array().unwrap().len(), 3);
    assert_eq!(h.get("/datasets/d/tables/new").await.0, 404);
    assert_eq!(h.get("/datasets/other").await.0, 404);
}

#[tokio::test]
async fn q20_a_sandbox_refuses_only_dml_also_in_a_dry_run() {
    let h = Harness::with(Options { sandbox: true, ..Options::default() }).await;
    h.table().await;
    let insert = "INSERT INTO d.t (note) VALUES ('a')";
    for (status, body) in [dry_run(&h, insert).await, h.query(insert, &[]).await] {
        assert_eq!((status, &body["error"]["errors"][0]["reason"]), (403, &json!("billingNotEnabled")), "{body}");
    }
    for sql in ["SELECT COUNT(*) FROM d.t", "ALTER TABLE d.t ADD COLUMN more STRING"] {
        assert_eq!(dry_run(&h, sql).await.0, 200, "{sql}");
        assert_eq!(h.query(sql, &[]).await.0, 200, "{sql}");
    }
}

#[tokio::test]
async fn q17_a_dry_run_has_the_error_of_its_job() {
    let h = Harness::new().await;
    h.table().await;
    for (sql, status, reason) in [
        ("SELECT none FROM d.t", 400, "invalidQuery"),
        ("SELECT note FROM d.none", 404, "notFound"),
        ("SELEC", 400, "invalidQuery"),
        ("CREATE TABLE d.t (a STRING)", 409, "duplicate"),
        ("CREATE TABLE none.t (a STRING)", 404, "notFound"),
        ("CREATE TABLE d.new (a STRING) CLUSTER BY a", 400, "invalidQuery"),
        ("CREATE TABLE d.new AS SELECT 1 AS a", 400, "invalidQuery"),
        ("CREATE SCHEMA d", 409, "duplicate"),
        ("CREATE SCHEMA IF NOT EXISTS other", 400, "invalidQuery"),
        ("DROP TABLE d.t", 400, "invalidQuery"),
    ] {
        let (found, body) = dry_run(&h, sql).await;
        assert_eq!((found, body["error"]["errors"][0]["reason"].as_str()), (status, Some(reason)), "{sql}: {body}");
    }
    // CREATE works only in a dry run.
    assert_eq!(h.query("CREATE TABLE d.new (a STRING)", &[]).await.0, 400);
}

#[tokio::test]
async fn q17_other_dry_runs_are_not_implemented() {
    let h = Harness::new().await;
    h.table().await;
    let load = json!({
        "configuration": {"dryRun": true, "load": {
            "sourceUris": ["gs://b/a"], "sourceFormat": "CSV", "writeDisposition": "WRITE_TRUNCATE",
            "destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": "t"},
        }},
    });
    assert_eq!(h.call("POST", "/jobs", load).await.0, 501);
    let query = json!({"query": "SELECT 1", "useLegacySql": false, "dryRun": true});
    assert_eq!(h.call("POST", "/queries", query).await.0, 501);
    let into = json!({
        "configuration": {"dryRun": true, "query": {
            "query": "SELECT note FROM d.t", "useLegacySql": false, "writeDisposition": "WRITE_TRUNCATE",
            "destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": "t"},
        }},
    });
    assert_eq!(h.call("POST", "/jobs", into).await.0, 501);
}
