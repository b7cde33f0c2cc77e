//! The destination of load and query jobs.

use serde_json::Value;

use crate::{
    api::tables::{clustering, partitioning},
    catalog::{Partitioning, TableRef},
    error::ApiError,
};

/// The table that a job writes, and its dispositions.
pub struct Destination {
    pub target: TableRef,
    pub write: Write,
    pub create_if_needed: bool,
    pub allow_field_addition: bool,
    pub partitioning: Option<Partitioning>,
    pub clustering: Vec<String>,
    /// The key in `destinationEncryptionConfiguration`. Only queries have it.
    pub key: Option<String>,
}

/// `writeDisposition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Append,
    /// Writes into an empty table only.
    Empty,
    Truncate,
    /// Replaces only the rows; annotations are unchanged.
    TruncateData,
}

impl Write {
    /// Whether the new rows replace existing rows.
    pub fn replaces(self) -> bool {
        matches!(self, Self::Truncate | Self::TruncateData)
    }
}

/// The keys that [`Destination::from_rest`] reads.
pub const KEYS: &str =
    "destinationTable writeDisposition createDisposition schemaUpdateOptions timePartitioning clustering";

impl Destination {
    /// Reads `configuration.load` or `configuration.query`. `write` is the default disposition.
    pub fn from_rest(job: &Value, what: &str, project: &str, write: &str) -> Result<Self, ApiError> {
        let target = TableRef::from_rest(&job["destinationTable"], &format!("{what}.destinationTable"), project)?;
        let text = job["writeDisposition"].as_str().unwrap_or(write);
        let write = match (text, what, target.partition.is_some()) {
            ("WRITE_APPEND", ..) => Write::Append,
            ("WRITE_TRUNCATE", ..) => Write::Truncate,
            ("WRITE_TRUNCATE_DATA", "query", true) => Write::TruncateData,
            ("WRITE_EMPTY", "query", false) => Write::Empty,
            _ => return Err(ApiError::not_implemented(format!("{what}.writeDisposition = {text} into {target}"))),
        };
        let create_if_needed = match job["createDisposition"].as_str().unwrap_or("CREATE_IF_NEEDED") {
            "CREATE_IF_NEEDED" => true,
            "CREATE_NEVER" => false,
            other => return Err(ApiError::not_implemented(format!("{what}.createDisposition = {other}"))),
        };
        let whole_table = write == Write::Truncate && target.partition.is_none();
        let allow_field_addition = allow_field_addition(&job["schemaUpdateOptions"], whole_table)?;
        if allow_field_addition && write == Write::TruncateData {
            return Err(ApiError::not_implemented(format!("{what}.schemaUpdateOptions with {text}")));
        }
        Ok(Self {
            target,
            write,
            create_if_needed,
            allow_field_addition,
            partitioning: partitioning(&job["timePartitioning"])?,
            clustering: clustering(&job["clustering"]),
            key: None,
        })
    }
}

fn allow_field_addition(options: &Value, whole_table_truncate: bool) -> Result<bool, ApiError> {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(other) = options.iter().find(|option| *option != "ALLOW_FIELD_ADDITION") {
        return Err(ApiError::not_implemented(format!("schemaUpdateOptions {other}")));
    }
    if !options.is_empty() && whole_table_truncate {
        return Err(ApiError::invalid(
            "Schema update options should only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE \
             disposition on a table partition.",
        ));
    }
    Ok(!options.is_empty())
}
