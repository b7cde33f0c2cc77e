//! A column of a dialect: what the files and the table call it, and what a line has in it.

use jiff::civil::{Date, DateTime};
use serde::Serialize;

use crate::{amount::Amount, line::Line};

/// A column's type in the table, as the providers document it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ColumnType {
    /// Text, also that of a JSON object.
    String,
    /// An exact decimal.
    Decimal,
    /// A moment in UTC.
    Timestamp,
    /// A calendar day.
    Date,
}

/// What a line has in a column.
#[derive(Clone, Copy)]
pub(crate) enum Values {
    /// Where it is empty, there is none.
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
    /// In the files.
    pub header: &'static str,
    /// In the table.
    pub name: &'static str,
    pub values: Values,
}

impl Column {
    /// The table's type.
    pub fn column_type(&self) -> ColumnType {
        match self.values {
            // A number in the first version and text since.
            Values::Amount(_) if self.name == "x_PartnerCreditRate" => ColumnType::String,
            Values::Text(_) | Values::Flag(_) | Values::TextMap(_) | Values::AmountMap(_) => ColumnType::String,
            Values::Amount(_) => ColumnType::Decimal,
            Values::Moment(_) => ColumnType::Timestamp,
            Values::Day(_) => ColumnType::Date,
        }
    }

    /// The same, with another name in the table than in the files.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

const fn column(name: &'static str, values: Values) -> Column {
    Column { header: name, name, values }
}

pub(crate) const fn text(name: &'static str, of: fn(&Line) -> String) -> Column {
    column(name, Values::Text(of))
}

pub(crate) const fn amount(name: &'static str, of: fn(&Line) -> Amount) -> Column {
    column(name, Values::Amount(of))
}

pub(crate) const fn moment(name: &'static str, of: fn(&Line) -> DateTime) -> Column {
    column(name, Values::Moment(of))
}

pub(crate) const fn day(name: &'static str, of: fn(&Line) -> Date) -> Column {
    column(name, Values::Day(of))
}

pub(crate) const fn flag(name: &'static str, of: fn(&Line) -> bool) -> Column {
    column(name, Values::Flag(of))
}

pub(crate) const fn text_map(name: &'static str, of: fn(&Line) -> Vec<(&'static str, String)>) -> Column {
    column(name, Values::TextMap(of))
}

pub(crate) const fn amount_map(name: &'static str, of: fn(&Line) -> Vec<(&'static str, Amount)>) -> Column {
    column(name, Values::AmountMap(of))
}
