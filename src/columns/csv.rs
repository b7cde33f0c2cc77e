//! CSV: every file begins with the same header.

use finops_core::{
    csv_header::{CsvHeader, HeaderError, is_gzip, read_header},
    delivery::{Delivery, StoredFile},
    schema::FileType,
    text::short,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{FIRST_READ, FilesColumns};
use crate::{
    error::{Error, Kind, Result},
    storage::{Object, Part, REQUESTS, Store},
};

/// A header that does not end by then is none.
const LONGEST_READ: u64 = 4 << 20;

/// The columns as the headers name them; `None` where there are headers and nothing else.
pub(super) async fn columns(store: &Store, delivery: &Delivery) -> Result<Option<FilesColumns>> {
    let headers: Vec<CsvHeader> =
        stream::iter(&delivery.files).map(|file| header(store, file)).buffered(REQUESTS).try_collect().await?;
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
    let types = &delivery.manifest.columns;
    let typed = |name: &String| {
        let named = types.iter().find(|column| column.name == *name).and_then(|column| column.column_type);
        (name.clone(), FileType::Text(named))
    };
    let columns = first.columns.iter().map(typed).collect();
    let first_rows = headers.into_iter().map(|header| header.first_row).collect();
    Ok(Some(FilesColumns { columns, first_rows, rows: None }))
}

async fn header(store: &Store, file: &StoredFile) -> Result<CsvHeader> {
    let (key, object) = (&file.key, Object::from(file));
    let mut length = FIRST_READ;
    loop {
        let head = store.read(&object, Part::Head(length)).await?;
        match read_header(&head, is_gzip(key), length >= file.bytes) {
            Ok(header) => return Ok(header),
            Err(HeaderError::Incomplete(_)) if length < file.bytes && length < LONGEST_READ => length *= 4,
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
