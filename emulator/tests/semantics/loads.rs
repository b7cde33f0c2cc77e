use serde_json::json;

use crate::harness::{Harness, gzip};

#[tokio::test]
async fn p1_truncate_on_a_decorator_replaces_that_month_only() {
    let h = Harness::new().await;
    h.table().await;
    let august = h.put(
        "aug.csv.gz",
        gzip("month,cost,note\n2025-08-01T00:00:00.000Z,1.5,a\n"),
    );
    let september = h.put(
        "sep.csv.gz",
        gzip("month,cost,note\n2025-09-01T00:00:00.000Z,1E-10,b\n2025-09-01 00:00:00 UTC,12345678.123456789012,\"c\nd\"\n"),
    );
    let again = h.put(
        "sep2.csv.gz",
        gzip("month,cost,note\n2025-09-01 00:00:00+00:00,2,e\n"),
    );
    h.load("j1", "t$202508", &[&august], json!({})).await;
    let job = h.load("j2", "t$202509", &[&september], json!({})).await;
    assert_eq!(job["status"].get("errorResult"), None, "{job}");
    assert_eq!(job["statistics"]["load"]["outputRows"], "2");
    assert_eq!(job["statistics"]["load"]["inputFiles"], "1");
    assert_eq!(
        h.rows("SELECT SUM(cost) FROM d.t").await,
        [["12345679.6234567891120"].map(|t| t.trim_end_matches('0').to_owned())]
    );
    h.load("j3", "t$202509", &[&again], json!({})).await;
    assert_eq!(
        h.rows(
            "SELECT FORMAT_TIMESTAMP('%Y-%m', month) AS m, cost, note FROM `demo.d.t` ORDER BY cost"
        )
        .await,
        [["2025-08", "1.5", "a"], ["2025-09", "2", "e"]]
    );
    assert_eq!(
        h.rows("SELECT partition_id, total_rows FROM `demo.d`.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = 't' ORDER BY 1").await,
        [["202508", "1"], ["202509", "1"]]
    );
}
