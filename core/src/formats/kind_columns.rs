//! What is known of the columns of one kind of rows.

use super::names::RepeatedColumn;
use crate::model::key_columns::KeyColumns;

/// What is known of the columns of one kind of rows.
#[derive(Debug)]
pub struct KindColumns {
    /// The columns of its table that finops itself needs.
    pub key: KeyColumns,
    /// The table's column name for each column of the files, in their order. Fails where two are the same to the letter.
    pub names: fn(&[String]) -> Result<Vec<String>, RepeatedColumn>,
    /// Yes and no in its CSV files, and so the text of a BOOLEAN of its Parquet files.
    pub booleans: [&'static str; 2],
}
