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
    pub allow_field_relaxation: bool,
    pub partitioning: Option<Partitioning>,
    /// `None` where the job says nothing about clustering.
    pub clustering: Option<Vec<String>>,
    pub csv: CsvOptions,
}

/// `writeDisposition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Append,
    Truncate,
    Empty,
}

/// How the files are to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct CsvOptions {
    pub skip_leading_rows: usize,
    pub allow_quoted_newlines: bool,
    pub allow_jagged_rows: bool,
    pub ignore_unknown_values: bool,
    pub max_bad_records: usize,
}

/// The keys that the emulator takes; the last four have no effect on CSV with an explicit schema.
const KNOWN: &str = "sourceUris destinationTable sourceFormat schema writeDisposition createDisposition
    schemaUpdateOptions timePartitioning clustering skipLeadingRows allowQuotedNewlines allowJaggedRows
    ignoreUnknownValues maxBadRecords autodetect encoding fieldDelimiter quote nullMarker
    decimalTargetTypes useAvroLogicalTypes preserveAsciiControlCharacters projectionFields";

/// Values of options that are only accepted at their default.
const DEFAULTS: [(&str, &[&str]); 7] = [
    ("encoding", &["UTF-8", "UTF8"]),
    ("fieldDelimiter", &[","]),
    ("quote", &["\""]),
    ("nullMarker", &[""]),
    ("sourceFormat", &["CSV"]),
    ("autodetect", &["false"]),
    ("preserveAsciiControlCharacters", &["false"]),
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
            destination[key]
                .as_str()
                .ok_or_else(|| ApiError::invalid(format!("Required parameter is missing: load.destinationTable.{key}")))
        };
        let (table, partition) = match name("tableId")?.split_once('$') {
            Some((table, partition)) => (table, Some(month(partition)?)),
            None => (name("tableId")?, None),
        };
        let dataset = DatasetId::new(destination["projectId"].as_str().unwrap_or(project), name("datasetId")?);
        let write = match load["writeDisposition"].as_str().unwrap_or("WRITE_APPEND") {
            "WRITE_APPEND" => Write::Append,
            "WRITE_TRUNCATE" => Write::Truncate,
            "WRITE_EMPTY" => Write::Empty,
            other => {
                return Err(ApiError::not_implemented(format!("writeDisposition {other}")));
            }
        };
        let create_if_needed = match load["createDisposition"].as_str().unwrap_or("CREATE_IF_NEEDED") {
            "CREATE_IF_NEEDED" => true,
            "CREATE_NEVER" => false,
            other => {
                return Err(ApiError::invalid(format!("Invalid value for createDisposition: {other}")));
            }
        };
        let fields = match &load["schema"] {
            Value::Null => None,
            schema => Some(fields_from_rest(schema)?).filter(|fields| !fields.is_empty()),
        };
        let mut config = Self {
            uris,
            table: dataset.table(table),
            partition,
            write,
            create_if_needed,
            fields,
            allow_field_addition: false,
            allow_field_relaxation: false,
            partitioning: partitioning(&load["timePartitioning"])?,
            clustering: load["clustering"].is_object().then(|| clustering(&load["clustering"])),
            csv: CsvOptions::from_rest(load),
        };
        config.read_schema_update_options(&load["schemaUpdateOptions"])?;
        Ok(config)
    }

    fn read_schema_update_options(&mut self, options: &Value) -> Result<(), ApiError> {
        let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
        for option in options {
            match option.as_str().unwrap_or_default() {
                "ALLOW_FIELD_ADDITION" => self.allow_field_addition = true,
                "ALLOW_FIELD_RELAXATION" => self.allow_field_relaxation = true,
                other => {
                    return Err(ApiError::invalid(format!("Invalid value for schemaUpdateOptions: {other}")));
                }
            }
        }
        let fits = self.write == Write::Append || (self.write == Write::Truncate && self.partition.is_some());
        if !options.is_empty() && !fits {
            return Err(ApiError::invalid(
                "Schema update options should only be specified with WRITE_APPEND disposition, or with \
                 WRITE_TRUNCATE disposition on a table partition.",
            ));
        }
        Ok(())
    }

    /// Whether the job's schema becomes the table's, as a truncate of the whole table has it.
    pub fn replaces_schema(&self) -> bool {
        self.write == Write::Truncate && self.partition.is_none() && self.fields.is_some()
    }

    /// The destination as messages name it.
    pub fn destination(&self) -> String {
        match &self.partition {
            Some(partition) => format!("{}${partition}", self.table),
            None => self.table.to_string(),
        }
    }
}

impl CsvOptions {
    fn from_rest(load: &Value) -> Self {
        let flag = |key: &str| load[key].as_bool() == Some(true);
        let count = |key: &str| int64(&load[key]).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        Self {
            skip_leading_rows: count("skipLeadingRows"),
            allow_quoted_newlines: flag("allowQuotedNewlines"),
            allow_jagged_rows: flag("allowJaggedRows"),
            ignore_unknown_values: flag("ignoreUnknownValues"),
            max_bad_records: count("maxBadRecords"),
        }
    }
}

fn uris(value: &Value) -> Result<Vec<String>, ApiError> {
    let uris: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    if uris.is_empty() {
        return Err(ApiError::invalid("Required parameter is missing: load.sourceUris"));
    }
    if uris.len() > MAX_URIS {
        return Err(ApiError::invalid(format!(
            "Too many source URIs: {}. A job can have at most {MAX_URIS}.",
            uris.len()
        )));
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
    let valid = partition.len() == 6
        && partition.bytes().all(|byte| byte.is_ascii_digit())
        && ("01"..="12").contains(&&partition[4..]);
    if valid {
        Ok(partition.to_owned())
    } else {
        Err(ApiError::invalid(format!(
            "Invalid partition decorator \"{partition}\": expected YYYYMM of a table partitioned by month"
        )))
    }
}
