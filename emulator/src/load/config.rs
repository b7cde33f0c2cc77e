//! `configuration.load`

use serde_json::Value;

use crate::{
    api::{
        int64, only_keys,
        tables::{clustering, partitioning},
    },
    catalog::{DatasetId, Partitioning, TableId},
    error::ApiError,
    types::{Field, fields_from_rest},
};

const MAX_URIS: usize = 10_000;

/// A load job's wishes.
pub struct LoadConfig {
    pub uris: Vec<String>,
    pub table: TableId,
    /// The partition decorator, such as `202509`.
    pub partition: Option<String>,
    pub write: Write,
    pub create_if_needed: bool,
    pub fields: Option<Vec<Field>>,
    pub allow_field_addition: bool,
    pub partitioning: Option<Partitioning>,
    pub clustering: Vec<String>,
    pub skip_leading_rows: usize,
    pub allow_quoted_newlines: bool,
}

/// `writeDisposition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Append,
    Truncate,
}

const KNOWN: &str = "sourceUris destinationTable sourceFormat schema writeDisposition createDisposition
    schemaUpdateOptions timePartitioning clustering skipLeadingRows allowQuotedNewlines maxBadRecords encoding
    fieldDelimiter quote nullMarker";

/// Options that are only accepted at these values.
const DEFAULTS: [(&str, &[&str]); 8] = [
    ("sourceFormat", &["CSV"]),
    ("writeDisposition", &["WRITE_APPEND", "WRITE_TRUNCATE"]),
    ("createDisposition", &["CREATE_IF_NEEDED", "CREATE_NEVER"]),
    ("maxBadRecords", &["0"]),
    ("encoding", &["UTF-8"]),
    ("fieldDelimiter", &[","]),
    ("quote", &["\""]),
    ("nullMarker", &[""]),
];

impl LoadConfig {
    /// Reads the object.
    pub fn from_rest(load: &Value, project: &str) -> Result<Self, ApiError> {
        only_keys(load, "configuration.load", KNOWN)?;
        for (key, allowed) in DEFAULTS {
            let given = match &load[key] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if !allowed.contains(&given.as_str()) {
                return Err(ApiError::not_implemented(format!("configuration.load.{key} = {given}")));
            }
        }
        let uris = uris(&load["sourceUris"])?;
        let destination = &load["destinationTable"];
        let name = |key: &str| {
            destination[key].as_str().ok_or_else(|| ApiError::missing(&format!("load.destinationTable.{key}")))
        };
        let (table, partition) = match name("tableId")?.split_once('$') {
            Some((table, partition)) => (table, Some(month(partition)?)),
            None => (name("tableId")?, None),
        };
        let dataset = DatasetId::new(destination["projectId"].as_str().unwrap_or(project), name("datasetId")?);
        let write = if load["writeDisposition"] == "WRITE_TRUNCATE" { Write::Truncate } else { Write::Append };
        let whole_table = write == Write::Truncate && partition.is_none();
        let skipped = int64(&load["skipLeadingRows"]).and_then(|rows| usize::try_from(rows).ok());
        Ok(Self {
            uris,
            table: dataset.table(table),
            partition,
            write,
            create_if_needed: load["createDisposition"] != "CREATE_NEVER",
            fields: Some(fields_from_rest(&load["schema"])?).filter(|fields| !fields.is_empty()),
            allow_field_addition: allow_field_addition(&load["schemaUpdateOptions"], whole_table)?,
            partitioning: partitioning(&load["timePartitioning"])?,
            clustering: clustering(&load["clustering"]),
            skip_leading_rows: skipped.unwrap_or(0),
            allow_quoted_newlines: load["allowQuotedNewlines"] == true,
        })
    }

    /// The destination as messages name it.
    pub fn destination(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}${partition}", self.table),
            None => self.table.to_string(),
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

fn uris(value: &Value) -> Result<Vec<String>, ApiError> {
    let uris: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    if uris.is_empty() {
        return Err(ApiError::missing("load.sourceUris"));
    }
    if uris.len() > MAX_URIS {
        let found = uris.len();
        return Err(ApiError::invalid(format!("Too many source URIs: {found}. A job can have at most {MAX_URIS}.")));
    }
    for uri in &uris {
        let object = uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/'));
        if !object.is_some_and(|(bucket, object)| !bucket.is_empty() && !object.is_empty()) {
            return Err(ApiError::invalid(format!("Source URI must be a Google Cloud Storage location: {uri}")));
        }
        if uri.contains('*') {
            return Err(ApiError::not_implemented(format!("wildcards in source URIs ({uri})")));
        }
    }
    Ok(uris)
}

fn month(partition: &str) -> Result<String, ApiError> {
    let digits = partition.len() == 6 && partition.bytes().all(|byte| byte.is_ascii_digit());
    if digits && ("01"..="12").contains(&&partition[4..]) {
        return Ok(partition.to_owned());
    }
    Err(ApiError::invalid(format!(
        "Invalid partition decorator \"{partition}\": expected YYYYMM of a table partitioned by month"
    )))
}
