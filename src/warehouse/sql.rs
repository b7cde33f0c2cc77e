//! SQL that both warehouses understand, and the one place where identifiers are quoted.

use finops_core::{BillingPeriod, schema::ColumnType, state::TableLayout};

use super::MonthLoad;

/// What a statement says that met a value without a counterpart in the table.
pub(super) const NO_VALUE: &str = "a value cannot be converted";

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

    /// The condition that a row belongs to `period`.
    pub fn in_period(self, layout: &TableLayout, period: BillingPeriod) -> String {
        let column = self.quote(layout.partition);
        let (start, end) = bounds(layout, period);
        format!("{column} >= {start} AND {column} < {end}")
    }

    /// A query for a month's cost: currency (`unknown` where it is missing), exact sum, and rows.
    pub fn cost_query(self, table: &str, layout: &TableLayout, load: &MonthLoad) -> String {
        let (cost, currency) = (self.quote(load.cost), self.quote(load.currency));
        let in_period = self.in_period(layout, load.billing_period);
        let text = match self {
            Self::BigQuery => "STRING",
            Self::DuckDb => "VARCHAR",
        };
        format!(
            "SELECT COALESCE(NULLIF({currency}, ''), 'unknown') AS currency, \
             CAST(COALESCE(SUM({cost}), 0) AS {text}) AS cost, COUNT(*) AS row_count \
             FROM {table} WHERE {in_period} GROUP BY 1"
        )
    }
}

/// The first value of the table's partition column that belongs to the month, and the first that no longer does.
pub fn bounds(layout: &TableLayout, period: BillingPeriod) -> (String, String) {
    let literal = |day| match layout.time {
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
