//! The types that columns have in the files, and which of the table's types they can become.

use std::fmt;

use crate::model::column_type::ColumnType;

/// A column's type in the files of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// CSV: text, which a warehouse reads as whatever type the table has. With the type that the manifest says its
    /// values have, if it does.
    Text(Option<ColumnType>),
    /// CSV: days or moments, as the first rows write them.
    TimeText(TimeForm),
    /// Parquet, UTF-8.
    String,
    /// Parquet, whole numbers of up to 64 bits.
    Int64,
    /// Parquet, binary floating point. AWS delivers amounts so; the shortest decimal that reads back as the same
    /// number is the one that it was made from.
    Double,
    /// Parquet, exact decimal of at most 20 digits before the point and 18 after it: every warehouse's column has it.
    Decimal,
    /// Parquet, exact decimal that may have more.
    LongDecimal,
    /// Parquet, in microseconds or coarser.
    Timestamp,
    /// Parquet, in nanoseconds. Warehouses keep microseconds.
    Nanos,
    /// Parquet.
    Date,
    /// Parquet.
    Boolean,
    /// Parquet, a map of texts to texts or to numbers. In the table it is the text of a JSON object, as in CSV.
    Map(MapForm),
    /// A list, another map, bytes, a FLOAT of 32 bits, or another type of which finops makes no column.
    Other,
}

/// How a CSV file writes days or moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// `2025-03-21`.
    Day,
    /// `03/21/2025`.
    MonthFirst,
    /// `2025-03-21T21:04:06Z`, with or without a `T`, a fraction of up to six digits and a zone.
    Moment,
    /// Something else, or not all alike.
    Other,
}

impl TimeForm {
    /// The form of a value; `None` where it is empty.
    pub fn of(value: &str) -> Option<Self> {
        let shape: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let moment = ["0000-00-00T00:00:00", "0000-00-00 00:00:00"].iter().find_map(|start| shape.strip_prefix(start));
        // Of more than six digits, a load need not drop those that are zero.
        let zone = moment.map(|rest| match rest.strip_prefix('.') {
            Some(fraction) if !fraction.starts_with("0000000") => fraction.trim_start_matches('0'),
            _ => rest,
        });
        match (shape.as_str(), zone) {
            ("", _) => None,
            ("0000-00-00", _) => Some(Self::Day),
            ("00/00/0000", _) => Some(Self::MonthFirst),
            (_, Some("" | "Z" | "+00:00" | "-00:00")) => Some(Self::Moment),
            _ => Some(Self::Other),
        }
    }

    /// The form of values of which some have the one and the others the other.
    pub fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if one != other => Some(Self::Other),
            (one, other) => one.or(other),
        }
    }
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
pub enum Conversion {
    /// The values are those of the table's type.
    None,
    /// Each value is converted, or refused where it has no exact counterpart.
    Cast,
    /// No value of the one type is one of the other.
    Unsupported,
}

impl FileType {
    /// The type that a table's column should have for it; `None` where any will do.
    pub fn preferred_type(self) -> Option<ColumnType> {
        match self {
            Self::Text(named) => named,
            Self::String | Self::Boolean | Self::Map(_) => Some(ColumnType::String),
            Self::Int64 => Some(ColumnType::Int64),
            Self::Double | Self::Decimal | Self::LongDecimal => Some(ColumnType::Decimal),
            Self::Timestamp | Self::Nanos => Some(ColumnType::Timestamp),
            Self::Date => Some(ColumnType::Date),
            // Only where the table's type is known anyway.
            Self::TimeText(_) | Self::Other => None,
        }
    }

    /// How its values become those of a column of type `to`.
    pub fn reading(self, to: ColumnType) -> Conversion {
        use ColumnType as C;
        match (self, to) {
            (Self::Other, _) | (_, C::Foreign) | (Self::Nanos, C::String) => Conversion::Unsupported,
            (Self::TimeText(TimeForm::Moment | TimeForm::Other), C::Date)
            | (Self::TimeText(TimeForm::MonthFirst | TimeForm::Other) | Self::Nanos, C::Timestamp) => Conversion::Cast,
            (Self::Text(_) | Self::TimeText(_), _)
            | (Self::String, C::String)
            | (Self::Int64, C::Int64)
            | (Self::Decimal | Self::LongDecimal, C::Decimal)
            | (Self::Timestamp, C::Timestamp)
            | (Self::Date, C::Date) => Conversion::None,
            (Self::String, _)
            | (_, C::String)
            | (Self::Int64 | Self::Double, C::Decimal)
            | (Self::Date, C::Timestamp)
            | (Self::Timestamp | Self::Nanos, C::Date) => Conversion::Cast,
            _ => Conversion::Unsupported,
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(None) | Self::TimeText(_) => "TEXT",
            Self::Text(Some(named)) => return named.fmt(f),
            Self::String => "STRING",
            Self::Int64 => "INT64",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::LongDecimal => "DECIMAL beyond (38,18)",
            Self::Timestamp => "TIMESTAMP",
            Self::Nanos => "TIMESTAMP(NANOS)",
            Self::Date => "DATE",
            Self::Boolean => "BOOLEAN",
            Self::Map(_) => "MAP",
            Self::Other => "another type",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_told_by_their_form_where_all_are_alike() {
        for (values, form) in [
            (&["2025-03-21", "", "2024-12-31"][..], Some(TimeForm::Day)),
            (&["03/21/2025", "12/31/2024"], Some(TimeForm::MonthFirst)),
            (
                &["2025-03-21T00:00:00Z", "2025-03-21 00:00:00.000+00:00", "2025-03-21T00:00:00+02:00"],
                Some(TimeForm::Moment),
            ),
            (&["03/21/2025", "2025-03-21"], Some(TimeForm::Other)),
            (&["2025-03-21T00:00Z"], Some(TimeForm::Other)),
            (&["2025-03-21T00:00:00.123456Z", "2025-03-21T00:00:00.1"], Some(TimeForm::Moment)),
            (&["2025-03-21T00:00:00.0000000Z"], Some(TimeForm::Other)),
            (&["3/21/2025"], Some(TimeForm::Other)),
            (&["", ""], None),
            (&[], None),
        ] {
            assert_eq!(
                values.iter().map(|value| TimeForm::of(value)).fold(None, TimeForm::of_both),
                form,
                "{values:?}"
            );
        }
    }
}
