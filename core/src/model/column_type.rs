//! The types of columns.

use std::fmt;

use serde::{Deserialize, Serialize};

/// BigQuery's limit of columns in a table.
pub const MOST_COLUMNS: usize = 10_000;

/// A column's type, the same in every warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ColumnType {
    /// Text as delivered.
    String,
    /// A whole number of 64 bits.
    Int64,
    /// An exact decimal: BIGNUMERIC in BigQuery; in DuckDB DECIMAL(38,18), or with more decimals where values need them.
    Decimal,
    /// A timestamp, in UTC.
    Timestamp,
    /// A calendar day.
    Date,
    /// A type of the warehouse that finops never writes: somebody else created the column.
    Foreign,
}

impl ColumnType {
    /// The type for the values of both: decimals if one has whole numbers and the other decimals, otherwise text.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Int64, Self::Decimal) | (Self::Decimal, Self::Int64) => Self::Decimal,
            _ => Self::String,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "STRING",
            Self::Int64 => "INT64",
            Self::Decimal => "DECIMAL",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Foreign => "a type that finops does not write",
        })
    }
}
