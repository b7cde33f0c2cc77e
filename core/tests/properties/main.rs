//! Rules of the core for any input.

#![allow(clippy::unwrap_used, reason = "a failure is the test's result")]
#![allow(missing_docs, reason = "tests")]

mod amounts;
mod kinds;
mod manifests;
mod names;
mod plans;
mod schemas;
mod scopes;
mod staged;

use finops_core::BillingPeriod;
use jiff::civil::Date;
use proptest::prelude::*;

/// Months close together, so that deliveries and loaded months meet.
fn few_months() -> impl Strategy<Value = BillingPeriod> {
    (1..=6i8).prop_map(|month| BillingPeriod::containing(Date::constant(2025, month, 1)))
}
