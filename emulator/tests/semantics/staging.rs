//! A typed staging table: appends by loads, queries into it, and failures.

use serde_json::{Value, json};

use crate::{destinations::run, harness::Harness, parquet};

const MONTHS: &str = "SELECT partition_id, total_rows FROM `demo`.`d`.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table ORDER BY 1";

/// The months of a table and their numbers of rows.
async fn months(h: &Harness, table: &str) -> Vec<(String, String)> {
    let (status, body) = h.query(MONTHS, &[("table", "STRING", table)]).await;
    assert_eq!(status, 200, "{body}");
    let rows = body["rows"].as_array().cloned().unwrap_or_default();
    let cell = |row: &Value, at: usize| row["f"][at]["v"].as_str().unwrap_or("NULL").to_owned();
    rows.iter().map(|row| (cell(row, 0), cell(row, 1))).collect()
}

fn rows_of(months: &[(&str, &str)]) -> Vec<(String, String)> {
    months.iter().map(|(month, rows)| ((*month).to_owned(), (*rows).to_owned())).collect()
}

/// Creates the staging table `d.<name>`: partitioned, clustered, with an expiration.
async fn create(h: &Harness, name: &str) {
    let table = json!({
        "tableReference": {"projectId": "demo", "datasetId": "d", "tableId": name},
        "schema": {"fields": [
            {"name": "month", "type": "TIMESTAMP"}, {"name": "cost", "type": "BIGNUMERIC"},
            {"name": "note", "type": "STRING"}, {"name": "tags", "type": "JSON"},
        ]},
        "timePartitioning": {"type": "MONTH", "field": "month", "expirationMs": "3155760000000"},
        "clustering": {"fields": ["note"]},
        "labels": {"finops": "staging"},
        "expirationTime": "4102444800000",
    });
    let (status, body) = h.call("POST", "/datasets/d/tables", table).await;
    assert_eq!(status, 200, "{body}");
}

fn append(fields: &[(&str, &str)]) -> Value {
    let fields: Vec<Value> = fields.iter().map(|(name, ty)| json!({"name": name, "type": ty})).collect();
    json!({"writeDisposition": "WRITE_APPEND", "createDisposition": "CREATE_NEVER", "schema": {"fields": fields}})
}

fn error(job: &Value) -> &str {
    job["status"]["errorResult"]["reason"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn s3_an_append_accepts_some_columns_in_another_order_and_several_months() {
    let h = Harness::new().await;
    create(&h, "staging").await;
    let csv = h.put("a.csv", "note,month\nx,2023-01-01\ny,2025-09-30T23:59:59.999Z\nz,\n");
    let job = h.load("csv", "staging", &[&csv], append(&[("note", "STRING"), ("month", "TIMESTAMP")])).await;
    assert_eq!((error(&job), &job["statistics"]["load"]["outputRows"]), ("none", &json!("3")), "{job}");
    let row = "1.5::DECIMAL(9, 2) AS COST, TIMESTAMPTZ '2025-09-01 00:00:00+00' AS month";
    let file = h.put("a.parquet", parquet::file(row));
    let mut settings = append(&[("cost", "BIGNUMERIC"), ("month", "TIMESTAMP")]);
    settings["sourceFormat"] = json!("PARQUET");
    (settings["skipLeadingRows"], settings["allowQuotedNewlines"]) = (Value::Null, Value::Null);
    assert_eq!(error(&h.load("parquet", "staging", &[&file], settings).await), "none");
    assert_eq!(months(&h, "staging").await, rows_of(&[("202301", "1"), ("202509", "2"), ("__NULL__", "1")]));
    let rows = h.rows("SELECT note, cost, tags FROM d.staging ORDER BY note, cost").await;
    assert_eq!(rows, [["NULL", "1.5", "NULL"], ["x", "NULL", "NULL"], ["y", "NULL", "NULL"], ["z", "NULL", "NULL"]]);
    let (_, table) = h.get("/datasets/d/tables/staging").await;
    assert_eq!((&table["labels"]["finops"], &table["expirationTime"]), (&json!("staging"), &json!("4102444800000")));
}

#[tokio::test]
async fn s3_an_append_accepts_uploaded_data() {
    let h = Harness::new().await;
    create(&h, "staging").await;
    let mut load = append(&[("note", "STRING"), ("month", "TIMESTAMP")]);
    load["destinationTable"] = json!({"projectId": "demo", "datasetId": "d", "tableId": "staging"});
    let job =
        json!({"jobReference": {"projectId": "demo", "jobId": "j", "location": "US"}, "configuration": {"load": load}});
    let url = format!("{}/upload/bigquery/v2/projects/demo/jobs?uploadType=resumable", h.emulator.url());
    let session = h.client.post(url).json(&job).send().await.unwrap();
    let url = session.headers()["Location"].to_str().unwrap();
    let data = "x,2025-08-01\ny,2025-09-01\n";
    let range = format!("bytes 0-{}/{}", data.len() - 1, data.len());
    let answer = h.client.put(url).header("Content-Range", range).body(data).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), error(&h.wait("j").await)), (200, "none"));
    assert_eq!(months(&h, "staging").await, rows_of(&[("202508", "1"), ("202509", "1")]));
}

#[tokio::test]
async fn s3_a_failed_append_changes_nothing() {
    let h = Harness::new().await;
    create(&h, "staging").await;
    let columns = append(&[("note", "STRING"), ("month", "TIMESTAMP")]);
    let good = h.put("good.csv", "note,month\nx,2025-09-01\n");
    let bad = h.put("bad.csv", "note,month\nx,2025-09-01\ny,2025-13-01\n");
    assert_eq!(error(&h.load("bad", "staging", &[&good, &bad], columns.clone()).await), "invalid");
    let unknown = append(&[("note", "STRING"), ("other", "STRING")]);
    assert_eq!(error(&h.load("unknown", "staging", &[&good], unknown).await), "invalid");
    let retyped = append(&[("note", "STRING"), ("month", "DATE")]);
    assert_eq!(error(&h.load("retyped", "staging", &[&good], retyped).await), "invalid");
    assert_eq!(error(&h.load("none", "none", &[&good], columns).await), "notFound");
    assert_eq!(months(&h, "staging").await, []);
}

#[tokio::test]
async fn d3_months_beyond_an_inherited_expiration_are_dropped_when_written() {
    let h = Harness::new().await;
    let day: i64 = 24 * 60 * 60 * 1000;
    let dataset =
        json!({"datasetReference": {"datasetId": "short"}, "defaultPartitionExpirationMs": (60 * day).to_string()});
    h.call("POST", "/datasets", dataset).await;
    let fields = json!([{"name": "month", "type": "TIMESTAMP"}, {"name": "note", "type": "STRING"}]);
    for (name, own) in [("inheriting", Value::Null), ("keeping", json!("0")), ("long", json!("3155760000000"))] {
        let table = json!({
            "tableReference": {"tableId": name},
            "schema": {"fields": fields},
            "timePartitioning": {"type": "MONTH", "field": "month", "expirationMs": own},
        });
        h.call("POST", "/datasets/short/tables", table).await;
        let mut settings = append(&[("month", "TIMESTAMP"), ("note", "STRING")]);
        settings["destinationTable"] = json!({"projectId": "demo", "datasetId": "short", "tableId": name});
        let file = h.put("a.csv", format!("month,note\n2023-01-01,x\n{},y\n", jiff::Timestamp::now().strftime("%F")));
        let job = h.load(name, "", &[&file], settings.clone()).await;
        assert_eq!((error(&job), &job["statistics"]["load"]["outputRows"]), ("none", &json!("2")));
        let query = json!({
            "destinationTable": settings["destinationTable"], "writeDisposition": "WRITE_APPEND",
        });
        let select = "SELECT TIMESTAMP '2023-02-01' AS month, 'z' AS note";
        assert_eq!(run(&h, &format!("{name}-query"), "", select, query).await.0, "none");
        let rows = h.rows(&format!("SELECT note FROM short.{name} ORDER BY note")).await.concat().concat();
        assert_eq!(rows, if name == "inheriting" { "y" } else { "xyz" }, "{name}");
    }
}

#[tokio::test]
async fn w8_write_empty_fills_an_empty_table_and_no_other() {
    let h = Harness::new().await;
    create(&h, "staging").await;
    let select = "SELECT PARSE_JSON('{}') AS tags, 'x' AS note, CAST(1 AS BIGNUMERIC) AS cost, month FROM \
        (SELECT TIMESTAMP '2023-01-01' AS month)";
    let empty = || json!({"writeDisposition": "WRITE_EMPTY"});
    let lacking = select.replace("'x' AS note, ", "");
    let (reason, message) = run(&h, "lacking", "staging", &lacking, empty()).await;
    assert!(reason == "invalid" && message.ends_with("Field note is missing in new schema"), "{message}");
    let retyped = select.replace("CAST(1 AS BIGNUMERIC)", "1");
    assert_eq!(run(&h, "retyped", "staging", &retyped, empty()).await.0, "invalid");
    assert_eq!(run(&h, "first", "staging", select, empty()).await.0, "none");
    for (id, settings) in [("second", empty()), ("default", json!({"writeDisposition": null}))] {
        let expected = ("duplicate".to_owned(), "Already Exists: Table demo:d.staging".to_owned());
        assert_eq!(run(&h, id, "staging", select, settings).await, expected);
    }
    assert_eq!(months(&h, "staging").await, rows_of(&[("202301", "1")]));
    assert_eq!(run(&h, "none", "none", select, empty()).await.0, "notFound");
    let (_, table) = h.get("/datasets/d/tables/staging").await;
    assert_eq!((&table["labels"]["finops"], &table["clustering"]["fields"]), (&json!("staging"), &json!(["note"])));
}

#[tokio::test]
async fn i1_a_missing_table_has_no_partitions_and_a_missing_dataset_is_not_found() {
    let h = Harness::new().await;
    assert_eq!(months(&h, "none").await, []);
    let (status, body) = h.query(&MONTHS.replace("`d`", "`none`"), &[("table", "STRING", "t")]).await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (404, &json!("notFound")));
    create(&h, "staging").await;
    h.query("INSERT INTO d.staging (note) VALUES ('x')", &[]).await;
    assert_eq!(months(&h, "staging").await, rows_of(&[("__NULL__", "1")]));
    let expired = json!({"expirationTime": "1"});
    assert_eq!(h.call("PATCH", "/datasets/d/tables/staging", expired).await.0, 404, "it expires at once");
    assert_eq!(months(&h, "staging").await, []);
}
