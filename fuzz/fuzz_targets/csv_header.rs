//! The header of a CSV file. The first byte of the input selects the compression of the rest, the second how much is read
//! first.
#![no_main]

use std::{collections::HashSet, io::Write};

use finops_core::{
    files::csv_header::{CsvHeader, HeaderError, read_header},
    formats::names::column_names,
};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [mode, part, bytes @ ..] = data else { return };
    let head = &bytes[..bytes.len() * usize::from(*part) / 255];
    let is_gzip = mode % 3 == 1;
    let (from_head, whole) = (read_header(head, is_gzip, false), read_header(bytes, is_gzip, true));
    // The head may end within the first row.
    let header = |read: Result<CsvHeader, HeaderError>| {
        read.map(|read| CsvHeader { first_row: Vec::new(), row_is_cut: false, ..read })
    };
    let (from_head, from_whole) = (header(from_head), header(whole.clone()));
    match (&from_head, &from_whole) {
        (Ok(first), Ok(whole)) => assert_eq!(first, whole, "the head has the same header as the file"),
        // The rest of a gzip file may be damaged. The rest of plain text cannot be.
        (Ok(_), Err(error)) => assert!(is_gzip, "{error}"),
        _ => {}
    }
    if mode % 3 == 2 {
        assert_eq!(read_header(&gzip(bytes), true, true), whole, "compression changes nothing");
    }
    assert!(!matches!(whole, Err(HeaderError::Incomplete(_))), "there is no more to read");
    if let Ok(header) = &whole {
        check_names(header);
    }
});

fn check_names(header: &CsvHeader) {
    let Ok(names) = column_names(&header.columns) else { return };
    assert_eq!(names.len(), header.columns.len());
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    for name in &names {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit()), "{name}");
        assert!((1..=300).contains(&name.len()), "{name}");
    }
    let reversed: Vec<String> = header.columns.iter().rev().cloned().collect();
    let reversed = column_names(&reversed).expect("columns are accepted in any order");
    assert!(reversed.iter().rev().eq(&names), "the names do not depend on the order of columns");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a write to memory succeeds");
    encoder.finish().expect("a write to memory succeeds")
}
