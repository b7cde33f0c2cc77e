//! SQL that both warehouses understand, and the one place where identifiers are quoted.

use finops_core::{
    BillingPeriod, Costs,
    model::{
        amount::add_to,
        column_type::ColumnType,
        key_columns::{KeyColumns, NetCost},
    },
};

use super::{Figures, MonthLoad, NoValue};

/// What a statement says that met a value without a counterpart in the table.
pub(super) const NO_VALUE: &str = "a value cannot be converted";

/// Months and currencies that a delivery may have: there are more where files have other columns than their header says.
const MOST_GROUPS: usize = 10_000;
/// The same where rows are summed by day and scope, too: some thousand scopes.
const MOST_PARTS: usize = 100_000;

/// The texts of which both warehouses make moments, as a regular expression: a year of four digits, no hour 24, and no digit
/// but zeros behind the microseconds, which DuckDB would drop (seen on 1.5.6). What a zone is, the warehouse says.
pub(super) const MOMENT: &str = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ]([01]?[0-9]|2[0-3]):[0-9]{1,2}(:[0-9]{1,2}([.][0-9]{1,6}0*)?)?)?( ?([+-][0-9:]+|[A-Za-z][A-Za-z_/]*))?";
/// How a text begins that a column of numbers does not give back: with a zero or a plus sign in front of the number.
pub(super) const CODE: &str = "[+]|-?0[0-9]";
/// What a moment must be.
pub(super) const EXPECTED_MOMENT: &str = "a timestamp of at most six decimals";

/// What a text that may be a code must be for a column of that type of numbers.
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

    /// The condition that a row belongs to `period`.
    pub fn in_period(self, layout: &KeyColumns, period: BillingPeriod) -> String {
        let column = self.quote(layout.partition);
        let (start, end) = bounds(layout, period);
        format!("{column} >= {start} AND {column} < {end}")
    }

    /// `text`, and NULL where it is one of those that mean "no value"; `None` where no text does.
    pub(super) fn given(self, text: &str, NoValue { texts, .. }: &NoValue) -> Option<String> {
        let trimmed = match self {
            Self::BigQuery => format!("REGEXP_REPLACE({text}, '^[ \\t]+|[ \\t]+$', '')"),
            Self::DuckDb => format!("trim({text}, ' \t')"),
        };
        let is_one = texts.iter().map(|no_value| format!("{trimmed} = {}", self.literal(no_value)));
        let is_one = is_one.collect::<Vec<_>>().join(" OR ");
        (!is_one.is_empty()).then(|| format!("IF({is_one}, NULL, {text})"))
    }

    /// A query for the rows and costs of `table`, or only of the load's month there, by month and currency (`unknown` where
    /// it is missing). [`read_costs`] reads what it gives.
    ///
    /// The cost after discounts follows the FinOps rule for EDP and the like: the net cost where there is one; else nothing
    /// of a discount line, which the net costs of other lines hold already, and the cost of any other.
    ///
    /// `sum` writes the exact sum of an expression, which has the type of the column that is named with it, as text.
    pub fn cost_query(
        self,
        table: &str,
        layout: &KeyColumns,
        load: &MonthLoad,
        of_month: bool,
        sum: impl Fn(&str, &str) -> String,
    ) -> String {
        let [cost, currency, partition] = [load.cost, load.currency, layout.partition].map(|name| self.quote(name));
        let month = match (self, layout.time) {
            (Self::DuckDb, _) => format!("strftime({partition}, '%Y-%m')"),
            (Self::BigQuery, ColumnType::Date) => format!("FORMAT_DATE('%Y-%m', {partition})"),
            (Self::BigQuery, _) => format!("FORMAT_TIMESTAMP('%Y-%m', {partition})"),
        };
        // BigQuery gives numbers as text by itself.
        let count = |of: &str| match self {
            Self::BigQuery => format!("COUNT({of})"),
            Self::DuckDb => format!("CAST(COUNT({of}) AS VARCHAR)"),
        };
        let net_columns = load.net_cost.map(|NetCost { net, line_type }| {
            let [value, line_type] = [net, line_type].map(|name| self.quote(name));
            let is_discount = match self {
                Self::BigQuery => format!("REGEXP_CONTAINS({line_type}, 'Discount$')"),
                Self::DuckDb => format!("{line_type} LIKE '%Discount'"),
            };
            // Apart, as the columns may differ in scale: in one expression, DuckDB would round (seen on 1.5.6).
            let other_cost = sum(&format!("IF({value} IS NOT NULL OR {is_discount}, NULL, {cost})"), load.cost);
            let [as_count, as_net, as_other] = ["net_count", "net_cost", "other_cost"].map(|name| self.quote(name));
            let (count, net_cost) = (count(&value), sum(&value, net));
            format!(", {count} AS {as_count}, {net_cost} AS {as_net}, {other_cost} AS {as_other}")
        });
        let text = match self {
            Self::BigQuery => "STRING",
            Self::DuckDb => "VARCHAR",
        };
        let as_text = |column: &str| format!("COALESCE(CAST({} AS {text}), '')", self.quote(column));
        let day = |column: &str| match (self, layout.time) {
            (Self::DuckDb, _) => format!("strftime({}, '%Y-%m-%d')", self.quote(column)),
            (Self::BigQuery, ColumnType::Date) => format!("FORMAT_DATE('%Y-%m-%d', {})", self.quote(column)),
            (Self::BigQuery, _) => format!("FORMAT_TIMESTAMP('%Y-%m-%d', {})", self.quote(column)),
        };
        let groups: Vec<String> = load
            .group_by
            .iter()
            .flat_map(|by| by.columns.iter().map(|column| as_text(column)).chain([day(by.day)]))
            .collect();
        let (selected, grouped): (String, String) = groups
            .iter()
            .enumerate()
            .map(|(at, group)| (format!(", {group} AS {}", self.quote(&format!("part_{at}"))), format!(", {}", at + 5)))
            .unzip();
        let condition =
            if of_month { format!(" WHERE {}", self.in_period(layout, load.billing_period)) } else { String::new() };
        let [as_month, as_currency, as_cost, as_count] =
            ["month", "currency", "cost", "row_count"].map(|name| self.quote(name));
        format!(
            "SELECT {month} AS {as_month}, COALESCE(NULLIF({currency}, ''), 'unknown') AS {as_currency}, {} AS {as_cost}, \
             {} AS {as_count}{selected}{} FROM {table}{condition} GROUP BY 1, 2{grouped} LIMIT {}",
            sum(&cost, load.cost),
            count("*"),
            net_columns.unwrap_or_default(),
            most_rows(load) + 1
        )
    }
}

/// So many rows the answer to [`Dialect::cost_query`] may have.
fn most_rows(load: &MonthLoad) -> usize {
    if load.group_by.is_some() { MOST_PARTS } else { MOST_GROUPS }
}

/// How many columns the answer to [`Dialect::cost_query`] has.
#[cfg(feature = "duckdb")]
pub(super) fn cost_columns(load: &MonthLoad) -> usize {
    4 + group_columns(load) + if load.net_cost.is_some() { 3 } else { 0 }
}

fn group_columns(load: &MonthLoad) -> usize {
    load.group_by.as_ref().map_or(0, |by| by.columns.len() + 1)
}

/// Rows and costs, from the answer to [`Dialect::cost_query`].
///
/// # Errors
/// A row that is none of those that were asked for, or that there are far too many, as text.
pub(super) fn read_costs(load: &MonthLoad, rows: &[Vec<Option<String>>]) -> Result<Figures, String> {
    let most = most_rows(load);
    if rows.len() > most {
        return Err(format!("more than {most} months, currencies, days and scopes"));
    }
    let groups = group_columns(load);
    let (mut figures, mut net, mut has_net) = (Figures::default(), Costs::new(), false);
    for row in rows {
        let mut read = || {
            let [month, Some(currency), Some(cost), Some(count), others @ ..] = row.as_slice() else { return None };
            let month = month.as_deref().and_then(|month| month.parse().ok());
            let (group, of_net) = others.split_at_checked(groups)?;
            let count: u64 = count.parse().ok()?;
            *figures.rows_by_month.entry(month).or_default() += count;
            add(&mut figures.cost, currency, cost)?;
            if let [values @ .., day] = group {
                let values = values.iter().map(|value| value.clone().unwrap_or_default()).collect();
                let day = day.as_deref().and_then(|day| day.parse().ok());
                let sums = figures.groups.entry((values, day)).or_default();
                sums.rows += count;
                add(&mut sums.cost, currency, cost)?;
            }
            if let [Some(count), Some(net_cost), Some(other_cost)] = of_net {
                has_net |= count != "0";
                add(&mut net, currency, net_cost)?;
                add(&mut net, currency, other_cost)?;
            }
            Some(())
        };
        read().ok_or_else(|| format!("{row:?}"))?;
    }
    figures.cost_net = has_net.then_some(net);
    Ok(figures)
}

/// Adds to a currency's sum, which may be split by months.
fn add(costs: &mut Costs, currency: &str, cost: &str) -> Option<()> {
    add_to(costs, currency, &cost.parse().ok()?);
    Some(())
}

/// The first value of the table's partition column that belongs to the month, and the first that no longer does.
pub fn bounds(layout: &KeyColumns, period: BillingPeriod) -> (String, String) {
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
