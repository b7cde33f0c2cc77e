//! The types that columns have in the files, and which of the table's types they can become.

use std::fmt;

use super::ColumnType;

/// A column's type in the files of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// CSV: text, which a warehouse reads as whatever type the table has. With the type that the manifest says its
    /// values have, if it does.
    Text(Option<ColumnType>),
    /// Parquet, UTF-8.
    String,
    /// Parquet, whole numbers of up to 64 bits.
    Int64,
    /// Parquet, binary floating point. AWS delivers amounts so; the shortest decimal that reads back as the same
    /// number is the one that it was made from.
    Double,
    /// Parquet, exact decimal.
    Decimal,
    /// Parquet.
    Timestamp,
    /// Parquet.
    Date,
    /// Parquet.
    Boolean,
    /// Parquet, a map of texts to texts or to numbers. In the table it is the text of a JSON object, as in CSV.
    Map(MapForm),
    /// A list, another map, bytes, a FLOAT of 32 bits, or another type of which finops makes no column.
    Other,
}

/// How a file has a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapForm {
    /// The values are binary floating point, and not texts.
    pub numbers: bool,
    /// The groups are called `key_value`, `key` and `value`, as the format's specification has it. Files of old writers
    /// have other names.
    pub by_the_book: bool,
}

/// How a file's column becomes the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The values are those of the table's type.
    AsIs,
    /// Each value is converted, or refused where it has no exact counterpart.
    Cast,
    /// No value of the one type is one of the other.
    Never,
}

impl FileType {
    /// The type that a table's column should have for it; `None` where any will do.
    pub fn asks_for(self) -> Option<ColumnType> {
        match self {
            Self::Text(named) => named,
            Self::String | Self::Boolean | Self::Map(_) => Some(ColumnType::String),
            Self::Int64 => Some(ColumnType::Int64),
            Self::Double | Self::Decimal => Some(ColumnType::Decimal),
            Self::Timestamp => Some(ColumnType::Timestamp),
            Self::Date => Some(ColumnType::Date),
            Self::Other => None,
        }
    }

    /// How its values become those of a column of type `to`.
    pub fn reading(self, to: ColumnType) -> Reading {
        use ColumnType as C;
        match (self, to) {
            (Self::Other, _) | (_, C::Foreign) => Reading::Never,
            (Self::Text(_), _)
            | (Self::String, C::String)
            | (Self::Int64, C::Int64)
            | (Self::Decimal, C::Decimal)
            | (Self::Timestamp, C::Timestamp)
            | (Self::Date, C::Date) => Reading::AsIs,
            (Self::String, _)
            | (_, C::String)
            | (Self::Int64 | Self::Double, C::Decimal)
            | (Self::Date, C::Timestamp) => Reading::Cast,
            _ => Reading::Never,
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(None) => "TEXT",
            Self::Text(Some(named)) => return named.fmt(f),
            Self::String => "STRING",
            Self::Int64 => "INT64",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Boolean => "BOOLEAN",
            Self::Map(_) => "MAP",
            Self::Other => "another type",
        })
    }
}
