//! Columns of a table, and of a month's files.

use std::{cmp::Reverse, collections::HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    files::{column_values::ColumnValues, file_type::FileType},
    model::{column_type::ColumnType, period::BillingPeriod},
};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name: see [`crate::formats::names`].
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// A column of a month's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    /// The column of the table.
    pub name: String,
    /// Its name in the files.
    pub file_name: String,
    /// Its type there.
    pub file_type: FileType,
}

/// The columns of one month's files, in the files' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthColumns {
    /// The month.
    pub billing_period: BillingPeriod,
    /// Each column once.
    pub columns: Vec<FileColumn>,
    /// Rows of all files, where the files (Parquet) or their manifest (Azure) give it.
    pub rows: Option<u64>,
    /// What Parquet footers say of a column's values, by its name in the files.
    pub values: HashMap<String, ColumnValues>,
}

/// The months, newest first.
pub(super) fn newest_first(months: &[MonthColumns]) -> Vec<&MonthColumns> {
    let mut newest_first: Vec<&MonthColumns> = months.iter().collect();
    newest_first.sort_by_key(|month| Reverse(month.billing_period));
    newest_first
}
