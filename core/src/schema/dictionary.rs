//! Types of well-known columns, by their name in the table.
//!
//! Source: AWS's data dictionary for Cost and Usage Reports. Only amounts, quantities and moments are listed; what is
//! not listed is text unless the manifest says otherwise. Rates such as `lineItem/UnblendedRate` are text at AWS. Azure's
//! columns have names of another form, and stand with the rest that is known of them.

use super::ColumnType;
use crate::azure;

const TIMESTAMPS: &[&str] = &[
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
];

const DECIMALS: &[&str] = &[
    "discount_bundled_discount",
    "discount_total_discount",
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
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "split_line_item_actual_usage",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
];

/// Name prefixes of columns whose keys the customer chooses: always text, whatever a manifest says.
const TEXT_PREFIXES: &[&str] = &["resource_tags_", "cost_category_"];

/// The type of a well-known column, the same in every month and whatever a manifest says; `None` for the others.
pub fn known_type(name: &str) -> Option<ColumnType> {
    if DECIMALS.contains(&name) {
        Some(ColumnType::Decimal)
    } else if TIMESTAMPS.contains(&name) {
        Some(ColumnType::Timestamp)
    } else if TEXT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some(ColumnType::String)
    } else {
        azure::known_type(name)
    }
}
