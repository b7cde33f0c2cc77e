//! One month in an open transaction: deleted, loaded, summed. Its commit is the swap.

use std::{collections::BTreeMap, thread};

use duckdb::{Connection, Error as DuckDbError};
use finops_core::{
    BillingPeriod,
    files::csv_header::is_gzip,
    hint,
    model::{
        groups::{BatchFigures, Groups, added},
        load_record::{EXECUTION_ID, LoadRecord},
        manifest::FileFormat,
    },
};
use jiff::Timestamp;

use super::{DIALECT, Prepared, cast::Cast, failed, footers, integrity, scales::Scales, state};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{
        Figures, LoadColumn, MonthLoad, NewRecord,
        cast_failure::{CastFailure, cast_failure},
        costs::{cost_columns, read_costs},
        sql::NO_VALUE,
    },
};

/// Characters that are shown of what DuckDB says of the data.
const LONGEST_REASON: usize = 400;

/// Begins a transaction in which the month is what its files hold. On any error it is rolled back: nothing changes.
pub fn stage(connection: &Connection, table: &Prepared, load: &MonthLoad) -> Result<Figures> {
    begin(connection, table, load)?;
    let staged = stage_in_transaction(connection, table, load);
    if staged.is_err() {
        roll_back(connection);
    }
    staged
}

fn begin(connection: &Connection, table: &Prepared, load: &MonthLoad) -> Result<()> {
    // One that a panic or a failed statement left open.
    roll_back(connection);
    connection.execute_batch("BEGIN TRANSACTION").map_err(failed(doing(table, load.billing_period)))
}

/// Ends the transaction, whatever its state is.
pub fn roll_back(connection: &Connection) {
    // There is none any more after an error that ended it.
    let _ = connection.execute_batch("ROLLBACK");
}

/// Records the month and makes it visible. On any error the transaction is rolled back.
pub fn commit(connection: &Connection, table: &Prepared, record: NewRecord, sequence: i64) -> Result<LoadRecord> {
    // The settings may spell the name otherwise.
    let table_name = table.target.name.table.clone();
    let record = LoadRecord { table_name, ..record.numbered(sequence, None, Timestamp::MIN) };
    let period = record.billing_period;
    let committed = state::record(connection, &table.target.name, &record)
        .and_then(|()| connection.execute_batch("COMMIT").map_err(failed(doing(table, period))));
    if committed.is_err() {
        roll_back(connection);
    }
    committed.map(|()| record)
}

fn doing(table: &Prepared, period: BillingPeriod) -> String {
    format!("cannot replace {period} in {}", table.path)
}

fn stage_in_transaction(connection: &Connection, table: &Prepared, load: &MonthLoad) -> Result<Figures> {
    let batches = load.batches();
    let (counted, (of_batches, sources)) = thread::scope(|scope| {
        // DuckDB reads a gzip file on one thread: meanwhile another one sees whether the files are whole.
        let counted = scope.spawn(|| {
            let counted = batches.iter().map(|batch| integrity::rows(&batch.files, batch.format));
            counted.sum::<Result<Option<u64>>>()
        });
        let written = replace(connection, table, &batches);
        let counted =
            counted.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Data, "the check of the files ended early")));
        // What is wrong with a file says more than what DuckDB makes of it.
        Ok::<_, Error>((counted?, written?))
    })?;
    let mut figures = figures(connection, table, load)?;
    // All files are in one statement, so that a file which was not read would have failed it.
    figures.files = Some(load.file_count());
    let written = of_batches.iter().filter_map(|batch| batch.written).sum();
    (figures.written, figures.counted) = (Some(written), counted);
    figures.batches = of_batches;
    if figures.rows() < written {
        figures.rows_by_month = BTreeMap::new();
        for (batch, source) in batches.iter().zip(&sources) {
            for (month, rows) in rows_by_month(connection, table, batch, source)? {
                *figures.rows_by_month.entry(month).or_default() += rows;
            }
        }
    }
    Ok(figures)
}

/// Deletes the month and loads the files; gives what was loaded of each batch, and what it was read from. Where a column
/// needs more decimals than it has, it gets them in the same transaction, and keeps its values.
fn replace(
    connection: &Connection,
    table: &Prepared,
    batches: &[MonthLoad],
) -> Result<(Vec<BatchFigures>, Vec<String>)> {
    for load in batches.iter().filter(|load| load.format == FileFormat::Parquet) {
        footers::check(connection, load, &files(load))?;
    }
    let (mut scales, mut parallel) = (Scales::of_table(connection, &table.target.name)?, true);
    loop {
        let sources: Vec<String> = batches.iter().map(|load| source(load, parallel)).collect();
        scales.widen(connection, &table.path)?;
        let Refused { at, error } = match delete_and_insert(connection, table, batches, &scales, &sources)? {
            Ok(of_batches) => return Ok((of_batches, sources)),
            Err(refused) => refused,
        };
        let (load, source, text) = (&batches[at], &sources[at], error.to_string());
        if parallel && text.contains(PARALLEL) {
            parallel = false;
        } else if text.contains(NO_VALUE) {
            // The transaction is spent; the files can be read without it.
            let reader =
                connection.try_clone().map_err(failed(format!("cannot read the files of {}", load.billing_period)))?;
            let casts = casts(load, &scales);
            match scales.needed(&reader, table, load, &casts, source)? {
                Some(wider) => scales = wider,
                None => {
                    return Err(without_value(&reader, load, &casts, source)?.unwrap_or_else(|| refused(load, &error)));
                }
            }
        } else {
            return Err(refused(load, &error));
        }
        begin(connection, table, load)?;
    }
}

fn cast(column: &LoadColumn, load: &MonthLoad, scales: &Scales) -> Cast {
    Cast::new(column, load, scales.of(&column.column.name))
}

fn casts(load: &MonthLoad, scales: &Scales) -> Vec<Cast> {
    load.columns.iter().map(|column| cast(column, load, scales)).collect()
}

/// What DuckDB says of the rows of a batch.
struct Refused {
    at: usize,
    error: DuckDbError,
}

/// Deletes the month and inserts the rows of the `sources`, one of each batch.
fn delete_and_insert(
    connection: &Connection,
    table: &Prepared,
    batches: &[MonthLoad],
    scales: &Scales,
    sources: &[String],
) -> Result<Result<Vec<BatchFigures>, Refused>> {
    let Prepared { target, path } = table;
    let Some(period) = batches.first().map(|load| load.billing_period) else { return Ok(Ok(Vec::new())) };
    let delete = format!("DELETE FROM {path} WHERE {}", DIALECT.in_period(&target.key_columns, period));
    connection.execute(&delete, []).map_err(failed(format!("cannot delete {period} from {path}")))?;
    let (mut before, mut of_batches) = (Groups::new(), Vec::with_capacity(batches.len()));
    for (at, (load, source)) in batches.iter().zip(sources).enumerate() {
        let written = match connection.execute(&insert(table, load, scales, source), []) {
            Ok(rows) => Some(rows as u64),
            Err(error) => return Ok(Err(Refused { at, error })),
        };
        let mut groups = None;
        if load.is_own {
            let after = figures(connection, table, load)?.groups;
            groups = Some(added(&before, &after));
            before = after;
        }
        of_batches.push(BatchFigures { written, groups });
    }
    Ok(Ok(of_batches))
}

/// The statement that adds a batch to the month.
fn insert(Prepared { target, path }: &Prepared, load: &MonthLoad, scales: &Scales, source: &str) -> String {
    let mut names: Vec<String> = load.columns.iter().map(|column| DIALECT.quote(&column.column.name)).collect();
    let mut values: Vec<String> = casts(load, scales).iter().map(Cast::checked).collect();
    if let Some(day) = load.filled_period(&target.key_columns) {
        if let Some(at) = load.columns.iter().position(|column| column.column.name == target.key_columns.partition) {
            values[at] = format!("COALESCE({}, {day})", values[at]);
        } else {
            names.push(DIALECT.quote(target.key_columns.partition));
            values.push(day);
        }
    }
    if target.staged {
        names.push(DIALECT.quote(EXECUTION_ID));
        values.push(DIALECT.literal(&load.execution_id));
    }
    format!("INSERT INTO {path} ({}) SELECT {} FROM {source}", names.join(", "), values.join(", "))
}

/// Rows and cost of the month as it is now in the transaction.
fn figures(connection: &Connection, Prepared { target, path }: &Prepared, load: &MonthLoad) -> Result<Figures> {
    let scales = Scales::of_table(connection, &target.name)?;
    let sql = DIALECT.cost_query(path, &target.key_columns, load, true, |amount, column| scales.sum(amount, column));
    let rows = texts(connection, &sql, cost_columns(load))
        .map_err(failed(format!("cannot sum the cost of {} in {path}", load.billing_period)))?;
    read_costs(load, &rows).map_err(|found| {
        Error::new(ErrorKind::Warehouse, format!("DuckDB sums {} in {path} to {found}", load.billing_period))
            .hint(hint::REPORT_SUM)
    })
}

/// How many rows of the files belong to which month. Only asked where some belong to another one.
fn rows_by_month(
    connection: &Connection,
    Prepared { target, .. }: &Prepared,
    load: &MonthLoad,
    source: &str,
) -> Result<BTreeMap<Option<BillingPeriod>, u64>> {
    let doing = || format!("cannot count the rows of the files of {}", load.billing_period);
    let mut months = BTreeMap::new();
    if load.fills_period {
        return Ok(months);
    }
    let Some(column) = load.columns.iter().find(|column| column.column.name == target.key_columns.partition) else {
        return Ok([(None, 1)].into());
    };
    let value = cast(column, load, &Scales::default()).checked();
    let sql = format!("SELECT strftime({value}, '%Y-%m'), CAST(count(*) AS VARCHAR) FROM {source} GROUP BY 1");
    for row in texts(connection, &sql, 2).map_err(failed(doing()))? {
        let month = row[0].as_deref().and_then(|month| month.parse().ok());
        let rows: u64 = row[1].as_deref().and_then(|rows| rows.parse().ok()).unwrap_or_default();
        *months.entry(month).or_default() += rows;
    }
    Ok(months)
}

/// The rows that a query gives, all values as text.
fn texts(connection: &Connection, sql: &str, columns: usize) -> Result<Vec<Vec<Option<String>>>, DuckDbError> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?.collect()
}

/// The files as a list.
fn files(load: &MonthLoad) -> String {
    let files: Vec<String> = load.files.iter().map(|file| DIALECT.literal(&exactly(file))).collect();
    format!("[{}]", files.join(", "))
}

/// The rows of the files. Only where CSV files are not read `parallel`, any number of empty lines may follow the rows.
fn source(load: &MonthLoad, parallel: bool) -> String {
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
         strict_mode = true, hive_partitioning = false, compression = '{compression}', parallel = {parallel}, columns = {{{}}})",
        types.join(", ")
    )
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
        return Error::new(ErrorKind::Warehouse, format!("the disk is full while loading {}", load.billing_period))
            .hint(hint::DATABASE_DISK_FULL)
            .cause(text);
    }
    if text.starts_with("Out of Memory Error") {
        return Error::new(
            ErrorKind::Warehouse,
            format!("the memory is used up while loading {}", load.billing_period),
        )
        .hint(hint::MORE_MEMORY)
        .cause(text);
    }
    let text = text.strip_prefix("Invalid Input Error: ").unwrap_or(&text);
    let file = text.lines().rev().find_map(|line| line.trim().strip_prefix("file = "));
    let what: String = reason(text).chars().take(LONGEST_REASON).collect();
    let place = file.map_or_else(|| load.one_of_files(), str::to_owned);
    Error::new(ErrorKind::Data, format!("{} cannot be loaded: {what} (in {place})", load.billing_period))
        .hint(hint::COMPARE_VALUES)
}

/// How DuckDB 1.5.6 begins to say what is wrong with a row.
const ROW_ERRORS: [&str; 5] = [
    "Expected Number of Columns",
    "Value with unterminated quote",
    "Maximum line size",
    "Invalid unicode",
    "The CSV Parser state machine",
];

/// How DuckDB 1.5.6 says that its threads do not agree on where the rows are, as where empty lines of many megabytes follow
/// them.
const PARALLEL: &str = "The Parallel CSV Reader";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_duckdb_advises_on_its_own_options_is_left_out() {
        assert_eq!(reason("Cannot read it.\nPossible fixes:\n* Set skip"), "Cannot read it.");
    }
}
