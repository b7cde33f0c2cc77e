//! Azure's actual and amortized cost.
//!
//! Source: Microsoft's pages on the schemas of cost and usage details, for Enterprise Agreements (2024-08-01) and Customer
//! Agreements.

use crate::{
    amount::Amount,
    column::{Column, amount, day, text},
    line::Line,
};

/// Enterprise Agreement: names begin with an upper-case letter, except the two newest columns.
pub(crate) const ENTERPRISE: &[Column] = &[
    text("InvoiceSectionName", |_| "Research, Development".to_owned()).named("invoiceSectionName"),
    text("AccountName", |_| "Example".to_owned()).named("accountName"),
    text("SubscriptionId", Line::subscription).named("subscriptionId"),
    text("ResourceGroup", resource_group).named("resourceGroup"),
    text("ResourceLocation", |line| line.azure_region.to_owned()).named("resourceLocation"),
    day("Date", |line| line.start.date()).named("date"),
    text("ProductName", |line| line.description.to_owned()).named("productName"),
    text("MeterCategory", |line| line.service.azure_name.to_owned()).named("meterCategory"),
    text("MeterSubCategory", |_| String::new()).named("meterSubCategory"),
    text("MeterName", |line| line.service.azure_meter.to_owned()).named("meterName"),
    text("UnitOfMeasure", |line| line.service.unit.to_owned()).named("unitOfMeasure"),
    amount("Quantity", |line| line.quantity).named("quantity"),
    amount("EffectivePrice", |line| line.price).named("effectivePrice"),
    amount("CostInBillingCurrency", |line| line.cost).named("costInBillingCurrency"),
    text("CostCenter", |_| "0042".to_owned()).named("costCenter"),
    text("ResourceId", Line::azure_id).named("resourceId"),
    text("Tags", Line::bare_tags).named("tags"),
    text("AdditionalInfo", additional_info).named("additionalInfo"),
    amount("UnitPrice", |line| line.price).named("unitPrice"),
    text("ChargeType", charge_type).named("chargeType"),
    text("Frequency", |_| "UsageBased".to_owned()).named("frequency"),
    text("PricingModel", |_| "OnDemand".to_owned()).named("pricingModel"),
    text("BillingAccountId", |_| "8608480".to_owned()).named("billingAccountId"),
    text("BillingCurrencyCode", |line| line.currency.clone()).named("billingCurrencyCode"),
    day("BillingPeriodStartDate", |line| line.period_start).named("billingPeriodStartDate"),
    day("BillingPeriodEndDate", last_day).named("billingPeriodEndDate"),
    text("IsAzureCreditEligible", |_| "True".to_owned()).named("isAzureCreditEligible"),
    amount("PayGPrice", |line| line.list_cost).named("payGPrice"),
    text("benefitId", |_| String::new()),
    text("benefitName", |_| String::new()),
];

/// Customer Agreement: names begin with a lower-case letter.
pub(crate) const CUSTOMER: &[Column] = &[
    text("invoiceId", |_| String::new()),
    text("billingAccountId", |_| "6d3f0b52-0000-4000-8000-00000000000a:2019-05-31".to_owned()),
    text("billingProfileName", |_| "Research, Development".to_owned()),
    text("costCenter", |_| "0042".to_owned()),
    day("billingPeriodEndDate", last_day),
    day("billingPeriodStartDate", |line| line.period_start),
    day("servicePeriodEndDate", |line| line.start.date()),
    day("servicePeriodStartDate", |line| line.start.date()),
    day("date", |line| line.start.date()),
    text("productName", |line| line.description.to_owned()),
    text("meterCategory", |line| line.service.azure_name.to_owned()),
    text("meterName", |line| line.service.azure_meter.to_owned()),
    text("subscriptionId", Line::subscription),
    text("resourceGroupName", resource_group),
    text("resourceLocation", |line| line.azure_region.to_owned()),
    text("resourceId", Line::azure_id),
    amount("effectivePrice", |line| line.price),
    amount("quantity", |line| line.quantity),
    text("unitOfMeasure", |line| line.service.unit.to_owned()),
    text("chargeType", charge_type),
    text("billingCurrency", |line| line.currency.clone()),
    text("pricingCurrency", |_| "USD".to_owned()),
    amount("costInBillingCurrency", |line| line.cost),
    amount("costInPricingCurrency", |line| line.list_cost),
    amount("costInUsd", |line| line.list_cost),
    amount("paygCostInUsd", |line| line.list_cost),
    amount("exchangeRatePricingToBilling", |_| Amount::trillionths(923_400_000_000)),
    day("exchangeRateDate", |line| line.period_start),
    text("isAzureCreditEligible", |_| "True".to_owned()),
    text("additionalInfo", additional_info),
    text("tags", Line::json_tags),
    amount("payGPrice", |line| line.list_cost),
    amount("unitPrice", |line| line.price),
];

fn resource_group(line: &Line) -> String {
    line.if_resource(|_| "Main-RG".to_owned())
}

fn last_day(line: &Line) -> jiff::civil::Date {
    line.period_end.yesterday().expect("a bill's period has a last day")
}

fn charge_type(line: &Line) -> String {
    (if line.is_credit() { "Refund" } else { "Usage" }).to_owned()
}

fn additional_info(line: &Line) -> String {
    format!("{{\"ServiceType\":\"{}\",\"VCPUs\":2}}", line.service.azure_meter)
}
