//! The columns of the months to load, read from the first or last bytes of their files.

mod csv;
mod parquet;

use std::collections::HashMap;

use finops_core::{
    delivery::Delivery,
    export::ExportKind,
    manifest::FileFormat,
    schema::{ColumnType, ColumnValues, FileColumn, FileType, MOST_COLUMNS, MonthColumns, TimeForm, known_type},
};

use crate::{
    error::{Error, Kind, Result},
    storage::Store,
};

/// Enough for the header or footer of almost every file; a longer one costs more requests.
const FIRST_READ: u64 = 64 << 10;

/// What the first or last bytes of a month's files tell.
struct FilesColumns {
    /// The columns as the files name them.
    columns: Vec<(String, FileType)>,
    /// In which form the first rows of CSV files have each column, if it were a time.
    forms: Vec<Option<TimeForm>>,
    /// Rows of all files, where they tell it themselves.
    rows: Option<u64>,
    /// What footers tell of the values of a column, by its name in the files.
    values: HashMap<String, ColumnValues>,
}

/// The month's columns; `None` where its files hold no rows.
///
/// # Errors
/// `Data` naming the file whose header or footer is missing, broken, unlike that of the month's other files, or without
/// a column that the table stands on.
pub async fn month_columns(store: &Store, delivery: &Delivery) -> Result<Option<MonthColumns>> {
    let Some(first) = delivery.files.first() else { return Ok(None) };
    let read = match delivery.manifest.format {
        FileFormat::Csv => csv::columns(store, delivery).await?,
        FileFormat::Parquet => parquet::columns(store, delivery).await?,
    };
    let Some(FilesColumns { columns, forms, rows, values }) = read else { return Ok(None) };
    let counted = delivery.manifest.rows;
    if let (Some(rows), Some(counted)) = (rows, counted.filter(|counted| rows.is_some_and(|rows| rows != *counted))) {
        let (period, manifest) = (delivery.manifest.billing_period, &delivery.manifest_uri);
        return Err(Error::new(
            Kind::Data,
            format!("the files of {period} hold {rows} rows, and {manifest} counts {counted}"),
        )
        .hint("a part of another delivery may lie among the files: fetch the month again"));
    }
    let rows = rows.or(counted);
    let of_first = |message: String| not_a_report(&store.uri(&first.key), &message);
    let (file_names, types): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let kind = delivery.manifest.kind;
    let names = kind.column_names(&file_names).map_err(|error| of_first(error.to_string()))?;
    require(kind, &names).map_err(of_first)?;
    if names.len() > MOST_COLUMNS {
        return Err(of_first(format!("it has {} columns, more than {MOST_COLUMNS}", names.len())));
    }
    let columns = names.into_iter().zip(file_names).zip(types).enumerate();
    let columns = columns.map(|(at, ((name, file_name), file_type))| {
        let is_time = matches!(known_type(&name), Some(ColumnType::Date | ColumnType::Timestamp));
        let form = forms.get(at).copied().flatten().filter(|_| is_time);
        FileColumn { name, file_name, file_type: form.map_or(file_type, FileType::TimeText) }
    });
    let billing_period = delivery.manifest.billing_period;
    Ok(Some(MonthColumns { billing_period, columns: columns.collect(), rows, values }))
}

/// Whether a file with columns of these names gives what the table stands on. Without its cost, a month would replace a
/// good one and be worth nothing.
fn require(kind: ExportKind, names: &[String]) -> Result<(), String> {
    let layout = kind.layout();
    let has = |needed: &str| names.iter().any(|name| name == needed);
    if !has(layout.partition) {
        return Err(format!("it has no column that gives `{}`, by which rows belong to a month", layout.partition));
    }
    match layout.cost(has) {
        Some(_) => Ok(()),
        None => Err(format!("it has no column that gives a cost: `{}` was expected", layout.costs.join("` or `"))),
    }
}

fn not_a_report(file: &str, message: &str) -> Error {
    Error::new(Kind::Data, format!("{file}: {message}")).hint("is this a billing export, as its provider wrote it?")
}
