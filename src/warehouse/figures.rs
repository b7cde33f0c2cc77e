//! What a month's staged rows are, in figures.

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod, Costs,
    model::groups::{BatchFigures, Groups},
};

/// What a month's staged rows are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Files that were read; `None` where the warehouse does not report it.
    pub files: Option<u64>,
    /// Rows that the load reports as written.
    pub written: Option<u64>,
    /// Rows that the files have, counted in another way than by the load.
    pub counted: Option<u64>,
    /// Rows that the load left out.
    pub left_out: u64,
    /// Columns without a value in any row, although the files have values of them.
    pub lost: Vec<String>,
    /// Rows by month; under `None` the rows of no month.
    pub rows_by_month: BTreeMap<Option<BillingPeriod>, u64>,
    /// The exact sum of the cost column.
    pub cost: Costs,
    /// The exact sum after discounts; `None` where no row has a net cost.
    pub cost_net: Option<Costs>,
    /// Rows and cost by the columns of [`super::MonthLoad::group_by`] and by day; empty without such columns.
    pub groups: Groups,
    /// The figures of each batch of files, in their order; empty where no files were staged.
    pub batches: Vec<BatchFigures>,
    /// Bytes that the warehouse bills for what this run started.
    pub bytes_billed: u64,
}

impl Figures {
    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.rows_by_month.values().sum()
    }
}
