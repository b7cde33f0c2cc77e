//! The header of a CSV file, read from its first bytes.

use std::{
    io::{self, BufRead, BufReader},
    mem,
};

use csv_core::ReadFieldResult;
use flate2::bufread::MultiGzDecoder;

use crate::model::column_type::MOST_COLUMNS;

/// The limit of text that is read. With names of 300 characters, BigQuery's limit, a header has 3 MB at most.
const LONGEST: usize = 4 << 20;

/// The content of the first bytes of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvHeader {
    /// The column names, in the spelling of the file.
    pub columns: Vec<String>,
    /// Whether at least one row follows.
    pub has_rows: bool,
    /// The complete values of the first row.
    pub first_row: Vec<String>,
    /// Whether the given bytes end before the first row does. More of the file may help.
    pub row_is_cut: bool,
}

/// Why the header could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The given bytes end before the header does. More of the file may help.
    #[error("its header does not end within the first {0} bytes")]
    Incomplete(usize),
    /// The file has no header.
    #[error("it is empty: a header was expected")]
    Empty,
    /// Not gzip, or not UTF-8.
    #[error("{0}")]
    Broken(String),
}

/// Whether a file of this name is gzip. BigQuery and DuckDB also decide by the name, and AWS gives it to every compressed file.
pub fn is_gzip(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Reads the header from `head`, the file's first bytes; `whole` says that the file has no more. Of the decompressed bytes it
/// keeps no more than a header of [`MOST_COLUMNS`] columns has.
///
/// # Errors
/// [`HeaderError::Incomplete`] if a longer `head` is needed. Other errors are final.
pub fn read_header(head: &[u8], gzip: bool, whole: bool) -> Result<CsvHeader, HeaderError> {
    if head.is_empty() {
        return Err(if whole { HeaderError::Empty } else { HeaderError::Incomplete(0) });
    }
    let bytes: Box<dyn BufRead> =
        if gzip { Box::new(BufReader::new(MultiGzDecoder::new(head))) } else { Box::new(head) };
    let mut text = Text { bytes, whole, read: 0, parser: csv_core::Reader::new() };
    let header = text.record()?;
    match header.end {
        End::TooLong => return Err(HeaderError::Broken(format!("its header is longer than {LONGEST} bytes"))),
        End::TooWide => return Err(HeaderError::Broken(format!("its header has more than {MOST_COLUMNS} columns"))),
        End::Line | End::Bytes => {}
    }
    let row = text.record()?;
    let has_rows = !row.values.is_empty() || row.end == End::TooLong;
    // For the parser, the end of its input ends a record. So a header is only complete if more follows it.
    if !has_rows && !whole {
        return Err(HeaderError::Incomplete(head.len()));
    }
    if header.values.iter().all(Vec::is_empty) {
        return Err(HeaderError::Empty);
    }
    let columns = header.values.into_iter().map(String::from_utf8).collect::<Result<_, _>>();
    let columns = columns.map_err(|_| HeaderError::Broken("its header is not UTF-8".to_owned()))?;
    let (row_is_cut, mut first_row) = (row.end == End::Bytes && !whole, row.values);
    if row_is_cut {
        first_row.pop();
    }
    text.check_rest()?;
    let first_row = first_row.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    Ok(CsvHeader { columns, has_rows, first_row, row_is_cut })
}

/// The text of a file's first bytes, up to the limit.
struct Text<'a> {
    bytes: Box<dyn BufRead + 'a>,
    whole: bool,
    read: usize,
    parser: csv_core::Reader,
}

/// A record of the file, up to the limit.
struct Record {
    /// All complete, unless the record ended with the bytes.
    values: Vec<Vec<u8>>,
    end: End,
}

/// What ended a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Line,
    /// The end of the given bytes.
    Bytes,
    /// It is longer than the limit.
    TooLong,
    TooWide,
}

impl Text<'_> {
    fn record(&mut self) -> Result<Record, HeaderError> {
        let (mut values, mut value, mut part) = (Vec::new(), Vec::new(), [0; 1024]);
        loop {
            if self.read > LONGEST {
                return Ok(Record { values, end: End::TooLong });
            }
            let whole = self.whole;
            let bytes = self.bytes.fill_buf().or_else(|error| cut_short(&error, whole))?;
            let (found, read, written) = self.parser.read_field(bytes, &mut part);
            let end = if bytes.is_empty() { End::Bytes } else { End::Line };
            self.bytes.consume(read);
            self.read += read;
            value.extend_from_slice(&part[..written]);
            match found {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    values.push(mem::take(&mut value));
                    if values.len() > MOST_COLUMNS {
                        return Ok(Record { values, end: End::TooWide });
                    }
                    if record_end {
                        return Ok(Record { values, end });
                    }
                }
                ReadFieldResult::End => return Ok(Record { values, end }),
            }
        }
    }

    /// Checks the gzip data after the first row, up to the limit.
    fn check_rest(&mut self) -> Result<(), HeaderError> {
        while self.read <= LONGEST {
            let whole = self.whole;
            let read = self.bytes.fill_buf().or_else(|error| cut_short(&error, whole))?.len();
            if read == 0 {
                break;
            }
            self.bytes.consume(read);
            self.read += read;
        }
        Ok(())
    }
}

/// No more bytes, if gzip data continues in bytes that were not given.
fn cut_short(error: &io::Error, whole: bool) -> Result<&'static [u8], HeaderError> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof if !whole => Ok(&[]),
        io::ErrorKind::UnexpectedEof => {
            Err(HeaderError::Broken("its gzip data ends too early: the file is truncated".to_owned()))
        }
        _ => Err(HeaderError::Broken(format!("it is not valid gzip: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_header_is_read_from_plain_and_compressed_files() {
        let text = "\u{feff}identity/LineItemId,\"resourceTags/user:a,b\"\nx,y\n";
        for (bytes, is_gzip) in [(text.as_bytes().to_vec(), false), (gzip(text), true)] {
            let header = read_header(&bytes, is_gzip, true).unwrap();
            assert_eq!(header.columns, ["identity/LineItemId", "resourceTags/user:a,b"]);
            assert!(header.has_rows);
            assert_eq!(header.first_row, ["x", "y"]);
        }
    }

    #[test]
    fn a_header_without_rows_is_recognised() {
        for text in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
            assert!(!read_header(&gzip(text), true, true).unwrap().has_rows, "{text:?}");
        }
    }

    #[test]
    fn part_of_a_header_asks_for_more() {
        assert_eq!(read_header(b"a,b,long_na", false, false), Err(HeaderError::Incomplete(11)));
        assert_eq!(read_header(b"a,b\n", false, false), Err(HeaderError::Incomplete(4)));
        let bytes = gzip(&"lineItem/UsageType,".repeat(1000));
        assert!(matches!(read_header(&bytes[..20], true, false), Err(HeaderError::Incomplete(20))));
    }

    #[test]
    fn of_a_row_that_is_cut_the_values_that_are_whole_count() {
        let row = |text: &[u8], gzip, whole| {
            let header = read_header(text, gzip, whole).unwrap();
            (header.first_row.join("|"), header.row_is_cut)
        };
        let (whole, cut) = (("1|2025-09-01 00:00".to_owned(), false), ("1".to_owned(), true));
        for line_end in ["\n", "\r", "\r\n3,4\n"] {
            let text = format!("a,b\n1,2025-09-01 00:00{line_end}");
            assert_eq!(row(text.as_bytes(), false, false), whole, "{text:?}");
            assert_eq!(row(&gzip(&text), true, false), whole, "{text:?}");
        }
        let text = "a,b\n1,2025-09-01 00:00";
        assert_eq!((row(text.as_bytes(), false, true), row(&gzip(text), true, true)), (whole.clone(), whole));
        for end in ["", "2025-09-01", "2025-09-01 00:", "\"2025-09-01\n"] {
            let text = format!("a,b\n1,{end}");
            assert_eq!(row(text.as_bytes(), false, false), cut, "{text:?}");
            assert_eq!(row(&gzip(&text), true, false), cut, "{text:?}");
        }
    }

    #[test]
    fn a_header_may_have_ten_thousand_long_names_and_no_more() {
        let header = |columns: usize| {
            let names: Vec<String> = (0..columns).map(|n| format!("resourceTags/user:{n:0>280}")).collect();
            names.join(",") + "\n" + &"x,".repeat(columns - 1) + "\n"
        };
        for (text, is_gzip) in [(header(10_000).into_bytes(), false), (gzip(&header(10_000)), true)] {
            let read = read_header(&text, is_gzip, true).unwrap();
            assert_eq!((read.columns.len(), read.first_row.len(), read.has_rows), (10_000, 10_000, true));
        }
        let broken = |text: &[u8]| read_header(text, true, false).unwrap_err().to_string();
        assert_eq!(broken(&gzip(&header(10_001))), "its header has more than 10000 columns");
    }

    #[test]
    fn bytes_that_inflate_beyond_the_limit_are_not_read_and_do_not_end_the_file() {
        let broken = |text: &str| read_header(&gzip(text), true, true).unwrap_err().to_string();
        assert_eq!(broken(&",".repeat(16 << 20)), "its header has more than 10000 columns");
        assert_eq!(broken(&"x".repeat(16 << 20)), "its header is longer than 4194304 bytes");
        assert_eq!(broken(&"\n".repeat(16 << 20)), "its header is longer than 4194304 bytes");
        let long_row = read_header(&gzip(&format!("a,b\n1,{}", "x".repeat(16 << 20))), true, true).unwrap();
        assert_eq!((long_row.has_rows, long_row.first_row), (true, vec!["1".to_owned()]));
    }

    #[test]
    fn broken_files_say_what_they_are() {
        assert_eq!(read_header(b"", false, true), Err(HeaderError::Empty));
        assert_eq!(read_header(b"", true, true), Err(HeaderError::Empty));
        let truncated = &gzip("a,b\n1,2\n")[..12];
        assert!(matches!(read_header(truncated, true, true), Err(HeaderError::Broken(m)) if m.contains("truncated")));
        assert!(matches!(read_header(b"a,b\n1,2\n", true, true), Err(HeaderError::Broken(m)) if m.contains("gzip")));
        assert!(matches!(read_header(b"\xff\xfe,b\n1,2\n", false, true), Err(HeaderError::Broken(_))));
    }
}
