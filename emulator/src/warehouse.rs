//! The embedded DuckDB: connections, the lock of writers, and the BigQuery functions that DuckDB lacks.

use std::sync::{Mutex, MutexGuard};

use duckdb::Connection;

use crate::{grammar::BIGNUMERIC_MAX, lock::lock};

/// Functions on stored values. A BIGNUMERIC is an integer scaled by 10^38 (see `Type::duckdb`). `error()` ends the
/// statement, as a failed CAST does in BigQuery.
///
/// DuckDB copies a macro's argument to every place that uses it. `list_transform([x], ...)` computes the argument once, so
/// that nested calls do not multiply. ALTER TABLE does not accept lambdas: the two macros that it needs use none.
const MACROS: &str = r"
CREATE MACRO bq_int64_bignumeric(x) AS (x::VARCHAR || repeat('0', 38))::BIGNUM;
CREATE MACRO bq_bignumeric_text(x) AS
    if(x < '0'::BIGNUM, '-', '') || regexp_replace(
        regexp_replace(lpad(ltrim(x::VARCHAR, '-'), greatest(39, length(x::VARCHAR))::INTEGER, '0'),
            '^0*([0-9]+)([0-9]{38})$', '\1.\2'),
        '\.?0*$', '');
CREATE MACRO bq_float_text(x) AS list_transform([x], lambda t:
    CASE WHEN isnan(t) THEN 'nan' WHEN t = 0 THEN '0'
         WHEN printf('%.15g', t)::DOUBLE = t THEN printf('%.15g', t) ELSE printf('%.17g', t) END)[1];
CREATE MACRO bq_timestamp_text(x) AS
    regexp_replace(strftime(x, '%Y-%m-%d %H:%M:%S.%f'), '(\.000000|000)$', '') || '+00';
CREATE MACRO bq_timestamp_iso(x) AS regexp_replace(strftime(x, '%Y-%m-%dT%H:%M:%S.%f'), '\.?0*$', '') || 'Z';
CREATE MACRO bq_json_text(x) AS coalesce(
    replace(replace(array_to_string(list_transform(regexp_extract_all(to_json(x)::VARCHAR, '\\u....|\\.|[^\\]+'),
        lambda p: if(p[1:2] = '\u', lower(p), p)), ''), chr(8232), '\u2028'), chr(8233), '\u2029'),
    'null');
CREATE MACRO bq_extract(x, pattern, part) AS list_transform([x], lambda t:
    CASE WHEN regexp_matches(t, pattern) THEN regexp_extract(t, pattern, part) END)[1];
CREATE MACRO bq_matching(x, pattern, kind, safe) AS list_transform([x], lambda t:
    CASE WHEN t IS NULL THEN NULL WHEN regexp_full_match(t, pattern) THEN t
         WHEN safe THEN NULL ELSE error('Bad ' || kind || ' value: ' || t) END)[1];
CREATE MACRO bq_shift(digits, zeros) AS
    CASE WHEN zeros >= 0 THEN digits || repeat('0', zeros)
         WHEN length(digits) + zeros < 0 THEN '0'
         ELSE (('0' || digits[:length(digits) + zeros])::BIGNUM
            + if(digits[length(digits) + zeros + 1] >= '5', '1', '0')::BIGNUM)::VARCHAR END;
CREATE MACRO bq_scaled(x, scale) AS list_transform([x], lambda t: list_transform([struct_pack(
        sign := if(ltrim(t)[1] = '-', '-', ''),
        digits := regexp_replace(regexp_replace(t, '[eE].*$', ''), '[^0-9]', '', 'g'),
        zeros := scale + coalesce(TRY_CAST(regexp_extract(t, '[eE]([+-]?[0-9]+)', 1) AS INTEGER), 0)
            - length(regexp_extract(t, '\.([0-9]*)', 1)))],
    lambda n: n.sign || bq_shift(n.digits, n.zeros))[1])[1];
CREATE MACRO bq_text_bignumeric(x, safe) AS list_transform([x], lambda t: list_transform([bq_scaled(t, 38)::BIGNUM],
    lambda v: CASE WHEN v BETWEEN '-MAX'::BIGNUM AND 'MAX'::BIGNUM THEN v WHEN safe OR t IS NULL THEN NULL
                   ELSE error('BIGNUMERIC overflow: ' || t)::BIGNUM END)[1])[1];
SET GLOBAL TimeZone = 'UTC';
";

/// The database.
pub struct Warehouse {
    root: Mutex<Connection>,
    /// Locked during each change, so that DuckDB never refuses a transaction because of a conflict.
    writer: Mutex<()>,
}

impl Warehouse {
    /// Creates a database in memory.
    pub fn open() -> duckdb::Result<Self> {
        let root = Connection::open_in_memory()?;
        root.execute_batch(&MACROS.replace("MAX", BIGNUMERIC_MAX))?;
        Ok(Self { root: Mutex::new(root), writer: Mutex::new(()) })
    }

    /// A new connection. Its reads see only whole transactions.
    pub fn connect(&self) -> duckdb::Result<Connection> {
        lock(&self.root).try_clone()
    }

    /// The lock of writers. Take it before the catalog's lock, never after.
    pub fn writer(&self) -> MutexGuard<'_, ()> {
        lock(&self.writer)
    }

    /// Runs statements in one transaction and rolls back on the first error. Returns the number of rows that the first
    /// statement changed.
    pub fn transaction(connection: &Connection, statements: &[String]) -> duckdb::Result<usize> {
        connection.execute_batch("BEGIN")?;
        let mut changed = None;
        for statement in statements {
            match connection.execute(statement, []) {
                Ok(rows) => changed = changed.or(Some(rows)),
                Err(error) => {
                    connection.execute_batch("ROLLBACK")?;
                    return Err(error);
                }
            }
        }
        connection.execute_batch("COMMIT")?;
        Ok(changed.unwrap_or(0))
    }

    /// All rows of a query. Its columns must be text.
    pub fn rows(connection: &Connection, sql: &str) -> duckdb::Result<Vec<Vec<Option<String>>>> {
        // At `prepare`, DuckDB drops a condition that is true for all rows. Without a transaction around both calls, the
        // query would also return rows that another connection adds before it runs (seen on 1.5.6).
        let transaction = connection.unchecked_transaction()?;
        let mut statement = transaction.prepare(sql)?;
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
