//! What a month's bill says by service, read from the DuckDB file that `finops run` loads.
//!
//! `cargo run --example bill-by-service -- data/finops.duckdb [schema.table]`

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::error::Error;

use duckdb::{AccessMode, Config, Connection};
use finops::warehouse::sql::Dialect;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: bill-by-service DATABASE [SCHEMA.TABLE]")?;
    let table = arguments.next().unwrap_or_else(|| "billing.aws_cur".to_owned());
    let database = Connection::open_with_flags(&path, Config::default().access_mode(AccessMode::ReadOnly)?)?;
    // With the database's own name in front: a schema may be named like the file.
    let name: String = database.query_row("SELECT current_database()", [], |row| row.get(0))?;
    let table = Dialect::DuckDb.path(&[name.as_str()].into_iter().chain(table.split('.')).collect::<Vec<_>>());
    // DECIMAL sums are exact; only the printed amount is rounded, to cents.
    let sql = format!(
        "SELECT strftime(bill_billing_period_start_date, '%Y-%m') AS month, line_item_product_code AS service,
                CAST(CAST(sum(line_item_unblended_cost) AS DECIMAL(38, 2)) AS VARCHAR) AS cost,
                any_value(line_item_currency_code) AS currency
         FROM {table} GROUP BY month, service ORDER BY month DESC, sum(line_item_unblended_cost) DESC"
    );
    let mut statement = database.prepare(&sql)?;
    let mut rows = statement.query([])?;
    println!("{:<8} {:<28} {:>12}", "Month", "Service", "Cost");
    while let Some(row) = rows.next()? {
        let [month, service, cost, currency] =
            [0, 1, 2, 3].map(|column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default));
        println!("{:<8} {:<28} {:>12} {}", month?, service?, cost?, currency?);
    }
    Ok(())
}
