//! DuckDB for the conformance suite, and rules for DuckDB only.

use std::{ffi::OsStr, fs, path::Path, process::Command};

use duckdb::Connection;
use finops::{
    error::ErrorKind,
    warehouse::{MonthLoad, Warehouse, duckdb::DuckDb},
};
use finops_core::{
    BillingPeriod, hint,
    model::{column_type::ColumnType, key_columns::NetCost, load_record::STATE_TABLE},
};
use tempfile::TempDir;

use crate::{
    support::{
        delivery::{Delivery, HEADER, line},
        harness::{ByHand, DATASET, Harness, Rows, TABLE, Table, target},
    },
    warehouse::conformance::amounts,
};

/// A database file in a folder that also has the deliveries' files.
pub struct DuckDbHarness {
    folder: TempDir,
    warehouse: DuckDb,
}

impl DuckDbHarness {
    fn with_file(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = DuckDb::open(&folder.path().join(name)).unwrap();
        Self { folder, warehouse }
    }

    /// Runs statements, not through the implementation under test.
    pub fn execute(&self, sql: &str) {
        self.warehouse.reader().unwrap().execute_batch(sql).unwrap();
    }
}

impl Harness for DuckDbHarness {
    type Warehouse = DuckDb;

    async fn start() -> Self {
        Self::with_file("finops.duckdb")
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

    fn another_run(&self) -> DuckDb {
        self.warehouse.clone()
    }

    async fn change_column(&self, change: ByHand<'_>) -> Result<(), String> {
        let change = match change {
            ByHand::Add(name) => format!("ADD {name} VARCHAR"),
            ByHand::Drop(name) => format!("DROP {name}"),
            ByHand::Rename(name, to) => format!("RENAME {name} TO {to}"),
            ByHand::Retype(name, to) => format!("ALTER {name} TYPE {to} USING NULL"),
        };
        let reader = self.warehouse.reader().unwrap();
        reader.execute_batch(&format!("ALTER TABLE {DATASET}.{TABLE} {change}")).map_err(|error| error.to_string())
    }

    async fn keep_state_columns(&self, columns: &[&str]) {
        let (state, columns) = (format!("{DATASET}.{STATE_TABLE}"), columns.join("\", \""));
        self.execute(&format!(
            "CREATE TABLE {DATASET}.kept AS SELECT \"{columns}\" FROM {state}; DROP TABLE {state}; \
             CREATE TABLE {state} AS FROM {DATASET}.kept; COMMENT ON TABLE {state} IS 'managed by finops'"
        ));
    }

    async fn drop_state_table(&self) {
        self.execute(&format!("DROP TABLE {DATASET}.{STATE_TABLE}"));
    }
}

/// The program, with this command, export folder and database.
fn finops(command: &str, source: &Path, database: impl AsRef<OsStr>) -> Command {
    let mut finops = Command::new(env!("CARGO_BIN_EXE_finops"));
    finops
        .arg(command)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| name == "LD_LIBRARY_PATH"))
        .envs([("PIPELINE", "aws"), ("WAREHOUSE", "duckdb"), ("AWS_DATASET", DATASET), ("AWS_TABLE_NAME", TABLE)])
        .env("AWS_SOURCE", source)
        .env("DUCKDB_PATH", database);
    finops
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
async fn a_month_that_needs_too_much_memory_leaves_the_loaded_month_unchanged_and_says_so() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-09", "e1", &["1"])).await.unwrap();
    let before = table.snapshot().await;
    // Less than DuckDB needs to read one CSV file.
    table.harness.execute("SET max_temp_directory_size = '0KB'; SET memory_limit = '10MB'");
    let error = table.load(&Delivery::of_costs("2025-09", "e2", &["1", "2"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Warehouse, "{}", error.full_message());
    assert_eq!(error.reported().message.split(':').next(), Some("the memory is used up while loading 2025-09"));
    assert!(error.next_step().unwrap().contains(hint::MORE_MEMORY));
    table.harness.execute("SET memory_limit = '1GB'");
    assert_eq!(table.snapshot().await, before);
}

/// The type of the cost column.
fn cost_type(table: &Table<DuckDbHarness>) -> String {
    let sql = format!("SELECT typeof(line_item_unblended_cost) FROM {DATASET}.{TABLE} LIMIT 1");
    table.harness.rows(&sql).unwrap()[0][0].clone().unwrap()
}

#[tokio::test]
async fn a_column_gets_only_as_many_decimals_as_its_values_need_and_keeps_them() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["9999999999.5"])).await.unwrap();
    assert_eq!(cost_type(&table), "DECIMAL(38,18)");
    for (cost, expected) in [
        ("0.0000000000000000019", "DECIMAL(38,19)"),
        ("1.5e-18", "DECIMAL(38,19)"),
        ("0.12345678901234567890123456780", "DECIMAL(38,28)"),
        ("2", "DECIMAL(38,28)"),
    ] {
        table.load(&Delivery::of_costs("2025-08", cost, &[cost, "7"])).await.unwrap();
        assert_eq!(cost_type(&table), expected, "{cost}");
    }
    assert_eq!(amounts(&table), ["2", "7", "9999999999.5"]);
    assert_eq!(table.loaded_month("2025-07").await.unwrap().rows_in_table, 1);
}

#[tokio::test]
async fn a_table_with_an_index_is_not_given_more_decimals_and_the_hint_says_so() {
    for column in ["line_item_unblended_cost", "line_item_usage_start_date"] {
        let table = Table::<DuckDbHarness>::new().await;
        table.load(&Delivery::of_costs("2025-07", "a", &["1"])).await.unwrap();
        table.harness.execute(&format!("CREATE INDEX of_a_reader ON {DATASET}.{TABLE} ({column})"));
        let before = table.snapshot().await;
        let error = table.load(&Delivery::of_costs("2025-08", "b", &["0.12345678901234567890"])).await.unwrap_err();
        assert_eq!(error.next_step(), Some(hint::DROP_INDEXES), "{column}: {error:?}");
        assert_eq!(table.snapshot().await, before);
    }
}

#[tokio::test]
async fn a_month_that_fits_no_decimal_is_refused_with_its_column_and_a_hint() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["1234567890123"])).await.unwrap();
    table.load(&Delivery::of_costs("2025-08", "b", &["0.12345678901234567890"])).await.unwrap();
    let before = table.snapshot().await;
    let of_table = "needs 13 digits before the point for rows of the table and 26 after it";
    let exact = "SELECT * REPLACE (12345678901234567890::DECIMAL(38,18) AS line_item_unblended_cost) FROM (";
    let decimals = format!("{exact}{})", parquet_row("2025-08"));
    for (delivery, says, hint) in [
        (
            Delivery::of_costs("2025-08", "c", &["0.12345678901234567890123456"]),
            of_table,
            hint::BIGQUERY_OR_ANOTHER_TABLE,
        ),
        (
            Delivery::of_costs("2025-08", "d", &["0.12345678901234567890123456", "1234567890123"]),
            "needs 13 digits before the point and 26 after it",
            hint::LOAD_INTO_BIGQUERY,
        ),
        (
            Delivery::of_costs("2025-08", "e", &["12345678901234567890"]),
            "needs 20 digits before the point and 19 after it",
            hint::LOAD_INTO_BIGQUERY,
        ),
        (
            Delivery::new("2025-08", "f").parquet(&decimals),
            "needs 20 digits before the point and 19 after it",
            hint::LOAD_INTO_BIGQUERY,
        ),
    ] {
        let error = table.load(&delivery).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        let message = error.full_message();
        assert!(message.contains(&format!("column line_item_unblended_cost {says}")), "{message}");
        assert_eq!(error.next_step(), Some(hint), "{error:?}");
        assert_eq!(table.snapshot().await, before);
        assert_eq!(cost_type(&table), "DECIMAL(38,19)", "it is unchanged");
    }
    for cost in ["1_000", "1.5e-60", "123456789012345678901234567890.123456789"] {
        let error = table.load(&Delivery::of_costs("2025-08", "g", &["2", cost])).await.unwrap_err();
        let message = error.full_message();
        let says = "line_item_unblended_cost: 1 value is not a decimal of at most 38 digits";
        assert!(message.contains(says) && message.contains(&format!("`{cost}`")), "{message}");
        assert_eq!(table.snapshot().await, before);
    }
}

/// A row of a report in Parquet, as DuckDB's query.
fn parquet_row(month: &str) -> String {
    format!(
        "SELECT 'x' AS identity_line_item_id, TIMESTAMP '{month}-01' AS bill_billing_period_start_date, \
         TIMESTAMP '{month}-02' AS line_item_usage_start_date, 'USD' AS line_item_currency_code, \
         1::DECIMAL(38,18) AS line_item_unblended_cost"
    )
}

#[tokio::test]
async fn a_column_is_unchanged_if_the_month_that_needs_more_decimals_is_not_loaded() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-07", "a", &["1"])).await.unwrap();
    let before = table.snapshot().await;
    let mut load = table.prepare(&Delivery::of_costs("2025-08", "b", &["1e-28"])).await;
    load.rows = Some(2);
    assert_eq!(table.replace(&load).await.unwrap_err().kind(), ErrorKind::Verification);
    assert_eq!((table.snapshot().await, cost_type(&table).as_str()), (before, "DECIMAL(38,18)"));
    table.harness.execute(&format!("CREATE INDEX of_account ON {DATASET}.{TABLE} (line_item_usage_account_id)"));
    load.rows = None;
    let error = table.replace(&load).await.unwrap_err();
    assert!(error.next_step().unwrap().contains("drop the table's indexes"), "{error:?}");
}

#[tokio::test]
async fn sums_are_exact_with_any_number_of_decimals() {
    let table = Table::<DuckDbHarness>::new().await;
    let columns = "line_item_line_item_type,line_item_net_unblended_cost";
    let row = |id: usize, cost: &str, net: &str| {
        format!("{},Usage,{net}\n", line("2025-08", &id.to_string(), "USD", cost).trim_end())
    };
    // One column of 28 decimals and one of 18, in sums of more than 38 digits.
    let mut rows: String = (0..40).map(|id| row(id, "9999999999.0000000000000000000000000001", "")).collect();
    rows += &row(40, "-1", "99999999999999999999.000000000000000001").repeat(40);
    let delivery = Delivery::new("2025-08", "a").csv(&format!("{HEADER},{columns}\n{rows}"));
    let delivery = delivery.typed("line_item_net_unblended_cost", ColumnType::Decimal);
    let net_cost = Some(NetCost { net: "line_item_net_unblended_cost", line_type: "line_item_line_item_type" });
    let load = MonthLoad { net_cost, ..table.prepare(&delivery).await };
    let record = table.replace(&load).await.unwrap().record;
    assert_eq!(record.cost["USD"].to_string(), "399999999920.000000000000000000000000004");
    // 40 of the net costs, and the costs of those without.
    let net = &record.cost_net.unwrap()["USD"];
    assert_eq!(net.to_string(), "4000000000399999999920.000000000000000040000000004");
}

#[tokio::test]
async fn many_megabytes_of_empty_lines_are_not_rows() {
    let table = Table::<DuckDbHarness>::new().await;
    let text = format!("{HEADER}\n{}{}", line("2025-08", "a", "USD", "1"), "\n".repeat(40_000_000));
    assert_eq!(table.load(&Delivery::new("2025-08", "a").csv(&text)).await.unwrap().record.rows, 1);
}

#[tokio::test]
async fn timestamps_are_kept_to_the_microsecond() {
    let table = Table::<DuckDbHarness>::new().await;
    let rows = line("2025-08", "a", "USD", "1").replace("16:00:00Z", "16:00:00.123456Z");
    table.load(&Delivery::new("2025-08", "a").csv(&format!("{HEADER}\n{rows}"))).await.unwrap();
    let timestamps = table.select("line_item_usage_start_date");
    assert_eq!(timestamps, [[Some("2025-08-02 16:00:00.123456".to_owned())]]);
}

#[tokio::test]
async fn a_second_process_reports_that_the_database_is_in_use() {
    let table = Table::<DuckDbHarness>::new().await;
    table.load(&Delivery::of_costs("2025-08", "a", &["1"])).await.unwrap();
    let folder = table.harness.folder.path();
    let output = finops("status", folder, folder.join("finops.duckdb")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("finops.duckdb") && stderr.contains("another process has it open"), "{stderr}");
}

#[tokio::test]
async fn a_schema_may_have_the_name_of_the_database_file_or_of_a_catalog() {
    for (file, dataset) in
        [("bills.duckdb", "bills"), ("a.duckdb", "temp"), ("a.duckdb", "system"), ("a.b.duckdb", "a")]
    {
        let mut table = Table { harness: DuckDbHarness::with_file(file), target: target() };
        dataset.clone_into(&mut table.target.name.dataset);
        for execution in ["first", "second"] {
            let load = table.load(&Delivery::of_costs("2025-08", execution, &["1", "2"])).await.unwrap();
            assert_eq!(load.record.rows, 2, "{dataset} in {file}");
        }
        let loaded = table.loaded_month("2025-08").await.unwrap();
        assert_eq!((loaded.rows_in_table, loaded.record.sequence), (2, 2), "{dataset} in {file}");
    }
}

#[tokio::test]
async fn a_row_that_is_not_csv_is_reported_and_not_shown() {
    let row = |description: &str| {
        let line = line("2025-08", "a", "USD", "1");
        format!("{HEADER}\n{}", line.replace("Usage of a", description))
    };
    for (text, reason) in [
        (row("\"one\nsecret\n\nPossible secret\nfile = secret\",more"), "Expected Number of Columns: 7 Found: 8"),
        (row("\"one\nsecret"), "Value with unterminated quote found."),
        (row(&format!("\"one\nsecret{}\"", "x".repeat(3_000_000))), "Maximum line size of 2000000 bytes exceeded."),
    ] {
        let table = Table::<DuckDbHarness>::new().await;
        let message = table.load(&Delivery::new("2025-08", "a").csv(&text)).await.unwrap_err().full_message();
        assert!(message.contains(reason) && message.contains("CSV Error on Line: 2"), "{message}");
        assert!(message.contains(".csv.gz)") && !message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn special_characters_in_a_path_have_no_meaning() {
    let table = Table::<DuckDbHarness>::new().await;
    for other in
        ["a[b*c?.csv.gz", "a]b*c?.csv.gz", "axb*c?.csv.gz", "a\u{1}b*c?.csv.gz", "aéb*c?.csv.gz", "a/b*c?.csv.gz"]
    {
        table.harness.put(other, b"not to be read").await;
    }
    for name in ["a\\b*c?.csv.gz", "a\\b.csv.gz", "[ab]*.csv.gz", "{a,b}.csv.gz", "a\\*/é [!a-z]?.csv.gz"] {
        let mut delivery = Delivery::of_costs("2025-08", name, &["1", "2"]);
        name.clone_into(&mut delivery.files[0].0);
        assert_eq!(table.load(&delivery).await.unwrap().record.rows, 2, "{name}");
    }
}

#[tokio::test]
async fn a_folder_named_like_a_value_of_a_column_changes_no_row() {
    let table = Table::<DuckDbHarness>::new().await;
    let mut delivery = Delivery::of_costs("2025-08", "a", &["1"]);
    "line_item_usage_account_id=7/cur.csv.gz".clone_into(&mut delivery.files[0].0);
    table.load(&delivery).await.unwrap();
    assert_eq!(table.select("line_item_usage_account_id"), [[Some("000123456789".to_owned())]]);
}

#[test]
fn an_empty_file_is_no_database_and_may_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("finops.duckdb");
    fs::write(&path, "").unwrap();
    for opened in [DuckDb::open(&path), DuckDb::open_to_read(&path)] {
        let error = opened.err().unwrap();
        assert!(error.full_message().contains("finops.duckdb"), "{error:?}");
        assert!(error.next_step().unwrap().contains(hint::DATABASE_EMPTY), "{error:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_run_that_loads_nothing_creates_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("missing"), folder.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let database = folder.path().join("data/finops.duckdb");
    for source in [&missing, &empty] {
        for command in ["run", "plan", "status", "check"] {
            let output = finops(command, source, &database).output().unwrap();
            let fails = command != "status";
            assert_eq!(output.status.code(), Some(i32::from(fails)), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(!folder.path().join("data").exists(), "{command} {}", source.display());
        }
    }
}

#[tokio::test]
async fn a_database_that_another_run_creates_meanwhile_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/finops.duckdb");
    let warehouse = DuckDb::open(&path).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs AS SELECT 1 AS one").unwrap();
    let error = warehouse.prepare(&target(), &[], &[]).await.err().unwrap();
    assert_eq!((error.kind(), error.next_step()), (ErrorKind::Busy, Some(hint::CHANGED_MEANWHILE)), "{error:?}");
    let theirs = rows(&Connection::open(&path).unwrap(), "SELECT table_name FROM duckdb_tables()").unwrap();
    assert_eq!(theirs, [[Some("theirs".to_owned())]]);
}

#[test]
fn a_database_of_another_kind_is_refused_without_fetching_an_extension_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (home, database) = (folder.path().join("home"), folder.path().join("finops.duckdb"));
    fs::create_dir(&home).unwrap();
    fs::write(&database, format!("{:\0<4096}", "SQLite format 3")).unwrap();
    let output = finops("run", folder.path(), &database).env("HOME", &home).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("finops.duckdb") && stderr.contains("must name a DuckDB file"), "{stderr}");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "{stderr}");
}
