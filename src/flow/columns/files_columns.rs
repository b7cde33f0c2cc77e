//! The columns of a month's files.

use std::collections::HashMap;

use finops_core::{
    files::{
        column_values::ColumnValues,
        file_type::{FileType, TimeForm},
    },
    hint,
};

use crate::error::{Error, ErrorKind};

/// Enough for the header or footer of almost every file; a longer one needs more requests.
pub const FIRST_READ: u64 = 64 << 10;

/// What is in the first or last bytes of a month's files.
pub struct FilesColumns {
    /// The columns, with their names in the files.
    pub columns: Vec<(String, FileType)>,
    /// The form in which the first rows of CSV files have each column, if it is a time.
    pub forms: Vec<Option<TimeForm>>,
    /// The first row of CSV files.
    pub first_row: Vec<String>,
    /// Rows of all files, if their footers count them.
    pub rows: Option<u64>,
    /// The values of each column according to footers, by its name in the files.
    pub values: HashMap<String, ColumnValues>,
}

/// The error for a file whose columns are not those of a cost export.
pub fn not_a_report(file: &str, message: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{file}: {message}")).hint(hint::IS_EXPORT)
}
