//! The columns of actual and amortized cost.
//!
//! Source: Microsoft's pages on the schemas of cost and usage details, for Enterprise, Customer and Partner Agreements
//! and pay-as-you-go. The case of a header depends on the agreement: `CostInBillingCurrency` of an Enterprise Agreement is
//! `costInBillingCurrency` of a Customer Agreement.

use crate::{
    formats::{
        KindColumns,
        names::{RepeatedColumn, spelled_column_names},
    },
    model::{column_type::ColumnType, key_columns::KeyColumns},
};

const DECIMALS: [&str; 14] = [
    "cost",
    "costInBillingCurrency",
    "costInPricingCurrency",
    "costInUsd",
    "effectivePrice",
    "exchangeRatePricingToBilling",
    "payGPrice",
    "paygCostInBillingCurrency",
    "paygCostInUsd",
    "preTaxCost",
    "quantity",
    "resourceRate",
    "unitPrice",
    "usageQuantity",
];

const DATES: [&str; 6] = [
    "billingPeriodEndDate",
    "billingPeriodStartDate",
    "date",
    "exchangeRateDate",
    "servicePeriodEndDate",
    "servicePeriodStartDate",
];

/// The names of a row's day in older schemas.
const OLD_DAYS: [&str; 2] = ["usageDateTime", "usageDate"];

/// The key columns of its table. The columns of cost and currency depend on the agreement.
pub const KEY_COLUMNS: KeyColumns = KeyColumns {
    partition: "billingPeriodStartDate",
    cluster: "date",
    time: ColumnType::Date,
    costs: &["costInBillingCurrency", "preTaxCost", "cost"],
    currencies: &["billingCurrency", "billingCurrencyCode", "currency"],
    net_cost: None,
};

/// Its columns.
pub const COLUMNS: KindColumns =
    KindColumns { key: KEY_COLUMNS, names: column_names, known_type, booleans: ["True", "False"] };

/// The type of a well-known column of the table.
fn known_type(name: &str) -> Option<ColumnType> {
    if DECIMALS.contains(&name) {
        Some(ColumnType::Decimal)
    } else if DATES.contains(&name) {
        Some(ColumnType::Date)
    } else {
        None
    }
}

/// The table's column name for each column of the files, in the same spelling for every agreement.
///
/// # Errors
/// [`RepeatedColumn`] if two are equal.
pub fn column_names(file_names: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    let known = [&DECIMALS[..], &DATES, &OLD_DAYS, KEY_COLUMNS.currencies].concat();
    let names = spelled_column_names(&without_translation(file_names), &known)?;
    // Names remain distinct: they differ in more than case.
    let mut names: Vec<String> = names.iter().map(|name| name[..1].to_ascii_lowercase() + &name[1..]).collect();
    if !names.iter().any(|name| name == KEY_COLUMNS.cluster)
        && let Some(day) = names.iter_mut().find(|name| OLD_DAYS.contains(&name.as_str()))
    {
        KEY_COLUMNS.cluster.clone_into(day);
    }
    Ok(names)
}

/// Azure's own names of the columns. Some exports of Enterprise Agreements have headers in the portal's language, with the own
/// name in brackets: `Kosten in Abrechnungswährung (CostInBillingCurrency)` (seen in public reports of such files).
fn without_translation(headers: &[String]) -> Vec<String> {
    let own = |header: &String| {
        let name = header.strip_suffix(')').and_then(|header| Some(header.rsplit_once(" (")?.1));
        let name = name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        name.unwrap_or(header).to_owned()
    };
    let has_cost = |names: &[String]| {
        names.iter().any(|name| KEY_COLUMNS.costs.iter().any(|cost| cost.eq_ignore_ascii_case(name)))
    };
    let names: Vec<String> = headers.iter().map(own).collect();
    if has_cost(&names) && !has_cost(headers) { names } else { headers.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::dictionary::known_type;

    fn names(headers: &[&str]) -> Vec<String> {
        column_names(&headers.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_spelling_whatever_the_agreement() {
        for (headers, name) in [
            (&["CostInBillingCurrency", "costInBillingCurrency"][..], "costInBillingCurrency"),
            (&["PayGPrice", "payGPrice", "PaygPrice"], "payGPrice"),
            (&["costInUSD", "CostInUsd"], "costInUsd"),
            (&["Date", "date"], "date"),
            (&["BillingCurrencyCode", "billingCurrencyCode"], "billingCurrencyCode"),
            (&["SubscriptionId", "subscriptionId"], "subscriptionId"),
            (&["benefitId"], "benefitId"),
            (&["Meter Name", "meter Name"], "meter_Name"),
            (&["x_y"], "x_y"),
            (&["3d"], "_3d"),
            (&["", "é"], "column"),
        ] {
            for header in headers {
                assert_eq!(names(&[header]), [name], "{header}");
            }
        }
    }

    #[test]
    fn headers_that_differ_only_in_case_get_suffixes_from_their_own_text() {
        let both = names(&["ProductId", "productID", "Date"]);
        assert!(both[0].starts_with("productId_") && both[1].starts_with("productID_"));
        assert_ne!(both[0].to_ascii_lowercase(), both[1].to_ascii_lowercase());
        assert_eq!(both[2], "date");
        let turned = names(&["productID", "ProductId"]);
        assert_eq!(both[..2], [turned[1].clone(), turned[0].clone()]);
    }

    #[test]
    fn headers_in_the_portals_language_are_known_by_azures_own_name_in_brackets() {
        let german = [
            "Kosten in Abrechnungswährung (CostInBillingCurrency)",
            "Datum (Date)",
            "Abo (x) (SubscriptionId)",
            "Tags",
        ];
        assert_eq!(names(&german), ["costInBillingCurrency", "date", "subscriptionId", "tags"]);
        // Other headers with brackets stay as they are.
        assert_eq!(names(&["Cost", "Price (Cost)", "Size (GB)"]), ["cost", "price__Cost_", "size__GB_"]);
        assert_eq!(names(&["Size (GB)", "Datum (Date)"]), ["size__GB_", "datum__Date_"]);
        let twice = ["Kosten (Cost)", "Betrag (Cost)"].map(str::to_owned);
        assert_eq!(column_names(&twice), Err(RepeatedColumn("Cost".to_owned())));
    }

    #[test]
    fn the_key_columns_have_their_own_types() {
        let KeyColumns { partition, cluster, time, costs, currencies, .. } = KEY_COLUMNS;
        assert_eq!([known_type(partition), known_type(cluster)], [Some(time); 2]);
        for cost in costs {
            assert_eq!(known_type(cost), Some(ColumnType::Decimal));
        }
        for pillar in [&[partition, cluster], costs, currencies].concat() {
            assert_eq!(names(&[pillar]), [pillar]);
        }
    }

    #[test]
    fn the_first_cost_and_the_first_currency_that_are_there_count() {
        let layout = KEY_COLUMNS;
        let required_columns = |columns: &[&str]| layout.required_columns(|name| columns.contains(&name));
        for (columns, cost, currency) in [
            (&["cost", "costInBillingCurrency", "billingCurrency"][..], "costInBillingCurrency", "billingCurrency"),
            (&["costInBillingCurrency", "billingCurrencyCode"], "costInBillingCurrency", "billingCurrencyCode"),
            (&["preTaxCost", "currency"], "preTaxCost", "currency"),
            (&["cost", "billingCurrencyCode", "currency"], "cost", "billingCurrencyCode"),
            (&["cost", "preTaxCost"], "preTaxCost", "billingCurrency"),
            (&[], "costInBillingCurrency", "billingCurrency"),
        ] {
            assert_eq!(required_columns(columns), [layout.partition, layout.cluster, cost, currency]);
        }
        assert_eq!((layout.cost(|_| false), layout.currency(|_| false)), (None, None));
    }
}
