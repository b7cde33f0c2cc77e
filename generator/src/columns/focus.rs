//! FOCUS of AWS and Azure.
//!
//! Sources: the column libraries of FOCUS 1.0 and 1.2; AWS's table dictionaries of both; Microsoft's page on the schema of
//! FOCUS cost and usage details, which lists the renamed columns of each version.

use super::aws::{availability_zone, discounts, tags_named};
use crate::{
    amount::Amount,
    column::{Column, amount, amount_map, flag, moment, text, text_map},
    line::Line,
};

/// The columns of every version of both providers.
const COMMON: &[Column] = &[
    amount("BilledCost", |line| line.cost),
    text("BillingCurrency", |line| line.currency.clone()),
    moment("BillingPeriodEnd", |line| line.period_end.at(0, 0, 0, 0)),
    moment("BillingPeriodStart", |line| line.period_start.at(0, 0, 0, 0)),
    text("ChargeCategory", |line| (if line.is_credit() { "Credit" } else { "Usage" }).to_owned()),
    text("ChargeDescription", |line| line.description.to_owned()),
    text("ChargeFrequency", |_| "Usage-Based".to_owned()),
    moment("ChargePeriodEnd", |line| line.end),
    moment("ChargePeriodStart", |line| line.start),
    text("CommitmentDiscountId", |_| String::new()),
    amount("EffectiveCost", |line| line.cost),
    amount("ListCost", |line| line.list_cost),
    amount("ListUnitPrice", |line| line.price),
    amount("PricingQuantity", |line| line.quantity),
    text("PricingUnit", |line| line.service.unit.to_owned()),
    text("ResourceName", |line| line.resource.clone()),
    text("ServiceCategory", |line| line.service.category.to_owned()),
];

const V1_0: &[Column] = &[
    text("ChargeClass", |_| String::new()),
    amount("ConsumedQuantity", |line| line.quantity),
    text("ConsumedUnit", |line| line.service.unit.to_owned()),
    amount("ContractedCost", |line| line.cost),
    amount("ContractedUnitPrice", |line| line.price),
];

const AWS: &[Column] = &[
    text("AvailabilityZone", availability_zone),
    text("BillingAccountId", |_| "210987654321".to_owned()),
    text("RegionId", |line| line.region.to_owned()),
    text("ResourceId", Line::arn),
    text("ServiceName", |line| line.service.aws_name.to_owned()),
    text("SubAccountId", Line::aws_account),
    text_map("Tags", |line| line.tags.clone()),
    text_map("x_CostCategories", |line| tags_named(line, "team")),
    amount_map("x_Discounts", discounts),
    text("x_Operation", |line| line.service.aws_operation.to_owned()),
    text("x_ServiceCode", |line| line.service.aws_code.to_owned()),
    text("x_UsageType", |line| line.service.aws_usage.to_owned()),
];

const AWS_1_2: &[Column] = &[
    text("InvoiceId", |_| String::new()),
    amount("CommitmentDiscountQuantity", |_| Amount::default()),
    text("PricingCurrency", |_| "USD".to_owned()),
    text("ServiceSubcategory", |line| line.service.category.to_owned()),
    text("SkuMeter", |line| line.service.aws_usage.to_owned()),
    text_map("SkuPriceDetails", |line| vec![("x_Unit", line.service.unit.to_owned())]),
];

const AZURE: &[Column] = &[
    text("BillingAccountId", |_| "/providers/Microsoft.Billing/billingAccounts/8608480".to_owned()),
    text("BillingAccountType", |_| "Billing Account".to_owned()),
    text("ResourceId", Line::azure_id),
    text("ServiceName", |line| line.service.azure_name.to_owned()),
    text("SubAccountId", |line| format!("/subscriptions/{}", line.subscription())),
    text("Tags", Line::json_tags),
    amount("x_BilledCostInUsd", |line| line.list_cost),
    amount("x_BillingExchangeRate", |_| Amount::trillionths(923_400_000_000)),
    amount("x_EffectiveUnitPrice", |line| line.price),
    text("x_ResourceGroupName", |line| line.if_resource(|_| "Main-RG".to_owned())),
];

/// Columns that later versions renamed or gave another type.
const AZURE_1_0_PREVIEW: &[Column] = &[
    text("Region", |line| line.azure_region.to_owned()),
    amount("UsageQuantity", |line| line.quantity),
    text("UsageUnit", |line| line.service.unit.to_owned()),
    text("x_InvoiceId", |_| String::new()),
    text("x_PricingCurrency", |_| "USD".to_owned()),
    text("x_SkuMeterName", |line| line.service.azure_meter.to_owned()),
    flag("x_PartnerCreditApplied", Line::is_credit),
    amount("x_PartnerCreditRate", |_| Amount::trillionths(150_000_000_000)),
];

const AZURE_1_0: &[Column] = &[
    text("RegionId", |line| line.azure_region.to_owned()),
    text("x_InvoiceId", |_| String::new()),
    text("x_PricingCurrency", |_| "USD".to_owned()),
    text("x_SkuMeterName", |line| line.service.azure_meter.to_owned()),
    text("x_PartnerCreditApplied", |line| line.is_credit().to_string()),
    text("x_PartnerCreditRate", |_| "0.15".to_owned()),
];

const AZURE_1_2: &[Column] = &[
    text("RegionId", |line| line.azure_region.to_owned()),
    text("InvoiceId", |_| String::new()),
    text("PricingCurrency", |_| "USD".to_owned()),
    text("ServiceSubcategory", |line| line.service.category.to_owned()),
    text("SkuMeter", |line| line.service.azure_meter.to_owned()),
    text("SkuPriceDetails", |_| String::new()),
    text("x_PartnerCreditApplied", |line| line.is_credit().to_string()),
    text("x_PartnerCreditRate", |_| "0.15".to_owned()),
];

pub(crate) fn aws_1_0() -> Vec<Column> {
    [COMMON, V1_0, AWS].concat()
}

pub(crate) fn aws_1_2() -> Vec<Column> {
    [COMMON, V1_0, AWS, AWS_1_2].concat()
}

pub(crate) fn azure_1_0_preview() -> Vec<Column> {
    [COMMON, AZURE, AZURE_1_0_PREVIEW].concat()
}

pub(crate) fn azure_1_0() -> Vec<Column> {
    [COMMON, V1_0, AZURE, AZURE_1_0].concat()
}

pub(crate) fn azure_1_2() -> Vec<Column> {
    [COMMON, V1_0, AZURE, AZURE_1_2].concat()
}
