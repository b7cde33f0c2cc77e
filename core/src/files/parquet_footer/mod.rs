//! The footer of a Parquet file, read from its last bytes: columns, types and rows.

mod bounds;
mod values;

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType},
    errors::ParquetError,
    file::metadata::{
        FooterTail, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    },
    schema::types::Type,
};

use crate::files::{
    column_values::ColumnValues,
    file_type::{FileType, MapForm},
};

/// Length and magic at the end of every file.
const TAIL: usize = 8;
/// The limit of a footer. A report of some 300 columns has a footer of some hundred kilobytes.
const LONGEST: usize = 8 << 20;

/// The content of a file's footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetFooter {
    /// Names and types of the columns, in the file's order.
    pub columns: Vec<(String, FileType)>,
    /// What the footer says about their values, in the same order.
    pub values: Vec<ColumnValues>,
    /// Rows of the file.
    pub rows: u64,
}

/// Why the footer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    /// This number of bytes from the file's end is needed.
    #[error("its footer has {0} bytes")]
    Incomplete(u64),
    /// Not a Parquet file, or one that finops cannot read.
    #[error("{0}")]
    Broken(String),
}

/// Reads the footer from `tail`, the last bytes of a file of `bytes` bytes.
///
/// # Errors
/// [`FooterError::Incomplete`] if a longer `tail` is needed. Other errors are final.
pub fn read_footer(tail: &[u8], bytes: u64) -> Result<ParquetFooter, FooterError> {
    let broken = |what: &str| FooterError::Broken(what.to_owned());
    let (rest, end) = tail.split_last_chunk::<TAIL>().ok_or_else(|| broken("it is too short for a Parquet file"))?;
    let end = FooterTail::try_new(end).map_err(|_| broken("it does not end as a Parquet file does"))?;
    if end.is_encrypted_footer() {
        return Err(broken("its footer is encrypted, which finops cannot read"));
    }
    let length = end.metadata_length();
    if length > LONGEST || (length + TAIL) as u64 > bytes {
        return Err(FooterError::Broken(format!("it claims a footer of {length} bytes, which cannot be")));
    }
    let start = rest.len().checked_sub(length).ok_or(FooterError::Incomplete((length + TAIL) as u64))?;
    match bounds::within_bounds(&rest[start..]) {
        Some(true) => {}
        Some(false) => return Err(broken("its footer has far more columns, or groups in groups, than any report")),
        None => return Err(broken("its footer is damaged: its schema is not where the format has it")),
    }
    let footer = &rest[start..];
    // Invalid statistics, which other readers ignore, are no reason to refuse the file.
    let metadata = decoded(footer, &ParquetStatisticsPolicy::KeepAll)
        .or_else(|_| decoded(footer, &ParquetStatisticsPolicy::SkipAll))
        .map_err(|error| FooterError::Broken(format!("its footer is damaged: {error}")))?;
    let file = metadata.file_metadata();
    let rows = u64::try_from(file.num_rows()).map_err(|_| broken("its footer has a negative number of rows"))?;
    let fields = file.schema_descr().root_schema().get_fields();
    let columns = fields.iter().map(|f| (f.name().to_owned(), file_type(f))).collect();
    Ok(ParquetFooter { columns, values: values::of_columns(&metadata), rows })
}

fn decoded(footer: &[u8], statistics: &ParquetStatisticsPolicy) -> Result<ParquetMetaData, ParquetError> {
    let mut options = ParquetMetaDataOptions::new();
    options.set_column_stats_policy(statistics.clone());
    options.set_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))
}

fn file_type(field: &Type) -> FileType {
    let info = field.get_basic_info();
    if values::is_of(field, Repetition::REPEATED) {
        return FileType::Other;
    }
    if !field.is_primitive() {
        return map(field).map_or(FileType::Other, FileType::Map);
    }
    // Older writers wrote a converted type only.
    if let Some(logical) = info.logical_type_ref() {
        return of_logical(logical);
    }
    if info.converted_type() == ConvertedType::DECIMAL {
        return decimal(field.get_precision(), field.get_scale());
    }
    of_converted(info.converted_type(), field.get_physical_type())
}

/// The group as a map of texts to texts or to numbers, if it is one: a repeated group of a key and a value, with any names.
fn map(group: &Type) -> Option<MapForm> {
    let info = group.get_basic_info();
    let converted = matches!(info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    if !converted && !matches!(info.logical_type_ref(), Some(LogicalType::Map)) {
        return None;
    }
    let [entries] = group.get_fields() else { return None };
    if entries.is_primitive() || !values::is_of(entries, Repetition::REPEATED) {
        return None;
    }
    let [key, value] = entries.get_fields() else { return None };
    let texts = key.is_primitive() && value.is_primitive() && file_type(key) == FileType::String;
    let numbers = match file_type(value) {
        FileType::Double => true,
        FileType::String => false,
        _ => return None,
    };
    let by_the_book = [entries.name(), key.name(), value.name()] == ["key_value", "key", "value"];
    texts.then_some(MapForm { numbers, by_the_book })
}

fn of_logical(logical: &LogicalType) -> FileType {
    match logical {
        LogicalType::String | LogicalType::Enum | LogicalType::Json => FileType::String,
        LogicalType::Decimal(digits) => decimal(digits.precision, digits.scale),
        LogicalType::Date => FileType::Date,
        LogicalType::Timestamp(timestamp) if timestamp.unit == TimeUnit::NANOS => FileType::Nanos,
        LogicalType::Timestamp(timestamp) if timestamp.is_adjusted_to_u_t_c => FileType::Timestamp,
        LogicalType::Timestamp(_) => FileType::LocalTimestamp,
        LogicalType::Integer(int) if int.is_signed || int.bit_width < 64 => FileType::Int64,
        _ => FileType::Other,
    }
}

fn decimal(precision: i32, scale: i32) -> FileType {
    if scale <= 18 && precision - scale <= 20 { FileType::Decimal } else { FileType::LongDecimal }
}

fn of_converted(converted: ConvertedType, physical: PhysicalType) -> FileType {
    match converted {
        ConvertedType::NONE => plain(physical),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => FileType::String,
        ConvertedType::DATE => FileType::Date,
        ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => FileType::Timestamp,
        ConvertedType::INT_8
        | ConvertedType::INT_16
        | ConvertedType::INT_32
        | ConvertedType::INT_64
        | ConvertedType::UINT_8
        | ConvertedType::UINT_16
        | ConvertedType::UINT_32 => FileType::Int64,
        _ => FileType::Other,
    }
}

fn plain(physical: PhysicalType) -> FileType {
    match physical {
        PhysicalType::BOOLEAN => FileType::Boolean,
        PhysicalType::INT32 | PhysicalType::INT64 => FileType::Int64,
        // Writers used it for timestamps only.
        PhysicalType::INT96 => FileType::Timestamp,
        PhysicalType::DOUBLE => FileType::Double,
        // BigQuery converts FLOAT to a double with digits that were not delivered.
        PhysicalType::FLOAT | PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => FileType::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        data_type::DoubleType,
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };

    use super::*;

    /// A file with the columns of `message`, the first of which is a DOUBLE, and `rows` rows if it is the only one.
    fn file(message: &str, rows: &[f64]) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(message).unwrap());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::default())).unwrap();
        if !rows.is_empty() {
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(rows, None, None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
        bytes
    }

    #[test]
    fn types_are_those_that_the_writer_meant() {
        use FileType::{
            Boolean, Date, Decimal, Double, Int64, LocalTimestamp, LongDecimal, Map, Nanos, Other, String, Timestamp,
        };

        let map = |numbers, by_the_book| Map(MapForm { numbers, by_the_book });

        let message = "message m {
            OPTIONAL DOUBLE cost; OPTIONAL FLOAT f; OPTIONAL BYTE_ARRAY text (STRING); OPTIONAL BYTE_ARRAY old (UTF8);
            OPTIONAL BYTE_ARRAY bytes; OPTIONAL INT64 n; OPTIONAL INT64 huge (INTEGER(64, false));
            OPTIONAL INT64 millis (TIMESTAMP(MILLIS, true)); OPTIONAL INT64 old_micros (TIMESTAMP_MICROS); OPTIONAL INT64 local (TIMESTAMP(MICROS, false));
            OPTIONAL INT64 nanos (TIMESTAMP(NANOS, true)); OPTIONAL INT96 spark; OPTIONAL INT32 day (DATE); OPTIONAL BOOLEAN yes;
            REQUIRED FIXED_LEN_BYTE_ARRAY(16) exact (DECIMAL(38,18)); OPTIONAL INT32 cents (DECIMAL(9,2));
            OPTIONAL FIXED_LEN_BYTE_ARRAY(16) fine (DECIMAL(38,19)); OPTIONAL FIXED_LEN_BYTE_ARRAY(16) wide (DECIMAL(38,17));
            REPEATED INT32 list;
            OPTIONAL GROUP keys (MAP) { REPEATED GROUP key_value { REQUIRED BYTE_ARRAY key (STRING); } }
            OPTIONAL GROUP tags (MAP) { REPEATED GROUP key_value {
                REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY value (STRING); } }
            REQUIRED GROUP discount (MAP) { REPEATED GROUP map (MAP_KEY_VALUE) {
                REQUIRED BYTE_ARRAY key (UTF8); OPTIONAL DOUBLE value; } }
            OPTIONAL GROUP rates (MAP) { REPEATED GROUP key_value {
                REQUIRED BYTE_ARRAY key (STRING); OPTIONAL DOUBLE value; } }
            OPTIONAL GROUP counts (MAP) { REPEATED GROUP key_value {
                REQUIRED BYTE_ARRAY key (STRING); OPTIONAL INT64 value; } }
            OPTIONAL GROUP numbers (MAP) { REPEATED GROUP key_value {
                REQUIRED INT64 key; OPTIONAL BYTE_ARRAY value (STRING); } }
            OPTIONAL GROUP nested (MAP) { REPEATED GROUP key_value { REQUIRED BYTE_ARRAY key (STRING);
                OPTIONAL GROUP value (MAP) { REPEATED GROUP key_value {
                    REQUIRED BYTE_ARRAY key (STRING); OPTIONAL DOUBLE value; } } } }
            OPTIONAL GROUP struct { REPEATED GROUP key_value {
                REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY value (STRING); } }
            REPEATED GROUP maps (MAP) { REPEATED GROUP key_value {
                REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY value (STRING); } } }";
        let bytes = file(message, &[]);
        let footer = read_footer(&bytes, bytes.len() as u64).unwrap();
        let expected = [
            ("cost", Double),
            ("f", Other),
            ("text", String),
            ("old", String),
            ("bytes", Other),
            ("n", Int64),
            ("huge", Other),
            ("millis", Timestamp),
            ("old_micros", Timestamp),
            ("local", LocalTimestamp),
            ("nanos", Nanos),
            ("spark", Timestamp),
            ("day", Date),
            ("yes", Boolean),
            ("exact", Decimal),
            ("cents", Decimal),
            ("fine", LongDecimal),
            ("wide", LongDecimal),
            ("list", Other),
            ("keys", Other),
            ("tags", map(false, true)),
            ("discount", map(true, false)),
            ("rates", map(true, true)),
            ("counts", Other),
            ("numbers", Other),
            ("nested", Other),
            ("struct", Other),
            ("maps", Other),
        ];
        assert_eq!(footer.columns, expected.map(|(name, file_type)| (name.to_owned(), file_type)));
        assert_eq!(footer.rows, 0);
    }

    #[test]
    fn rows_are_counted_and_a_short_tail_asks_for_what_it_lacks() {
        let bytes = file("message m { REQUIRED DOUBLE cost; }", &[0.1, 0.2, 0.3]);
        let length = bytes.len() as u64;
        assert_eq!(read_footer(&bytes, length).unwrap().rows, 3);
        let Err(FooterError::Incomplete(needed)) = read_footer(&bytes[bytes.len() - TAIL..], length) else { panic!() };
        let tail = &bytes[bytes.len() - usize::try_from(needed).unwrap()..];
        assert_eq!(read_footer(tail, length).unwrap().rows, 3);
    }

    #[test]
    fn groups_in_groups_and_columns_beyond_measure_are_refused_before_they_are_read() {
        let broken = |message: &str| {
            let bytes = file(message, &[]);
            read_footer(&bytes, bytes.len() as u64)
        };
        let nested = |depth: usize| {
            let (open, close) = ("OPTIONAL GROUP g { ".repeat(depth), "} ".repeat(depth));
            format!("message m {{ REQUIRED DOUBLE cost; {open} OPTIONAL INT32 n; {close} }}")
        };
        assert_eq!(broken(&nested(20)).unwrap().columns.len(), 2);
        assert!(matches!(broken(&nested(40)), Err(FooterError::Broken(m)) if m.contains("groups in groups")));
        let wide = |columns: usize| {
            let columns: String = (0..columns).fold(String::new(), |all, n| all + &format!("OPTIONAL INT32 c{n}; "));
            format!("message m {{ {columns} }}")
        };
        assert_eq!(broken(&wide(5_000)).unwrap().columns.len(), 5_000);
        assert!(matches!(broken(&wide(20_001)), Err(FooterError::Broken(m)) if m.contains("more columns")));
    }

    #[test]
    fn a_schema_that_is_not_written_as_the_format_says_is_not_for_the_library() {
        // Version 1; a list of two elements, of which the first has the second as its child.
        let good = [0x15, 0x02, 0x19, 0x2c, 0x55, 0x02, 0x00, 0x00];
        assert_eq!(bounds::within_bounds(&good), Some(true));
        // A set; numbers of children of 64, 16 and 8 bits.
        for (at, byte) in [(2, 0x1a), (4, 0x56), (4, 0x54), (4, 0x53)] {
            let mut odd = good;
            odd[at] = byte;
            assert_eq!(bounds::within_bounds(&odd), None, "{odd:x?}");
        }
        // Field 65538, which 16 bits make field 2, in full and step by step.
        let in_full = [&good[..2], &[0x09, 0x84, 0x80, 0x08], &good[3..]].concat();
        let steps: Vec<u8> = [0xf1].repeat(65_525 / 15);
        let in_steps = [&good[..2], &steps, &[0xc9][..], &good[3..]].concat();
        for odd in [in_full, in_steps] {
            assert_eq!(bounds::within_bounds(&odd), None);
        }
    }

    #[test]
    fn what_is_no_parquet_file_says_so() {
        let bytes = file("message m { REQUIRED DOUBLE cost; }", &[0.1]);
        let length = bytes.len() as u64;
        let broken = |bytes: &[u8]| match read_footer(bytes, length) {
            Err(FooterError::Broken(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(broken(b"PAR1").contains("too short"));
        assert!(broken(&bytes[..bytes.len() - 1]).contains("does not end as"));
        let mut encrypted = bytes.clone();
        *encrypted.last_mut().unwrap() = b'E';
        assert!(broken(&encrypted).contains("encrypted"));
        let mut long = bytes.clone();
        let at = long.len() - TAIL;
        long[at + 2] = 0xff;
        assert!(broken(&long).contains("which cannot be"));
        let mut damaged = bytes.clone();
        let at = damaged.len() - TAIL - 20;
        damaged[at - 30..at].fill(0xff);
        assert!(broken(&damaged).contains("damaged"));
    }
}
