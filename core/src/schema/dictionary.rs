//! Types of well-known columns, by their name in the table.
//!
//! Sources: AWS's data dictionaries for Cost and Usage Reports and for CUR 2.0; the column libraries of the FOCUS
//! specification, 1.0 and 1.2 (`UsageQuantity` is of its preview), and Microsoft's page on its FOCUS dataset. Only amounts,
//! quantities, moments and maps are listed, and text that a file may have as a number; ids are known by the end of their
//! name; what is not listed is text unless the manifest says otherwise. Rates such as `lineItem/UnblendedRate` are text at AWS.
//! Azure's columns have names of another form, and stand with the rest that is known of them.

use super::{ColumnType, FileType};
use crate::azure;

const TIMESTAMPS: &[&str] = &[
    "bill_billing_period_start_date",
    "bill_billing_period_end_date",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
    // FOCUS
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargePeriodEnd",
    "ChargePeriodStart",
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
    "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
    // FOCUS
    "BilledCost",
    "CommitmentDiscountQuantity",
    "ConsumedQuantity",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "UsageQuantity",
    // FOCUS, of Azure
    "x_BilledCostInUsd",
    "x_BilledUnitPrice",
    "x_BillingExchangeRate",
    "x_ContractedCostInUsd",
    "x_EffectiveCostInUsd",
    "x_EffectiveUnitPrice",
    "x_ListCostInUsd",
    "x_PricingBlockSize",
];

/// Maps of CUR 2.0 and of FOCUS: each is the text of a JSON object.
const MAPS: &[&str] =
    &["cost_category", "discount", "product", "resource_tags", "tags", "SkuPriceDetails", "x_Discounts"];

/// Text that looks like a number: Azure's FOCUS has had the rate as text since 1.0, and as a decimal in the preview. The ids
/// of FOCUS are here for producers that change their case.
const TEXTS: &[&str] = &[
    "BillingAccountId",
    "CapacityReservationId",
    "CommitmentDiscountId",
    "InvoiceId",
    "RegionId",
    "ResourceId",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "x_PartnerCreditRate",
];

/// What the names of ids end with, at AWS, Azure and in FOCUS. A column of numbers would take the zeros in front of
/// `012345678901`, as where a data frame library has rewritten the files.
const ID_ENDINGS: &[&str] = &["_id", "Id", "ID"];

/// Name prefixes of columns whose keys the customer chooses: always text, whatever a manifest says.
const TEXT_PREFIXES: &[&str] = &["resource_tags_", "cost_category_"];

/// The type of a well-known column, the same in every month and whatever a manifest says; `None` for the others. The name's
/// case has no say: some producers of FOCUS change it.
pub fn known_type(name: &str) -> Option<ColumnType> {
    let is_in = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(DECIMALS) {
        Some(ColumnType::Decimal)
    } else if is_in(TIMESTAMPS) {
        Some(ColumnType::Timestamp)
    } else if is_in(MAPS)
        || is_in(TEXTS)
        || ID_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || TEXT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    {
        Some(ColumnType::String)
    } else {
        azure::known_type(name)
    }
}

/// Whether texts of the column, on their way into a column of numbers, may be codes such as `012345678901`, which do not come
/// back the same. Ids are, and whole numbers unless the manifest says that they are numbers. Decimals are not: CSV files
/// have rates as text that Parquet files have as numbers.
pub fn may_be_code(name: &str, file_type: FileType, to: ColumnType) -> bool {
    let named = match file_type {
        FileType::Text(named) => named,
        FileType::String | FileType::TimeText(_) => None,
        _ => return false,
    };
    match (to, known_type(name)) {
        (ColumnType::Int64 | ColumnType::Decimal, Some(ColumnType::String)) => true,
        (ColumnType::Int64, None) => !matches!(named, Some(ColumnType::Int64 | ColumnType::Decimal)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_focus_are_known_in_any_case() {
        for name in ["BilledCost", "billedCost", "BILLEDCOST"] {
            assert_eq!(known_type(name), Some(ColumnType::Decimal), "{name}");
        }
        assert_eq!(known_type("chargeperiodstart"), Some(ColumnType::Timestamp));
        assert_eq!(known_type("Tags"), Some(ColumnType::String));
        assert_eq!(known_type("X_PartnerCreditRate"), Some(ColumnType::String));
        assert_eq!(known_type("BilledCosts"), None);
    }

    #[test]
    fn ids_are_text_whoever_names_them() {
        for name in [
            "bill_payer_account_id",
            "line_item_usage_account_id",
            "bill_invoice_id",
            "BillingAccountId",
            "subaccountid",
            "invoiceId",
            "productID",
        ] {
            assert_eq!(known_type(name), Some(ColumnType::String), "{name}");
        }
        for name in ["line_item_usage_amount", "bid", "x_paid"] {
            assert_ne!(known_type(name), Some(ColumnType::String), "{name}");
        }
    }

    #[test]
    fn ids_may_be_codes_and_whole_numbers_unless_the_manifest_calls_them_so() {
        use ColumnType::{Decimal, Int64, String};
        for (name, file_type, to, expected) in [
            ("bill_invoice_id", FileType::String, Int64, true),
            ("bill_invoice_id", FileType::Text(Some(Int64)), Decimal, true),
            ("product_seats", FileType::String, Int64, true),
            ("product_seats", FileType::Text(None), Decimal, false),
            ("product_seats", FileType::Text(Some(Int64)), Int64, false),
            ("line_item_unblended_cost", FileType::String, Decimal, false),
            ("bill_invoice_id", FileType::Text(None), String, false),
            ("bill_invoice_id", FileType::Int64, Int64, false),
        ] {
            assert_eq!(may_be_code(name, file_type, to), expected, "{name} {file_type} {to}");
        }
    }
}
