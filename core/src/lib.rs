//! The pure core of finops: what a manifest says, which months to load and why, what the table's columns are,
//! what was loaded, and what is reported. No I/O, no async, no SDK.

pub mod files;
pub mod formats;
pub mod hint;
pub mod model;
pub mod numbered;
pub mod plan;
pub mod report;
pub mod schema;

pub use model::{
    amount::{Amount, Costs},
    period::BillingPeriod,
};
