//! A legacy Cost and Usage Report and a CUR 2.0 of one name below one prefix.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    program::{DATASET, Finops, TABLE, assert_names, each, month},
    tables::duckdb_value,
    tree::{Delivery, REPORT, gzip, write},
};

struct Both {
    folder: TempDir,
    finops: Finops,
}

impl Both {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let finops = Finops::local(&folder.path().join("cur"), &folder.path().join("f.duckdb"));
        Self { folder, finops }
    }

    /// The folder that contains both.
    fn report(&self) -> PathBuf {
        self.folder.path().join("cur").join(REPORT)
    }

    /// Sets the time of a manifest: `hours` after a fixed time.
    fn set_time(&self, manifest: &str, hours: u64) {
        let file = fs::File::options().append(true).open(self.report().join(manifest)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_758_000_000 + hours * 3600);
        file.set_modified(time).unwrap();
    }

    fn legacy(&self, month: &str, hours: u64) {
        let delivery = Delivery::new(month, "legacy", &["1", "2"]).with_column("product/ProductName", "EC2");
        delivery.write(&self.folder.path().join("cur"));
        self.set_time(&delivery.manifest_key(), hours);
    }

    fn cur2(&self, month: &str, hours: u64) {
        let header = "bill_billing_period_start_date,line_item_usage_start_date,line_item_unblended_cost,\
                      line_item_currency_code,product";
        let row = format!("{month}-01T00:00:00Z,{month}-02T00:00:00Z,3,USD,{{}}");
        let data = format!("data/BILLING_PERIOD={month}/{REPORT}-00001.csv.gz");
        write(&self.report().join(&data), &gzip(format!("{header}\n{row}\n").as_bytes()));
        let columns: Vec<Value> = header.split(',').map(|name| json!({"name": name, "type": "string"})).collect();
        let manifest = json!({
            "executionId": format!("{month}-cur2"),
            "exportArn": "arn:aws:bcm-data-exports:us-east-1:210987654321:export/report-1",
            "columns": columns,
            "dataFiles": [format!("s3://example-billing-bucket/cur/{REPORT}/{data}")],
        });
        let key = format!("metadata/BILLING_PERIOD={month}/{REPORT}-Manifest.json");
        write(&self.report().join(&key), manifest.to_string().as_bytes());
        self.set_time(&key, hours);
    }

    fn costs(&self) -> String {
        let sql = format!(
            "SELECT string_agg(month || ' ' || cost, ', ' ORDER BY month) FROM (SELECT \
             strftime(bill_billing_period_start_date, '%m') AS month, \
             CAST(CAST(sum(line_item_unblended_cost) AS INTEGER) AS VARCHAR) AS cost FROM {DATASET}.{TABLE} GROUP BY 1)"
        );
        let costs = duckdb_value(&self.folder.path().join("f.duckdb"), &sql);
        let kinds = format!("SELECT string_agg(DISTINCT kind, ',') FROM {DATASET}.finops_loads");
        format!("{} of {costs}", duckdb_value(&self.folder.path().join("f.duckdb"), &kinds))
    }
}

#[test]
fn a_month_of_the_tables_kind_is_not_replaced_by_a_newer_delivery_of_the_other() {
    let both = Both::new();
    both.legacy("2025-09", 1);
    both.finops.report(0);
    both.cur2("2025-09", 2);
    let report = both.finops.report(0);
    assert_eq!(each(&report, "status"), ["skipped"], "{report:#}");
    assert_names(month(&report, "2025-09")["reason"].as_str().unwrap(), &["left out", "(`cur2`, not `cur`)"]);
    assert_eq!(both.costs(), "cur of 09 3");

    // A new delivery of the table's kind is loaded, whatever is delivered of the other kind.
    both.legacy("2025-10", 3);
    both.cur2("2025-10", 4);
    assert_eq!(each(&both.finops.report(0), "status"), ["loaded", "skipped"]);
    assert_eq!(both.costs(), "cur of 09 3, 10 3");

    // A month of the other kind alone is refused, with the setting that chooses.
    both.cur2("2025-11", 5);
    let report = both.finops.report(1);
    assert_eq!(each(&report, "status"), ["refused", "skipped", "skipped"]);
    assert_names(month(&report, "2025-11")["error"]["hint"].as_str().unwrap(), &["AWS_CUR_VERSION"]);
    let v1 = both.finops.clone().with("AWS_CUR_VERSION", "v1").report(0);
    assert_eq!(each(&v1, "status"), ["skipped", "skipped"], "{v1:#}");
}

#[test]
fn a_new_table_takes_the_newest_kind_or_the_version_that_is_set() {
    let both = Both::new();
    for (at, month) in (0..).zip(["2025-07", "2025-08", "2025-09"]) {
        both.legacy(month, 10 * at);
        if month != "2025-07" {
            // AWS refreshed the legacy August last.
            both.cur2(month, if month == "2025-09" { 10 * at + 1 } else { 10 * at - 1 });
        }
    }
    let report = both.finops.report(1);
    assert_eq!(each(&report, "status"), ["loaded", "loaded", "refused"], "{report:#}");
    assert_eq!(both.costs(), "cur2 of 08 3, 09 3");
    assert_names(month(&report, "2025-07")["error"]["hint"].as_str().unwrap(), &["AWS_CUR_VERSION"]);

    fs::remove_file(both.folder.path().join("f.duckdb")).unwrap();
    let report = both.finops.clone().with("AWS_CUR_VERSION", "v1").report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded", "loaded"], "{report:#}");
    assert_eq!(both.costs(), "cur of 07 3, 08 3, 09 3");
}

#[test]
fn a_version_without_deliveries_is_reported_with_the_setting() {
    let both = Both::new();
    both.legacy("2025-09", 1);
    let report = both.finops.clone().with("AWS_CUR_VERSION", "v2").report(2);
    let error = &report["pipelines"][0]["error"];
    assert_names(error["message"].as_str().unwrap(), &["cur_version is v2", "is of v1"]);
    assert_names(error["hint"].as_str().unwrap(), &["AWS_CUR_VERSION"]);
}
