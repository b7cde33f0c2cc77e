//! Parquet files. All columns are optional; the compression is Snappy.

use std::{fs::File, io, sync::Arc};

use jiff::{civil::DateTime, tz::TimeZone};
use parquet::{
    basic::Compression,
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
    },
    errors::Result,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{parser::parse_message_type, types::TypePtr},
};

use crate::{
    amount::{Amount, SCALE},
    column::{Column, Values},
    line::Line,
};

/// Line items in memory at a time.
const GROUP: usize = 20_000;

/// The Parquet form of a dialect.
#[derive(Clone, Copy)]
pub(crate) struct ParquetForm {
    /// Amounts as DECIMAL(38,18), not as DOUBLE.
    pub decimals: bool,
    /// Timestamps, and days at midnight, in microseconds, not in milliseconds.
    pub micros: bool,
    /// Column names as in the table, not as in CSV.
    pub table_names: bool,
}

/// Writes the line items.
pub(crate) fn write(
    file: File,
    form: ParquetForm,
    columns: &[Column],
    mut lines: impl Iterator<Item = Line>,
) -> io::Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, schema(form, columns)?, Arc::new(properties))?;
    loop {
        let group: Vec<Line> = lines.by_ref().take(GROUP).collect();
        if group.is_empty() {
            writer.close()?;
            return Ok(());
        }
        let mut row_group = writer.next_row_group()?;
        for column in columns {
            write_column(&mut row_group, form, column.values, &group)?;
        }
        row_group.close()?;
    }
}

fn schema(form: ParquetForm, columns: &[Column]) -> Result<TypePtr> {
    let fields: String = columns.iter().map(|column| field(form, column)).collect();
    parse_message_type(&format!("message bill {{ {fields} }}")).map(Arc::new)
}

fn field(form: ParquetForm, column: &Column) -> String {
    let name = if form.table_names { column.name } else { column.header };
    let map = |value: &str| {
        format!(
            "OPTIONAL GROUP {name} (MAP) {{ REPEATED GROUP key_value {{ \
             REQUIRED BYTE_ARRAY key (STRING); OPTIONAL {value}; }} }} "
        )
    };
    let unit = if form.micros { "MICROS" } else { "MILLIS" };
    match column.values {
        Values::Text(_) => format!("OPTIONAL BYTE_ARRAY {name} (STRING); "),
        Values::Amount(_) if form.decimals => {
            format!("OPTIONAL FIXED_LEN_BYTE_ARRAY(16) {name} (DECIMAL(38,{SCALE})); ")
        }
        Values::Amount(_) => format!("OPTIONAL DOUBLE {name}; "),
        Values::Moment(_) | Values::Day(_) => format!("OPTIONAL INT64 {name} (TIMESTAMP({unit},true)); "),
        Values::Flag(_) => format!("OPTIONAL BOOLEAN {name}; "),
        Values::TextMap(_) => map("BYTE_ARRAY value (STRING)"),
        Values::AmountMap(_) => map("DOUBLE value"),
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, File>;

fn write_column(group: &mut Group<'_>, form: ParquetForm, values: Values, lines: &[Line]) -> Result<()> {
    match values {
        Values::Text(get) => {
            let texts = lines.iter().map(|line| Some(get(line)).filter(|text| !text.is_empty()));
            write_optional::<ByteArrayType>(group, texts.map(|text| text.map(|text| bytes(&text))))
        }
        Values::Amount(get) if form.decimals => {
            let decimals = lines.iter().map(|line| Some(decimal(get(line))));
            write_optional::<FixedLenByteArrayType>(group, decimals)
        }
        Values::Amount(get) => {
            write_optional::<DoubleType>(group, lines.iter().map(|line| Some(get(line).to_double())))
        }
        Values::Moment(get) => {
            write_optional::<Int64Type>(group, lines.iter().map(|line| Some(ticks(form, get(line)))))
        }
        Values::Day(get) => {
            let midnights = lines.iter().map(|line| Some(ticks(form, get(line).at(0, 0, 0, 0))));
            write_optional::<Int64Type>(group, midnights)
        }
        Values::Flag(get) => write_optional::<BoolType>(group, lines.iter().map(|line| Some(get(line)))),
        Values::TextMap(get) => {
            let maps: Vec<_> = lines.iter().map(get).collect();
            write_maps::<ByteArrayType, _>(group, &maps, |text| bytes(text))
        }
        Values::AmountMap(get) => {
            let maps: Vec<_> = lines.iter().map(get).collect();
            write_maps::<DoubleType, _>(group, &maps, |amount| amount.to_double())
        }
    }
}

fn write_optional<T: DataType>(group: &mut Group<'_>, values: impl Iterator<Item = Option<T::T>>) -> Result<()> {
    let mut levels = Vec::new();
    let present: Vec<T::T> = values.inspect(|value| levels.push(i16::from(value.is_some()))).flatten().collect();
    write_leaf::<T>(group, &present, &levels, None)
}

/// Writes a map as two columns, keys and values. The levels mark the start of each map, and empty maps.
fn write_maps<T: DataType, V>(
    group: &mut Group<'_>,
    maps: &[Vec<(&'static str, V)>],
    value: impl Fn(&V) -> T::T,
) -> Result<()> {
    const EMPTY: i16 = 1;
    let mut repetitions = Vec::new();
    let mut definitions = [Vec::new(), Vec::new()];
    for map in maps {
        for at in 0..map.len().max(1) {
            repetitions.push(i16::from(at > 0));
            definitions[0].push(if map.is_empty() { EMPTY } else { 2 });
            definitions[1].push(if map.is_empty() { EMPTY } else { 3 });
        }
    }
    let keys: Vec<ByteArray> = maps.iter().flatten().map(|(key, _)| bytes(key)).collect();
    let values: Vec<T::T> = maps.iter().flatten().map(|(_, v)| value(v)).collect();
    write_leaf::<ByteArrayType>(group, &keys, &definitions[0], Some(&repetitions))?;
    write_leaf::<T>(group, &values, &definitions[1], Some(&repetitions))
}

fn write_leaf<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    definitions: &[i16],
    repetitions: Option<&[i16]>,
) -> Result<()> {
    let mut column = group.next_column()?.expect("the schema has this leaf");
    column.typed::<T>().write_batch(values, Some(definitions), repetitions)?;
    column.close()
}

fn bytes(text: &str) -> ByteArray {
    text.as_bytes().to_vec().into()
}

fn decimal(amount: Amount) -> FixedLenByteArray {
    ByteArray::from(amount.to_be_bytes().to_vec()).into()
}

fn ticks(form: ParquetForm, moment: DateTime) -> i64 {
    let instant = moment.to_zoned(TimeZone::UTC).expect("billing timestamps are within range").timestamp();
    if form.micros { instant.as_microsecond() } else { instant.as_millisecond() }
}
