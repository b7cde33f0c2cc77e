//! One month, replaced in one transaction: deleted, loaded, checked, recorded.

use std::thread;

use duckdb::{Connection, Transaction};
use finops_core::{Costs, csv_header::is_gzip, manifest::FileFormat, report::Check, state::EXECUTION_ID, text::short};

use super::{DIALECT, cast::Cast, decimals, failed, integrity, path, state};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{
        CastFailure, Load, LoadColumn, MonthLoad, Replaced, Target,
        another_month::another_month,
        cast_failure,
        sql::{NO_VALUE, bounds},
    },
};

/// What a statement says that met a row of another month; what the row has in its place follows, if anything.
const ANOTHER_MONTH: &str = "a row belongs to another month: ";
/// Characters that are shown of what DuckDB says of the data.
const LONGEST_REASON: usize = 400;

/// See [`crate::warehouse::Warehouse::replace_month`]. On any error the transaction is rolled back: nothing changes.
pub fn replace_month(connection: &mut Connection, target: &Target, load: &MonthLoad) -> Result<Replaced> {
    let table = path(connection, target, &target.table)?;
    let sequence = load.next_sequence()?;
    let doing = || format!("cannot replace {} in {table}", load.billing_period);
    let transaction = connection.transaction().map_err(failed(doing()))?;
    let inserted = thread::scope(|scope| {
        // DuckDB reads a gzip file on one thread: meanwhile another one sees whether the files are whole.
        let counted = scope.spawn(|| integrity::rows(&load.files, load.format));
        let inserted = swap(&transaction, target, load, &table);
        let counted =
            counted.join().unwrap_or_else(|_| Err(Error::new(Kind::Data, "the check of the files ended early")));
        let (counted, inserted) = (counted?, inserted?);
        let held = counted.unwrap_or(inserted);
        // Files without rows are not loaded, so that nothing was read of these.
        if held != inserted || inserted == 0 {
            let (period, files) = (load.billing_period, load.one_of_files());
            let message = format!("{period} cannot be loaded: DuckDB reads {inserted} of {held} rows (in {files})");
            return Err(Error::new(Kind::Data, message).hint(
                "nothing was changed; a row of many megabytes may be among them: compare the files with the provider's",
            ));
        }
        Ok(inserted)
    })?;
    let (rows, cost) = total(&transaction, target, load, &table)?;
    if rows != inserted {
        let period = load.billing_period;
        return Err(unverified(format!("{period} in {table} holds {rows} rows after {inserted} were loaded")));
    }
    if let Some(expected) = load.rows.filter(|expected| *expected != rows) {
        let period = load.billing_period;
        return Err(unverified(format!(
            "the files of {period} hold {expected} rows as they or their manifest tell, and {rows} were loaded"
        )));
    }
    let record = load.record(target, sequence, rows, cost);
    state::record(&transaction, target, &record)?;
    transaction.commit().map_err(failed(doing()))?;
    // All files are in one statement, so a file that was not read would have failed it.
    Ok(Replaced::Done(Box::new(Load { record, verified: vec![Check::Files, Check::Rows], bytes_billed: 0 })))
}

fn unverified(message: String) -> Error {
    Error::new(Kind::Verification, message).hint("nothing was changed; run again, and report it if it stays")
}

/// Deletes the month and loads the files; gives the number of rows loaded.
fn swap(transaction: &Transaction<'_>, target: &Target, load: &MonthLoad, table: &str) -> Result<u64> {
    let period = load.billing_period;
    if load.format == FileFormat::Parquet {
        decimals::check(transaction, load, &files(load))?;
    }
    let delete = format!("DELETE FROM {table} WHERE {}", DIALECT.in_period(&target.layout, period));
    transaction.execute(&delete, []).map_err(failed(format!("cannot delete {period} from {table}")))?;
    let casts: Vec<Cast> = load.columns.iter().map(Cast::new).collect();
    let mut names: Vec<String> = load.columns.iter().map(|column| DIALECT.quote(&column.column.name)).collect();
    let mut values: Vec<String> =
        load.columns.iter().zip(&casts).map(|(column, cast)| value(&column.column.name, cast, target, load)).collect();
    if target.staged {
        names.push(DIALECT.quote(EXECUTION_ID));
        values.push(DIALECT.literal(&load.execution_id));
    }
    let source = source(load);
    let insert = format!("INSERT INTO {table} ({}) SELECT {} FROM {source}", names.join(", "), values.join(", "));
    match transaction.execute(&insert, []) {
        Ok(rows) => Ok(rows as u64),
        Err(error) if error.to_string().contains(NO_VALUE) => {
            // The transaction is spent; the files can be read without it.
            let reader = transaction.try_clone().map_err(failed(format!("cannot read the files of {period}")))?;
            Err(without_value(&reader, load, &casts, &source)?.unwrap_or_else(|| refused(load, &error)))
        }
        Err(error) => Err(stray(&error, target).map_or_else(|| refused(load, &error), |row| another_month(load, &row))),
    }
}

/// The files as a list.
fn files(load: &MonthLoad) -> String {
    let files: Vec<String> = load.files.iter().map(|file| DIALECT.literal(&exactly(file))).collect();
    format!("[{}]", files.join(", "))
}

/// The rows of the files.
fn source(load: &MonthLoad) -> String {
    let files = files(load);
    // Left to itself, DuckDB takes what follows a `?` in a path for a URL's query, and misses the ending; and it takes a
    // folder's name such as `a=b` for the value of column `a` in all rows (both seen on 1.5.6).
    if load.format == FileFormat::Parquet {
        return format!("read_parquet({files}, union_by_name = true, hive_partitioning = false)");
    }
    let types: Vec<String> =
        load.columns.iter().map(|column| format!("{}: 'VARCHAR'", DIALECT.literal(&column.column.name))).collect();
    let compression = if load.files.iter().all(|file| is_gzip(file)) { "gzip" } else { "auto" };
    format!(
        "read_csv({files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', \
         strict_mode = true, hive_partitioning = false, compression = '{compression}', columns = {{{}}})",
        types.join(", ")
    )
}

fn value(name: &str, cast: &Cast, target: &Target, load: &MonthLoad) -> String {
    let value = cast.checked();
    if name != target.layout.partition {
        return value;
    }
    // BigQuery refuses a row of another month by itself; here it would land outside of what was deleted.
    let (first, end) = bounds(&target.layout, load.billing_period);
    format!(
        "CASE WHEN {value} >= {first} AND {value} < {end} THEN {value} ELSE \
         error('{ANOTHER_MONTH}' || COALESCE(CAST({} AS VARCHAR), '')) END",
        cast.text
    )
}

/// What is known of the row that ended the statement, if it was one of another month.
fn stray(error: &duckdb::Error, target: &Target) -> Option<String> {
    let column = target.layout.partition;
    let text = error.to_string();
    let found = text.strip_prefix("Invalid Input Error: ")?.strip_prefix(ANOTHER_MONTH)?.trim();
    Some(match found {
        "" => format!("a row belongs to no month: {column} is empty"),
        value => format!("a row belongs to another month: {column} is `{}`", short(value)),
    })
}

/// The columns with values that the table's types do not have, each with their number and one of them.
fn without_value(reader: &Connection, load: &MonthLoad, casts: &[Cast], source: &str) -> Result<Option<Error>> {
    let refused = |(column, cast): (&LoadColumn, &Cast)| {
        let (refused, expected) = cast.refused()?;
        Some((column.column.name.clone(), refused, expected))
    };
    let checks: Vec<_> = load.columns.iter().zip(casts).filter_map(refused).collect();
    let counts = checks.iter().map(|(_, refused, _)| format!("CAST(count({refused}) AS VARCHAR), min({refused})"));
    let sql = format!("SELECT {} FROM {source}", counts.collect::<Vec<_>>().join(", "));
    let read = |row: &duckdb::Row<'_>| (0..2 * checks.len()).map(|at| row.get(at)).collect();
    let found: Vec<Option<String>> = reader
        .query_row(&sql, [], read)
        .map_err(failed(format!("cannot read the files of {}", load.billing_period)))?;
    let lines = found.chunks_exact(2).zip(checks).filter_map(|(found, (name, _, expected))| {
        let (count, example) = (found[0].as_deref()?.parse::<u64>().ok()?, found[1].as_deref()?);
        Some(CastFailure { column: name, count, example: example.to_owned(), expected })
    });
    Ok(cast_failure(load, &lines.collect::<Vec<_>>()))
}

/// A path that DuckDB takes to the letter, not as a glob pattern. In a pattern a backslash ends a folder's name (seen on
/// 1.5.6), so it is written as a set that excludes all other ASCII.
fn exactly(path: &str) -> String {
    path.chars().fold(String::new(), |mut exact, c| {
        match c {
            '*' | '?' | '[' => exact.extend(['[', c, ']']),
            '\\' => exact.push_str("[!]-\u{7f}\u{1}-[]"),
            _ => exact.push(c),
        }
        exact
    })
}

/// What DuckDB says of the data.
fn refused(load: &MonthLoad, error: &duckdb::Error) -> Error {
    let text = error.to_string();
    if text.contains("No space left on device") {
        return Error::new(Kind::Warehouse, format!("the disk is full while loading {}", load.billing_period))
            .hint("make room on the disk that holds the database; what was loaded is still there")
            .cause(text);
    }
    if text.starts_with("Out of Memory Error") {
        return Error::new(Kind::Warehouse, format!("the memory is used up while loading {}", load.billing_period))
            .hint("nothing was changed; run it where there is more: rows of thousands of columns need gigabytes")
            .cause(text);
    }
    let text = text.strip_prefix("Invalid Input Error: ").unwrap_or(&text);
    let file = text.lines().rev().find_map(|line| line.trim().strip_prefix("file = "));
    let what: String = reason(text).chars().take(LONGEST_REASON).collect();
    let place = file.map_or_else(|| load.one_of_files(), str::to_owned);
    Error::new(Kind::Data, format!("{} cannot be loaded: {what} (in {place})", load.billing_period))
        .hint("nothing was changed; compare the file with the provider's, or report the value")
}

/// How DuckDB 1.5.6 begins to say what is wrong with a row.
const ROW_ERRORS: [&str; 5] = [
    "Expected Number of Columns",
    "Value with unterminated quote",
    "Maximum line size",
    "Invalid unicode",
    "The CSV Parser state machine",
];

/// What is wrong, on one line: without the row, which can have megabytes and is nothing for logs, and without advice on
/// options that are not ours to change.
fn reason(text: &str) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((line, rest)) = text.split_once("\nOriginal Line:") else {
        let end = text.find("\nPossible").or_else(|| text.find("\n\n")).unwrap_or(text.len());
        return one_line(&text[..end]);
    };
    // The row's line breaks stand as they are: only what comes last is DuckDB's own.
    let error = rest.lines().rfind(|line| ROW_ERRORS.iter().any(|start| line.starts_with(start)));
    one_line(&format!("{line} {}", error.unwrap_or("is not CSV")))
}

/// Rows of the month now, and their cost.
fn total(transaction: &Transaction<'_>, target: &Target, load: &MonthLoad, table: &str) -> Result<(u64, Costs)> {
    let sql = DIALECT.cost_query(table, &target.layout, load);
    let read = || -> duckdb::Result<Vec<(String, String, u64)>> {
        let mut statement = transaction.prepare(&sql)?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    let lines = read().map_err(failed(format!("cannot sum the cost of {} in {table}", load.billing_period)))?;
    let rows = lines.iter().map(|line| line.2).sum();
    let costs = lines.into_iter().map(|(currency, cost, _)| {
        let amount = cost.parse().map_err(|error| Error::new(Kind::Warehouse, "DuckDB gave a sum").cause(error))?;
        Ok((currency, amount))
    });
    Ok((rows, costs.collect::<Result<_>>()?))
}
