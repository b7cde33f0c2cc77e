//! What DuckDB's errors mean. It has no codes for them: the texts are those of 1.5.

use finops_core::hint;

use crate::{
    error::{Error, ErrorKind},
    warehouse::sql::NO_VALUE,
};

/// What is wrong, where more follows from it than a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    DiskFull,
    OutOfMemory,
    /// Another process has the file open.
    Locked,
    /// A column has an index and cannot be changed.
    Indexed,
    /// A value cannot be converted to the column's type.
    NoValue,
    /// The threads that read a CSV file do not agree on where its rows are, as where empty lines of many megabytes follow.
    ParallelReader,
}

/// The signs of each problem.
const SIGNS: [(Problem, &[&str]); 5] = [
    (Problem::ParallelReader, &["The Parallel CSV Reader"]),
    (Problem::NoValue, &[NO_VALUE]),
    (Problem::DiskFull, &["No space left on device"]),
    (Problem::Locked, &["Conflicting lock", "Could not set lock"]),
    // An index of another column, and of this one.
    (Problem::Indexed, &["entries that depend on it", "an index depends on it"]),
];

impl Problem {
    /// The problem that the text of an error reports, if it is one of these.
    pub fn of(error: &str) -> Option<Self> {
        if error.starts_with("Out of Memory Error") {
            return Some(Self::OutOfMemory);
        }
        let is_in = |signs: &[&str]| signs.iter().any(|sign| error.contains(sign));
        SIGNS.iter().find(|(_, signs)| is_in(signs)).map(|(problem, _)| *problem)
    }
}

/// An error of DuckDB's, with what was being done.
pub fn failed(doing: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Error {
    let doing = doing.into();
    move |error| {
        let problem = Problem::of(&error.to_string());
        let failed = Error::new(ErrorKind::Warehouse, doing).cause(error);
        match problem {
            Some(Problem::DiskFull) => failed.hint(hint::DISK_OF_FILE_FULL),
            Some(Problem::Indexed) => failed.hint(hint::DROP_INDEXES),
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
