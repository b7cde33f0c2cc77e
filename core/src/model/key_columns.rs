//! The columns of a table that finops itself needs. `formats` has those of each kind of rows.

use crate::model::column_type::ColumnType;

/// The columns of a table of billing data that finops needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumns {
    /// The billing period of a row. The table has one partition per month of this column.
    pub partition: &'static str,
    /// The table is clustered by it.
    pub cluster: &'static str,
    /// The type of both.
    pub time: ColumnType,
    /// The cost is the first of these that a month's files have. It is summed per currency when the month is loaded.
    pub costs: &'static [&'static str],
    /// The currency of the cost is the first of these that a month's files have.
    pub currencies: &'static [&'static str],
    /// Where the cost after discounts is, if exports of the kind have it.
    pub net_cost: Option<NetCost>,
}

/// The columns from which the cost after discounts is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetCost {
    /// The net cost of a row.
    pub net: &'static str,
    /// The type of a row, which shows whether it is a discount.
    pub line_type: &'static str,
}

impl KeyColumns {
    /// The column that is summed, given which columns there are.
    pub fn cost(&self, is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
        self.costs.iter().copied().find(|name| is_there(name))
    }

    /// The column of its currency, given which columns there are.
    pub fn currency(&self, is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
        self.currencies.iter().copied().find(|name| is_there(name))
    }

    /// The columns that the table has even if the files do not, given the other columns.
    pub fn required_columns(&self, is_there: impl Fn(&str) -> bool) -> [&'static str; 4] {
        let cost = self.cost(&is_there).unwrap_or(self.costs[0]);
        [self.partition, self.cluster, cost, self.currency(is_there).unwrap_or(self.currencies[0])]
    }
}
