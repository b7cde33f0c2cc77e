//! Query jobs that write into a table.

use serde_json::{Value, json};

use crate::harness::Harness;

/// An emulator with the empty table `d.t` and two rows of September in `d.staging`.
async fn staged() -> Harness {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1.5,x\n2025-09-02,2,y\n");
    let settings = json!({"createDisposition": "CREATE_IF_NEEDED", "schema": {"fields": [
        {"name": "month", "type": "TIMESTAMP"}, {"name": "cost", "type": "STRING"}, {"name": "note", "type": "STRING"},
    ]}});
    h.load("stage", "staging", &[&file], settings).await;
    h
}

const CAST: &str = "SELECT `note` AS `NOTE`, CAST(`cost` AS BIGNUMERIC) AS `cost`, `month` AS `month` \
                    FROM `demo`.`d`.`staging`";

async fn insert(h: &Harness, id: &str, table: &str, query: &str, extra: Value) -> (u16, Value) {
    let mut configuration = json!({
        "query": query,
        "useLegacySql": false,
        "destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": table},
        "writeDisposition": "WRITE_TRUNCATE",
        "createDisposition": "CREATE_NEVER",
        "priority": "INTERACTIVE",
        "useQueryCache": false,
    });
    for (key, value) in extra.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    let body = json!({
        "jobReference": {"projectId": "demo", "jobId": id, "location": "US"},
        "configuration": {"query": configuration, "labels": {"work": "abc"}},
    });
    h.call("POST", "/jobs", body).await
}

/// Runs a query job into a table. Returns reason and message of its failure, `none` where it succeeds.
pub async fn run(h: &Harness, id: &str, table: &str, query: &str, extra: Value) -> (String, String) {
    let (status, body) = insert(h, id, table, query, extra).await;
    assert_eq!(status, 200, "{body}");
    let job = h.wait(id).await;
    let error = &job["status"]["errorResult"];
    let text = |key: &str| error[key].as_str().unwrap_or("none").to_owned();
    (text("reason"), text("message"))
}

#[tokio::test]
async fn w1_a_query_replaces_a_month_in_one_step_with_columns_by_name() {
    let h = staged().await;
    let august = "SELECT TIMESTAMP '2025-08-01' AS month, CAST(7 AS BIGNUMERIC) AS cost, 'old' AS note";
    assert_eq!(run(&h, "august", "t$202508", august, json!({})).await.0, "none");
    for id in ["first", "again"] {
        assert_eq!(run(&h, id, "t$202509", CAST, json!({})).await, ("none".to_owned(), "none".to_owned()));
    }
    let rows = h.rows("SELECT note, cost FROM d.t ORDER BY cost").await;
    assert_eq!(rows, [["x", "1.5"], ["y", "2"], ["old", "7"]]);
    let job = h.wait("again").await;
    assert_eq!(job["configuration"]["labels"], json!({"work": "abc"}));
    let statistics = &job["statistics"]["query"];
    assert_eq!(
        (&statistics["statementType"], &statistics["totalBytesBilled"], &statistics["totalBytesProcessed"]),
        (&json!("SELECT"), &json!("10485760"), &json!("48"))
    );
    // Its result is the rows that it wrote, in pages.
    let (_, result) = h.get("/queries/again?location=US&maxResults=1").await;
    assert_eq!((result["totalRows"].as_str(), &result["rows"][0]["f"][0]["v"]), (Some("2"), &json!("x")));
    let token = result["pageToken"].as_str().unwrap();
    let (_, result) = h.get(&format!("/queries/again?location=US&pageToken={token}")).await;
    assert_eq!(result["rows"][0]["f"][1]["v"], "2");
}

#[tokio::test]
async fn w1_the_rows_are_visible_only_after_the_job_ends() {
    let h = staged().await;
    h.emulator.hold_jobs("held");
    insert(&h, "held", "t$202509", CAST, json!({})).await;
    let (_, job) = h.get("/jobs/held?location=US").await;
    assert_ne!(job["status"]["state"], "DONE");
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
    assert_eq!(insert(&h, "held", "t$202509", CAST, json!({})).await.0, 409);
    h.emulator.release();
    h.wait("held").await;
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["2"]]);
}

#[tokio::test]
async fn w2_rows_of_another_month_fail_the_query_and_change_nothing() {
    let h = staged().await;
    run(&h, "good", "t$202509", CAST, json!({})).await;
    let queries = [
        CAST.replace("`month` AS `month`", "TIMESTAMP '2025-10-01' AS month"),
        CAST.replace("`month` AS `month`", "CAST(NULL AS TIMESTAMP) AS month"),
    ];
    for (at, query) in queries.iter().enumerate() {
        let (reason, message) = run(&h, &format!("j{at}"), "t$202509", query, json!({})).await;
        assert_eq!(reason, "invalid");
        let expected = "Some rows belong to different partitions rather than destination partition";
        assert!(message.starts_with(expected), "{message}");
    }
    assert_eq!(h.rows("SELECT cost FROM d.t ORDER BY cost").await, [["1.5"], ["2"]]);
}

#[tokio::test]
async fn p7_a_date_column_partitions_by_month_as_a_timestamp_does() {
    let h = Harness::new().await;
    let table = json!({
        "tableReference": {"tableId": "t"},
        "schema": {"fields": [
            {"name": "month", "type": "DATE"}, {"name": "day", "type": "DATE"}, {"name": "cost", "type": "BIGNUMERIC"},
        ]},
        "timePartitioning": {"type": "MONTH", "field": "month"},
        "clustering": {"fields": ["day"]},
    });
    let (status, created) = h.call("POST", "/datasets/d/tables", table).await;
    assert_eq!((status, &created["clustering"]), (200, &json!({"fields": ["day"]})), "{created}");
    let put = |name: &str, row: &str| h.put(name, format!("month,day,cost\n{row}\n"));
    let loaded = async |id: &str, month: &str, row: &str| {
        let job = h.load(id, month, &[&put(id, row)], json!({})).await;
        job["status"]["errorResult"]["message"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(loaded("august", "t$202508", "2025-08-31,2025-08-31,1").await, "none");
    assert_eq!(loaded("first", "t$202509", "2025-09-01,2025-09-02,2").await, "none");
    assert_eq!(loaded("again", "t$202509", "2025-09-30,2025-09-02,3").await, "none");
    let expected = "Some rows belong to different partitions rather than destination partition";
    assert!(loaded("other", "t$202509", "2025-10-01,2025-09-02,4").await.starts_with(expected));
    let month = "SELECT DATE '2025-10-31' AS month, DATE '2025-10-01' AS day, CAST(5 AS BIGNUMERIC) AS cost";
    assert_eq!(run(&h, "query", "t$202510", month, json!({})).await.0, "none");
    let (reason, message) = run(&h, "query-other", "t$202511", month, json!({})).await;
    assert!(reason == "invalid" && message.starts_with(expected), "{reason}: {message}");
    let partitions = "SELECT partition_id, total_rows FROM d.INFORMATION_SCHEMA.PARTITIONS ORDER BY 1";
    assert_eq!(h.rows(partitions).await, [["202508", "1"], ["202509", "1"], ["202510", "1"]]);
    let sums = "SELECT `day`, COUNT(*), SUM(`cost`) FROM d.t WHERE `month` >= DATE '2025-09-01' \
                AND `month` < DATE '2025-10-01' GROUP BY 1";
    assert_eq!(h.rows(sums).await, [["2025-09-02", "1", "3"]]);
}

#[tokio::test]
async fn w3_the_result_must_have_all_columns_of_the_table_with_their_types() {
    let h = staged().await;
    for (id, query, expected) in [
        ("missing", CAST.replace("`note` AS `NOTE`, ", ""), "Field note is missing in new schema"),
        ("type", CAST.replace("CAST(`cost` AS BIGNUMERIC)", "`cost`"), "Field cost has changed type from BIGNUMERIC"),
        ("new", CAST.replace("SELECT ", "SELECT 1 AS more, "), "Cannot add fields (field: more)"),
    ] {
        let (reason, message) = run(&h, id, "t$202509", &query, json!({})).await;
        assert!(reason == "invalid" && message.contains(expected), "{reason}: {message}");
    }
    let addition = json!({"schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"]});
    let query = CAST.replace("SELECT ", "SELECT 1 AS more, ");
    assert_eq!(run(&h, "added", "t$202509", &query, addition).await.0, "none");
    assert_eq!(h.rows("SELECT more FROM d.t").await, [["1"], ["1"]]);
}

#[tokio::test]
async fn w4_missing_tables_and_bad_values_end_the_job_with_their_reason() {
    let h = staged().await;
    assert_eq!(
        run(&h, "target", "none", CAST, json!({})).await,
        ("notFound".into(), "Not found: Table demo:d.none".into())
    );
    let source = CAST.replace("staging", "gone");
    assert_eq!(run(&h, "source", "t$202509", &source, json!({})).await.0, "notFound");
    let value = CAST.replace("CAST(`cost`", "CAST(`note`");
    let (reason, message) = run(&h, "value", "t$202509", &value, json!({})).await;
    assert!(reason == "invalidQuery" && message.contains("Bad BIGNUMERIC value: x"), "{reason}: {message}");
    let create =
        json!({"createDisposition": "CREATE_IF_NEEDED", "timePartitioning": {"type": "MONTH", "field": "month"}});
    assert_eq!(run(&h, "creates", "new$202509", CAST, create).await.0, "none");
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.new").await, [["2"]]);
    assert_eq!(run(&h, "dml", "t", "DELETE FROM d.t WHERE true", json!({})).await.0, "invalidQuery");
}

#[tokio::test]
async fn w5_legacy_sql_and_unknown_options_are_refused() {
    let h = staged().await;
    for extra in [
        json!({"useLegacySql": null}),
        json!({"useLegacySql": true}),
        json!({"writeDisposition": null}),
        json!({"rangePartitioning": {"field": "cost"}}),
    ] {
        let (status, body) = insert(&h, "j", "t$202509", CAST, extra.clone()).await;
        assert_eq!(status, 501, "{extra}: {body}");
    }
}

#[tokio::test]
async fn w6_a_query_beyond_its_limit_of_bytes_billed_does_not_run() {
    let h = staged().await;
    let limit = |bytes: &str| json!({"maximumBytesBilled": bytes});
    let (reason, _) = run(&h, "low", "t$202509", CAST, limit("10485759")).await;
    assert_eq!(reason, "bytesBilledLimitExceeded");
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
    assert_eq!(run(&h, "enough", "t$202509", CAST, limit("10485760")).await.0, "none");
}

#[tokio::test]
async fn w7_a_staging_table_keeps_its_expiration_and_can_be_deleted_once() {
    let h = Harness::new().await;
    let table = json!({
        "tableReference": {"tableId": "staging"},
        "schema": {"fields": [{"name": "cost", "type": "FLOAT"}]},
        "expirationTime": "4102444800000",
    });
    let (_, created) = h.call("POST", "/datasets/d/tables", table.clone()).await;
    assert_eq!(created["expirationTime"], "4102444800000");
    let file = h.put("a.csv", "cost\n1.5\n");
    for id in ["one", "two"] {
        h.load(id, "staging", &[&file], json!({"schema": table["schema"]})).await;
    }
    let (_, created) = h.get("/datasets/d/tables/staging").await;
    assert_eq!((&created["numRows"], &created["expirationTime"]), (&json!("1"), &json!("4102444800000")));
    assert_eq!(h.call("DELETE", "/datasets/d/tables/staging", Value::Null).await, (204, Value::Null));
    let (status, body) = h.call("DELETE", "/datasets/d/tables/staging", Value::Null).await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
}
