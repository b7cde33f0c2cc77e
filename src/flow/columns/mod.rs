//! The columns of the months to load, read from the first or last bytes of their files.

mod csv;
mod parquet;

use std::collections::HashMap;

use finops_core::{
    files::{
        column_values::ColumnValues,
        file_type::{FileType, TimeForm},
    },
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

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    error::{Error, ErrorKind, Result},
    storage::{REQUESTS, Store},
};

/// Enough for the header or footer of almost every file; a longer one costs more requests.
const FIRST_READ: u64 = 64 << 10;

/// Runs whose files are alike, with their columns.
#[derive(Clone, Debug)]
pub struct BatchColumns {
    /// The columns.
    pub columns: MonthColumns,
    /// The form of the files.
    pub format: FileFormat,
    /// The files tell no billing period, as far as their first rows show it: the month is that of use.
    pub fills_period: bool,
    /// Which of [`Delivery::runs`] they are.
    pub runs: Vec<usize>,
    /// The rows of each, where its files or its manifest tell.
    pub rows: Vec<Option<u64>>,
}

impl BatchColumns {
    /// Adds the run of another batch, if its files are alike.
    fn take(&mut self, other: &Self) -> bool {
        let alike = (self.format, self.fills_period) == (other.format, other.fills_period)
            && self.columns.columns.len() == other.columns.columns.len();
        let columns = self.columns.columns.iter().zip(&other.columns.columns);
        let Some(columns) = columns.map(|(a, b)| both(a, b)).collect::<Option<Vec<_>>>().filter(|_| alike) else {
            return false;
        };
        self.columns.columns = columns;
        for (name, of_other) in &other.columns.values {
            self.columns.values.entry(name.clone()).and_modify(|values| *values = values.and(*of_other));
        }
        self.columns.rows = self.columns.rows.zip(other.columns.rows).map(|(a, b)| a.saturating_add(b));
        self.runs.extend(&other.runs);
        self.rows.extend(&other.rows);
        true
    }
}

/// The column of the files of both, if they have the same.
fn both(a: &FileColumn, b: &FileColumn) -> Option<FileColumn> {
    let file_type = match (a.file_type, b.file_type) {
        (a, b) if a == b => a,
        (FileType::TimeText(a), FileType::TimeText(b)) => FileType::TimeText(TimeForm::of_both(Some(a), Some(b))?),
        (FileType::TimeText(form), FileType::Text(_)) | (FileType::Text(_), FileType::TimeText(form)) => {
            FileType::TimeText(form)
        }
        _ => return None,
    };
    (a.file_name == b.file_name).then(|| FileColumn { file_type, ..a.clone() })
}

/// The columns of the delivery's files, in batches of files that are alike; none where the files hold no rows.
///
/// # Errors
/// As [`month_columns`].
pub async fn batches(store: &Store, delivery: &Delivery) -> Result<Vec<BatchColumns>> {
    let runs = delivery.runs().into_iter().map(|(manifest, files)| Delivery {
        manifest: manifest.clone(),
        files: files.to_vec(),
        missing: Vec::new(),
        manifest_uri: delivery.manifest_uri.clone(),
        fingerprint: String::new(),
        ..*delivery
    });
    let read: Vec<Option<BatchColumns>> = stream::iter(runs.enumerate())
        .map(|(at, run)| async move { run_columns(store, &run, at).await })
        .buffered(REQUESTS)
        .try_collect()
        .await?;
    let mut batches: Vec<BatchColumns> = Vec::new();
    for run in read.into_iter().flatten() {
        if !batches.iter_mut().any(|batch| batch.take(&run)) {
            batches.push(run);
        }
    }
    Ok(batches)
}

async fn run_columns(store: &Store, run: &Delivery, at: usize) -> Result<Option<BatchColumns>> {
    let Some((columns, fills_period)) = month_columns(store, run).await? else { return Ok(None) };
    let rows = vec![columns.rows];
    Ok(Some(BatchColumns { columns, format: run.manifest.format, fills_period, runs: vec![at], rows }))
}

/// What the first or last bytes of a month's files tell.
struct FilesColumns {
    /// The columns as the files name them.
    columns: Vec<(String, FileType)>,
    /// In which form the first rows of CSV files have each column, if it were a time.
    forms: Vec<Option<TimeForm>>,
    /// The first row of CSV files.
    first_row: Vec<String>,
    /// Rows of all files, where they tell it themselves.
    rows: Option<u64>,
    /// What footers tell of the values of a column, by its name in the files.
    values: HashMap<String, ColumnValues>,
}

/// The month's columns, and whether its rows lack the billing period; `None` where its files hold no rows.
///
/// # Errors
/// `Data` naming the file whose header or footer is missing, broken, unlike that of the month's other files, or without
/// a column that the table stands on; `Schema` for the last where a query decides on the columns.
async fn month_columns(store: &Store, delivery: &Delivery) -> Result<Option<(MonthColumns, bool)>> {
    let Some(first) = delivery.files.first() else { return Ok(None) };
    let read = match delivery.manifest.format {
        FileFormat::Csv => csv::columns(store, delivery).await?,
        FileFormat::Parquet => parquet::columns(store, delivery).await?,
    };
    let counted = delivery.manifest.rows;
    let Some(FilesColumns { columns, forms, first_row, rows, values }) = read else {
        let (Some(counted), files) = (counted.filter(|counted| *counted > 0), delivery.files.len()) else {
            return Ok(None);
        };
        let (period, manifest) = (delivery.manifest.billing_period, &delivery.manifest_uri);
        let message =
            format!("the {files} files of {period} hold headers and no rows, and {manifest} counts {counted}");
        return Err(Error::new(ErrorKind::Data, message).hint(hint::MIXED_DELIVERIES));
    };
    if let (Some(rows), Some(counted)) = (rows, counted.filter(|counted| rows.is_some_and(|rows| rows != *counted))) {
        let (period, manifest) = (delivery.manifest.billing_period, &delivery.manifest_uri);
        return Err(Error::new(
            ErrorKind::Data,
            format!("the files of {period} hold {rows} rows, and {manifest} counts {counted}"),
        )
        .hint(hint::MIXED_DELIVERIES));
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
    if let Some(day) =
        day_first(&names, &first_row, kinds::columns(kind).key.partition, delivery.manifest.billing_period)
    {
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
    let billing_period = delivery.manifest.billing_period;
    Ok(Some((MonthColumns { billing_period, columns: columns.collect(), rows, values }, fills_period)))
}

/// Whether Azure's files have no billing period: older schemas lack the column, and Customer Agreements at subscription scope
/// leave it empty.
fn lacks_period(kind: ExportKind, names: &[String], is_empty: impl Fn(usize) -> bool) -> bool {
    let is_cost =
        kinds::columns(kind).key == azure::KEY_COLUMNS && names.iter().any(|name| name == azure::KEY_COLUMNS.cluster);
    let at = names.iter().position(|name| name == azure::KEY_COLUMNS.partition);
    is_cost && at.is_none_or(is_empty)
}

/// Whether a file with columns of these names gives what the table stands on. Without its cost, a month would replace a
/// good one and be worth nothing.
fn require(kind: ExportKind, names: &[String], fills_period: bool) -> Result<(), String> {
    let layout = kinds::columns(kind).key;
    let has = |needed: &str| names.iter().any(|name| name == needed);
    if !has(layout.partition) && !fills_period {
        return Err(format!("it has no column that gives `{}`, by which rows belong to a month", layout.partition));
    }
    match layout.cost(has) {
        Some(_) => Ok(()),
        None => Err(format!("it has no column that gives a cost: `{}` was expected", layout.costs.join("` or `"))),
    }
}

/// How many of the columns found an error shows.
const SHOWN: usize = 10;

/// The error for a data export whose query leaves a required column out, or gives it another name.
fn not_selected(file: &str, message: &str, found: &[String]) -> Error {
    let is_likely = |name: &&String| ["cost", "period"].iter().any(|part| name.to_ascii_lowercase().contains(part));
    let (likely, others): (Vec<_>, Vec<_>) = found.iter().partition(is_likely);
    let shown: Vec<String> = likely.into_iter().chain(others).take(SHOWN).map(|name| excerpt(name)).collect();
    let more = found.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("{file}: {message}; found {}{more}", shown.join(", "));
    Error::new(ErrorKind::Schema, message).hint(hint::SELECT_COLUMN)
}

fn not_a_report(file: &str, message: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{file}: {message}")).hint(hint::IS_EXPORT)
}
