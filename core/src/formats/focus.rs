//! The columns of FOCUS, which several providers write.
//!
//! Source: the column libraries of the FOCUS specification, 1.0 and 1.2 (`UsageQuantity` is of its preview), and Microsoft's
//! page on its FOCUS dataset.

use super::{
    KindColumns,
    names::{RepeatedColumn, spelled_column_names},
};
use crate::model::{column_type::ColumnType, key_columns::KeyColumns, text::is_in};

const KEY_COLUMNS: KeyColumns = KeyColumns {
    partition: "BillingPeriodStart",
    cluster: "ChargePeriodStart",
    time: ColumnType::Timestamp,
    costs: &["BilledCost"],
    currencies: &["BillingCurrency"],
    net_cost: None,
};

/// Its columns.
pub(super) const COLUMNS: KindColumns =
    KindColumns { key: KEY_COLUMNS, names, known_type, booleans: ["true", "false"] };

fn names(file_names: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    spelled_column_names(file_names, &KEY_COLUMNS.required_columns(|_| true))
}

const TIMESTAMPS: &[&str] = &["BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"];

const DECIMALS: &[&str] = &[
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
];

/// Azure's own.
const AZURE_DECIMALS: &[&str] = &[
    "x_BilledCostInUsd",
    "x_BilledUnitPrice",
    "x_BillingExchangeRate",
    "x_ContractedCostInUsd",
    "x_EffectiveCostInUsd",
    "x_EffectiveUnitPrice",
    "x_ListCostInUsd",
    "x_PricingBlockSize",
];

/// Each is the text of a JSON object.
const MAPS: &[&str] = &["tags", "SkuPriceDetails", "x_Discounts"];

/// Text that looks like a number. Azure's FOCUS has the rate as text since 1.0, and as a decimal in the preview. The ids of FOCUS
/// are listed because some producers change their case.
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

/// The type of a well-known column.
fn known_type(name: &str) -> Option<ColumnType> {
    if is_in(name, DECIMALS) || is_in(name, AZURE_DECIMALS) {
        Some(ColumnType::Decimal)
    } else if is_in(name, TIMESTAMPS) {
        Some(ColumnType::Timestamp)
    } else {
        (is_in(name, MAPS) || is_in(name, TEXTS)).then_some(ColumnType::String)
    }
}
