//! Timestamps of the DuckDB table and of its Parquet files, in sessions of any time zone.

use std::{fs, path::Path};

use billing_exports::{Dialect, Export, Format};
use duckdb::Connection;
use serde_json::Value;

use crate::{
    staging::steps::{Pipeline, statuses},
    support::program::assert_names,
};

const ZONES: [&str; 3] = ["America/New_York", "Asia/Tokyo", "UTC"];

/// Each month of `source`, as a session in that zone shows it, with its rows.
fn months(session: &Connection, source: &str, column: &str) -> Vec<(String, u64)> {
    let sql = format!("SELECT strftime({column}, '%Y-%m'), count(*) FROM {source} GROUP BY 1 ORDER BY 1");
    let mut statement = session.prepare(&sql).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_month_is_the_same_in_the_table_and_in_its_parquet_file_whatever_the_readers_zone_is() {
    for (dialect, column, table) in [
        (Dialect::AwsCur, "bill_billing_period_start_date", "aws_billing_data"),
        (Dialect::AzureFocus12, "BillingPeriodStart", "azure_billing_data"),
    ] {
        let pipeline = Pipeline::new(Export::new(dialect, Format::CsvGzip));
        let delivered = pipeline.deliver(1);
        pipeline.report("run-pipeline");
        let expected = delivered.each_ref().map(|one| (one.billing_period.clone(), one.rows as u64));
        let (database, files) = ("data/finops.duckdb", "data/exports/*.parquet");
        let [database, files] = [database, files].map(|path| pipeline.folder.path().join(path).display().to_string());
        for zone in ZONES {
            let session = Connection::open_in_memory().unwrap();
            session.execute_batch(&format!("SET TimeZone = '{zone}'; ATTACH '{database}' AS f (READ_ONLY)")).unwrap();
            let (table, files) = (format!("f.main.{table}"), format!("'{files}'"));
            assert_eq!(months(&session, &table, column), expected, "{zone}");
            assert_eq!(months(&session, &files, column), expected, "{zone}");
            let first_days = |source: &str| format!("(SELECT DISTINCT {column} FROM {source})");
            let join =
                format!("SELECT count(*) FROM {} JOIN {} USING ({column})", first_days(&table), first_days(&files));
            let joined: usize = session.query_row(&join, [], |row| row.get(0)).unwrap();
            assert_eq!(joined, expected.len(), "{zone}");
        }
    }
}

/// Turns a month's file into one of an older version, with timestamps in UTC.
pub fn make_older(exports: &Path, month: &str) {
    let [file, manifest] = ["parquet", "manifest.json"].map(|end| exports.join(format!("{month}_aws_billing.{end}")));
    let older = exports.join("older");
    let sql = format!(
        "SET TimeZone = 'UTC'; COPY (SELECT * REPLACE (\
         bill_billing_period_start_date AT TIME ZONE 'UTC' AS bill_billing_period_start_date, \
         line_item_usage_start_date AT TIME ZONE 'UTC' AS line_item_usage_start_date) FROM '{}') TO '{}' (FORMAT parquet)",
        file.display(),
        older.display()
    );
    Connection::open_in_memory().unwrap().execute_batch(&sql).unwrap();
    fs::rename(older, &file).unwrap();
    let mut json: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let fields = json.as_object_mut().unwrap();
    assert_eq!((fields.remove("form"), fields.remove("written").is_some()), (Some(1.into()), true));
    json["manifest"]["files"][0]["bytes"] = fs::metadata(&file).unwrap().len().into();
    fs::write(manifest, json.to_string()).unwrap();
}

#[test]
fn a_file_of_an_older_version_is_written_again_once() {
    let pipeline = Pipeline::new(Export::new(Dialect::AwsCur, Format::CsvGzip));
    let delivered = pipeline.deliver(1);
    pipeline.report("run-pipeline");
    make_older(&pipeline.folder.path().join("data/exports"), "2025-08");
    let dry = pipeline.finops.run(&["aws", "run-pipeline", "--dry-run", "--output", "json"]);
    let months: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!([0, 1].map(|at| &months[at]["steps"]["export-parquet"]), ["skip", "reload"], "{months:#}");
    let report = pipeline.report("export-parquet");
    assert_eq!(statuses(&report), [["skipped", "loaded"]]);
    let month = &report[0]["months"][1];
    assert_eq!((&month["action"], &month["reason_code"]), (&"reload".into(), &"older_form".into()));
    assert_names(month["reason"].as_str().unwrap(), &["timestamps with a zone"]);
    assert_eq!(statuses(&pipeline.report("run-pipeline")), [["skipped", "skipped"]; 3]);
    pipeline.assert_has(&delivered);
}
