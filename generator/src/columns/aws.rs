//! Cost and Usage Reports, version 1 and 2.0.
//!
//! Source: AWS's data dictionaries of both versions. In them, rates and the times of a reservation are text.

use crate::{
    amount::Amount,
    column::{Column, amount, amount_map, moment, text, text_map},
    line::Line,
};

/// Version 1, with the names in CSV, and the names in Parquet and tables.
pub(crate) const CUR: &[Column] = &[
    text("identity/LineItemId", |line| line.id.clone()).named("identity_line_item_id"),
    text("identity/TimeInterval", interval).named("identity_time_interval"),
    text("bill/InvoiceId", |_| String::new()).named("bill_invoice_id"),
    text("bill/BillingEntity", |_| "AWS".to_owned()).named("bill_billing_entity"),
    text("bill/BillType", |_| "Anniversary".to_owned()).named("bill_bill_type"),
    text("bill/PayerAccountId", |_| "210987654321".to_owned()).named("bill_payer_account_id"),
    moment("bill/BillingPeriodStartDate", |line| line.period_start.at(0, 0, 0, 0))
        .named("bill_billing_period_start_date"),
    moment("bill/BillingPeriodEndDate", |line| line.period_end.at(0, 0, 0, 0)).named("bill_billing_period_end_date"),
    text("lineItem/UsageAccountId", Line::aws_account).named("line_item_usage_account_id"),
    text("lineItem/LineItemType", line_item_type).named("line_item_line_item_type"),
    moment("lineItem/UsageStartDate", |line| line.start).named("line_item_usage_start_date"),
    moment("lineItem/UsageEndDate", |line| line.end).named("line_item_usage_end_date"),
    text("lineItem/ProductCode", |line| line.service.aws_code.to_owned()).named("line_item_product_code"),
    text("lineItem/UsageType", |line| line.service.aws_usage.to_owned()).named("line_item_usage_type"),
    text("lineItem/Operation", |line| line.service.aws_operation.to_owned()).named("line_item_operation"),
    text("lineItem/AvailabilityZone", availability_zone).named("line_item_availability_zone"),
    text("lineItem/ResourceId", Line::arn).named("line_item_resource_id"),
    amount("lineItem/UsageAmount", |line| line.quantity).named("line_item_usage_amount"),
    text("lineItem/CurrencyCode", |line| line.currency.clone()).named("line_item_currency_code"),
    text("lineItem/UnblendedRate", |line| line.price.to_string()).named("line_item_unblended_rate"),
    amount("lineItem/UnblendedCost", |line| line.cost).named("line_item_unblended_cost"),
    text("lineItem/LineItemDescription", |line| line.description.to_owned()).named("line_item_line_item_description"),
    text("product/ProductName", |line| line.service.aws_name.to_owned()).named("product_product_name"),
    text("product/region", |line| line.region.to_owned()).named("product_region"),
    amount("pricing/publicOnDemandCost", |line| line.list_cost).named("pricing_public_on_demand_cost"),
    text("pricing/term", |_| "OnDemand".to_owned()).named("pricing_term"),
    text("reservation/ReservationARN", |_| String::new()).named("reservation_reservation_a_r_n"),
    text("reservation/StartTime", |_| String::new()).named("reservation_start_time"),
    text("resourceTags/user:Name", |line| line.tag("env")).named("resource_tags_user_name"),
    text("costCategory/Charge type", |line| line.tag("team")).named("cost_category_charge_type"),
];

/// Columns that version 1 has where there is a savings plan.
pub(crate) const CUR_SAVINGS_PLAN: &[Column] = &[
    amount("savingsPlan/TotalCommitmentToDate", |line| line.savings_plan.total)
        .named("savings_plan_total_commitment_to_date"),
    text("savingsPlan/SavingsPlanARN", savings_plan).named("savings_plan_savings_plan_a_r_n"),
    amount("savingsPlan/UsedCommitment", |line| line.savings_plan.used).named("savings_plan_used_commitment"),
    amount("savingsPlan/SavingsPlanEffectiveCost", |line| line.savings_plan.effective_cost)
        .named("savings_plan_savings_plan_effective_cost"),
];

/// CUR 2.0.
pub(crate) const CUR2: &[Column] = &[
    text("bill_bill_type", |_| "Anniversary".to_owned()),
    text("bill_billing_entity", |_| "AWS".to_owned()),
    moment("bill_billing_period_end_date", |line| line.period_end.at(0, 0, 0, 0)),
    moment("bill_billing_period_start_date", |line| line.period_start.at(0, 0, 0, 0)),
    text("bill_invoice_id", |_| String::new()),
    text("bill_payer_account_id", |_| "210987654321".to_owned()),
    text("bill_payer_account_name", |_| "Example, Inc.".to_owned()),
    text_map("cost_category", |line| tags_named(line, "team")),
    amount_map("discount", discounts),
    amount("discount_total_discount", |line| if line.is_credit() { line.cost } else { Amount::default() }),
    text("identity_line_item_id", |line| line.id.clone()),
    text("identity_time_interval", interval),
    text("line_item_availability_zone", availability_zone),
    text("line_item_currency_code", |line| line.currency.clone()),
    text("line_item_line_item_description", |line| line.description.to_owned()),
    text("line_item_line_item_type", line_item_type),
    text("line_item_operation", |line| line.service.aws_operation.to_owned()),
    text("line_item_product_code", |line| line.service.aws_code.to_owned()),
    text("line_item_resource_id", Line::arn),
    amount("line_item_unblended_cost", |line| line.cost),
    text("line_item_unblended_rate", |line| line.price.to_string()),
    text("line_item_usage_account_id", Line::aws_account),
    amount("line_item_usage_amount", |line| line.quantity),
    moment("line_item_usage_end_date", |line| line.end),
    moment("line_item_usage_start_date", |line| line.start),
    text("line_item_usage_type", |line| line.service.aws_usage.to_owned()),
    amount("pricing_public_on_demand_cost", |line| line.list_cost),
    text("pricing_term", |_| "OnDemand".to_owned()),
    text_map("product", product),
    text("product_region_code", |line| line.region.to_owned()),
    text("reservation_reservation_a_r_n", |_| String::new()),
    text_map("resource_tags", |line| line.tags.clone()),
];

fn interval(line: &Line) -> String {
    let format = "%Y-%m-%dT%H:%M:%SZ";
    format!("{}/{}", line.start.strftime(format), line.end.strftime(format))
}

fn line_item_type(line: &Line) -> String {
    format!("{:?}", line.charge)
}

fn savings_plan(line: &Line) -> String {
    let is_of_plan = line_item_type(line).starts_with("SavingsPlan");
    let arn = "arn:aws:savingsplans::210987654321:savingsplan/6d3f0b52-0000-4000-8000-0000000000b1";
    (if is_of_plan { arn } else { "" }).to_owned()
}

pub(super) fn availability_zone(line: &Line) -> String {
    if line.region.is_empty() { String::new() } else { format!("{}a", line.region) }
}

pub(super) fn tags_named(line: &Line, key: &'static str) -> Vec<(&'static str, String)> {
    line.tags.iter().filter(|(name, _)| *name == key).cloned().collect()
}

pub(super) fn discounts(line: &Line) -> Vec<(&'static str, Amount)> {
    if line.is_credit() { vec![("EDP", line.cost), ("total_discount", line.cost)] } else { vec![] }
}

fn product(line: &Line) -> Vec<(&'static str, String)> {
    vec![("comment", "3.5\" disk\nor less".to_owned()), ("product_name", line.service.aws_name.to_owned())]
}
