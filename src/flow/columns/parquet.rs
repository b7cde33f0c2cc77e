//! Parquet: every file ends with a footer that names and types its columns.

use std::collections::{HashMap, HashSet};

use finops_core::{
    files::{
        file_type::FileType,
        parquet_footer::{FooterError, ParquetFooter, read_footer},
    },
    hint,
    model::{
        delivery::{Delivery, StoredFile},
        text::excerpt,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use super::files_columns::{FIRST_READ, FilesColumns, not_a_report};
use crate::{
    error::{Error, ErrorKind, Result},
    storage::{Object, REQUESTS, ReadRange, Store},
};

/// The columns; `None` if there are no rows. All files must have the same columns, in any order.
pub(super) async fn columns(store: &Store, delivery: &Delivery) -> Result<Option<FilesColumns>> {
    let footers: Vec<ParquetFooter> =
        stream::iter(&delivery.files).map(|file| footer(store, file)).buffered(REQUESTS).try_collect().await?;
    let rows = footers.iter().fold(0u64, |sum, footer| sum.saturating_add(footer.rows));
    if rows == 0 {
        return Ok(None);
    }
    let mut footers = footers.into_iter().zip(&delivery.files);
    let Some((first, first_file)) = footers.next() else { return Ok(None) };
    check_case(&first).map_err(|message| not_a_report(&store.uri(&first_file.key), &message))?;
    let known: HashMap<&str, FileType> = first.columns.iter().map(|(name, t)| (name.as_str(), *t)).collect();
    let of_footer = |footer: &ParquetFooter| {
        let names = footer.columns.iter().map(|(name, _)| name.clone());
        names.zip(footer.values.iter().copied()).collect::<HashMap<_, _>>()
    };
    let mut values = of_footer(&first);
    for (footer, file) in footers {
        if let Some(difference) = difference(&known, &footer.columns) {
            let (file, sibling) = (store.uri(&file.key), store.uri(&first_file.key));
            let message = format!("the columns of {file} differ from those of {sibling}: {difference}");
            return Err(Error::new(ErrorKind::Data, message).hint(hint::MIXED_DELIVERIES));
        }
        for (name, of_file) in of_footer(&footer) {
            values.entry(name).and_modify(|of_all| *of_all = of_all.and(of_file));
        }
    }
    let (forms, first_row) = (Vec::new(), Vec::new());
    Ok(Some(FilesColumns { columns: first.columns, forms, first_row, rows: Some(rows), values }))
}

/// Refuses names that differ in case only: to warehouses they are the same column.
fn check_case(footer: &ParquetFooter) -> Result<(), String> {
    let mut known: HashMap<String, &str> = HashMap::new();
    for (name, _) in &footer.columns {
        if let Some(other) = known.insert(name.to_lowercase(), name) {
            return Err(format!("its columns `{}` and `{}` have one name", excerpt(other), excerpt(name)));
        }
    }
    Ok(())
}

fn difference(known: &HashMap<&str, FileType>, columns: &[(String, FileType)]) -> Option<String> {
    for (name, file_type) in columns {
        match known.get(name.as_str()) {
            Some(known) if known.is_like(*file_type) => {}
            Some(known) => return Some(format!("column `{}` is {file_type}, expected {known}", excerpt(name))),
            None => return Some(format!("it has a column `{}`", excerpt(name))),
        }
    }
    let names: HashSet<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let missing = known.keys().filter(|name| !names.contains(**name)).min()?;
    Some(format!("it lacks the column `{}`", excerpt(missing)))
}

async fn footer(store: &Store, file: &StoredFile) -> Result<ParquetFooter> {
    let object = Object::from(file);
    let tail = store.read(&object, ReadRange::Last(FIRST_READ)).await?;
    let read = match read_footer(&tail, file.bytes) {
        Err(FooterError::Incomplete(length)) => {
            read_footer(&store.read(&object, ReadRange::Last(length)).await?, file.bytes)
        }
        read => read,
    };
    read.map_err(|error| {
        Error::new(ErrorKind::Data, format!("{}: {error}", store.uri(&file.key))).hint(hint::FETCH_AGAIN)
    })
}
