//! What people change in DuckDB by hand: finops keeps it, notices it, or refuses it with a next step.

use std::fs;

use finops::error::{Error, ErrorKind};
use finops_core::{hint, model::load_record::STATE_TABLE};

use crate::{
    flow::several_exports::renamed,
    support::{
        delivery::Delivery,
        harness::{DATASET, Harness, ReplaceMonth, TABLE, Table},
        jobs::LocalJob,
        program::{assert_names, each},
        tables::duckdb_value,
        tree,
    },
    warehouse::duckdb::DuckDbHarness,
};

fn august() -> Delivery {
    Delivery::of_costs("2025-08", "a", &["1", "2"])
}

async fn with_august() -> Table<DuckDbHarness> {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&august()).await.unwrap();
    table
}

async fn refused(table: &Table<DuckDbHarness>) -> Error {
    table.harness.warehouse().look_up(&table.target).await.unwrap_err()
}

#[tokio::test]
async fn a_column_added_to_the_state_table_stays_empty() {
    let table = with_august().await;
    table.harness.execute(&format!("ALTER TABLE {DATASET}.{STATE_TABLE} ADD COLUMN remark VARCHAR"));
    table.load(&august()).await.unwrap();
    assert_eq!(table.loaded_month("2025-08").await.unwrap().record.sequence, 2);
}

#[tokio::test]
async fn a_state_row_that_finops_did_not_write_is_named() {
    let table = with_august().await;
    let state = format!("{DATASET}.{STATE_TABLE}");
    table.harness.execute(&format!("CREATE TABLE {DATASET}.kept AS FROM {state}"));
    for (column, value, shown) in [
        ("pipeline", "NULL", "`NULL`"),
        ("billing_period", "NULL", "`NULL`"),
        ("billing_period", "'infinity'", "`infinity`"),
        ("sequence", "NULL", "`NULL`"),
        ("execution_id", "NULL", "`NULL`"),
        ("status", "'LOADED'", "`LOADED`"),
        ("rows", "-1", "`-1`"),
        ("bytes", "NULL", "`NULL`"),
        ("cost", "NULL", "`NULL`"),
        ("cost", "'{\"USD\": 1.5}'", "`{\"USD\": 1.5}`"),
        ("loaded_at", "NULL", "`NULL`"),
        ("loaded_at", "'infinity'", "`infinity`"),
        ("loaded_at", "'0044-03-15 (BC) 12:00:00'", "(BC)"),
    ] {
        table.harness.execute(&format!("UPDATE {state} SET {column} = {value}"));
        let error = refused(&table).await;
        let message = error.full_message();
        assert!(message.contains(&format!("column {column} has ")) && message.contains(shown), "{message}");
        assert!(message.contains(&format!("{STATE_TABLE}, row of table {TABLE}")), "{message}");
        assert_eq!(error.next_step(), Some("repair or delete that row of finops_loads"), "{message}");
        table.harness.execute(&format!("DELETE FROM {state}; INSERT INTO {state} FROM {DATASET}.kept"));
    }
    table.load(&august()).await.unwrap();
}

#[tokio::test]
async fn no_load_follows_the_largest_sequence() {
    let table = with_august().await;
    table.harness.execute(&format!("UPDATE {DATASET}.{STATE_TABLE} SET sequence = {}", i64::MAX));
    let before = table.snapshot().await;
    let error = table.load(&august()).await.unwrap_err();
    let message = error.full_message();
    assert!(message.contains("2025-08") && message.contains(&i64::MAX.to_string()), "{message}");
    assert_eq!(error.next_step(), Some("repair or delete that row of finops_loads"), "{message}");
    assert_eq!(table.snapshot().await, before);
}

#[tokio::test]
async fn a_table_without_a_key_column_is_refused() {
    for (change, column, expected, found) in [
        ("DROP bill_billing_period_start_date", "bill_billing_period_start_date", "TIMESTAMP", "no such column"),
        ("DROP line_item_usage_start_date", "line_item_usage_start_date", "TIMESTAMP", "no such column"),
        ("DROP line_item_unblended_cost", "line_item_unblended_cost", "DECIMAL(38,18)", "no such column"),
        ("DROP line_item_currency_code", "line_item_currency_code", "VARCHAR", "no such column"),
        ("ALTER line_item_unblended_cost TYPE DOUBLE", "line_item_unblended_cost", "DECIMAL(38,18)", "DOUBLE"),
        ("ALTER bill_billing_period_start_date TYPE DATE", "bill_billing_period_start_date", "TIMESTAMP", "DATE"),
    ] {
        let table = with_august().await;
        table.harness.execute(&format!("ALTER TABLE {DATASET}.{TABLE} {change}"));
        let error = refused(&table).await;
        assert_eq!(error.kind(), ErrorKind::Schema, "{change}");
        let message = error.full_message();
        for part in [TABLE, column, expected, found] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(error.next_step().unwrap().contains("restore the column"), "{error:?}");
    }
}

#[tokio::test]
async fn rows_without_a_month_change_nothing() {
    let table = with_august().await;
    for date in ["infinity", "-infinity", "0044-03-15 (BC) 00:00:00", "290000-01-01 00:00:00"] {
        let insert = format!("INSERT INTO {DATASET}.{TABLE} (bill_billing_period_start_date) VALUES ('{date}')");
        table.harness.execute(&insert);
    }
    table.load(&august()).await.unwrap();
    assert_eq!(table.loaded_month("2025-08").await.unwrap().rows_in_table, 2);
    assert_eq!(table.select("*").len(), 6);
}

/// The names under which the state table has months, and how many rows it has.
fn recorded(job: &LocalJob) -> String {
    let names = format!("SELECT string_agg(DISTINCT table_name, ',') || ': ' || count(*) FROM {DATASET}.{STATE_TABLE}");
    duckdb_value(&job.database, &names)
}

#[test]
fn a_table_in_another_case_is_the_same_table_and_is_recorded_as_the_catalog_spells_it() {
    let of = |month, assembly_id, cost| tree::Delivery::new(month, assembly_id, &[cost]);
    let job = LocalJob::loaded(&[of("2025-08", "first", "1"), of("2025-09", "first", "2")]);
    let other_case = job.finops.clone().with("AWS_TABLE_NAME", "AWS_Cur").with("AWS_DATASET", "BILLING");
    assert_eq!(each(&other_case.report(0), "status"), ["skipped", "skipped"]);
    assert_names(&other_case.prints(&["status"]), &["2025-08", "2025-09"]);

    of("2025-09", "second", "3").write(&job.source);
    assert_eq!(each(&other_case.report(0), "status"), ["loaded", "skipped"]);
    assert_eq!(recorded(&job), "aws_cur: 3");

    // As versions before this one recorded it.
    let update = format!("UPDATE {DATASET}.{STATE_TABLE} SET table_name = 'AWS_CUR' WHERE sequence = 2");
    duckdb::Connection::open(&job.database).unwrap().execute_batch(&update).unwrap();
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
    of("2025-09", "third", "4").write(&job.source);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded", "skipped"]);
    let last = format!("SELECT max(sequence) FROM {DATASET}.{STATE_TABLE} WHERE table_name = 'aws_cur'");
    assert_eq!(duckdb_value(&job.database, &last), "3");
}

#[test]
fn months_of_another_export_are_not_erased_through_a_name_in_another_case() {
    let job = LocalJob::loaded(&[tree::Delivery::new("2025-09", "first", &["100"])]);
    let before = job.figures();
    let legacy = job.source.with_file_name("legacy");
    for (key, bytes) in renamed("legacy", tree::Delivery::new("2025-09", "first", &["1"])) {
        tree::write(&legacy.join(key), &bytes);
    }
    fs::remove_dir_all(&job.source).unwrap();
    let other = job.finops.clone().with("AWS_SOURCE", legacy.to_str().unwrap());
    for (dataset, table) in [("billing", "AWS_CUR"), ("BILLING", "aws_cur")] {
        let report = other.clone().with("AWS_DATASET", dataset).with("AWS_TABLE_NAME", table).report(1);
        let error = &report["pipelines"][0]["error"];
        assert_eq!(error["kind"], "foreign_table", "{report:#}");
        assert_names(error["message"].as_str().unwrap(), &[table, "`report`", "`legacy`"]);
        assert_eq!(error["hint"], hint::TABLE_PER_EXPORT);
        assert_eq!((job.figures(), recorded(&job).as_str()), (before.clone(), "aws_cur: 1"));
    }
}
