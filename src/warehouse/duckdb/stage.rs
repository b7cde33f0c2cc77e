//! One month in an open transaction: deleted, loaded, summed. Its commit is the swap.

use std::{collections::BTreeMap, thread};

use duckdb::{Connection, Error as DuckDbError};
use finops_core::{
    BillingPeriod, hint,
    model::{
        groups::{BatchFigures, Groups, added},
        load_record::{EXECUTION_ID, LoadRecord},
        manifest::FileFormat,
    },
};
use jiff::Timestamp;

use super::{
    cast::Cast,
    catalog::rows,
    failure::{NO_VALUE, PARALLEL_READER, failed},
    footers, integrity,
    prepare::Prepared,
    refused::{refused, without_value},
    scales::Scales,
    source::source,
    state,
    transaction::{begin, roll_back},
    types::SCALE,
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{
        Batch, Figures, MonthLoad, NewRecord,
        costs::{cost_columns, read_costs},
        sql::Dialect::DuckDb as DIALECT,
    },
};

/// Begins a transaction in which the month has the rows of its files. After an error it is rolled back: nothing changes.
pub fn stage(connection: &Connection, table: &Prepared, load: &MonthLoad) -> Result<Figures> {
    begin(connection).map_err(failed(doing(table, load.billing_period)))?;
    let staged = stage_in_transaction(connection, table, load);
    if staged.is_err() {
        roll_back(connection);
    }
    staged
}

/// Records the month and commits. After an error the transaction is rolled back.
pub fn commit(connection: &Connection, table: &Prepared, record: NewRecord, sequence: i64) -> Result<LoadRecord> {
    // In the catalog's spelling.
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
    let (counted, (of_batches, sources)) = thread::scope(|scope| {
        // DuckDB reads a gzip file on one thread. Another thread checks meanwhile that the files are complete.
        let counted = scope.spawn(|| {
            let counted = load.batches.iter().map(|batch| integrity::rows(&batch.files, batch.format));
            counted.sum::<Result<Option<u64>>>()
        });
        let written = replace(connection, table, load);
        let counted =
            counted.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Data, "the check of the files ended early")));
        // A damaged file explains more than DuckDB's error about it.
        Ok::<_, Error>((counted?, written?))
    })?;
    let mut figures = figures(connection, table, load)?;
    // All files are in one statement, which would have failed for a file that was not read.
    figures.files = Some(load.file_count());
    let written = of_batches.iter().filter_map(|batch| batch.written).sum();
    (figures.written, figures.counted) = (Some(written), counted);
    figures.batches = of_batches;
    if figures.rows() < written {
        figures.rows_by_month = BTreeMap::new();
        for (batch, source) in load.batches.iter().zip(&sources) {
            for (month, rows) in rows_by_month(connection, table, load, batch, source)? {
                *figures.rows_by_month.entry(month).or_default() += rows;
            }
        }
    }
    Ok(figures)
}

/// Deletes the month and loads the files. Returns the figures of each batch, and its source as SQL. A column that needs more
/// decimals gets them in the same transaction, and keeps its values.
fn replace(connection: &Connection, table: &Prepared, load: &MonthLoad) -> Result<(Vec<BatchFigures>, Vec<String>)> {
    let (period, batches) = (load.billing_period, &load.batches);
    for batch in batches.iter().filter(|batch| batch.format == FileFormat::Parquet) {
        footers::check(connection, period, batch)?;
    }
    let (mut scales, mut parallel) = (Scales::of_table(connection, &table.target.name)?, true);
    loop {
        let sources: Vec<String> = batches.iter().map(|batch| source(batch, parallel)).collect();
        scales.widen(connection, &table.path)?;
        let Refused { at, error } = match delete_and_insert(connection, table, load, &scales, &sources)? {
            Ok(of_batches) => return Ok((of_batches, sources)),
            Err(refused) => refused,
        };
        let (batch, source, text) = (&batches[at], &sources[at], error.to_string());
        if parallel && PARALLEL_READER.is_in(&text) {
            parallel = false;
        } else if NO_VALUE.is_in(&text) {
            // The transaction has failed. The files can be read without it.
            let reader = connection.try_clone().map_err(failed(format!("cannot read the files of {period}")))?;
            let casts = casts(load, batch, &scales);
            let Some(wider) = scales.needed(&reader, table, period, batch, &casts, source)? else {
                let found = without_value(&reader, load, batch, &casts, source)?;
                return Err(found.unwrap_or_else(|| refused(period, batch, &error)));
            };
            scales = wider;
        } else {
            return Err(refused(period, batch, &error));
        }
        begin(connection).map_err(failed(doing(table, period)))?;
    }
}

fn casts(load: &MonthLoad, batch: &Batch, scales: &Scales) -> Vec<Cast> {
    batch.columns.iter().map(|column| Cast::new(column, load, scales.of(&column.column.name))).collect()
}

/// A batch that DuckDB refused.
struct Refused {
    at: usize,
    error: DuckDbError,
}

/// Deletes the month and inserts the rows of the `sources`, one for each batch.
fn delete_and_insert(
    connection: &Connection,
    table: &Prepared,
    load: &MonthLoad,
    scales: &Scales,
    sources: &[String],
) -> Result<Result<Vec<BatchFigures>, Refused>> {
    let Prepared { target, path } = table;
    let period = load.billing_period;
    let delete = format!("DELETE FROM {path} WHERE {}", DIALECT.in_period(&target.key_columns, period));
    connection.execute(&delete, []).map_err(failed(format!("cannot delete {period} from {path}")))?;
    let (mut before, mut of_batches) = (Groups::new(), Vec::with_capacity(sources.len()));
    for (at, (batch, source)) in load.batches.iter().zip(sources).enumerate() {
        let written = match connection.execute(&insert(table, load, batch, scales, source), []) {
            Ok(rows) => Some(rows as u64),
            Err(error) => return Ok(Err(Refused { at, error })),
        };
        let mut groups = None;
        if batch.is_own {
            let after = figures(connection, table, load)?.groups;
            groups = Some(added(&before, &after));
            before = after;
        }
        of_batches.push(BatchFigures { written, groups });
    }
    Ok(Ok(of_batches))
}

/// The statement that adds a batch to the month.
fn insert(
    Prepared { target, path }: &Prepared,
    load: &MonthLoad,
    batch: &Batch,
    scales: &Scales,
    source: &str,
) -> String {
    let mut names: Vec<String> = batch.columns.iter().map(|column| DIALECT.quote(&column.column.name)).collect();
    let mut values: Vec<String> = casts(load, batch, scales).iter().map(Cast::checked).collect();
    if let Some(day) = batch.filled_period(&target.key_columns, load.billing_period) {
        if let Some(at) = batch.columns.iter().position(|column| column.column.name == target.key_columns.partition) {
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

/// Rows and cost of the month in the transaction.
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

/// The files' rows by month. Only needed where some belong to another month.
fn rows_by_month(
    connection: &Connection,
    Prepared { target, .. }: &Prepared,
    load: &MonthLoad,
    batch: &Batch,
    source: &str,
) -> Result<BTreeMap<Option<BillingPeriod>, u64>> {
    let doing = || format!("cannot count the rows of the files of {}", load.billing_period);
    let mut months = BTreeMap::new();
    if batch.fills_period {
        return Ok(months);
    }
    let Some(column) = batch.columns.iter().find(|column| column.column.name == target.key_columns.partition) else {
        return Ok([(None, 1)].into());
    };
    let value = Cast::new(column, load, SCALE).checked();
    let sql = format!("SELECT strftime({value}, '%Y-%m'), CAST(count(*) AS VARCHAR) FROM {source} GROUP BY 1");
    for row in texts(connection, &sql, 2).map_err(failed(doing()))? {
        let month = row[0].as_deref().and_then(|month| month.parse().ok());
        let rows: u64 = row[1].as_deref().and_then(|rows| rows.parse().ok()).unwrap_or_default();
        *months.entry(month).or_default() += rows;
    }
    Ok(months)
}

/// The rows of a query, all values as text.
fn texts(connection: &Connection, sql: &str, columns: usize) -> Result<Vec<Vec<Option<String>>>, DuckDbError> {
    rows(connection, sql, [], |row| (0..columns).map(|at| row.get(at)).collect())
}
