//! CSV: every file begins with the same header.

use std::collections::HashMap;

use finops_core::{
    files::{
        csv_header::{CsvHeader, HeaderError, is_gzip, read_header},
        file_type::{FileType, TimeForm},
    },
    hint,
    model::{
        column_type::ColumnType,
        delivery::{Delivery, StoredFile},
        text::excerpt,
    },
};
use futures::{StreamExt, stream};

use super::files_columns::{FIRST_READ, FilesColumns};
use crate::{
    error::{Error, ErrorKind, Result},
    storage::{Object, REQUESTS, ReadRange, Store},
};

/// A header that does not end by then is none.
const LONGEST_READ: u64 = 4 << 20;

/// The columns as the headers name them; `None` where there are headers and nothing else.
pub(super) async fn columns(store: &Store, delivery: &Delivery) -> Result<Option<FilesColumns>> {
    let mut headers = stream::iter(&delivery.files)
        .map(|file| header(store, file))
        .buffered(REQUESTS)
        .zip(stream::iter(&delivery.files));
    let (mut columns, mut forms, mut has_rows): (Option<Vec<String>>, Vec<_>, _) = (None, Vec::new(), false);
    let mut first_row = Vec::new();
    while let Some((header, file)) = headers.next().await {
        let header = header?;
        let expected = columns.get_or_insert_with(|| header.columns.clone());
        if header.columns != *expected {
            let (file, sibling) = (store.uri(&file.key), store.uri(&delivery.files[0].key));
            let difference = difference(expected, &header.columns);
            return Err(Error::new(
                ErrorKind::Data,
                format!("the header of {file} is unlike that of {sibling}: {difference}"),
            )
            .hint(hint::MIXED_DELIVERIES));
        }
        has_rows |= header.has_rows;
        // The values of all files would fill the memory where many have long ones.
        if first_row.is_empty() {
            first_row.clone_from(&header.first_row);
        }
        forms.resize(columns.as_ref().map_or(0, Vec::len), None);
        for (form, value) in forms.iter_mut().zip(&header.first_row) {
            *form = TimeForm::of_both(*form, TimeForm::of(value));
        }
    }
    let Some(columns) = columns.filter(|_| has_rows) else { return Ok(None) };
    // The first of a name counts.
    let types: HashMap<&str, Option<ColumnType>> =
        delivery.manifest.columns.iter().rev().map(|column| (column.name.as_str(), column.column_type)).collect();
    let typed = |name: String| {
        let named = types.get(name.as_str()).copied().flatten();
        (name, FileType::Text(named))
    };
    let columns = columns.into_iter().map(typed).collect();
    Ok(Some(FilesColumns { columns, forms, first_row, rows: None, values: HashMap::new() }))
}

async fn header(store: &Store, file: &StoredFile) -> Result<CsvHeader> {
    let (key, object) = (&file.key, Object::from(file));
    let mut length = FIRST_READ;
    loop {
        let head = store.read(&object, ReadRange::First(length)).await?;
        let read = read_header(&head, is_gzip(key), length >= file.bytes);
        let is_cut = match &read {
            Ok(header) => header.row_is_cut,
            Err(error) => matches!(error, HeaderError::Incomplete(_)),
        };
        match read {
            _ if is_cut && length < file.bytes && length < LONGEST_READ => length *= 4,
            Ok(header) => return Ok(header),
            Err(error) => {
                return Err(Error::new(ErrorKind::Data, format!("{}: {error}", store.uri(key))).hint(hint::FETCH_AGAIN));
            }
        }
    }
}

fn difference(expected: &[String], found: &[String]) -> String {
    match expected.iter().zip(found).position(|(a, b)| a != b) {
        Some(at) => format!("column {} is `{}`, expected `{}`", at + 1, excerpt(&found[at]), excerpt(&expected[at])),
        None => format!("it has {} columns, expected {}", found.len(), expected.len()),
    }
}
