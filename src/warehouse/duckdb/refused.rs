//! Why DuckDB refused a month's files.

use duckdb::Connection;
use finops_core::{BillingPeriod, hint};

use super::{
    cast::Cast,
    failure::{DISK_FULL, OUT_OF_MEMORY, failed},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Batch, LoadColumn, MonthLoad, cast_failure::cast_failure},
};

/// How many characters of DuckDB's message are shown.
const LONGEST_REASON: usize = 400;

/// The error that names the columns with values which cannot be converted, with their number and one of them.
pub fn without_value(
    reader: &Connection,
    load: &MonthLoad,
    batch: &Batch,
    casts: &[Cast],
    source: &str,
) -> Result<Option<Error>> {
    let refused = |(column, cast): (&LoadColumn, &Cast)| {
        let (refused, expected) = cast.refused()?;
        let counted = format!("CAST(count({refused}) AS VARCHAR), min({refused})");
        Some(((column.column.name.clone(), expected), counted))
    };
    let (columns, counts): (Vec<_>, Vec<_>) = batch.columns.iter().zip(casts).filter_map(refused).unzip();
    let sql = format!("SELECT {} FROM {source}", counts.join(", "));
    let read = |row: &duckdb::Row<'_>| (0..2 * columns.len()).map(|at| row.get(at)).collect();
    let found: Vec<Option<String>> = reader
        .query_row(&sql, [], read)
        .map_err(failed(format!("cannot read the files of {}", load.billing_period)))?;
    Ok(cast_failure(load, batch, columns, &found))
}

/// The error for files that DuckDB refused.
pub fn refused(period: BillingPeriod, batch: &Batch, error: &duckdb::Error) -> Error {
    let text = error.to_string();
    let failed = |what: &str| Error::new(ErrorKind::Warehouse, format!("{what} while loading {period}"));
    if DISK_FULL.is_in(&text) {
        return failed("the disk is full").hint(hint::DATABASE_DISK_FULL).cause(text);
    }
    if text.starts_with(OUT_OF_MEMORY) {
        return failed("the memory is used up").hint(hint::MORE_MEMORY).cause(text);
    }
    let text = text.strip_prefix("Invalid Input Error: ").unwrap_or(&text);
    let file = text.lines().rev().find_map(|line| line.trim().strip_prefix("file = "));
    let what: String = reason(text).chars().take(LONGEST_REASON).collect();
    let place = file.map_or_else(|| batch.one_of_files(), str::to_owned);
    Error::new(ErrorKind::Data, format!("{period} cannot be loaded: {what} (in {place})")).hint(hint::COMPARE_VALUES)
}

/// How DuckDB 1.5.6's errors about a row begin.
const ROW_ERRORS: [&str; 5] = [
    "Expected Number of Columns",
    "Value with unterminated quote",
    "Maximum line size",
    "Invalid unicode",
    "The CSV Parser state machine",
];

/// The reason on one line: without the row, which can have megabytes and must not be in logs, and without advice on options
/// that nobody can set here.
fn reason(text: &str) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((line, rest)) = text.split_once("\nOriginal Line:") else {
        let end = text.find("\nPossible").or_else(|| text.find("\n\n")).unwrap_or(text.len());
        return one_line(&text[..end]);
    };
    // The row has its own line breaks: only the last line is DuckDB's.
    let error = rest.lines().rfind(|line| ROW_ERRORS.iter().any(|start| line.starts_with(start)));
    one_line(&format!("{line} {}", error.unwrap_or("is not CSV")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_on_duckdbs_options_is_left_out() {
        assert_eq!(reason("Cannot read it.\nPossible fixes:\n* Set skip"), "Cannot read it.");
    }
}
