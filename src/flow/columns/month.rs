//! The columns of a month's files.

use finops_core::{
    files::file_type::FileType,
    formats::{azure, dictionary::known_type, kinds},
    hint,
    model::{
        column_type::{ColumnType, MOST_COLUMNS},
        delivery::Delivery,
        kind::ExportKind,
        manifest::FileFormat,
        text::excerpt,
    },
    schema::{FileColumn, MonthColumns, day_first},
};

use super::{
    csv,
    files_columns::{FilesColumns, not_a_report},
    parquet,
};
use crate::{
    error::{Error, ErrorKind, Result},
    storage::Store,
};

/// The month's columns, and whether its rows lack the billing period; `None` if its files have no rows.
///
/// # Errors
/// `Data` with the name of a file whose header or footer is missing, broken, different from that of the other files, or
/// without a required column; `Schema` for the last, if a query of the export chooses the columns.
pub async fn month_columns(store: &Store, delivery: &Delivery) -> Result<Option<(MonthColumns, bool)>> {
    let Some(first) = delivery.files.first() else { return Ok(None) };
    let read = match delivery.manifest.format {
        FileFormat::Csv => csv::columns(store, delivery).await?,
        FileFormat::Parquet => parquet::columns(store, delivery).await?,
    };
    let (period, manifest, counted) =
        (delivery.manifest.billing_period, &delivery.manifest_uri, delivery.manifest.rows);
    let mixed = |found: String, counted: u64| {
        let message = format!("{found}, and {manifest} counts {counted}");
        Error::new(ErrorKind::Data, message).hint(hint::MIXED_DELIVERIES)
    };
    let Some(FilesColumns { columns, forms, first_row, rows, values }) = read else {
        let (Some(counted), files) = (counted.filter(|counted| *counted > 0), delivery.files.len()) else {
            return Ok(None);
        };
        return Err(mixed(format!("the {files} files of {period} have headers and no rows"), counted));
    };
    if let (Some(rows), Some(counted)) = (rows, counted.filter(|counted| rows.is_some_and(|rows| rows != *counted))) {
        return Err(mixed(format!("the files of {period} have {rows} rows"), counted));
    }
    let rows = rows.or(counted);
    let of_first = |message: String| not_a_report(&store.uri(&first.key), &message);
    let (file_names, types): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let kind = delivery.manifest.kind;
    let names = (kinds::columns(kind).names)(&file_names).map_err(|error| of_first(error.to_string()))?;
    let of_footer =
        |at: usize| file_names.get(at).and_then(|name| values.get(name)).is_some_and(|values| values.is_null);
    let fills_period = lacks_period(kind, &names, |at| match delivery.manifest.format {
        FileFormat::Csv => forms.get(at).is_some_and(Option::is_none),
        FileFormat::Parquet => of_footer(at),
    });
    require(kind, &names, fills_period).map_err(|message| match kind {
        ExportKind::Cur2 | ExportKind::Focus => not_selected(&store.uri(&first.key), &message, &names),
        _ => of_first(message),
    })?;
    if let Some(day) = day_first(&names, &first_row, kinds::columns(kind).key.partition, period) {
        let message = format!("{}: {day}", store.uri(&first.key));
        return Err(Error::new(ErrorKind::Data, message).hint(hint::DAY_FIRST));
    }
    if names.len() > MOST_COLUMNS {
        return Err(of_first(format!("it has {} columns, more than {MOST_COLUMNS}", names.len())));
    }
    let columns = names.into_iter().zip(file_names).zip(types).enumerate();
    let columns = columns.map(|(at, ((name, file_name), file_type))| {
        let is_time = matches!(known_type(&name), Some(ColumnType::Date | ColumnType::Timestamp));
        let form = forms.get(at).copied().flatten().filter(|_| is_time);
        FileColumn { name, file_name, file_type: form.map_or(file_type, FileType::TimeText) }
    });
    Ok(Some((MonthColumns { billing_period: period, columns: columns.collect(), rows, values }, fills_period)))
}

/// Whether Azure's files have no billing period: older schemas lack the column, and in Customer Agreements at subscription
/// scope it is empty.
fn lacks_period(kind: ExportKind, names: &[String], is_empty: impl Fn(usize) -> bool) -> bool {
    let is_cost =
        kinds::columns(kind).key == azure::KEY_COLUMNS && names.iter().any(|name| name == azure::KEY_COLUMNS.cluster);
    let at = names.iter().position(|name| name == azure::KEY_COLUMNS.partition);
    is_cost && at.is_none_or(is_empty)
}

/// Refuses a file without a required column. A month without costs must not replace a loaded one.
fn require(kind: ExportKind, names: &[String], fills_period: bool) -> Result<(), String> {
    let key = kinds::columns(kind).key;
    let has = |needed: &str| names.iter().any(|name| name == needed);
    if !has(key.partition) && !fills_period {
        return Err(format!("it has no column that gives `{}`, by which rows belong to a month", key.partition));
    }
    match key.cost(has) {
        Some(_) => Ok(()),
        None => Err(format!("it has no column that gives a cost: `{}` was expected", key.costs.join("` or `"))),
    }
}

/// How many of the columns found an error shows.
const SHOWN: usize = 10;

/// The error for a data export whose query lacks a required column, or renames it.
fn not_selected(file: &str, message: &str, found: &[String]) -> Error {
    let is_likely = |name: &&String| ["cost", "period"].iter().any(|part| name.to_ascii_lowercase().contains(part));
    let (likely, others): (Vec<_>, Vec<_>) = found.iter().partition(is_likely);
    let shown: Vec<String> = likely.into_iter().chain(others).take(SHOWN).map(|name| excerpt(name)).collect();
    let more = found.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("{file}: {message}; found {}{more}", shown.join(", "));
    Error::new(ErrorKind::Schema, message).hint(hint::SELECT_COLUMN)
}
