//! Copy jobs: a month of a staging table onto that month of another table.

use bigquery_emulator::{JobFault, Options};
use serde_json::{Value, json};

use crate::{destinations::run, harness::Harness};

const KEY: &str = "projects/p/locations/us/keyRings/r/cryptoKeys/k";

fn table(name: &str) -> Value {
    json!({
        "tableReference": {"projectId": "demo", "datasetId": "d", "tableId": name},
        "schema": {"fields": [
            {"name": "month", "type": "TIMESTAMP"}, {"name": "cost", "type": "BIGNUMERIC"}, {"name": "note", "type": "STRING"},
        ]},
        "timePartitioning": {"type": "MONTH", "field": "month"},
        "clustering": {"fields": ["note"]},
    })
}

async fn create(h: &Harness, table: Value) {
    let (status, body) = h.call("POST", "/datasets/d/tables", table).await;
    assert_eq!(status, 200, "{body}");
}

async fn fill(h: &Harness, table: &str, rows: &str) {
    let (status, body) = h.query(&format!("INSERT INTO d.{table} (month, cost, note) VALUES {rows}"), &[]).await;
    assert_eq!(status, 200, "{body}");
}

/// `d.t` with one row of August and one of September, `d.staging` with two rows of September and one of October.
async fn staged(options: Options) -> Harness {
    let h = Harness::with(options).await;
    create(&h, table("t")).await;
    create(&h, table("staging")).await;
    fill(&h, "t", "(TIMESTAMP '2025-08-31', 7, 'aug'), (TIMESTAMP '2025-09-30', 8, 'old')").await;
    let rows = "(TIMESTAMP '2025-09-01', 1, 'a'), (TIMESTAMP '2025-09-02', 2, 'b'), (TIMESTAMP '2025-10-01', 3, 'c')";
    fill(&h, "staging", rows).await;
    h
}

pub async fn insert_copy(h: &Harness, id: &str, from: &str, to: &str, extra: Value) -> (u16, Value) {
    let reference = |table: &str| json!({"projectId": "demo", "datasetId": "d", "tableId": table});
    let mut copy = json!({
        "sourceTable": reference(from),
        "destinationTable": reference(to),
        "createDisposition": "CREATE_NEVER",
        "writeDisposition": "WRITE_TRUNCATE",
    });
    for (key, value) in extra.as_object().unwrap() {
        copy[key] = value.clone();
    }
    let body = json!({
        "jobReference": {"projectId": "demo", "jobId": id, "location": "US"},
        "configuration": {"copy": copy, "labels": {"work": "abc"}},
    });
    h.call("POST", "/jobs", body).await
}

/// Status, reason and message of a refused copy.
async fn refused(h: &Harness, id: &str, from: &str, to: &str, extra: Value) -> (u16, String, String) {
    let (status, body) = insert_copy(h, id, from, to, extra).await;
    let error = &body["error"];
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    (status, text(&error["errors"][0]["reason"]), text(&error["message"]))
}

const ROWS: &str = "SELECT note, cost FROM d.t ORDER BY note";

#[tokio::test]
async fn y1_a_copy_replaces_a_month_in_one_step() {
    let h = staged(Options::default()).await;
    h.emulator.hold_jobs("copy");
    let (status, job) = insert_copy(&h, "copy", "staging$202509", "t$202509", json!({})).await;
    assert_eq!(status, 200, "{job}");
    assert_ne!(h.get("/jobs/copy?location=US").await.1["status"]["state"], "DONE");
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
    assert_eq!(insert_copy(&h, "copy", "staging$202509", "t$202509", json!({})).await.0, 409);
    h.emulator.release();
    let job = h.wait("copy").await;
    assert_eq!(job["status"].get("errorResult"), None, "{job}");
    assert_eq!(h.rows(ROWS).await, [["a", "1"], ["aug", "7"], ["b", "2"]]);
    assert_eq!(job["statistics"]["copy"], json!({"copiedRows": "2", "copiedLogicalBytes": "48"}));
    assert_eq!(job["statistics"].get("query"), None, "a copy bills nothing");
    let configuration = &job["configuration"];
    assert_eq!((&configuration["jobType"], &configuration["labels"]["work"]), (&json!("COPY"), &json!("abc")));
    assert_eq!(configuration["copy"]["destinationTable"]["tableId"], "t$202509");
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.staging").await, [["3"]]);
    insert_copy(&h, "again", "staging$202509", "t$202509", json!({})).await;
    h.wait("again").await;
    insert_copy(&h, "october", "staging$202510", "t$202510", json!({})).await;
    h.wait("october").await;
    assert_eq!(h.rows(ROWS).await, [["a", "1"], ["aug", "7"], ["b", "2"], ["c", "3"]]);
}

#[tokio::test]
async fn y1_a_copy_that_is_cancelled_or_fails_changes_nothing() {
    let h = staged(Options::default()).await;
    h.emulator.add_job_fault(JobFault {
        job_id_contains: "faulty".to_owned(),
        times: 1,
        reason: "backendError".to_owned(),
        message: "try again".to_owned(),
    });
    insert_copy(&h, "faulty", "staging$202509", "t$202509", json!({})).await;
    assert_eq!(h.wait("faulty").await["status"]["errorResult"]["reason"], "backendError");
    h.emulator.hold_jobs("");
    insert_copy(&h, "cancelled", "staging$202509", "t$202509", json!({})).await;
    insert_copy(&h, "without-source", "staging$202510", "t$202510", json!({})).await;
    assert_eq!(h.call("POST", "/jobs/cancelled/cancel?location=US", Value::Null).await.0, 200);
    assert_eq!(h.wait("cancelled").await["status"]["errorResult"]["reason"], "stopped");
    assert_eq!(h.call("DELETE", "/datasets/d/tables/staging", Value::Null).await.0, 204);
    h.emulator.release();
    assert_eq!(h.wait("without-source").await["status"]["errorResult"]["reason"], "notFound");
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
}

/// A table that differs from `d.t`, and the message for a copy from it.
fn different_table(name: &str) -> (Value, String) {
    let mut table = table(name);
    let fields = &mut table["schema"]["fields"];
    let layout = |from: &str, why: &str| format!("Failed to copy {from} table to Column partitioned table: {why}.");
    let schema = |why: &str| format!("Provided Schema does not match Table demo:d.t$202509. {why}");
    let refusal = match name {
        "plain" => {
            table["timePartitioning"] = Value::Null;
            layout("Non partitioned", "not supported")
        }
        "clustered" => {
            table["clustering"] = json!({"fields": ["cost"]});
            layout("Column partitioned", "incompatible clustering fields")
        }
        "partitioned" => {
            fields[0]["name"] = json!("day");
            table["timePartitioning"]["field"] = json!("day");
            layout("Column partitioned", "incompatible partitioning fields")
        }
        "kind" => {
            fields[0]["type"] = json!("DATE");
            schema("Field month has changed type from TIMESTAMP to DATE")
        }
        "mode" => {
            fields[1]["mode"] = json!("REQUIRED");
            schema("Field cost has changed mode from NULLABLE to REQUIRED")
        }
        "spelling" => {
            fields[1]["name"] = json!("COST");
            schema("Field COST is found where cost is expected")
        }
        "order" => {
            fields.as_array_mut().unwrap().swap(1, 2);
            schema("Field note is found where cost is expected")
        }
        "missing" => {
            fields.as_array_mut().unwrap().remove(1);
            schema("Field cost is missing in new schema")
        }
        _ => {
            fields.as_array_mut().unwrap().push(json!({"name": "more", "type": "STRING"}));
            schema("Cannot add fields (field: more)")
        }
    };
    (table, refusal)
}

#[tokio::test]
async fn y2_tables_that_differ_are_refused_at_the_insert() {
    let h = staged(Options::default()).await;
    for name in ["plain", "clustered", "partitioned", "kind", "mode", "spelling", "order", "missing", "more"] {
        let (table, expected) = different_table(name);
        create(&h, table).await;
        let (status, reason, message) = refused(&h, name, &format!("{name}$202509"), "t$202509", json!({})).await;
        assert_eq!((status, reason.as_str(), message), (400, "invalid", expected), "{name}");
    }
    let (status, _, message) = refused(&h, "whole", "plain", "t$202509", json!({})).await;
    assert_eq!((status, message), (400, different_table("plain").1));
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
}

#[tokio::test]
async fn y2_missing_tables_and_datasets_in_other_locations_are_not_found() {
    let h = staged(Options::default()).await;
    let eu = json!({"datasetReference": {"datasetId": "eu"}, "location": "EU"});
    h.call("POST", "/datasets", eu).await;
    let elsewhere = json!({"sourceTable": {"projectId": "demo", "datasetId": "eu", "tableId": "staging$202509"}});
    for (id, from, to, extra, expected) in [
        ("source", "none$202509", "t$202509", json!({}), "Not found: Table demo:d.none"),
        ("destination", "staging$202509", "none$202509", json!({}), "Not found: Table demo:d.none"),
        ("place", "", "t$202509", elsewhere, "Not found: Dataset demo:eu was not found in location US"),
    ] {
        let (status, reason, message) = refused(&h, id, from, to, extra).await;
        assert_eq!((status, reason.as_str(), message.as_str()), (404, "notFound", expected));
    }
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
}

#[tokio::test]
async fn y3_a_refused_copy_uses_up_its_id_unless_the_option_says_otherwise() {
    for free in [false, true] {
        let h = staged(Options { refused_copies_free_their_id: free, ..Options::default() }).await;
        assert_eq!(refused(&h, "id", "none$202509", "t$202509", json!({})).await.0, 404);
        let (status, job) = h.get("/jobs/id?location=US").await;
        if free {
            assert_eq!(status, 404);
        } else {
            assert_eq!(job["status"]["state"], "DONE");
            let error = json!({"reason": "notFound", "message": "Not found: Table demo:d.none"});
            assert_eq!(job["status"]["errorResult"], error);
            assert_eq!(job["configuration"]["labels"], json!({"work": "abc"}));
        }
        let (status, _) = insert_copy(&h, "id", "staging$202509", "t$202509", json!({})).await;
        assert_eq!(status, if free { 200 } else { 409 });
    }
}

#[tokio::test]
async fn y4_a_partition_without_rows_does_not_exist() {
    let h = staged(Options::default()).await;
    let (status, reason, message) = refused(&h, "id", "staging$202508", "t$202508", json!({})).await;
    let expected = "Not found: Table demo:d.staging$202508";
    assert_eq!((status, reason.as_str(), message.as_str()), (404, "notFound", expected));
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
}

#[tokio::test]
async fn y5_a_copy_must_name_the_key_of_its_destination() {
    let h = Harness::new().await;
    let mut protected = table("t");
    protected["encryptionConfiguration"] = json!({"kmsKeyName": KEY});
    create(&h, protected.clone()).await;
    protected["tableReference"]["tableId"] = json!("staging");
    create(&h, protected).await;
    fill(&h, "staging", "(TIMESTAMP '2025-09-01', 1, 'a')").await;
    let key = |name: &str| json!({"destinationEncryptionConfiguration": {"kmsKeyName": name}});
    for (id, extra) in [("none", json!({})), ("other", key("another"))] {
        let (status, reason, message) = refused(&h, id, "staging$202509", "t$202509", extra).await;
        assert_eq!((status, reason.as_str()), (400, "invalid"), "{message}");
    }
    assert_eq!(insert_copy(&h, "same", "staging$202509", "t$202509", key(KEY)).await.0, 200);
    h.wait("same").await;
    assert_eq!(h.rows("SELECT note FROM d.t").await, [["a"]]);
    create(&h, table("open")).await;
    assert_eq!(refused(&h, "open", "staging$202509", "open$202509", key(KEY)).await.0, 400);
}

#[tokio::test]
async fn y5_a_query_that_replaces_rows_must_name_the_key_of_its_destination() {
    let h = Harness::new().await;
    let mut protected = table("t");
    protected["encryptionConfiguration"] = json!({"kmsKeyName": KEY});
    create(&h, protected).await;
    create(&h, table("open")).await;
    let with = |name: &str| json!({"destinationEncryptionConfiguration": {"kmsKeyName": name}});
    let row = "SELECT TIMESTAMP '2025-09-01' AS month, CAST(1 AS BIGNUMERIC) AS cost, 'a' AS note";
    for (id, to, extra, expected) in [
        ("none", "t$202509", json!({}), "invalid"),
        ("other", "t$202509", with("another"), "invalid"),
        ("whole", "t", json!({}), "invalid"),
        ("needless", "open$202509", with(KEY), "invalid"),
        ("same", "t$202509", with(KEY), "none"),
        ("open", "open$202509", json!({}), "none"),
    ] {
        assert_eq!(run(&h, id, to, row, extra).await.0, expected, "{id}");
    }
    let mut data = with(KEY);
    data["writeDisposition"] = json!("WRITE_TRUNCATE_DATA");
    assert_eq!(run(&h, "data", "t$202509", row, data).await.0, "none");
    let mut append = with("another");
    append["writeDisposition"] = json!("WRITE_APPEND");
    assert_eq!(run(&h, "append-other", "t", row, append).await.0, "invalid");
    assert_eq!(run(&h, "append", "t", row, json!({"writeDisposition": "WRITE_APPEND"})).await.0, "none");
    assert_eq!(h.rows("SELECT note FROM d.t").await, [["a"], ["a"]]);
    let mut new = with(KEY);
    new["createDisposition"] = json!("CREATE_IF_NEEDED");
    assert_eq!(run(&h, "new", "new", row, new).await.0, "none");
    assert_eq!(h.get("/datasets/d/tables/new").await.1["encryptionConfiguration"], json!({"kmsKeyName": KEY}));
    let query =
        json!({"query": "SELECT 1", "useLegacySql": false, "destinationEncryptionConfiguration": {"kmsKeyName": KEY}});
    assert_eq!(h.call("POST", "/jobs", json!({"configuration": {"query": query}})).await.0, 501, "nothing to encrypt");
}

#[tokio::test]
async fn y6_other_copies_are_refused() {
    let h = staged(Options::default()).await;
    let table = json!({"projectId": "demo", "datasetId": "d", "tableId": "staging$202509"});
    for extra in [
        json!({"writeDisposition": "WRITE_APPEND"}),
        json!({"writeDisposition": null}),
        json!({"createDisposition": null}),
        json!({"sourceTables": [table]}),
        json!({"operationType": "SNAPSHOT"}),
    ] {
        let (status, body) = insert_copy(&h, "j", "staging$202509", "t$202509", extra.clone()).await;
        assert_eq!(status, 501, "{extra}: {body}");
    }
    for (id, from, to) in [
        ("whole", "staging", "t"),
        ("into", "staging", "t$202509"),
        ("other", "staging$202510", "t$202509"),
        ("itself", "t$202509", "t$202509"),
    ] {
        assert_eq!(insert_copy(&h, id, from, to, json!({})).await.0, 501, "{from} onto {to}");
    }
    assert_eq!(h.rows(ROWS).await, [["aug", "7"], ["old", "8"]]);
}

#[tokio::test]
async fn d3_a_copied_month_beyond_the_expiration_of_the_destination_is_dropped() {
    let h = staged(Options::default()).await;
    let mut short = table("short");
    short["timePartitioning"]["expirationMs"] = json!("86400000");
    create(&h, short).await;
    insert_copy(&h, "copy", "staging$202509", "short$202509", json!({})).await;
    let job = h.wait("copy").await;
    assert_eq!((job["status"].get("errorResult"), &job["statistics"]["copy"]["copiedRows"]), (None, &json!("2")));
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.short").await, [["0"]]);
}
