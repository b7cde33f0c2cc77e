//! Azure Cost Management exports: actual and amortized cost, and FOCUS, as CSV and as Parquet.

pub mod account;
mod columns;
mod layout;
mod parse;
pub mod scope;

pub(crate) use columns::known_type;
pub use columns::{TABLE_LAYOUT, column_names};
pub use layout::{locate, manifest_patterns};
pub use parse::parse;
