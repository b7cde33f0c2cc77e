//! What the files of a month say about their columns.

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

/// What the first or last bytes of a month's files tell.
pub struct FilesColumns {
    /// The columns as the files name them.
    pub columns: Vec<(String, FileType)>,
    /// In which form the first rows of CSV files have each column, if it were a time.
    pub forms: Vec<Option<TimeForm>>,
    /// The first row of CSV files.
    pub first_row: Vec<String>,
    /// Rows of all files, where they tell it themselves.
    pub rows: Option<u64>,
    /// What footers tell of the values of a column, by its name in the files.
    pub values: HashMap<String, ColumnValues>,
}

/// The error for a file whose columns are not those of a cost export.
pub fn not_a_report(file: &str, message: &str) -> Error {
    Error::new(ErrorKind::Data, format!("{file}: {message}")).hint(hint::IS_EXPORT)
}
