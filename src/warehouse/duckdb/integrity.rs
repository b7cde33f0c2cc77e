//! Whether files are complete, and how many rows they have.
//!
//! DuckDB reads a truncated gzip file without an error, and drops a row of CSV that is longer than its buffer (some 32 MB)
//! without an error (both seen on 1.5.6). So the length and checksum in the trailer of a gzip file are checked here, and rows
//! are counted.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
};

use finops_core::{
    files::{csv_header::is_gzip, csv_rows::RowCounter},
    hint,
    model::manifest::FileFormat,
};
use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, ErrorKind, Result};

/// Reads the CSV files to their end, and returns the number of their rows; `None` for Parquet files, whose footers have it.
///
/// # Errors
/// `Data` naming the first file that is truncated or corrupt.
pub fn rows(files: &[String], format: FileFormat) -> Result<Option<u64>> {
    match format {
        FileFormat::Csv => files.iter().map(|file| rows_of(file)).sum::<Result<u64>>().map(Some),
        FileFormat::Parquet => Ok(None),
    }
}

/// A sink that counts.
struct Counting(RowCounter);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rows_of(path: &str) -> Result<u64> {
    let count = || -> io::Result<u64> {
        let file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut text: Box<dyn Read> = if is_gzip(path) { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut counting = Counting(RowCounter::default());
        // A byte order mark is not part of the first field.
        let mut mark = Vec::new();
        text.by_ref().take(3).read_to_end(&mut mark)?;
        counting.0.push(mark.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&mark));
        io::copy(&mut text, &mut counting)?;
        Ok(counting.0.lines())
    };
    match count() {
        // The header.
        Ok(lines) => Ok(lines.saturating_sub(1)),
        Err(error) => {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => "is truncated: its gzip data ends too early",
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "is corrupt: its gzip data does not add up",
                _ => "cannot be read",
            };
            Err(Error::new(ErrorKind::Data, format!("{path} {what}")).hint(hint::FETCH_FILE).cause(error))
        }
    }
}
