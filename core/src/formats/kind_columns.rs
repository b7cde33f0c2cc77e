//! The columns of one kind of rows.

use super::names::RepeatedColumn;
use crate::model::{column_type::ColumnType, key_columns::KeyColumns};

/// The columns of one kind of rows.
#[derive(Debug)]
pub struct KindColumns {
    /// The columns that finops itself needs.
    pub key: KeyColumns,
    /// The table's column name for each column of the files, in their order. Fails if two names are equal.
    pub names: fn(&[String]) -> Result<Vec<String>, RepeatedColumn>,
    /// The type of a well-known column of the table, the same in every month.
    pub known_type: fn(&str) -> Option<ColumnType>,
    /// The texts for true and false in its CSV files. Booleans of Parquet files get the same texts.
    pub booleans: [&'static str; 2],
}
