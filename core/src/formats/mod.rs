//! The formats of deliveries: one folder each, one trait, one list.

pub mod aws_cur;
pub mod aws_data_exports;
pub mod azure;
pub mod dictionary;
mod focus;
mod format;
mod kind_columns;
pub mod kinds;
pub mod names;
pub mod staging;

use std::sync::Arc;

pub use format::{Format, ParsedManifest, Written};
pub use kind_columns::KindColumns;

use crate::model::provider::Provider;

/// The formats of a provider.
pub fn formats(provider: Provider) -> Vec<Arc<dyn Format>> {
    match provider {
        Provider::Aws => vec![Arc::new(aws_cur::AwsCur), Arc::new(aws_data_exports::AwsDataExports)],
        Provider::Azure => vec![Arc::new(azure::Azure)],
    }
}
