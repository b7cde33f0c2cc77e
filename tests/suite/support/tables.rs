//! What tables contain, read from the warehouses themselves and not through the program.

use std::{collections::BTreeMap, path::Path};

use bigquery_emulator::{Emulator, LoggedRequest};
use finops_core::Amount;

use crate::support::{
    program::{DATASET, TABLE},
    servers::PROJECT,
};

/// Month to rows and exact cost.
pub type Figures = BTreeMap<String, (u64, String)>;

/// Of rows with a month, a count and a cost.
pub fn figures_of(rows: impl IntoIterator<Item = [String; 3]>) -> Figures {
    let plain = |amount: String| amount.parse::<Amount>().unwrap().to_string();
    rows.into_iter().map(|[month, rows, cost]| (month, (rows.parse().unwrap(), plain(cost)))).collect()
}

/// The rows and the cost of each month in the DuckDB file; nothing where there is no table.
pub fn in_duckdb(database: &Path) -> Figures {
    let sql = format!(
        "SELECT CAST(bill_billing_period_start_date AS VARCHAR)[:7], CAST(count(*) AS VARCHAR), \
         CAST(sum(line_item_unblended_cost) AS VARCHAR) FROM {DATASET}.{TABLE} GROUP BY 1"
    );
    let connection = duckdb::Connection::open(database).unwrap();
    match connection.prepare(&sql) {
        Ok(mut statement) => {
            let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap();
            figures_of(rows.map(Result::unwrap))
        }
        Err(error) if error.to_string().contains("does not exist") => Figures::new(),
        Err(error) => panic!("{error}"),
    }
}

/// One value of the DuckDB file.
pub fn duckdb_value(database: &Path, sql: &str) -> String {
    let connection = duckdb::Connection::open(database).unwrap();
    connection.query_row(&format!("SELECT CAST(({sql}) AS VARCHAR)"), [], |row| row.get(0)).unwrap()
}

/// An amount of the emulator's tables, where a sum of it is exact.
pub fn exact_in_bigquery(column: &str) -> String {
    format!("CAST(bq_bignumeric_text({column}) AS DECIMAL(38,18))")
}

/// The rows and the cost of each month in the emulator.
pub fn in_bigquery(emulator: &Emulator) -> Figures {
    let sql = format!(
        "SELECT CAST(bill_billing_period_start_date AS VARCHAR)[:7], CAST(count(*) AS VARCHAR), \
         CAST(sum({}) AS VARCHAR) FROM \"{PROJECT}:{DATASET}\".\"{TABLE}\" GROUP BY 1",
        exact_in_bigquery("line_item_unblended_cost")
    );
    let rows = emulator.query(&sql).unwrap();
    figures_of(rows.into_iter().map(|row| <[_; 3]>::try_from(row).unwrap().map(Option::unwrap)))
}

/// The load jobs that were requested, in order: job id and table.
pub fn load_jobs(emulator: &Emulator) -> Vec<(String, String)> {
    jobs(emulator, "/configuration/load/destinationTable/tableId")
}

/// The copy jobs that were requested, in order: job id and partition.
pub fn copy_jobs(emulator: &Emulator) -> Vec<(String, String)> {
    jobs(emulator, "/configuration/copy/destinationTable/tableId")
}

fn jobs(emulator: &Emulator, destination: &str) -> Vec<(String, String)> {
    let text = |request: &LoggedRequest, pointer: &str| request.body.pointer(pointer)?.as_str().map(str::to_owned);
    let job = |request: &LoggedRequest| Some((text(request, "/jobReference/jobId")?, text(request, destination)?));
    emulator.requests().iter().filter(|request| request.method == "POST").filter_map(job).collect()
}
