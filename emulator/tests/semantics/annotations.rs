//! The annotations of a table: policy tags, descriptions, row access policies, encryption key.

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::{copies::insert_copy, destinations::run, harness::Harness};

fn table(name: &str) -> Value {
    json!({
        "tableReference": {"projectId": "demo", "datasetId": "d", "tableId": name},
        "schema": {"fields": [
            {"name": "month", "type": "TIMESTAMP", "mode": "NULLABLE"},
            {
                "name": "cost", "type": "BIGNUMERIC", "mode": "NULLABLE", "description": "money",
                "policyTags": {"names": ["projects/p/locations/us/taxonomies/1/policyTags/2"]},
            },
        ]},
        "timePartitioning": {"type": "MONTH", "field": "month"},
        "encryptionConfiguration": {"kmsKeyName": "k"},
    })
}

/// `d.t` with all annotations, and `d.staging` with a row of September.
async fn annotated(options: Options) -> Harness {
    let h = Harness::with(options).await;
    for name in ["t", "staging"] {
        assert_eq!(h.call("POST", "/datasets/d/tables", table(name)).await.0, 200);
    }
    h.emulator.add_row_access_policy("d", "t", "eu", "region = 'eu'").unwrap();
    h.query("INSERT INTO d.staging (month, cost) VALUES (TIMESTAMP '2025-09-01', 1)", &[]).await;
    h
}

async fn annotations(h: &Harness) -> (Value, Value) {
    let (_, table) = h.get("/datasets/d/tables/t").await;
    let (status, policies) = h.get("/datasets/d/tables/t/rowAccessPolicies").await;
    assert_eq!(status, 200);
    (table["schema"]["fields"].clone(), policies)
}

/// The key that jobs must name when they write the tables.
fn key() -> Value {
    json!({"destinationEncryptionConfiguration": {"kmsKeyName": "k"}})
}

async fn copy(h: &Harness) {
    let (status, body) = insert_copy(h, "copy", "staging$202509", "t$202509", key()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(h.wait("copy").await["status"].get("errorResult"), None);
    assert_eq!(h.rows("SELECT cost FROM d.t").await, [["1"]]);
}

fn policies() -> Value {
    json!({"rowAccessPolicies": [{
        "rowAccessPolicyReference": {"projectId": "demo", "datasetId": "d", "tableId": "t", "policyId": "eu"},
        "filterPredicate": "region = 'eu'",
    }]})
}

fn bare() -> Value {
    json!([
        {"name": "month", "type": "TIMESTAMP", "mode": "NULLABLE"},
        {"name": "cost", "type": "BIGNUMERIC", "mode": "NULLABLE"},
    ])
}

#[tokio::test]
async fn t10_policy_tags_and_the_encryption_key_are_stored() {
    let h = annotated(Options::default()).await;
    let (_, created) = h.get("/datasets/d/tables/t").await;
    assert_eq!(created["schema"], table("t")["schema"]);
    assert_eq!(created["encryptionConfiguration"], json!({"kmsKeyName": "k"}));
    let mut unknown = table("unknown");
    unknown["encryptionConfiguration"]["more"] = json!("x");
    assert_eq!(h.call("POST", "/datasets/d/tables", unknown).await.0, 501);
}

#[tokio::test]
async fn t11_row_access_policies_are_listed() {
    let h = annotated(Options::default()).await;
    assert_eq!(h.get("/datasets/d/tables/t/rowAccessPolicies").await, (200, policies()));
    assert_eq!(h.get("/datasets/d/tables/staging/rowAccessPolicies").await, (200, json!({})));
    assert_eq!(h.get("/datasets/d/tables/none/rowAccessPolicies").await.0, 404);
    assert!(h.emulator.add_row_access_policy("d", "none", "eu", "true").is_err());
}

#[tokio::test]
async fn t11_a_statement_adds_a_row_access_policy() {
    let h = Harness::new().await;
    h.table().await;
    let create = |filter: &str| {
        format!("CREATE ROW ACCESS POLICY p ON `demo`.`d`.`t` GRANT TO ('user:a@example.com') FILTER USING ({filter})")
    };
    assert_eq!(h.query(&create("TRUE"), &[]).await.0, 200);
    let (_, policies) = h.get("/datasets/d/tables/t/rowAccessPolicies").await;
    let policy = &policies["rowAccessPolicies"][0];
    assert_eq!(
        (&policy["rowAccessPolicyReference"]["policyId"], &policy["filterPredicate"]),
        (&json!("p"), &json!("TRUE"))
    );
    assert_eq!(h.query(&create("TRUE"), &[]).await.0, 409);
    assert_eq!(h.query(&create("note = 'x'"), &[]).await.0, 400, "the emulator filters no rows");
    assert_eq!(h.query(&create("TRUE").replace("`t`", "`none`"), &[]).await.0, 404);
}

#[tokio::test]
async fn a1_a_truncate_removes_annotations_of_the_whole_table() {
    let h = annotated(Options::default()).await;
    copy(&h).await;
    assert_eq!(annotations(&h).await, (bare(), json!({})));
    assert_eq!(h.get("/datasets/d/tables/t").await.1["encryptionConfiguration"], json!({"kmsKeyName": "k"}));
    let h = annotated(Options::default()).await;
    assert_eq!(run(&h, "query", "t$202509", "SELECT * FROM d.staging", key()).await.0, "none");
    assert_eq!(annotations(&h).await, (bare(), json!({})));
}

#[tokio::test]
async fn a1_an_option_lets_a_truncate_keep_annotations() {
    let h = annotated(Options { truncates_keep_annotations: true, ..Options::default() }).await;
    copy(&h).await;
    assert_eq!(run(&h, "query", "t$202509", "SELECT * FROM d.staging", key()).await.0, "none");
    assert_eq!(annotations(&h).await, (table("t")["schema"]["fields"].clone(), policies()));
}

#[tokio::test]
async fn a2_write_truncate_data_keeps_annotations_and_refuses_new_columns() {
    let h = annotated(Options::default()).await;
    let data = || {
        let mut data = key();
        data["writeDisposition"] = json!("WRITE_TRUNCATE_DATA");
        data
    };
    for id in ["first", "again"] {
        assert_eq!(run(&h, id, "t$202509", "SELECT * FROM d.staging", data()).await.0, "none");
    }
    assert_eq!(h.rows("SELECT cost FROM d.t").await, [["1"]]);
    assert_eq!(annotations(&h).await, (table("t")["schema"]["fields"].clone(), policies()));
    let more = "SELECT month, cost, 1 AS more FROM d.staging";
    let (reason, message) = run(&h, "more", "t$202509", more, data()).await;
    assert!(reason == "invalid" && message.ends_with("Cannot add fields (field: more)"), "{reason}: {message}");
    let (reason, _) = run(&h, "other", "t$202510", "SELECT * FROM d.staging", data()).await;
    assert_eq!(reason, "invalid");
}
