//! Datasets and tables.

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::harness::Harness;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn d1_datasets_are_unique_and_found_by_location() {
    let h = Harness::new().await;
    let eu = json!({"datasetReference": {"datasetId": "eu", "projectId": "demo"}, "location": "EU"});
    assert_eq!(h.call("POST", "/datasets", eu.clone()).await.0, 200);
    let (status, body) = h.call("POST", "/datasets", eu).await;
    assert_eq!((status, reason(&body)), (409, "duplicate"));
    let (_, dataset) = h.get("/datasets/eu").await;
    assert_eq!(dataset["location"], "EU");
    let (status, body) = h.get("/datasets/none").await;
    assert_eq!((status, reason(&body)), (404, "notFound"));
    assert_eq!(body["error"]["message"], "Not found: Dataset demo:none");
    let (_, list) = h.get("/datasets").await;
    assert_eq!(list["datasets"].as_array().unwrap().len(), 2);
    let (status, body) = h.query("SELECT partition_id FROM eu.INFORMATION_SCHEMA.PARTITIONS", &[]).await;
    let message = "Not found: Dataset demo:eu was not found in location US";
    assert_eq!((status, body["error"]["message"].as_str()), (404, Some(message)));
}

#[tokio::test]
async fn d2_a_dataset_with_tables_is_deleted_only_with_its_contents() {
    let h = Harness::new().await;
    h.table().await;
    assert_eq!(h.call("DELETE", "/datasets/d", Value::Null).await.0, 400);
    assert_eq!(h.call("DELETE", "/datasets/d?deleteContents=true", Value::Null).await.0, 204);
    assert_eq!(h.get("/datasets/d").await.0, 404);
}

/// The body to create a table with one column, `month`.
fn table(name: &str, partitioning: &Value) -> Value {
    json!({
        "tableReference": {"tableId": name},
        "schema": {"fields": [{"name": "month", "type": "DATE"}]},
        "timePartitioning": partitioning,
    })
}

#[tokio::test]
async fn d3_the_default_partition_expiration_is_inherited_and_drops_old_months() {
    let h = Harness::new().await;
    let dataset = json!({
        "datasetReference": {"datasetId": "short"},
        "defaultPartitionExpirationMs": (60 * DAY).to_string(),
    });
    h.call("POST", "/datasets", dataset).await;
    let inheriting = table("inheriting", &json!({"type": "MONTH", "field": "month"}));
    let (_, inheriting) = h.call("POST", "/datasets/short/tables", inheriting).await;
    assert_eq!(inheriting["timePartitioning"]["expirationMs"], (60 * DAY).to_string());
    let keeping = table("keeping", &json!({"type": "MONTH", "field": "month", "expirationMs": "0"}));
    let (_, keeping) = h.call("POST", "/datasets/short/tables", keeping).await;
    assert_eq!(keeping["timePartitioning"].get("expirationMs"), None);
    let today = jiff::Timestamp::now().strftime("%F");
    for name in ["inheriting", "keeping"] {
        h.query(&format!("INSERT INTO short.{name} (month) VALUES (DATE '2020-01-01'), ('{today}')"), &[]).await;
    }
    assert_eq!(h.rows("SELECT COUNT(*) FROM short.inheriting").await, [["1"]]);
    assert_eq!(h.rows("SELECT COUNT(*) FROM short.keeping").await, [["2"]]);
    let alter = "ALTER TABLE short.inheriting SET OPTIONS (partition_expiration_days = NULL)";
    assert_eq!(h.query(alter, &[]).await.0, 200);
    let (_, table) = h.get("/datasets/short/tables/inheriting").await;
    assert_eq!(table["timePartitioning"].get("expirationMs"), None);
}

#[tokio::test]
async fn d4_the_default_table_expiration_is_inherited_unless_partitions_expire() {
    let h = Harness::new().await;
    let dataset = json!({
        "datasetReference": {"datasetId": "short"},
        "defaultTableExpirationMs": (60 * DAY).to_string(),
    });
    h.call("POST", "/datasets", dataset).await;
    let partitions = json!({"type": "MONTH", "field": "month", "expirationMs": DAY.to_string()});
    let (_, own) = h.call("POST", "/datasets/short/tables", table("own", &partitions)).await;
    assert_eq!(own.get("expirationTime"), None);
    let (_, inheriting) = h.call("POST", "/datasets/short/tables", table("inheriting", &Value::Null)).await;
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(number(&inheriting["expirationTime"]) - number(&inheriting["creationTime"]), 60 * DAY);
    let alter = "ALTER TABLE short.inheriting SET OPTIONS (expiration_timestamp = NULL)";
    assert_eq!(h.query(alter, &[]).await.0, 200);
    assert_eq!(h.get("/datasets/short/tables/inheriting").await.1.get("expirationTime"), None);
}

#[tokio::test]
async fn t1_a_table_keeps_partitions_clustering_labels_and_description() {
    let h = Harness::new().await;
    let body = json!({
        "tableReference": {"projectId": "demo", "datasetId": "d", "tableId": "t"},
        "schema": {"fields": [
            {"name": "month", "type": "TIMESTAMP", "mode": "REQUIRED"},
            {"name": "n", "type": "INT64"},
        ]},
        "timePartitioning": {"type": "MONTH", "field": "month"},
        "clustering": {"fields": ["n"]},
        "labels": {"finops": "aws"},
        "description": "costs",
    });
    let (status, _) = h.call("POST", "/datasets/d/tables", body.clone()).await;
    assert_eq!(status, 200);
    let (_, table) = h.get("/datasets/d/tables/t").await;
    for key in ["timePartitioning", "clustering", "labels", "description", "tableReference"] {
        assert_eq!(table[key], body[key], "{key}");
    }
    assert_eq!(table["schema"]["fields"][0], json!({"name": "month", "type": "TIMESTAMP", "mode": "REQUIRED"}));
    assert_eq!(table["schema"]["fields"][1]["type"], "INTEGER");
    assert_eq!((table["numRows"].as_str(), table["location"].as_str()), (Some("0"), Some("US")));
    assert!(table["creationTime"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    let (status, again) = h.call("POST", "/datasets/d/tables", body).await;
    assert_eq!((status, reason(&again)), (409, "duplicate"));
    let (_, list) = h.get("/datasets/d/tables").await;
    assert_eq!(list["tables"][0]["labels"], json!({"finops": "aws"}));
}

#[tokio::test]
async fn t2_a_patch_adds_columns_and_never_loses_or_retypes_one() {
    let h = Harness::new().await;
    h.table().await;
    let (_, table) = h.get("/datasets/d/tables/t").await;
    let patch =
        async |fields: Value| h.call("PATCH", "/datasets/d/tables/t", json!({"schema": {"fields": fields}})).await;
    let mut fields = table["schema"]["fields"].as_array().unwrap().clone();
    fields.push(json!({"name": "extra", "type": "STRING"}));
    assert_eq!(patch(json!(fields)).await.0, 200);
    let (status, body) = patch(json!(fields[1..])).await;
    assert_eq!(status, 400);
    let message = "Provided Schema does not match Table demo:d.t. Field month is missing in new schema";
    assert_eq!(body["error"]["message"], message);
    fields[1]["type"] = json!("STRING");
    assert_eq!(patch(json!(fields)).await.0, 400);
    let labels = json!({"labels": {"a": "1", "b": "2"}, "description": "text"});
    h.call("PATCH", "/datasets/d/tables/t", labels).await;
    let (_, table) = h.call("PATCH", "/datasets/d/tables/t", json!({"labels": {"a": null}})).await;
    assert_eq!((&table["labels"], &table["description"]), (&json!({"b": "2"}), &json!("text")));
    assert_eq!(table["schema"]["fields"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn t3_a_table_past_its_expiration_is_gone() {
    let h = Harness::new().await;
    h.table().await;
    h.call("PATCH", "/datasets/d/tables/t", json!({"expirationTime": "1000"})).await;
    assert_eq!(h.get("/datasets/d/tables/t").await.0, 404);
    assert_eq!(h.query("SELECT * FROM d.t", &[]).await.0, 404);
    h.table().await;
    assert_eq!(h.get("/datasets/d/tables/t").await.0, 200);
}

#[tokio::test]
async fn t4_deleting_a_decorated_table_deletes_that_partition() {
    let h = Harness::new().await;
    h.table().await;
    let insert = "INSERT INTO d.t (month) VALUES (TIMESTAMP '2025-08-01'), (TIMESTAMP '2025-09-30 23:59:59')";
    h.query(insert, &[]).await;
    assert_eq!(h.call("DELETE", "/datasets/d/tables/t%24202509", Value::Null).await.0, 204);
    let partitions = "SELECT partition_id FROM demo.d.INFORMATION_SCHEMA.PARTITIONS";
    assert_eq!(h.rows(partitions).await, [["202508"]]);
    assert_eq!(h.call("DELETE", "/datasets/d/tables/t", Value::Null).await.0, 204);
    assert_eq!(h.get("/datasets/d/tables/t").await.0, 404);
}

#[tokio::test]
async fn t5_lists_have_pages() {
    let h = Harness::new().await;
    for name in ["a", "b", "c"] {
        let body = json!({
            "tableReference": {"tableId": name}, "schema": {"fields": [{"name": "n", "type": "INTEGER"}]},
        });
        h.call("POST", "/datasets/d/tables", body).await;
    }
    let (_, first) = h.get("/datasets/d/tables?maxResults=2").await;
    assert_eq!((first["tables"].as_array().unwrap().len(), first["totalItems"].as_i64()), (2, Some(3)));
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, second) = h.get(&format!("/datasets/d/tables?maxResults=2&pageToken={token}")).await;
    assert_eq!(second["tables"][0]["tableReference"]["tableId"], "c");
    assert_eq!(second.get("nextPageToken"), None);
}

#[tokio::test]
async fn u1_unknown_requests_are_answered_with_501() {
    let h = Harness::new().await;
    h.table().await;
    let (status, body) = h.get("/datasets/d/routines").await;
    assert_eq!((status, reason(&body)), (501, "notImplemented"));
    assert!(body["error"]["message"].as_str().unwrap().contains("GET /bigquery/v2/projects/demo/datasets/d/routines"));
    for (key, value) in [
        ("sourceFormat", json!("PARQUET")),
        ("fieldDelimiter", json!(";")),
        ("hivePartitioningOptions", json!({"mode": "AUTO"})),
        ("autodetect", json!(true)),
        ("allowJaggedRows", json!(true)),
        ("ignoreUnknownValues", json!(true)),
        ("maxBadRecords", json!(1)),
        ("writeDisposition", json!("WRITE_EMPTY")),
        ("schemaUpdateOptions", json!(["ALLOW_FIELD_RELAXATION"])),
        ("sourceUris", json!(["gs://b/*.csv"])),
    ] {
        let (status, body) = h.insert_load("j", "t$202509", &["gs://b/a"], json!({key: value})).await;
        assert_eq!(status, 501, "{key}: {body}");
    }
    let repeated = json!({
        "tableReference": {"tableId": "r"},
        "schema": {"fields": [{"name": "n", "type": "INTEGER", "mode": "REPEATED"}]},
    });
    assert_eq!(h.call("POST", "/datasets/d/tables", repeated).await.0, 501);
    for ty in ["NUMERIC", "INTERVAL", "RECORD"] {
        let body = json!({
            "tableReference": {"tableId": "x"}, "schema": {"fields": [{"name": "n", "type": ty}]},
        });
        assert_eq!(h.call("POST", "/datasets/d/tables", body).await.0, 501, "{ty}");
    }
    let patch = json!({"clustering": {"fields": ["note"]}});
    assert_eq!(h.call("PATCH", "/datasets/d/tables/t", patch).await.0, 501);
}

#[tokio::test]
async fn t6_t7_a_decorated_table_has_the_size_and_the_rows_of_its_month() {
    let h = Harness::new().await;
    h.table().await;
    let rows = "INSERT INTO d.t (month, cost, note) VALUES (TIMESTAMP '2025-08-01', 1, 'a'), \
                (TIMESTAMP '2025-09-01', 2, 'b'), (TIMESTAMP '2025-09-02', 3, 'c')";
    assert_eq!(h.query(rows, &[]).await.0, 200);
    for (name, rows) in [("t", "3"), ("t$202509", "2"), ("t$202510", "0")] {
        let (_, table) = h.get(&format!("/datasets/d/tables/{name}")).await;
        assert_eq!((&table["numRows"], table["id"].as_str()), (&json!(rows), Some("demo:d.t")), "{name}");
    }
    let (_, data) = h.get("/datasets/d/tables/t$202509/data?selectedFields=note,month&maxResults=1").await;
    assert_eq!(data["rows"], json!([{"f": [{"v": "b"}, {"v": "1.7566848E9"}]}]));
    assert_eq!(data["totalRows"], "2");
    let token = data["pageToken"].as_str().unwrap();
    let (_, data) = h.get(&format!("/datasets/d/tables/t$202509/data?selectedFields=note&pageToken={token}")).await;
    assert_eq!((&data["rows"], data.get("pageToken")), (&json!([{"f": [{"v": "c"}]}]), None));
    let (_, data) = h.get("/datasets/d/tables/t/data?startIndex=2&formatOptions.useInt64Timestamp=True").await;
    assert_eq!(data["rows"], json!([{"f": [{"v": "1756771200000000"}, {"v": "3"}, {"v": "c"}]}]));
    assert_eq!(h.get("/datasets/d/tables/t/data?selectedFields=none").await.0, 400);
}

#[tokio::test]
async fn t8_descriptions_of_datasets_and_columns_are_stored() {
    let h = Harness::new().await;
    let dataset = json!({"datasetReference": {"datasetId": "described"}, "description": "bills"});
    assert_eq!(h.call("POST", "/datasets", dataset).await.0, 200);
    assert_eq!(h.get("/datasets/described").await.1["description"], "bills");
    let field = json!({"name": "cost", "type": "BIGNUMERIC", "mode": "NULLABLE", "description": "money"});
    let table = json!({"tableReference": {"tableId": "t"}, "schema": {"fields": [field]}});
    h.call("POST", "/datasets/described/tables", table).await;
    assert_eq!(h.get("/datasets/described/tables/t").await.1["schema"]["fields"], json!([field]));
}

#[tokio::test]
async fn t9_every_permission_is_granted_on_a_table_and_none_on_a_missing_table() {
    let h = Harness::new().await;
    h.table().await;
    let wanted = json!({"permissions": ["bigquery.tables.get", "bigquery.tables.updateData"]});
    let ask = async |table: &str, body: &Value| {
        h.call("POST", &format!("/datasets/d/tables/{table}:testIamPermissions"), body.clone()).await
    };
    assert_eq!(ask("t", &wanted).await, (200, wanted.clone()));
    assert_eq!(ask("none", &wanted).await, (200, json!({})));
    assert_eq!(ask("t", &json!({"permissions": ["bigquery.*"]})).await.0, 400);
    assert_eq!(ask("t", &json!({"options": {"requestedPolicyVersion": 3}})).await.0, 501);
    assert_eq!(h.call("POST", "/datasets/d/tables/t:setIamPolicy", wanted).await.0, 501);
}

#[tokio::test]
async fn d5_an_option_hides_a_new_dataset_from_its_first_job() {
    let h = Harness::with(Options { hide_new_datasets: true, ..Options::default() }).await;
    assert_eq!(h.call("POST", "/datasets", json!({"datasetReference": {"datasetId": "fresh"}})).await.0, 200);
    let table = json!({"tableReference": {"tableId": "t"}, "schema": {"fields": [{"name": "a", "type": "STRING"}]}});
    assert_eq!(h.call("POST", "/datasets/fresh/tables", table).await.0, 200);
    let (status, body) = h.query("SELECT a FROM fresh.t", &[]).await;
    let message = body["error"]["message"].as_str();
    assert_eq!((status, message), (404, Some("Not found: Dataset demo:fresh")));
    assert_eq!(h.query("SELECT a FROM fresh.t", &[]).await.0, 200);
}
