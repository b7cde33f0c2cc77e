//! The query for a month's rows and costs, and how its answer is read.

use finops_core::{
    Costs,
    model::{
        amount::add_to,
        key_columns::{KeyColumns, NetCost},
    },
};

use super::{Figures, MonthLoad, sql::Dialect};

/// At most so many months and currencies. A delivery with more has other columns than its header says.
const MOST_GROUPS: usize = 10_000;
/// At most so many groups where rows are also summed by day and scope: some thousand scopes.
const MOST_PARTS: usize = 100_000;

impl Dialect {
    /// A query for the rows and costs of `table`, or only of the load's month in it, by month and currency (`unknown` where
    /// it is missing). [`read_costs`] reads its result.
    ///
    /// The cost after discounts follows the FinOps rule for EDP and the like: the net cost of a row that has one; nothing for
    /// a discount line, since the net costs of other lines include it; the cost of any other row.
    ///
    /// `sum` writes the exact sum, as text, of an expression that has the type of the given column.
    pub fn cost_query(
        self,
        table: &str,
        key: &KeyColumns,
        load: &MonthLoad,
        of_month: bool,
        sum: impl Fn(&str, &str) -> String,
    ) -> String {
        let [cost, currency, partition] = [load.cost, load.currency, key.partition].map(|name| self.quote(name));
        let month = self.formatted(&partition, key.time, "%Y-%m");
        let net_columns = load.net_cost.map(|NetCost { net, line_type }| {
            let [value, line_type] = [net, line_type].map(|name| self.quote(name));
            let is_discount = self.ends_with(&line_type, "Discount");
            // Two sums, since the columns may differ in scale: in one expression, DuckDB would round (seen on 1.5.6).
            let other_cost = sum(&format!("IF({value} IS NOT NULL OR {is_discount}, NULL, {cost})"), load.cost);
            let [as_count, as_net, as_other] = ["net_count", "net_cost", "other_cost"].map(|name| self.quote(name));
            let (count, net_cost) = (self.count(&value), sum(&value, net));
            format!(", {count} AS {as_count}, {net_cost} AS {as_net}, {other_cost} AS {as_other}")
        });
        let as_text = |column: &str| format!("COALESCE({}, '')", self.as_text(&self.quote(column)));
        let day = || self.formatted(&self.quote(key.cluster), key.time, "%Y-%m-%d");
        let groups: Vec<String> = load
            .group_by
            .iter()
            .flat_map(|columns| columns.iter().map(|column| as_text(column)).chain([day()]))
            .collect();
        let (selected, grouped): (String, String) = groups
            .iter()
            .enumerate()
            .map(|(at, group)| (format!(", {group} AS {}", self.quote(&format!("part_{at}"))), format!(", {}", at + 5)))
            .unzip();
        let condition =
            if of_month { format!(" WHERE {}", self.in_period(key, load.billing_period)) } else { String::new() };
        let [as_month, as_currency, as_cost, as_count] =
            ["month", "currency", "cost", "row_count"].map(|name| self.quote(name));
        format!(
            "SELECT {month} AS {as_month}, COALESCE(NULLIF({currency}, ''), 'unknown') AS {as_currency}, {} AS {as_cost}, \
             {} AS {as_count}{selected}{} FROM {table}{condition} GROUP BY 1, 2{grouped} LIMIT {}",
            sum(&cost, load.cost),
            self.count("*"),
            net_columns.unwrap_or_default(),
            most_rows(load) + 1
        )
    }
}

/// How many rows the result of [`Dialect::cost_query`] may have.
fn most_rows(load: &MonthLoad) -> usize {
    if load.group_by.is_some() { MOST_PARTS } else { MOST_GROUPS }
}

/// How many columns the result of [`Dialect::cost_query`] has.
#[cfg(feature = "duckdb")]
pub(super) fn cost_columns(load: &MonthLoad) -> usize {
    4 + group_columns(load) + if load.net_cost.is_some() { 3 } else { 0 }
}

fn group_columns(load: &MonthLoad) -> usize {
    load.group_by.as_ref().map_or(0, |columns| columns.len() + 1)
}

/// Rows and costs, from the result of [`Dialect::cost_query`].
///
/// # Errors
/// The unexpected row, or that there are too many rows, as text.
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
