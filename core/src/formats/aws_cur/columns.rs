//! The columns of a Cost and Usage Report.
//!
//! Source: AWS's data dictionaries for Cost and Usage Reports and for CUR 2.0. Rates such as `lineItem/UnblendedRate` are text
//! there, and `savingsPlan/SavingsPlanRate` is a number.

use crate::{
    formats::{KindColumns, names::column_names},
    model::{
        column_type::ColumnType,
        key_columns::{KeyColumns, NetCost},
        text::is_in,
    },
};

/// The key columns of its table.
pub const KEY_COLUMNS: KeyColumns = KeyColumns {
    partition: "bill_billing_period_start_date",
    cluster: "line_item_usage_start_date",
    time: ColumnType::Timestamp,
    costs: &["line_item_unblended_cost"],
    currencies: &["line_item_currency_code"],
    net_cost: Some(NetCost { net: "line_item_net_unblended_cost", line_type: "line_item_line_item_type" }),
};

/// Its columns.
pub const COLUMNS: KindColumns =
    KindColumns { key: KEY_COLUMNS, names: column_names, known_type, booleans: ["true", "false"] };

const TIMESTAMPS: &[&str] = &[
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
];

const DECIMALS: &[&str] = &[
    "line_item_blended_cost",
    "line_item_net_unblended_cost",
    "line_item_normalized_usage_amount",
    "line_item_normalization_factor",
    "line_item_unblended_cost",
    "line_item_usage_amount",
    "pricing_public_on_demand_cost",
    "reservation_amortized_upfront_cost_for_usage",
    "reservation_amortized_upfront_fee_for_billing_period",
    "reservation_effective_cost",
    "reservation_net_amortized_upfront_cost_for_usage",
    "reservation_net_amortized_upfront_fee_for_billing_period",
    "reservation_net_effective_cost",
    "reservation_net_recurring_fee_for_usage",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_recurring_fee",
    "reservation_net_upfront_value",
    "reservation_recurring_fee_for_usage",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_normalized_unit_quantity",
    "reservation_unused_quantity",
    "reservation_unused_recurring_fee",
    "reservation_upfront_value",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_recurring_commitment_for_billing_period",
    "savings_plan_net_savings_plan_effective_cost",
    "savings_plan_recurring_commitment_for_billing_period",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_savings_plan_rate",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "split_line_item_actual_usage",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
    "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
];

/// Whether the column is the amount of a discount. Each agreement with AWS has columns of its own, such as
/// `discount_edp_discount`.
fn is_discount(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("discount_") && name.ends_with("_discount")
}

/// The type of a well-known column.
fn known_type(name: &str) -> Option<ColumnType> {
    if is_in(name, DECIMALS) || is_discount(name) {
        Some(ColumnType::Decimal)
    } else {
        is_in(name, TIMESTAMPS).then_some(ColumnType::Timestamp)
    }
}
