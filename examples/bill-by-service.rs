//! What the newest month's bill says by service, over all tables that `finops run` has loaded into a DuckDB file.
//!
//! `cargo run --example bill-by-service -- data/finops.duckdb [schema]`

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::{collections::HashSet, error::Error};

use duckdb::{AccessMode, Config, Connection};
use finops::warehouse::sql::Dialect;
use finops_core::formats::kinds;
use finops_core::model::{kind::ExportKind, load_record::STATE_TABLE};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: bill-by-service DATABASE [SCHEMA]")?;
    let schema = arguments.next().unwrap_or_else(|| "billing".to_owned());
    let database = Connection::open_with_flags(&path, Config::default().access_mode(AccessMode::ReadOnly)?)?;
    // With the database's name in front, because a schema may have the same name as the file.
    let name: String = database.query_row("SELECT current_database()", [], |row| row.get(0))?;
    let path_of = |table: &str| Dialect::DuckDb.path(&[name.as_str(), schema.as_str(), table]);
    let loaded = format!("SELECT DISTINCT table_name FROM {} ORDER BY 1", path_of(STATE_TABLE));
    println!("{:<8} {:<14} {:<30} {:>14}", "Month", "Table", "Service", "Cost");
    for table in texts(&database, &loaded)? {
        let path = path_of(&table);
        let columns = format!("SELECT column_name FROM (DESCRIBE {path})");
        let columns: HashSet<String> = texts(&database, &columns)?.into_iter().collect();
        let Some(sql) = bill(&path, &columns) else { continue };
        let mut statement = database.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let [month, service, cost, currency] =
                [0, 1, 2, 3].map(|column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default));
            println!("{:<8} {table:<14} {:<30} {:>14} {}", month?, service?, cost?, currency?);
        }
    }
    Ok(())
}

/// The query for a table with these columns; `None` for one that no provider's export has.
fn bill(table: &str, columns: &HashSet<String>) -> Option<String> {
    let has = |name: &str| columns.contains(name);
    let kind = kinds::of_table(has)?;
    let service = match kind {
        ExportKind::Cur | ExportKind::Cur2 => "line_item_product_code",
        ExportKind::AzureActual | ExportKind::AzureAmortized | ExportKind::AzureUsage => "meterCategory",
        ExportKind::Focus => "ServiceName",
    };
    let layout = &kinds::columns(kind).key;
    let (month, cost, currency) = (layout.partition, layout.cost(has)?, layout.currency(has)?);
    // DECIMAL sums are exact; only the printed amount is rounded, to cents.
    Some(format!(
        "SELECT strftime({month}, '%Y-%m') AS month, {service} AS service,
                CAST(CAST(sum({cost}) AS DECIMAL(38, 2)) AS VARCHAR) AS cost, {currency} AS currency
         FROM {table} WHERE {month} = (SELECT max({month}) FROM {table})
         GROUP BY ALL ORDER BY currency, sum({cost}) DESC"
    ))
}

fn texts(database: &Connection, sql: &str) -> duckdb::Result<Vec<String>> {
    database.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}
