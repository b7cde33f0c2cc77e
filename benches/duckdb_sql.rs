//! Runs SQL in a DuckDB file and prints the first value of the last statement as JSON. It measures DuckDB without finops,
//! with the same library.
//!
//! `cargo run --example duckdb-sql -- DATABASE STATEMENT... QUERY`

#![allow(clippy::print_stdout, reason = "the program prints its result")]

use std::error::Error;

use duckdb::Connection;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, statements @ .., query] = arguments.as_slice() else {
        return Err("usage: duckdb-sql DATABASE STATEMENT... QUERY".into());
    };
    let database = Connection::open(path)?;
    for statement in statements {
        database.execute_batch(statement)?;
    }
    let value: String = database.query_row(query, [], |row| row.get(0))?;
    println!("{}", serde_json::to_string(&value)?);
    Ok(())
}
