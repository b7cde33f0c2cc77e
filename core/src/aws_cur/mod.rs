//! AWS Cost and Usage Reports, version 1 (the legacy report), as CSV and as Parquet.

mod layout;
mod parse;

pub(crate) use layout::{MANIFEST_SUFFIX, below, export_of};
pub use layout::{locate, manifest_patterns};
pub use parse::parse;

use crate::{
    schema::ColumnType,
    state::{NetCost, TableLayout},
};

/// What the table of a Cost and Usage Report stands on.
pub const TABLE_LAYOUT: TableLayout = TableLayout {
    partition: "bill_billing_period_start_date",
    cluster: "line_item_usage_start_date",
    time: ColumnType::Timestamp,
    costs: &["line_item_unblended_cost"],
    currencies: &["line_item_currency_code"],
    net_cost: Some(NetCost { net: "line_item_net_unblended_cost", line_type: "line_item_line_item_type" }),
};
