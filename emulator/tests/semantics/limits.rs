//! Rate limits, which are off unless an option sets them.

use std::time::Duration;

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::harness::Harness;

async fn create(h: &Harness, name: &str) -> (u16, Value) {
    let fields = json!([{"name": "n", "type": "INTEGER"}]);
    let table = json!({"tableReference": {"tableId": name}, "schema": {"fields": fields}});
    h.call("POST", "/datasets/d/tables", table).await
}

#[tokio::test]
async fn l1_too_many_new_tables_in_a_second_are_refused() {
    let h = Harness::with(Options { tables_per_second: Some(2), ..Options::default() }).await;
    assert_eq!((create(&h, "a").await.0, create(&h, "b").await.0), (200, 200));
    let (status, body) = create(&h, "c").await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (403, &json!("rateLimitExceeded")));
    let message = "Exceeded rate limits: too many table create operations for this project.";
    assert_eq!(body["error"]["message"], message);
    assert_eq!(h.get("/datasets/d/tables/c").await.0, 404);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(create(&h, "c").await.0, 200);
}

#[tokio::test]
async fn l2_more_than_five_changes_of_an_unpartitioned_table_are_refused() {
    let h = Harness::with(Options { limit_table_updates: true, ..Options::default() }).await;
    create(&h, "state").await;
    for _ in 0..4 {
        assert_eq!(h.query("INSERT INTO d.state (n) VALUES (1)", &[]).await.0, 200);
    }
    assert_eq!(h.query("ALTER TABLE d.state ADD COLUMN more STRING", &[]).await.0, 200);
    let (status, body) = h.query("INSERT INTO d.state (n) VALUES (1)", &[]).await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (403, &json!("rateLimitExceeded")));
    let message = "Exceeded rate limits: too many table update operations for this table.";
    assert_eq!(body["error"]["message"], message);
    assert_eq!(h.call("PATCH", "/datasets/d/tables/state", json!({"description": "x"})).await.0, 403);
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.state").await, [["4"]]);
    h.table().await;
    for _ in 0..6 {
        assert_eq!(h.query("INSERT INTO d.t (note) VALUES ('x')", &[]).await.0, 200, "a partitioned table");
    }
}
