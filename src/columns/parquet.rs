//! Parquet: every file ends with a footer that names and types its columns.

use std::collections::HashMap;

use bytes::Bytes;
use finops_core::{
    delivery::{Delivery, StoredFile},
    parquet_footer::{FooterError, ParquetFooter, read_footer},
    schema::{FileType, column_names},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{FIRST_READ, not_a_report, require};
use crate::{
    discover::CONCURRENT_READS,
    error::{Error, Kind, Result},
    storage::{Part, Store},
    warehouse::Target,
};

/// The columns of all files with the number of their rows; `None` where there are none. A column that a file lacks is
/// NULL in its rows.
pub(super) async fn columns(
    store: &Store,
    target: &Target,
    delivery: &Delivery,
) -> Result<Option<(Vec<(String, FileType)>, u64)>> {
    let footers: Vec<ParquetFooter> =
        stream::iter(&delivery.files).map(|file| footer(store, file)).buffered(CONCURRENT_READS).try_collect().await?;
    let rows = footers.iter().fold(0u64, |sum, footer| sum.saturating_add(footer.rows));
    if rows == 0 {
        return Ok(None);
    }
    let mut columns: Vec<(String, FileType)> = Vec::new();
    let mut known: HashMap<String, (usize, &StoredFile)> = HashMap::new();
    for (footer, file) in footers.into_iter().zip(&delivery.files) {
        let uri = store.uri(&file.key);
        let names: Vec<String> = footer.columns.iter().map(|(name, _)| name.clone()).collect();
        let names = column_names(&names).map_err(|error| not_a_report(&uri, &error.to_string()))?;
        require(target, &names).map_err(|message| not_a_report(&uri, &message))?;
        for (name, file_type) in footer.columns {
            // Warehouses match a file's columns by name, whatever the case.
            match known.get(&name.to_lowercase()) {
                None => {
                    known.insert(name.to_lowercase(), (columns.len(), file));
                    columns.push((name, file_type));
                }
                Some((at, _)) if columns[*at] == (name.clone(), file_type) => {}
                Some((at, first)) => {
                    let ((known, known_type), first) = (&columns[*at], store.uri(&first.key));
                    let message =
                        format!("column {name} is {file_type} in {uri}, and {known} is {known_type} in {first}");
                    return Err(Error::new(Kind::Data, message)
                        .hint("a part of another delivery may lie among the files: fetch the month again"));
                }
            }
        }
    }
    Ok(Some((columns, rows)))
}

async fn footer(store: &Store, file: &StoredFile) -> Result<ParquetFooter> {
    // An empty object has no last byte, and servers differ in what they say to that.
    let tail = if file.bytes == 0 { Bytes::new() } else { store.read(&file.key, Part::Tail(FIRST_READ)).await? };
    let read = match read_footer(&tail, file.bytes) {
        Err(FooterError::Incomplete(length)) => {
            read_footer(&store.read(&file.key, Part::Tail(length)).await?, file.bytes)
        }
        read => read,
    };
    read.map_err(|error| {
        Error::new(Kind::Data, format!("{}: {error}", store.uri(&file.key))).hint("fetch the file again")
    })
}
