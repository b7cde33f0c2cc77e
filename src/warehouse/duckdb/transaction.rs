//! Transactions over several statements.

use duckdb::Connection;

/// Begins a transaction. One that a panic or a failed statement left open is rolled back.
pub fn begin(connection: &Connection) -> duckdb::Result<()> {
    roll_back(connection);
    connection.execute_batch("BEGIN TRANSACTION")
}

/// Ends the transaction, whatever its state is.
pub fn roll_back(connection: &Connection) {
    // After an error that ended it there is none.
    let _ = connection.execute_batch("ROLLBACK");
}
