//! CSV files.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use csv::Terminator;
use flate2::{Compression, write::GzEncoder};

use crate::{
    column::{Column, Values},
    line::Line,
};

/// The CSV form of a dialect. Formats are those of strftime.
#[derive(Clone, Copy)]
pub(crate) struct CsvForm {
    pub gzip: bool,
    pub byte_order_mark: bool,
    pub line_end: Terminator,
    pub day: &'static str,
    pub moment: &'static str,
}

/// Writes the line items below a header.
pub(crate) fn write(
    file: File,
    form: CsvForm,
    columns: &[Column],
    lines: impl Iterator<Item = Line>,
) -> io::Result<()> {
    let file = BufWriter::new(file);
    if form.gzip {
        // Without file name and time, the gzip header is always the same.
        let encoder = write_text(GzEncoder::new(file, Compression::fast()), form, columns, lines)?;
        encoder.finish()?.flush()
    } else {
        write_text(file, form, columns, lines)?.flush()
    }
}

fn write_text<W: Write>(
    mut to: W,
    form: CsvForm,
    columns: &[Column],
    lines: impl Iterator<Item = Line>,
) -> io::Result<W> {
    if form.byte_order_mark {
        to.write_all("\u{feff}".as_bytes())?;
    }
    let mut writer = csv::WriterBuilder::new().terminator(form.line_end).from_writer(to);
    writer.write_record(columns.iter().map(|column| column.header))?;
    for line in lines {
        writer.write_record(columns.iter().map(|column| field(column, form, &line)))?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

fn field(column: &Column, form: CsvForm, line: &Line) -> String {
    match column.values {
        Values::Text(get) => get(line),
        Values::Amount(get) => get(line).to_csv(),
        Values::Moment(get) => get(line).strftime(form.moment).to_string(),
        Values::Day(get) => get(line).strftime(form.day).to_string(),
        Values::Flag(get) => (if get(line) { "True" } else { "False" }).to_owned(),
        Values::TextMap(get) => json_object(get(line).into_iter().map(|(key, value)| (key, json_text(&value)))),
        Values::AmountMap(get) => json_object(get(line).into_iter().map(|(key, value)| (key, value.to_string()))),
    }
}

/// The text of a JSON object. The values must be JSON.
fn json_object(entries: impl Iterator<Item = (&'static str, String)>) -> String {
    let members: Vec<String> = entries.map(|(key, value)| format!("{}:{value}", json_text(key))).collect();
    format!("{{{}}}", members.join(","))
}

pub(crate) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
