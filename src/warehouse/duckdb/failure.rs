//! What DuckDB's errors mean. It has no codes for them: the texts are those of 1.5.

use finops_core::hint;

use crate::{
    error::{Error, ErrorKind},
    warehouse::{sign::Sign, sql},
};

pub const DISK_FULL: Sign = Sign(&["No space left on device"]);
/// The start of the message: later, it may quote a row that has these words.
pub const OUT_OF_MEMORY: &str = "Out of Memory Error";
/// Another process has the file open.
pub const LOCKED: Sign = Sign(&["Conflicting lock", "Could not set lock"]);
/// A column has an index, or another column has one, and it cannot be changed.
pub const INDEXED: Sign = Sign(&["an index depends on it", "entries that depend on it"]);
/// A value cannot be converted to the column's type.
pub const NO_VALUE: Sign = Sign(&[sql::NO_VALUE]);
/// The threads that read a CSV file do not agree on where its rows are, as where empty lines of many megabytes follow.
pub const PARALLEL_READER: Sign = Sign(&["The Parallel CSV Reader"]);

/// An error of DuckDB's, with what was being done.
pub fn failed(doing: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Error {
    let doing = doing.into();
    move |error| {
        let text = error.to_string();
        let failed = Error::new(ErrorKind::Warehouse, doing).cause(error);
        match text.as_str() {
            text if DISK_FULL.is_in(text) => failed.hint(hint::DISK_OF_FILE_FULL),
            text if INDEXED.is_in(text) => failed.hint(hint::DROP_INDEXES),
            _ => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_where_to_make_room() {
        let full = || duckdb::Error::InvalidParameterName("No space left on device".to_owned());
        assert_eq!(failed("writing")(full()).next_step(), Some(hint::DISK_OF_FILE_FULL));
    }
}
