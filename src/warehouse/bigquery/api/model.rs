//! What finops reads from BigQuery's answers. Only a few fields are required: enough that no other JSON is read as an answer
//! of BigQuery. 64-bit integers come as text.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    pub location: String,
    pub default_partition_expiration_ms: Option<String>,
    pub default_table_expiration_ms: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    #[serde(default)]
    pub labels: HashMap<String, String>,
    #[serde(default)]
    pub schema: TableSchema,
    pub time_partitioning: Option<TimePartitioning>,
    pub clustering: Option<Value>,
    pub encryption_configuration: Option<Value>,
    pub creation_time: String,
    pub expiration_time: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TableSchema {
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Field {
    pub name: String,
    pub r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Everything else, such as `description`, `policyTags` and the `fields` of a record.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimePartitioning {
    pub r#type: String,
    pub field: Option<String>,
    pub expiration_ms: Option<String>,
}

impl Field {
    /// The key of policy tags, which say who may see a column.
    pub const POLICY_TAGS: &'static str = "policyTags";

    /// What others added to a column, and what a swap might remove.
    pub fn extras(&self) -> impl Iterator<Item = &str> {
        ["description", Self::POLICY_TAGS].into_iter().filter(|extra| self.rest.contains_key(*extra))
    }
}

#[derive(Debug, Deserialize)]
pub struct Job {
    #[serde(default)]
    pub configuration: JobConfiguration,
    pub status: JobStatus,
    #[serde(default)]
    pub statistics: JobStatistics,
    /// The account that ran it.
    #[serde(rename = "user_email")]
    pub user_email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Granted {
    /// Absent where nothing is granted.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// A page of a table's row access policies.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowAccessPolicies {
    /// Absent where there are none.
    #[serde(default)]
    pub row_access_policies: Vec<RowAccessPolicy>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowAccessPolicy {
    pub row_access_policy_reference: RowAccessPolicyReference,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowAccessPolicyReference {
    pub policy_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobConfiguration {
    pub labels: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    pub state: String,
    /// Why the job failed. The state is `DONE` after a success too.
    pub error_result: Option<ErrorProto>,
    #[serde(default)]
    pub errors: Vec<ErrorProto>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ErrorProto {
    pub reason: String,
    pub message: String,
    pub location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JobStatistics {
    pub end_time: Option<String>,
    pub load: Option<LoadStatistics>,
    pub query: Option<QueryStatistics>,
    pub copy: Option<CopyStatistics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CopyStatistics {
    pub copied_rows: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LoadStatistics {
    pub input_files: Option<String>,
    pub output_rows: Option<String>,
    pub bad_records: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryStatistics {
    pub total_bytes_billed: Option<String>,
}

impl QueryStatistics {
    /// What BigQuery bills for the query, where it says so.
    pub fn bytes_billed(&self) -> Option<u64> {
        self.total_bytes_billed.as_ref()?.parse().ok()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryResponse {
    pub job_reference: JobReference,
    pub job_complete: bool,
    pub schema: Option<TableSchema>,
    #[serde(default)]
    pub rows: Vec<Row>,
    pub page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReference {
    pub job_id: String,
}

#[derive(Debug, Deserialize)]
pub struct Row {
    pub f: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
pub struct Cell {
    pub v: Value,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ErrorDetails {
    pub message: String,
    pub errors: Vec<ErrorProto>,
}
