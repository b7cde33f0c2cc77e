//! The error for values that the table's types cannot store.

use finops_core::{files::file_type::FileType, formats::dictionary::known_type, hint, model::text::excerpt};

use super::{Batch, LoadColumn, MonthLoad};
use crate::error::{Error, ErrorKind};

/// How many columns a message names.
const SHOWN: usize = 3;

/// A column whose values may not be convertible, and what they must be.
pub(super) type Fallible = (String, &'static str);

/// Values of a column that the table's type cannot store.
struct CastFailure {
    column: String,
    count: u64,
    example: String,
    expected: &'static str,
}

impl CastFailure {
    fn line(&self) -> String {
        let Self { column, count, example, expected } = self;
        let values = if *count == 1 { "1 value is".to_owned() } else { format!("{count} values are") };
        format!("column {column}: {values} not {expected}, such as `{}`", excerpt(example))
    }
}

/// The error for values that cannot be converted, if there are any. For each of the `columns`, `found` has their number and one
/// of them.
pub(super) fn cast_failure(
    load: &MonthLoad,
    batch: &Batch,
    columns: Vec<Fallible>,
    found: &[Option<String>],
) -> Option<Error> {
    let failed = found.chunks_exact(2).zip(columns).filter_map(|(found, (column, expected))| {
        let (count, example) = (found[0].as_deref()?.parse().ok()?, found[1].clone()?);
        (count > 0).then_some(CastFailure { column, count, example, expected })
    });
    let failed: Vec<CastFailure> = failed.collect();
    if failed.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = failed.iter().take(SHOWN).map(CastFailure::line).collect();
    if failed.len() > SHOWN {
        lines.push(format!("and {} more columns", failed.len() - SHOWN));
    }
    let message =
        format!("{} cannot be loaded: {} (in {})", load.billing_period, lines.join("; "), batch.one_of_files());
    let column = |name: &str| batch.columns.iter().find(|column| column.column.name == name);
    // A new table has the type of a well-known column, or the one that the files ask for.
    let would_change = |failure: &CastFailure| {
        column(&failure.column).is_some_and(|LoadColumn { column, file_type, .. }| {
            let asked = known_type(&column.name).or(file_type.preferred_type());
            asked.is_some_and(|asked| asked != column.column_type)
        })
    };
    let is_text = |name: &str| {
        column(name).is_some_and(|column| {
            matches!(column.file_type, FileType::Text(_) | FileType::TimeText(_) | FileType::String)
        })
    };
    // An amount or a date has digits.
    let means_none =
        |failure: &CastFailure| is_text(&failure.column) && !failure.example.contains(|c: char| c.is_ascii_digit());
    let error = Error::new(ErrorKind::Data, message);
    Some(if failed.iter().any(means_none) && load.no_value.texts.is_empty() {
        error.hint(hint::name_no_value(&load.no_value.setting))
    } else if failed.iter().any(would_change) {
        error.hint(hint::COMPARE_OR_ANOTHER_TABLE)
    } else {
        error.hint(hint::COMPARE_VALUES)
    })
}
