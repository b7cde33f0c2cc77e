//! The types that columns have in the files, and which of the table's types they can become.

use std::fmt;

use super::ColumnType;

/// A column's type in the files of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// CSV: text, which a warehouse reads as whatever type the table has. With the type that the manifest says its
    /// values have, if it does.
    Text(Option<ColumnType>),
    /// CSV: days, as the first rows write them.
    DayText(DayForm),
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
    Map,
    /// A list, another map, bytes, a FLOAT of 32 bits, or another type of which finops makes no column.
    Other,
}

/// How a CSV file writes days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayForm {
    /// `2025-03-21`.
    Iso,
    /// `03/21/2025`.
    MonthFirst,
    /// Something else, or not all alike.
    Other,
}

impl DayForm {
    /// The form of all `values` that are not empty; `None` where all are.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let forms = values.into_iter().filter(|value| !value.is_empty()).map(|value| {
            let shape: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            match shape.as_str() {
                "0000-00-00" => Self::Iso,
                "00/00/0000" => Self::MonthFirst,
                _ => Self::Other,
            }
        });
        forms.reduce(|a, b| if a == b { a } else { Self::Other })
    }
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
            Self::String | Self::Boolean | Self::Map => Some(ColumnType::String),
            Self::Int64 => Some(ColumnType::Int64),
            Self::Double | Self::Decimal => Some(ColumnType::Decimal),
            Self::Timestamp => Some(ColumnType::Timestamp),
            Self::Date | Self::DayText(_) => Some(ColumnType::Date),
            Self::Other => None,
        }
    }

    /// How its values become those of a column of type `to`.
    pub fn reading(self, to: ColumnType) -> Reading {
        use ColumnType as C;
        match (self, to) {
            (Self::Other, _) | (_, C::Foreign) => Reading::Never,
            (Self::DayText(DayForm::Other), C::Date) => Reading::Cast,
            (Self::Text(_) | Self::DayText(_), _)
            | (Self::String, C::String)
            | (Self::Int64, C::Int64)
            | (Self::Decimal, C::Decimal)
            | (Self::Timestamp, C::Timestamp)
            | (Self::Date, C::Date) => Reading::AsIs,
            (Self::String, _)
            | (_, C::String)
            | (Self::Int64 | Self::Double, C::Decimal)
            | (Self::Date, C::Timestamp)
            | (Self::Timestamp, C::Date) => Reading::Cast,
            _ => Reading::Never,
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(None) | Self::DayText(_) => "TEXT",
            Self::Text(Some(named)) => return named.fmt(f),
            Self::String => "STRING",
            Self::Int64 => "INT64",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Boolean => "BOOLEAN",
            Self::Map => "MAP",
            Self::Other => "another type",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_by_their_form_where_all_are_alike() {
        for (values, form) in [
            (&["2025-03-21", "", "2024-12-31"][..], Some(DayForm::Iso)),
            (&["03/21/2025", "12/31/2024"], Some(DayForm::MonthFirst)),
            (&["03/21/2025", "2025-03-21"], Some(DayForm::Other)),
            (&["2025-03-21T00:00:00Z"], Some(DayForm::Other)),
            (&["3/21/2025"], Some(DayForm::Other)),
            (&["", ""], None),
            (&[], None),
        ] {
            assert_eq!(DayForm::of(values.iter().copied()), form, "{values:?}");
        }
    }
}
