//! The embedded DuckDB: connections, the one writer at a time, and the functions that BigQuery has
//! and DuckDB lacks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use duckdb::Connection;

/// Functions on the stored forms. A BIGNUMERIC is an integer scaled by 10^38 (see `Type::duckdb`).
/// `error()` stops the statement, as a failed CAST does in BigQuery.
const MACROS: &str = r"
CREATE MACRO bq_bignumeric_text(x) AS
    if(x < '0'::BIGNUM, '-', '') || regexp_replace(
        regexp_replace(lpad(ltrim(x::VARCHAR, '-'), greatest(39, length(x::VARCHAR))::INTEGER, '0'),
            '^0*([0-9]+)([0-9]{38})$', '\1.\2'),
        '\.?0*$', '');
CREATE MACRO bq_float_text(x) AS regexp_replace(x::VARCHAR, '\.0$', '');
CREATE MACRO bq_timestamp_text(x) AS x::VARCHAR || '+00';
CREATE MACRO bq_matching(x, pattern, kind, safe) AS
    CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, pattern) THEN x
         WHEN safe THEN NULL ELSE error('Bad ' || kind || ' value: ' || x) END;
CREATE MACRO bq_decimal_exponent(x) AS coalesce(TRY_CAST(regexp_extract(x, '[eE]([+-]?[0-9]+)', 1) AS INTEGER), 0);
CREATE MACRO bq_decimal_fraction(x) AS regexp_extract(x, '\.([0-9]*)', 1);
CREATE MACRO bq_decimal_digits(x) AS regexp_replace(regexp_replace(x, '[eE].*$', ''), '[^0-9]', '', 'g');
CREATE MACRO bq_shift(digits, zeros) AS
    CASE WHEN zeros >= 0 THEN (digits || repeat('0', zeros))::BIGNUM
         WHEN length(digits) + zeros < 0 THEN '0'::BIGNUM
         ELSE ('0' || digits[:length(digits) + zeros])::BIGNUM
            + if(digits[length(digits) + zeros + 1] >= '5', '1', '0')::BIGNUM END;
CREATE MACRO bq_text_bignumeric(x) AS
    if(x IS NULL, NULL, (if(ltrim(x)[1] = '-', '-', '')
        || bq_shift(bq_decimal_digits(x), 38 + bq_decimal_exponent(x) - length(bq_decimal_fraction(x)))::VARCHAR)::BIGNUM);
SET GLOBAL TimeZone = 'UTC';
";

/// The database.
pub struct Warehouse {
    root: Mutex<Connection>,
    /// Held while something changes, so that DuckDB never refuses a transaction for a conflict.
    writer: Mutex<()>,
}

impl Warehouse {
    /// A new database in memory.
    pub fn open() -> duckdb::Result<Self> {
        let root = Connection::open_in_memory()?;
        root.execute_batch(MACROS)?;
        Ok(Self { root: Mutex::new(root), writer: Mutex::new(()) })
    }

    /// A connection of its own: reads through it see whole transactions only.
    pub fn connect(&self) -> duckdb::Result<Connection> {
        self.root.lock().unwrap_or_else(PoisonError::into_inner).try_clone()
    }

    /// The right to change tables; one at a time. Taken before the catalog's lock, never after.
    pub fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements in one transaction; rolls back on the first error.
    pub fn transaction(connection: &Connection, statements: &[String]) -> duckdb::Result<usize> {
        connection.execute_batch("BEGIN")?;
        let mut changed = 0;
        for statement in statements {
            match connection.execute(statement, []) {
                Ok(rows) => changed = rows,
                Err(error) => {
                    connection.execute_batch("ROLLBACK")?;
                    return Err(error);
                }
            }
        }
        connection.execute_batch("COMMIT")?;
        Ok(changed)
    }

    /// All rows of a query whose columns are all texts.
    pub fn rows(connection: &Connection, sql: &str) -> duckdb::Result<Vec<Vec<Option<String>>>> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let columns = rows.as_ref().map_or(0, duckdb::Statement::column_count);
        let mut texts = Vec::new();
        while let Some(row) = rows.next()? {
            texts.push((0..columns).map(|at| row.get(at)).collect::<duckdb::Result<_>>()?);
        }
        Ok(texts)
    }

    /// The number of rows of a table, by its DuckDB name.
    pub fn count(connection: &Connection, table: &str) -> duckdb::Result<i64> {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    }
}
