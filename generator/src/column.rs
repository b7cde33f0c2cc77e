//! A column of a dialect: its names in files and table, and its values.

use jiff::civil::{Date, DateTime};
use serde::Serialize;

use crate::{amount::Amount, line::Line};

/// The type of a column in the table, as the providers document it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ColumnType {
    /// Text; also the text of a JSON object.
    String,
    /// An exact decimal.
    Decimal,
    /// A timestamp in UTC.
    Timestamp,
    /// A calendar day.
    Date,
}

/// The values of a column.
#[derive(Clone, Copy)]
pub(crate) enum Values {
    /// An empty text means no value.
    Text(fn(&Line) -> String),
    Amount(fn(&Line) -> Amount),
    Moment(fn(&Line) -> DateTime),
    Day(fn(&Line) -> Date),
    Flag(fn(&Line) -> bool),
    TextMap(fn(&Line) -> Vec<(&'static str, String)>),
    AmountMap(fn(&Line) -> Vec<(&'static str, Amount)>),
}

#[derive(Clone, Copy)]
pub(crate) struct Column {
    /// The name in CSV files.
    pub header: &'static str,
    /// The name in the table.
    pub name: &'static str,
    pub values: Values,
}

impl Column {
    /// The type in the table.
    pub fn column_type(&self) -> ColumnType {
        match self.values {
            // A number in the first version, text since then.
            Values::Amount(_) if self.name == "x_PartnerCreditRate" => ColumnType::String,
            Values::Text(_) | Values::Flag(_) | Values::TextMap(_) | Values::AmountMap(_) => ColumnType::String,
            Values::Amount(_) => ColumnType::Decimal,
            Values::Moment(_) => ColumnType::Timestamp,
            Values::Day(_) => ColumnType::Date,
        }
    }

    /// The same column with another name in the table.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

const fn column(name: &'static str, values: Values) -> Column {
    Column { header: name, name, values }
}

pub(crate) const fn text(name: &'static str, get: fn(&Line) -> String) -> Column {
    column(name, Values::Text(get))
}

pub(crate) const fn amount(name: &'static str, get: fn(&Line) -> Amount) -> Column {
    column(name, Values::Amount(get))
}

pub(crate) const fn moment(name: &'static str, get: fn(&Line) -> DateTime) -> Column {
    column(name, Values::Moment(get))
}

pub(crate) const fn day(name: &'static str, get: fn(&Line) -> Date) -> Column {
    column(name, Values::Day(get))
}

pub(crate) const fn flag(name: &'static str, get: fn(&Line) -> bool) -> Column {
    column(name, Values::Flag(get))
}

pub(crate) const fn text_map(name: &'static str, get: fn(&Line) -> Vec<(&'static str, String)>) -> Column {
    column(name, Values::TextMap(get))
}

pub(crate) const fn amount_map(name: &'static str, get: fn(&Line) -> Vec<(&'static str, Amount)>) -> Column {
    column(name, Values::AmountMap(get))
}
