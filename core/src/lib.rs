//! The core of finops: it reads manifests, decides which months to load and why, and which columns a table has, and describes
//! what is loaded and reported. No I/O, no async, no SDK.

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
