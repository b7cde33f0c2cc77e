//! The columns of one kind of rows.

use super::names::RepeatedColumn;
use crate::model::{column_type::ColumnType, key_columns::KeyColumns};

/// The columns of one kind of rows.
#[derive(Debug)]
pub struct KindColumns {
    /// The columns of its table that finops itself needs.
    pub key: KeyColumns,
    /// The table's column name for each column of the files, in their order. Fails if two names are equal.
    pub names: fn(&[String]) -> Result<Vec<String>, RepeatedColumn>,
    /// The type of a well-known column of the table, the same in every month.
    pub known_type: fn(&str) -> Option<ColumnType>,
    /// Yes and no in its CSV files, and so the text of a BOOLEAN of its Parquet files.
    pub booleans: [&'static str; 2],
}
