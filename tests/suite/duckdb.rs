//! DuckDB for the conformance suite, and the rules of its own.

use std::{fs, process::Command};

use duckdb::Connection;
use finops::{
    error::{Kind, Result},
    warehouse::duckdb::DuckDb,
};
use finops_core::BillingPeriod;
use tempfile::TempDir;

use crate::{
    delivery::{Delivery, HEADER, line},
    harness::{DATASET, Harness, Rows, TABLE, Table},
};

/// A database file in a folder that holds the deliveries' files too.
pub struct DuckDbHarness {
    folder: TempDir,
    warehouse: DuckDb,
}

impl DuckDbHarness {
    fn execute(&self, sql: &str) {
        self.warehouse.reader().unwrap().execute_batch(sql).unwrap();
    }
}

impl Harness for DuckDbHarness {
    type Warehouse = DuckDb;

    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = DuckDb::open(&folder.path().join("finops.duckdb")).unwrap();
        Self { folder, warehouse }
    }

    fn warehouse(&self) -> &DuckDb {
        &self.warehouse
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    fn rows(&self, sql: &str) -> Result<Rows, String> {
        rows(&self.warehouse.reader().unwrap(), sql).map_err(|error| error.to_string())
    }

    fn table(&self, name: &str) -> String {
        format!("{DATASET}.{name}")
    }

    fn amount(&self, column: &str) -> String {
        column.to_owned()
    }

    async fn delete_month(&self, month: BillingPeriod) {
        let first = month.first_day();
        self.execute(&format!("DELETE FROM {DATASET}.{TABLE} WHERE bill_billing_period_start_date = '{first}'"));
    }

    async fn drop_table(&self) {
        self.execute(&format!("DROP TABLE {DATASET}.{TABLE}"));
    }

    async fn create_foreign_table(&self) {
        self.execute(&format!("CREATE SCHEMA {DATASET}; CREATE TABLE {DATASET}.{TABLE} (mine VARCHAR)"));
    }
}

/// All rows of a query, as text.
pub fn rows(connection: &Connection, sql: &str) -> duckdb::Result<Rows> {
    let columns = {
        let mut statement = connection.prepare(sql)?;
        let _ = statement.query([])?;
        statement.column_count()
    };
    let texts: Vec<String> = (0..columns).map(|at| format!("c{at}::VARCHAR")).collect();
    let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    let mut statement =
        connection.prepare(&format!("SELECT {} FROM ({sql}) AS t({})", texts.join(", "), names.join(", ")))?;
    statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?.collect()
}

#[tokio::test]
async fn an_amount_with_more_decimals_than_the_column_is_refused_with_its_column() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    let before = table.snapshot().await;
    for cost in ["0.0000000000000000019", "1.9e-18", "1_000"] {
        let error = table.load(&Delivery::of_costs("2025-08", "b", &["2", cost])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Data);
        let message = error.full_message();
        assert!(message.contains("line_item_unblended_cost") && message.contains(&format!("`{cost}`")), "{message}");
        assert_eq!(table.snapshot().await, before);
    }
}

#[tokio::test]
async fn moments_are_kept_to_the_microsecond() {
    let table = Table::<DuckDbHarness>::new().await;
    let rows = line("2025-08", "a", "USD", "1").replace("16:00:00Z", "16:00:00.123456Z");
    table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    let moments = table.select("line_item_usage_start_date");
    assert_eq!(moments, [[Some("2025-08-02 16:00:00.123456".to_owned())]]);
}

#[tokio::test]
async fn another_process_is_told_that_the_database_is_in_use() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    let folder = table.harness.folder.path();
    let output = Command::new(env!("CARGO_BIN_EXE_finops"))
        .arg("status")
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| name == "LD_LIBRARY_PATH"))
        .envs([("PIPELINE", "aws"), ("WAREHOUSE", "duckdb"), ("AWS_DATASET", DATASET), ("AWS_TABLE_NAME", TABLE)])
        .env("AWS_SOURCE", folder)
        .env("DUCKDB_PATH", folder.join("finops.duckdb"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("finops.duckdb") && stderr.contains("another process has it open"), "{stderr}");
}
