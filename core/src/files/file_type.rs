//! The types of columns in files, and their conversion to the types of the table.

use std::fmt;

use crate::model::column_type::ColumnType;

/// A column's type in the files of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// CSV: text, which warehouses read as the type of the table. With the type in the manifest, if it has one.
    Text(Option<ColumnType>),
    /// CSV: days or timestamps, in the form of the first rows.
    TimeText(TimeForm),
    /// Parquet, UTF-8.
    String,
    /// Parquet, whole numbers of up to 64 bits.
    Int64,
    /// Parquet, binary floating point. AWS delivers amounts in it; the shortest decimal that is read as the same
    /// number is the original one.
    Double,
    /// Parquet, exact decimal of at most 20 digits before the point and 18 after it, which fits every warehouse.
    Decimal,
    /// Parquet, exact decimal that may have more digits.
    LongDecimal,
    /// Parquet, in microseconds or coarser.
    Timestamp,
    /// The same, but not marked as UTC. It is read as UTC.
    LocalTimestamp,
    /// Parquet, in nanoseconds. Warehouses keep microseconds.
    Nanos,
    /// Parquet.
    Date,
    /// Parquet.
    Boolean,
    /// Parquet, a map of texts to texts or to numbers. In the table it is the text of a JSON object, as in CSV.
    Map(MapForm),
    /// A list, another map, bytes, a FLOAT of 32 bits, or another type that finops does not load.
    Other,
}

/// The form of days or timestamps in a CSV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// `2025-03-21`.
    Day,
    /// `03/21/2025`.
    MonthFirst,
    /// `2025-03-21T21:04:06Z`, with or without a `T`, a fraction of up to six digits and a zone.
    Moment,
    /// Another form, or several forms.
    Other,
}

impl TimeForm {
    /// The form of a value; `None` if it is empty.
    pub fn of(value: &str) -> Option<Self> {
        let shape: String = value.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let moment = ["0000-00-00T00:00:00", "0000-00-00 00:00:00"].iter().find_map(|start| shape.strip_prefix(start));
        // More than six digits load unchanged if the rest are zeros.
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

    /// The form of values in either form.
    pub fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if one != other => Some(Self::Other),
            (one, other) => one.or(other),
        }
    }
}

/// The form of a map in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapForm {
    /// The values are binary floating point, not text.
    pub numbers: bool,
    /// The groups have the names of the specification: `key_value`, `key` and `value`. Old writers used other names.
    pub by_the_book: bool,
}

/// How values of a file become values of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// The values already have the table's type.
    None,
    /// Each value is converted, or refused if that is not possible exactly.
    Cast,
    /// The type cannot be converted.
    Unsupported,
}

impl FileType {
    /// The best type of the table's column for it; `None` if any type works.
    pub fn preferred_type(self) -> Option<ColumnType> {
        match self {
            Self::Text(named) => named,
            Self::String | Self::Boolean | Self::Map(_) => Some(ColumnType::String),
            Self::Int64 => Some(ColumnType::Int64),
            Self::Double | Self::Decimal | Self::LongDecimal => Some(ColumnType::Decimal),
            Self::Timestamp | Self::LocalTimestamp | Self::Nanos => Some(ColumnType::Timestamp),
            Self::Date => Some(ColumnType::Date),
            // Only for columns whose type in the table is known.
            Self::TimeText(_) | Self::Other => None,
        }
    }

    /// Whether both load in the same way. A writer may mark some of its files as UTC.
    pub fn is_like(self, other: Self) -> bool {
        let same = |one| if one == Self::LocalTimestamp { Self::Timestamp } else { one };
        same(self) == same(other)
    }

    /// How its values become values of a column of type `to`.
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
            | (Self::Timestamp | Self::LocalTimestamp, C::Timestamp)
            | (Self::Date, C::Date) => Conversion::None,
            (Self::String, _)
            | (_, C::String)
            | (Self::Int64 | Self::Double, C::Decimal)
            | (Self::Date, C::Timestamp)
            | (Self::Timestamp | Self::LocalTimestamp | Self::Nanos, C::Date) => Conversion::Cast,
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
            Self::Timestamp | Self::LocalTimestamp => "TIMESTAMP",
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
    fn days_and_timestamps_are_recognised_if_all_have_one_form() {
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
