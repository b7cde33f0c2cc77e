//! Where a job puts its rows, and how: the part that load and query jobs share.

use serde_json::Value;

use crate::{
    api::{
        decorated,
        tables::{clustering, partitioning},
    },
    catalog::{DatasetId, Partitioning, TableId},
    error::ApiError,
};

/// A job's target and its dispositions.
pub struct Destination {
    pub table: TableId,
    /// The partition decorator, such as `202509`.
    pub partition: Option<String>,
    pub write: Write,
    pub create_if_needed: bool,
    pub allow_field_addition: bool,
    pub partitioning: Option<Partitioning>,
    pub clustering: Vec<String>,
    /// The key in `destinationEncryptionConfiguration`, which only queries have.
    pub key: Option<String>,
}

/// `writeDisposition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Append,
    /// Into an empty table only.
    Empty,
    Truncate,
    /// Replaces the rows and nothing else of the table.
    TruncateData,
}

impl Write {
    /// Whether the rows replace those that are there.
    pub fn replaces(self) -> bool {
        matches!(self, Self::Truncate | Self::TruncateData)
    }
}

/// The keys that [`Destination::from_rest`] reads.
pub const KEYS: &str =
    "destinationTable writeDisposition createDisposition schemaUpdateOptions timePartitioning clustering";

impl Destination {
    /// Reads the keys of `configuration.load` or `configuration.query`, whose default disposition is `write`.
    pub fn from_rest(job: &Value, what: &str, project: &str, write: &str) -> Result<Self, ApiError> {
        let target = &job["destinationTable"];
        let name = |key: &str| {
            target[key].as_str().ok_or_else(|| ApiError::missing(&format!("{what}.destinationTable.{key}")))
        };
        let (table, partition) = decorated(name("tableId")?);
        let partition = partition.map(month).transpose()?;
        let dataset = DatasetId::new(target["projectId"].as_str().unwrap_or(project), name("datasetId")?);
        let text = job["writeDisposition"].as_str().unwrap_or(write);
        let write = match (text, what, partition.is_some()) {
            ("WRITE_APPEND", ..) => Write::Append,
            ("WRITE_TRUNCATE", ..) => Write::Truncate,
            ("WRITE_TRUNCATE_DATA", "query", true) => Write::TruncateData,
            ("WRITE_EMPTY", "query", false) => Write::Empty,
            _ => return Err(ApiError::not_implemented(format!("{what}.writeDisposition = {text} into {table}"))),
        };
        let create_if_needed = match job["createDisposition"].as_str().unwrap_or("CREATE_IF_NEEDED") {
            "CREATE_IF_NEEDED" => true,
            "CREATE_NEVER" => false,
            other => return Err(ApiError::not_implemented(format!("{what}.createDisposition = {other}"))),
        };
        let whole_table = write == Write::Truncate && partition.is_none();
        let allow_field_addition = allow_field_addition(&job["schemaUpdateOptions"], whole_table)?;
        if allow_field_addition && write == Write::TruncateData {
            return Err(ApiError::not_implemented(format!("{what}.schemaUpdateOptions with {text}")));
        }
        Ok(Self {
            table: dataset.table(table),
            partition,
            write,
            create_if_needed,
            allow_field_addition,
            partitioning: partitioning(&job["timePartitioning"])?,
            clustering: clustering(&job["clustering"]),
            key: None,
        })
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.partition {
            Some(partition) => write!(f, "{}${partition}", self.table),
            None => self.table.fmt(f),
        }
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

/// Reads a month's decorator.
pub fn month(partition: &str) -> Result<String, ApiError> {
    let digits = partition.len() == 6 && partition.bytes().all(|byte| byte.is_ascii_digit());
    if digits && ("01"..="12").contains(&&partition[4..]) {
        return Ok(partition.to_owned());
    }
    Err(ApiError::invalid(format!(
        "Invalid partition decorator \"{partition}\": expected YYYYMM of a table partitioned by month"
    )))
}
