//! What a footer tells of a column's values: modes, and what follows from statistics.
//!
//! Of statistics only the smallest value is used: it is there where some value is, and no text is smaller than the empty
//! one. Counts of nulls do not help with maps: writers differ in whether a row without a map has a null key.

use std::collections::HashMap;

use parquet::{
    basic::Repetition,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
    schema::types::Type,
};

use crate::schema::ColumnValues;

/// Of each column, in the schema's order.
pub(super) fn of_columns(metadata: &ParquetMetaData) -> Vec<ColumnValues> {
    let mut chunks: HashMap<&str, Vec<&ColumnChunkMetaData>> = HashMap::new();
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let path = chunk.column_path().parts();
        // A column itself, or the first leaf of a group, which of a map is the key.
        if let Some(name) = path.first()
            && (path.len() == 1 || path.last().is_some_and(|leaf| leaf == "key"))
        {
            chunks.entry(name.as_str()).or_default().push(chunk);
        }
    }
    let fields = metadata.file_metadata().schema_descr().root_schema().get_fields();
    fields.iter().map(|field| of_column(field, chunks.get(field.name()).map_or(&[], Vec::as_slice))).collect()
}

fn of_column(field: &Type, chunks: &[&ColumnChunkMetaData]) -> ColumnValues {
    ColumnValues {
        required: is_required(field),
        required_parts: parts(field).map_or([false; 2], |[key, value]| [is_required(key), is_required(value)]),
        has_values: chunks.iter().any(|chunk| smallest(chunk).is_some()),
        may_be_empty: !chunks.iter().all(|chunk| has_no_empty_text(chunk)),
    }
}

fn is_required(field: &Type) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == Repetition::REQUIRED
}

/// Key and value of a map.
fn parts(field: &Type) -> Option<[&Type; 2]> {
    let [entries] = (!field.is_primitive()).then(|| field.get_fields())? else { return None };
    let [key, value] = (!entries.is_primitive()).then(|| entries.get_fields())? else { return None };
    Some([key, value])
}

fn smallest<'a>(chunk: &'a ColumnChunkMetaData) -> Option<&'a [u8]> {
    chunk.statistics()?.min_bytes_opt()
}

fn has_no_empty_text(chunk: &ColumnChunkMetaData) -> bool {
    match smallest(chunk) {
        Some(smallest) => !smallest.is_empty(),
        None => {
            let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
            nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values()))
        }
    }
}
