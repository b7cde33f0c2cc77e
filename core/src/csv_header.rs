//! The header of a CSV file, read from its first bytes.

use std::io::Read;

/// What the first bytes of a CSV file tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvHeader {
    /// The column names as the file writes them.
    pub columns: Vec<String>,
    /// Whether at least one row follows.
    pub has_rows: bool,
    /// The first row as far as the given bytes go: its last value may be cut short.
    pub first_row: Vec<String>,
}

/// Why the header could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The given bytes end before the header does; more of the file may help.
    #[error("its header does not end within the first {0} bytes")]
    Incomplete(usize),
    /// The file holds no header at all.
    #[error("it is empty: a header was expected")]
    Empty,
    /// Not gzip, or not UTF-8.
    #[error("{0}")]
    Broken(String),
}

/// Whether a file of this name is gzip: BigQuery and DuckDB go by the name too, and AWS gives every compressed part this
/// ending.
pub fn is_gzip(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Reads the header from `head`, the file's first bytes; `whole` says that the file has no more.
///
/// # Errors
/// [`HeaderError::Incomplete`] where a longer `head` is needed; the others are final.
pub fn read_header(head: &[u8], gzip: bool, whole: bool) -> Result<CsvHeader, HeaderError> {
    let text = if gzip { inflate(head, whole)? } else { head.to_vec() };
    // A byte order mark is not part of the first column's name.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut record = csv::ByteRecord::new();
    let found = reader.read_byte_record(&mut record).map_err(|e| HeaderError::Broken(e.to_string()))?;
    let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
    // The parser takes the end of its input for the end of a record, so a header is only whole if more follows it.
    let more = text.get(end..).is_some_and(|rest| rest.iter().any(|b| !matches!(b, b'\r' | b'\n')));
    if !more && !whole {
        return Err(HeaderError::Incomplete(head.len()));
    }
    if !found || record.iter().all(<[u8]>::is_empty) {
        return Err(HeaderError::Empty);
    }
    let columns = record.iter().map(|name| std::str::from_utf8(name).map(str::to_owned)).collect::<Result<_, _>>();
    let columns = columns.map_err(|_| HeaderError::Broken("its header is not UTF-8".to_owned()))?;
    let mut row = csv::ByteRecord::new();
    let first_row = match reader.read_byte_record(&mut row) {
        Ok(true) => row.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
        _ => Vec::new(),
    };
    Ok(CsvHeader { columns, has_rows: more, first_row })
}

/// What `head` inflates to, as far as it goes: a few megabytes at most, whatever it claims to hold.
fn inflate(head: &[u8], whole: bool) -> Result<Vec<u8>, HeaderError> {
    const MOST: u64 = 8 << 20;
    if head.is_empty() {
        return Err(HeaderError::Empty);
    }
    let mut text = Vec::new();
    match flate2::read::MultiGzDecoder::new(head).take(MOST).read_to_end(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !whole => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(HeaderError::Broken("its gzip data ends too early: the file is truncated".to_owned()))
        }
        Err(error) => Err(HeaderError::Broken(format!("it is not valid gzip: {error}"))),
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
    fn a_header_without_rows_is_told_apart() {
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
    fn broken_files_say_what_they_are() {
        assert_eq!(read_header(b"", false, true), Err(HeaderError::Empty));
        assert_eq!(read_header(b"", true, true), Err(HeaderError::Empty));
        let truncated = &gzip("a,b\n1,2\n")[..12];
        assert!(matches!(read_header(truncated, true, true), Err(HeaderError::Broken(m)) if m.contains("truncated")));
        assert!(matches!(read_header(b"a,b\n1,2\n", true, true), Err(HeaderError::Broken(m)) if m.contains("gzip")));
        assert!(matches!(read_header(b"\xff\xfe,b\n1,2\n", false, true), Err(HeaderError::Broken(_))));
    }
}
