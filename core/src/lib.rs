//! The pure core of finops: what a manifest says, which months to load and why, what the table's columns are,
//! what was loaded, and what is reported. No I/O, no async, no SDK.

pub mod age;
pub mod amount;
pub mod aws_cur;
pub mod aws_data_exports;
pub mod azure;
pub mod check;
pub mod csv_header;
pub mod csv_rows;
pub mod delivery;
pub mod export;
pub mod groups;
pub mod hint;
pub mod kinds;
pub mod leave_out;
pub mod manifest;
pub mod numbered;
pub mod parquet_footer;
pub mod period;
pub mod plan;
pub mod report;
pub mod run_id;
pub mod schema;
pub mod shown;
pub mod staged;
pub mod state;
pub mod text;

pub use amount::{Amount, Costs};
pub use period::BillingPeriod;
