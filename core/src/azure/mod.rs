//! Azure Cost Management exports: actual and amortized cost, and FOCUS, as CSV and as Parquet.

pub mod account;
mod columns;
mod layout;
mod parse;
pub mod scope;

pub(crate) use columns::known_type;
pub use columns::{TABLE_LAYOUT, column_names};
pub(crate) use layout::is_range;
pub use layout::{any_case, data_patterns, is_data_file, locate, manifest_patterns};
pub use parse::{parse, scope_of};
