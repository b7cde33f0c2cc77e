//! What finops reads of BigQuery's answers. Everything else in them is left alone, and nothing is relied on to be there.
//! 64-bit integers come as text.

use std::collections::HashMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Dataset {
    pub location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Table {
    pub labels: HashMap<String, String>,
    pub schema: TableSchema,
    pub time_partitioning: Option<TimePartitioning>,
    pub creation_time: Option<String>,
    pub expiration_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TableSchema {
    pub fields: Vec<Field>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Field {
    pub name: String,
    pub r#type: String,
    pub mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TimePartitioning {
    pub r#type: String,
    pub field: Option<String>,
    pub expiration_ms: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    pub configuration: JobConfiguration,
    pub status: JobStatus,
    pub statistics: JobStatistics,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobConfiguration {
    pub labels: HashMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobStatus {
    pub state: String,
    /// Why the job failed; the state is `DONE` either way.
    pub error_result: Option<ErrorProto>,
    pub errors: Vec<ErrorProto>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorProto {
    pub reason: String,
    pub message: String,
    pub location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobStatistics {
    pub end_time: Option<String>,
    pub load: Option<LoadStatistics>,
    pub query: Option<QueryStatistics>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LoadStatistics {
    pub input_files: Option<String>,
    pub output_rows: Option<String>,
    pub bad_records: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct QueryStatistics {
    pub total_bytes_billed: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct QueryResponse {
    pub job_reference: Option<JobReference>,
    pub job_complete: bool,
    pub rows: Vec<Row>,
    pub page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobReference {
    pub job_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub f: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cell {
    pub v: serde_json::Value,
}

/// The body of a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub error: ErrorDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetails {
    pub message: String,
    pub errors: Vec<ErrorProto>,
}
