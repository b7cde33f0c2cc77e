//! The statements of a run: reading the state, checking a staged month, replacing a month by a query.

use serde_json::{Value, json};

use crate::{destinations::run, harness::Harness};

async fn billing(kind: &str) -> Harness {
    let h = Harness::new().await;
    let names = ["cur", "line_item_line_item_type"].map(|name| json!({"name": name, "type": "STRING"}));
    let mut fields = vec![json!({"name": "c", "type": kind}), json!({"name": "tags", "type": "JSON"})];
    fields.extend(names);
    fields.extend(["cost", "net"].map(|name| json!({"name": name, "type": "BIGNUMERIC"})));
    for name in ["t", "staging"] {
        let table = json!({
            "tableReference": {"tableId": name},
            "schema": {"fields": fields},
            "timePartitioning": {"type": "MONTH", "field": "c"},
        });
        assert_eq!(h.call("POST", "/datasets/d/tables", table).await.0, 200);
    }
    let rows = "('2025-09-01', 'USD', 'Usage', 1.5, 1.25), ('2025-09-30', 'USD', 'EdpDiscount', -0.5, NULL), \
        ('2025-09-30', 'USD', NULL, 2, NULL), ('2025-10-01', '', 'Usage', 4, NULL), (NULL, NULL, 'Usage', NULL, NULL)";
    let amount = |text: &str| format!("CAST('{text}' AS BIGNUMERIC)");
    let rows = rows.replace("-0.5", &amount("-0.5")).replace("1.5", &amount("1.5")).replace("1.25", &amount("1.25"));
    let insert = format!("INSERT INTO d.staging (c, cur, line_item_line_item_type, cost, net) VALUES {rows}");
    let (status, body) = h.query(&insert, &[]).await;
    assert_eq!(status, 200, "{body}");
    h
}

#[tokio::test]
async fn q18_a_check_sums_months_by_currency() {
    for (kind, function) in [("TIMESTAMP", "FORMAT_TIMESTAMP"), ("DATE", "FORMAT_DATE")] {
        let h = billing(kind).await;
        let gross = format!(
            "SELECT {function}('%Y-%m', `c`) AS `month`, COALESCE(NULLIF(`cur`, ''), 'unknown') AS `currency`, \
             CAST(COALESCE(SUM(`cost`), 0) AS STRING) AS `cost`, COUNT(*) AS `row_count`"
        );
        let net = "COUNT(`net`) AS `net_count`, CAST(COALESCE(SUM(COALESCE(`net`, \
            IF(REGEXP_CONTAINS(`line_item_line_item_type`, 'Discount$'), CAST(0 AS BIGNUMERIC), `cost`))), 0) AS STRING) \
            AS `net_cost`";
        let from = "FROM `demo`.`d`.`staging`";
        let rows = h.rows(&format!("{gross}, {net} {from} GROUP BY 1, 2 ORDER BY 1")).await;
        assert_eq!(
            rows,
            [
                ["NULL", "unknown", "0", "1", "0", "0"],
                ["2025-09", "USD", "3", "3", "1", "3.25"],
                ["2025-10", "unknown", "4", "1", "0", "4"],
            ]
        );
        let condition = format!(
            "WHERE `c` >= {kind} '2025-09-01{time}' AND `c` < {kind} '2025-10-01{time}'",
            time = if kind == "DATE" { "" } else { " 00:00:00" }
        );
        let rows = h.rows(&format!("{gross} {from} {condition} GROUP BY 1, 2")).await;
        assert_eq!(rows, [["2025-09", "USD", "3", "3"]]);
        let other = if kind == "DATE" { "FORMAT_TIMESTAMP" } else { "FORMAT_DATE" };
        for wrong in [format!("{other}('%Y-%m', c)"), format!("{function}('%Y', c)"), format!("{function}(cur, c)")] {
            let (status, body) = h.query(&format!("SELECT {wrong} {from}"), &[]).await;
            assert_eq!((status, &body["error"]["errors"][0]["reason"]), (400, &json!("invalidQuery")), "{wrong}");
        }
    }
}

#[tokio::test]
async fn q19_select_star_copies_a_month_into_a_partition() {
    let h = billing("TIMESTAMP").await;
    h.query("INSERT INTO d.staging (c, tags) SELECT TIMESTAMP '2025-09-02', PARSE_JSON('{\"a\": [1, null]}')", &[])
        .await;
    let select = "SELECT * FROM `demo`.`d`.`staging` WHERE `c` >= TIMESTAMP '2025-09-01 00:00:00' AND `c` < TIMESTAMP \
        '2025-10-01 00:00:00'";
    assert_eq!(run(&h, "month", "t$202509", select, json!({})).await.0, "none");
    let rows = h.rows("SELECT cur, tags, cost, net FROM d.t ORDER BY cost, cur").await;
    let tags = r#"{"a":[1,null]}"#;
    assert_eq!(
        rows,
        [
            ["NULL", tags, "NULL", "NULL"],
            ["USD", "NULL", "-0.5", "NULL"],
            ["USD", "NULL", "1.5", "1.25"],
            ["USD", "NULL", "2", "NULL"],
        ]
    );
}

#[tokio::test]
async fn q19_select_star_returns_all_columns_with_their_names() {
    let h = Harness::new().await;
    let column = |name: &str, ty: &str| json!({"name": name, "type": ty, "mode": "NULLABLE"});
    let mut fields = vec![
        column("table_name", "STRING"),
        column("billing_period", "DATE"),
        column("sequence", "INTEGER"),
        column("loaded_at", "TIMESTAMP"),
    ];
    let table = json!({"tableReference": {"tableId": "finops_loads"}, "schema": {"fields": fields}});
    h.call("POST", "/datasets/d/tables", table).await;
    let add = "ALTER TABLE `demo`.`d`.`finops_loads` ADD COLUMN IF NOT EXISTS `kind` STRING, \
        ADD COLUMN IF NOT EXISTS `issued_at` TIMESTAMP, ADD COLUMN IF NOT EXISTS `covers_until` DATE, \
        ADD COLUMN IF NOT EXISTS `cost_net` JSON";
    for _ in 0..2 {
        let (status, body) = h.query(add, &[]).await;
        assert_eq!(status, 200, "{body}");
    }
    let rows = "('t', DATE '2025-08-01', 1, TIMESTAMP '2025-09-01', 'cur'), \
        ('t', DATE '2025-09-01', 1, TIMESTAMP '2025-10-01', NULL), ('t', DATE '2025-09-01', 2, TIMESTAMP '2025-10-02', 'focus'), \
        ('t', DATE '2025-09-01', 2, TIMESTAMP '2025-10-03', 'cur2'), ('u', DATE '2025-09-01', 9, NULL, NULL)";
    let insert =
        format!("INSERT INTO d.finops_loads (table_name, billing_period, sequence, loaded_at, kind) VALUES {rows}");
    assert_eq!(h.query(&insert, &[]).await.0, 200);
    let newest = "SELECT * FROM `demo`.`d`.`finops_loads` WHERE table_name = @table QUALIFY ROW_NUMBER() OVER \
        (PARTITION BY billing_period ORDER BY sequence DESC, loaded_at DESC) = 1";
    let (status, body) = h.query(newest, &[("table", "STRING", "t")]).await;
    assert_eq!(status, 200, "{body}");
    fields.extend(
        [("kind", "STRING"), ("issued_at", "TIMESTAMP"), ("covers_until", "DATE"), ("cost_net", "JSON")]
            .map(|(name, ty)| column(name, ty)),
    );
    assert_eq!(body["schema"], json!({"fields": fields}));
    let (_, again) = h.get(&format!("/queries/{}?location=US", body["jobReference"]["jobId"].as_str().unwrap())).await;
    assert_eq!((&again["schema"], &again["rows"]), (&body["schema"], &body["rows"]));
    let cell = |row: &Value, at: usize| row["f"][at]["v"].as_str().unwrap_or("NULL").to_owned();
    let mut rows: Vec<_> =
        body["rows"].as_array().unwrap().iter().map(|row| [1, 2, 4].map(|at| cell(row, at))).collect();
    rows.sort();
    assert_eq!(rows, [["2025-08-01", "1", "cur"], ["2025-09-01", "2", "cur2"]]);
}
