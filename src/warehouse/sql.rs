//! SQL that both warehouses understand, and the one place where identifiers are quoted.

use finops_core::{
    BillingPeriod,
    model::{column_type::ColumnType, key_columns::KeyColumns},
};

/// The message of a statement that finds a value which cannot be converted.
pub(super) const NO_VALUE: &str = "a value cannot be converted";

/// The texts that both warehouses read as timestamps, as a regular expression: a year of four digits, no hour 24, and only
/// zeros after the microseconds, since DuckDB would drop other digits (seen on 1.5.6). The warehouse checks the zone.
pub(super) const TIMESTAMP: &str = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{1,6}0*)?)?)?( ?([+-][0-9:]+|[A-Za-z][A-Za-z_/]*))?";
/// The start of a text that may be a code, and that a column of numbers would change: a zero or a plus sign before the number.
pub(super) const CODE: &str = "[+]|-?0[0-9]";
/// What a timestamp must be.
pub(super) const EXPECTED_TIMESTAMP: &str = "a timestamp of at most six decimals";

/// What a text that may be a code must be, for a column of numbers of that type.
pub(super) fn expected_no_code(to: ColumnType) -> &'static str {
    match to {
        ColumnType::Int64 => {
            "a whole number of 64 bits without zeros or a plus sign in front, which the column would lose"
        }
        _ => "a decimal without zeros or a plus sign in front, which the column would lose",
    }
}

/// How a warehouse writes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Backticks; a backslash escapes.
    BigQuery,
    /// Double quotes, doubled inside.
    DuckDb,
}

impl Dialect {
    /// `name` as an identifier, whatever characters it has.
    pub fn quote(self, name: &str) -> String {
        match self {
            Self::BigQuery => format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")),
            Self::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// The parts of a name, such as project, dataset and table, each quoted.
    pub fn path(self, parts: &[&str]) -> String {
        parts.iter().map(|part| self.quote(part)).collect::<Vec<_>>().join(".")
    }

    /// `text` as a string literal.
    pub fn literal(self, text: &str) -> String {
        match self {
            Self::BigQuery => {
                let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r");
                format!("'{escaped}'")
            }
            Self::DuckDb => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// A day or timestamp as text. `time` is its type.
    pub(super) fn formatted(self, value: &str, time: ColumnType, form: &str) -> String {
        match (self, time) {
            (Self::DuckDb, _) => format!("strftime({value}, '{form}')"),
            (Self::BigQuery, ColumnType::Date) => format!("FORMAT_DATE('{form}', {value})"),
            (Self::BigQuery, _) => format!("FORMAT_TIMESTAMP('{form}', {value})"),
        }
    }

    /// How many rows have a value, as text. BigQuery's results are text already.
    pub(super) fn count(self, of: &str) -> String {
        match self {
            Self::BigQuery => format!("COUNT({of})"),
            Self::DuckDb => format!("CAST(COUNT({of}) AS VARCHAR)"),
        }
    }

    /// Any value as text.
    pub(super) fn as_text(self, value: &str) -> String {
        match self {
            Self::BigQuery => format!("CAST({value} AS STRING)"),
            Self::DuckDb => format!("CAST({value} AS VARCHAR)"),
        }
    }

    /// Whether a text ends with `ending`, a word.
    pub(super) fn ends_with(self, text: &str, ending: &str) -> String {
        match self {
            Self::BigQuery => format!("REGEXP_CONTAINS({text}, '{ending}$')"),
            Self::DuckDb => format!("{text} LIKE '%{ending}'"),
        }
    }

    /// The condition that a row belongs to `period`.
    pub fn in_period(self, key: &KeyColumns, period: BillingPeriod) -> String {
        let column = self.quote(key.partition);
        let (start, end) = bounds(key, period);
        format!("{column} >= {start} AND {column} < {end}")
    }

    /// `text`, but NULL where it is one of the texts that mean "no value"; `None` where there are no such texts.
    pub(super) fn given(self, text: &str, no_value: &[String]) -> Option<String> {
        let trimmed = match self {
            Self::BigQuery => format!("REGEXP_REPLACE({text}, '^[ \\t]+|[ \\t]+$', '')"),
            Self::DuckDb => format!("trim({text}, ' \t')"),
        };
        let is_one = no_value.iter().map(|no_value| format!("{trimmed} = {}", self.literal(no_value)));
        let is_one = is_one.collect::<Vec<_>>().join(" OR ");
        (!is_one.is_empty()).then(|| format!("IF({is_one}, NULL, {text})"))
    }
}

/// The first value of the partition column in the month, and the first one after the month.
pub fn bounds(key: &KeyColumns, period: BillingPeriod) -> (String, String) {
    let literal = |day| match key.time {
        ColumnType::Date => format!("DATE '{day}'"),
        _ => format!("TIMESTAMP '{day} 00:00:00'"),
    };
    (literal(period.first_day()), literal(period.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_literals_cannot_break_out() {
        assert_eq!(Dialect::DuckDb.path(&["my\"set", "t"]), r#""my""set"."t""#);
        assert_eq!(Dialect::BigQuery.quote("a`b\\"), "`a\\`b\\\\`");
        assert_eq!(Dialect::DuckDb.literal("it's"), "'it''s'");
        assert_eq!(Dialect::BigQuery.literal("it's\\\n"), "'it\\'s\\\\\\n'");
    }
}
