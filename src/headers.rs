//! The columns of the months to load, read from the first bytes of their files.

use finops_core::{
    csv_header::{CsvHeader, HeaderError, is_gzip, read_header},
    delivery::Delivery,
    schema::{MonthColumns, column_names},
    text::short,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    discover::CONCURRENT_READS,
    error::{Error, Kind, Result},
    storage::Store,
    warehouse::Target,
};

/// Enough for the header of almost every report; a longer one costs more requests.
const FIRST_READ: u64 = 64 << 10;
/// BigQuery's limit of columns in a table.
const MOST_COLUMNS: usize = 10_000;
/// A header that does not end by then is none.
const LONGEST_READ: u64 = 4 << 20;

/// The month's columns; `None` where its files hold headers and nothing else.
///
/// # Errors
/// `Data` naming the file whose header is missing, broken, unlike that of the month's other files, or without the
/// column that tells a row's month.
pub async fn month_columns(store: &Store, target: &Target, delivery: &Delivery) -> Result<Option<MonthColumns>> {
    let headers: Vec<CsvHeader> = stream::iter(&delivery.files)
        .map(|file| header(store, &file.key, file.bytes))
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    let Some((first, others)) = headers.split_first() else { return Ok(None) };
    for (header, file) in others.iter().zip(&delivery.files[1..]) {
        if header.columns != first.columns {
            let (file, sibling) = (store.uri(&file.key), store.uri(&delivery.files[0].key));
            let difference = difference(&first.columns, &header.columns);
            return Err(Error::new(
                Kind::Data,
                format!("the header of {file} is unlike that of {sibling}: {difference}"),
            )
            .hint("a part of another delivery may lie among the files: fetch the month again"));
        }
    }
    if !headers.iter().any(|header| header.has_rows) {
        return Ok(None);
    }
    let of_first = |message: String| {
        Error::new(Kind::Data, format!("{}: {message}", store.uri(&delivery.files[0].key)))
            .hint("is this a Cost and Usage Report, as its provider wrote it?")
    };
    let names = column_names(&first.columns).map_err(|error| of_first(error.to_string()))?;
    // Without its cost, a month would replace a good one and be worth nothing.
    for needed in [target.layout.partition, target.layout.cost] {
        if !names.iter().any(|name| name == needed) {
            return Err(of_first(format!("its header has no column that gives `{needed}`")));
        }
    }
    if names.len() > MOST_COLUMNS {
        return Err(of_first(format!("its header has {} columns, more than {MOST_COLUMNS}", names.len())));
    }
    let types = &delivery.manifest.columns;
    let columns = names.into_iter().zip(&first.columns).map(|(name, header)| {
        let column_type = types.iter().find(|column| column.name == *header).and_then(|column| column.column_type);
        (name, column_type)
    });
    Ok(Some(MonthColumns { billing_period: delivery.manifest.billing_period, columns: columns.collect() }))
}

async fn header(store: &Store, key: &str, bytes: u64) -> Result<CsvHeader> {
    let mut length = FIRST_READ;
    loop {
        let head = store.read_head(key, length).await?;
        match read_header(&head, is_gzip(key), length >= bytes) {
            Ok(header) => return Ok(header),
            Err(HeaderError::Incomplete(_)) if length < bytes && length < LONGEST_READ => length *= 4,
            Err(error) => {
                return Err(Error::new(Kind::Data, format!("{}: {error}", store.uri(key))).hint("fetch the file again"));
            }
        }
    }
}

fn difference(expected: &[String], found: &[String]) -> String {
    match expected.iter().zip(found).position(|(a, b)| a != b) {
        Some(at) => format!("column {} is `{}`, expected `{}`", at + 1, short(&found[at]), short(&expected[at])),
        None => format!("it has {} columns, expected {}", found.len(), expected.len()),
    }
}
