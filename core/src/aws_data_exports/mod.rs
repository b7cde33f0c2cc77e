//! AWS Data Exports: CUR 2.0 and FOCUS, as CSV and as Parquet.

mod layout;
mod parse;

pub use layout::{is_data_export, locate, manifest_patterns};
pub use parse::parse;
