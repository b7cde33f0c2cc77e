//! Types of well-known columns, by their name in the table.
//!
//! Each kind of rows lists its amounts, quantities, timestamps and maps, and text that a file may have as a number. Ids have
//! names with a certain end. Every other column is text unless the manifest says otherwise.

use super::kinds;
use crate::{
    files::file_type::FileType,
    model::{column_type::ColumnType, kind::ExportKind},
};

/// The ends of names of ids, at AWS, Azure and in FOCUS. As numbers, ids such as `012345678901` would lose the zeros in front.
const ID_ENDINGS: &[&str] = &["_id", "Id", "ID"];

/// Name prefixes of columns whose keys the customer chooses. They are always text.
const TEXT_PREFIXES: &[&str] = &["resource_tags_", "cost_category_"];

/// The type of a well-known column, which is the same in every month and for every manifest; `None` for other columns.
pub fn known_type(name: &str) -> Option<ColumnType> {
    let of_kinds = ExportKind::ALL.into_iter().find_map(|kind| (kinds::columns(kind).known_type)(name));
    of_kinds.or_else(|| {
        let is_text = ID_ENDINGS.iter().any(|ending| name.ends_with(ending))
            || TEXT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        is_text.then_some(ColumnType::String)
    })
}

/// Whether texts of the column may be codes such as `012345678901`, which a column of numbers would change. Ids may, and whole
/// numbers unless the manifest says that they are numbers. Decimals may not: CSV files have rates as text that Parquet files
/// have as numbers.
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
    use crate::formats::names::{column_names, lower_column_names};

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

    /// AWS's data dictionaries for Cost and Usage Reports and CUR 2.0: the columns that are numbers there.
    const NUMBERS_OF_AWS: &str = "
        discount/BundledDiscount discount/EdpDiscount discount/PpaDiscount discount/PrivateRateDiscount
        discount/RiVolumeDiscount discount/SppDiscount discount/TotalDiscount
        lineItem/BlendedCost lineItem/NetUnblendedCost lineItem/NormalizationFactor lineItem/NormalizedUsageAmount
        lineItem/UnblendedCost lineItem/UsageAmount
        pricing/publicOnDemandCost
        reservation/AmortizedUpfrontCostForUsage reservation/AmortizedUpfrontFeeForBillingPeriod reservation/EffectiveCost
        reservation/NetAmortizedUpfrontCostForUsage reservation/NetAmortizedUpfrontFeeForBillingPeriod
        reservation/NetEffectiveCost reservation/NetRecurringFeeForUsage
        reservation/NetUnusedAmortizedUpfrontFeeForBillingPeriod reservation/NetUnusedRecurringFee
        reservation/NetUpfrontValue reservation/RecurringFeeForUsage reservation/UnusedAmortizedUpfrontFeeForBillingPeriod
        reservation/UnusedNormalizedUnitQuantity reservation/UnusedQuantity reservation/UnusedRecurringFee
        reservation/UpfrontValue
        savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod savingsPlan/NetAmortizedUpfrontCommitmentForBillingPeriod
        savingsPlan/NetRecurringCommitmentForBillingPeriod savingsPlan/NetSavingsPlanEffectiveCost
        savingsPlan/RecurringCommitmentForBillingPeriod savingsPlan/SavingsPlanEffectiveCost savingsPlan/SavingsPlanRate
        savingsPlan/TotalCommitmentToDate savingsPlan/UsedCommitment
        splitLineItem/ActualUsage splitLineItem/NetSplitCost splitLineItem/NetUnusedCost
        splitLineItem/PublicOnDemandSplitCost splitLineItem/PublicOnDemandUnusedCost splitLineItem/ReservedUsage
        splitLineItem/SplitCost splitLineItem/SplitUsage splitLineItem/SplitUsageRatio splitLineItem/UnusedCost";

    /// The same for timestamps.
    const TIMESTAMPS_OF_AWS: &str = "
        bill/BillingPeriodEndDate bill/BillingPeriodStartDate lineItem/UsageEndDate lineItem/UsageStartDate";

    /// The same for text, where a name may suggest something else.
    const TEXT_OF_AWS: &str = "
        bill/BillType bill/InvoiceId bill/InvoicingEntity bill/PayerAccountId identity/LineItemId identity/TimeInterval
        lineItem/BlendedRate lineItem/CurrencyCode lineItem/LineItemType lineItem/NetUnblendedRate lineItem/ResourceId
        lineItem/UnblendedRate lineItem/UsageAccountId pricing/LeaseContractLength pricing/RateCode pricing/RateId
        pricing/currency pricing/publicOnDemandRate pricing/unit reservation/EndTime reservation/ModificationStatus
        reservation/NormalizedUnitsPerReservation reservation/NumberOfReservations reservation/ReservationARN
        reservation/StartTime reservation/SubscriptionId reservation/TotalReservedNormalizedUnits
        reservation/TotalReservedUnits reservation/UnitsPerReservation savingsPlan/EndTime savingsPlan/OfferingType
        savingsPlan/PaymentOption savingsPlan/PurchaseTerm savingsPlan/Region savingsPlan/SavingsPlanARN savingsPlan/StartTime
        splitLineItem/ParentResourceId costCategory/discount_x_discount resourceTags/user:discount";

    #[test]
    fn columns_of_aws_have_the_types_that_aws_documents() {
        for (type_, columns) in [
            (ColumnType::Decimal, NUMBERS_OF_AWS),
            (ColumnType::Timestamp, TIMESTAMPS_OF_AWS),
            (ColumnType::String, TEXT_OF_AWS),
        ] {
            // CSV files of reports have these names. Parquet files and CUR 2.0 have the names that the table gets.
            let columns: Vec<String> = columns.split_whitespace().map(str::to_owned).collect();
            let named = column_names(&columns).unwrap();
            assert_eq!(lower_column_names(&named).unwrap(), named);
            for name in named {
                assert_eq!(known_type(&name).unwrap_or(ColumnType::String), type_, "{name}");
            }
        }
        // CUR 2.0 has all discounts but two in one map.
        for map in ["cost_category", "discount", "product", "resource_tags"] {
            assert_eq!(known_type(map), Some(ColumnType::String), "{map}");
        }
        assert_ne!(known_type("discount_name"), Some(ColumnType::Decimal));
    }

    #[test]
    fn ids_are_text_in_every_format() {
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
