//! What a footer says about a column's values: modes and statistics.
//!
//! The smallest value exists if there is any value, and it is empty if any text is empty. Counts of nulls are not used for maps:
//! writers differ in whether a row without a map counts as a null key.

use std::collections::HashMap;

use parquet::{
    basic::Repetition,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
        statistics::Statistics,
    },
    schema::types::Type,
};

use crate::files::column_values::ColumnValues;

/// The values of each column, in the schema's order.
pub(super) fn of_columns(metadata: &ParquetMetaData) -> Vec<ColumnValues> {
    let mut chunks: HashMap<&str, Vec<&ColumnChunkMetaData>> = HashMap::new();
    for chunk in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let path = chunk.column_path().parts();
        // The column itself, or the key of a map.
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
        required: is_of(field, Repetition::REQUIRED),
        required_parts: parts(field).map_or([false; 2], |parts| parts.map(|part| is_of(part, Repetition::REQUIRED))),
        has_values: chunks.iter().any(|chunk| smallest(chunk).is_some()),
        is_null: chunks.iter().all(|chunk| has_no_value(chunk)),
        may_be_empty: !chunks.iter().all(|chunk| has_no_empty_text(chunk)),
    }
}

pub(super) fn is_of(field: &Type, repetition: Repetition) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == repetition
}

/// Key and value of a map.
fn parts(field: &Type) -> Option<[&Type; 2]> {
    let [entries] = (!field.is_primitive()).then(|| field.get_fields())? else { return None };
    let [key, value] = (!entries.is_primitive()).then(|| entries.get_fields())? else { return None };
    Some([key, value])
}

fn smallest(chunk: &ColumnChunkMetaData) -> Option<&[u8]> {
    chunk.statistics()?.min_bytes_opt()
}

fn has_no_empty_text(chunk: &ColumnChunkMetaData) -> bool {
    smallest(chunk).map_or_else(|| has_no_value(chunk), |smallest| !smallest.is_empty())
}

fn has_no_value(chunk: &ColumnChunkMetaData) -> bool {
    let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
    nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        data_type::{ByteArray, ByteArrayType},
        file::{
            properties::{EnabledStatistics, WriterProperties},
            writer::SerializedFileWriter,
        },
        schema::parser::parse_message_type,
    };

    use super::super::read_footer;
    use crate::files::column_values::ColumnValues;

    /// What the footer of a file with these texts in its one leaf tells of its column.
    fn values(message: &str, texts: &[&str], levels: &[i16], statistics: EnabledStatistics) -> ColumnValues {
        let schema = Arc::new(parse_message_type(message).unwrap());
        let properties = WriterProperties::builder().set_statistics_enabled(statistics).build();
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            let texts: Vec<ByteArray> = texts.iter().map(|text| (*text).into()).collect();
            let repetition = vec![0; levels.len()];
            column.typed::<ByteArrayType>().write_batch(&texts, Some(levels), Some(&repetition)).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        read_footer(&bytes, bytes.len() as u64).unwrap().values[0]
    }

    #[test]
    fn a_text_may_be_empty_unless_statistics_exclude_it() {
        use EnabledStatistics::{Chunk, None};

        let of = |texts: &[&str], levels: &[i16], statistics| {
            let values = values("message m { OPTIONAL BYTE_ARRAY a (STRING); }", texts, levels, statistics);
            (values.has_values, values.may_be_empty)
        };
        assert_eq!(of(&["b", "a"], &[1, 1], Chunk), (true, false));
        assert_eq!(of(&["b", ""], &[1, 1], Chunk), (true, true));
        assert_eq!(of(&[], &[0, 0], Chunk), (false, false), "all are NULL");
        assert_eq!(of(&["b"], &[1, 0], None), (false, true), "nothing is known");
    }

    #[test]
    fn a_map_has_values_if_a_key_is_shown_and_its_key_and_value_have_their_own_modes() {
        let message = "message m { OPTIONAL GROUP tags (MAP) { REPEATED GROUP key_value {
            REQUIRED BYTE_ARRAY key (STRING); REQUIRED BYTE_ARRAY value (STRING); } } }";
        // A row without a map, one without an entry, and one with one.
        let some = values(message, &["a"], &[0, 1, 2], EnabledStatistics::Chunk);
        assert_eq!((some.required, some.required_parts, some.has_values), (false, [true, true], true));
        assert!(!values(message, &[], &[0, 1], EnabledStatistics::Chunk).has_values);
    }

    #[test]
    fn a_column_of_several_files_is_required_if_it_is_in_all() {
        let file = |required, has_values, may_be_empty| ColumnValues {
            required,
            required_parts: [required, true],
            has_values,
            is_null: false,
            may_be_empty,
        };
        let both = file(true, true, false).and(file(false, false, true));
        assert_eq!(both, ColumnValues { required_parts: [false, true], ..file(false, true, true) });
        assert!(file(true, false, false).and(file(true, false, false)).required);
    }
}
