//! What exists: datasets and tables, and the DuckDB names that hold their rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    clock,
    error::ApiError,
    types::{Field, fields_to_rest, find, quote},
};

/// All datasets, by project and dataset id.
#[derive(Debug, Default)]
pub struct Catalog {
    pub datasets: BTreeMap<(String, String), Dataset>,
}

/// A dataset.
#[derive(Debug)]
pub struct Dataset {
    pub id: DatasetId,
    pub location: String,
    pub description: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Milliseconds; inherited by new partitioned tables that set none.
    pub default_partition_expiration: Option<i64>,
    /// Milliseconds; inherited by new tables that set none.
    pub default_table_expiration: Option<i64>,
    pub created: i64,
    pub tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    pub id: TableId,
    pub fields: Vec<Field>,
    pub partitioning: Option<Partitioning>,
    pub clustering: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub description: Option<String>,
    pub created: i64,
    pub modified: i64,
    /// When the table disappears, in milliseconds since 1970.
    pub expires: Option<i64>,
}

/// MONTH partitions on a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitioning {
    pub field: String,
    /// Milliseconds after the month's start.
    pub expiration: Option<i64>,
}

/// A dataset's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetId {
    pub project: String,
    pub dataset: String,
}

/// A table's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId {
    pub dataset: DatasetId,
    pub table: String,
}

impl std::fmt::Display for DatasetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.project, self.dataset)
    }
}

impl std::fmt::Display for TableId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.dataset, self.table)
    }
}

impl DatasetId {
    pub fn new(project: &str, dataset: &str) -> Self {
        Self { project: project.to_owned(), dataset: dataset.to_owned() }
    }

    /// The DuckDB schema.
    pub fn duckdb(&self) -> String {
        quote(&self.to_string())
    }

    pub fn table(&self, table: &str) -> TableId {
        TableId { dataset: self.clone(), table: table.to_owned() }
    }
}

impl TableId {
    /// The DuckDB table.
    pub fn duckdb(&self) -> String {
        format!("{}.{}", self.dataset.duckdb(), quote(&self.table))
    }

    pub fn to_rest(&self) -> Value {
        json!({"projectId": self.dataset.project, "datasetId": self.dataset.dataset, "tableId": self.table})
    }
}

impl Catalog {
    pub fn dataset(&self, id: &DatasetId) -> Result<&Dataset, ApiError> {
        self.datasets
            .get(&(id.project.clone(), id.dataset.clone()))
            .ok_or_else(|| ApiError::not_found(format!("Dataset {id}")))
    }

    pub fn dataset_mut(&mut self, id: &DatasetId) -> Result<&mut Dataset, ApiError> {
        self.datasets
            .get_mut(&(id.project.clone(), id.dataset.clone()))
            .ok_or_else(|| ApiError::not_found(format!("Dataset {id}")))
    }

    /// The dataset, if a job in `location` can see it.
    pub fn dataset_in(&self, id: &DatasetId, location: &str) -> Result<&Dataset, ApiError> {
        self.dataset(id)
            .ok()
            .filter(|dataset| dataset.location.eq_ignore_ascii_case(location))
            .ok_or_else(|| ApiError::not_found(format!("Dataset {id} was not found in location {location}")))
    }

    pub fn table(&self, id: &TableId) -> Result<&Table, ApiError> {
        self.dataset(&id.dataset)?
            .tables
            .get(&id.table)
            .filter(|table| table.expires.is_none_or(|expires| expires > clock::now_ms()))
            .ok_or_else(|| ApiError::not_found(format!("Table {id}")))
    }

    pub fn table_mut(&mut self, id: &TableId) -> Result<&mut Table, ApiError> {
        self.table(id)?;
        self.dataset_mut(&id.dataset)?
            .tables
            .get_mut(&id.table)
            .ok_or_else(|| ApiError::not_found(format!("Table {id}")))
    }
}

impl Dataset {
    /// The `Dataset` resource.
    pub fn to_rest(&self) -> Value {
        let mut value = json!({
            "kind": "bigquery#dataset",
            "etag": etag(self.created),
            "id": self.id.to_string(),
            "selfLink": format!("/bigquery/v2/projects/{}/datasets/{}", self.id.project, self.id.dataset),
            "datasetReference": {"projectId": self.id.project, "datasetId": self.id.dataset},
            "location": self.location,
            "creationTime": self.created.to_string(),
            "lastModifiedTime": self.created.to_string(),
            "labels": self.labels,
            "type": "DEFAULT",
        });
        if let Some(description) = &self.description {
            value["description"] = json!(description);
        }
        if let Some(ms) = self.default_partition_expiration {
            value["defaultPartitionExpirationMs"] = json!(ms.to_string());
        }
        if let Some(ms) = self.default_table_expiration {
            value["defaultTableExpirationMs"] = json!(ms.to_string());
        }
        value
    }
}

impl Table {
    /// The `Table` resource; `rows` is its row count.
    pub fn to_rest(&self, location: &str, rows: i64) -> Value {
        let mut value = self.to_list_entry();
        value["kind"] = json!("bigquery#table");
        value["etag"] = json!(etag(self.modified));
        value["selfLink"] = json!(format!(
            "/bigquery/v2/projects/{}/datasets/{}/tables/{}",
            self.id.dataset.project, self.id.dataset.dataset, self.id.table
        ));
        value["schema"] = fields_to_rest(&self.fields);
        value["location"] = json!(location);
        value["lastModifiedTime"] = json!(self.modified.to_string());
        value["numRows"] = json!(rows.to_string());
        value["numBytes"] = json!(self.bytes(rows).to_string());
        value["numLongTermBytes"] = json!("0");
        if let Some(description) = &self.description {
            value["description"] = json!(description);
        }
        value
    }

    /// The entry in tables.list.
    pub fn to_list_entry(&self) -> Value {
        let mut value = json!({
            "kind": "bigquery#table",
            "id": self.id.to_string(),
            "tableReference": self.id.to_rest(),
            "type": "TABLE",
            "labels": self.labels,
            "creationTime": self.created.to_string(),
        });
        if let Some(partitioning) = &self.partitioning {
            value["timePartitioning"] = partitioning.to_rest();
        }
        if !self.clustering.is_empty() {
            value["clustering"] = json!({"fields": self.clustering});
        }
        if let Some(expires) = self.expires {
            value["expirationTime"] = json!(expires.to_string());
        }
        value
    }

    /// An estimate of the logical size: eight bytes a value.
    pub fn bytes(&self, rows: i64) -> i64 {
        rows * i64::try_from(self.fields.len()).unwrap_or(i64::MAX) * 8
    }

    /// The DuckDB expression for a row's partition id, such as `202509`.
    pub fn partition_id(&self) -> String {
        match &self.partitioning {
            Some(partitioning) => format!(
                "coalesce(strftime({}, '%Y%m'), '__NULL__')",
                quote(find(&self.fields, &partitioning.field).map_or(&partitioning.field, |field| &field.name))
            ),
            None => "CAST(NULL AS VARCHAR)".to_owned(),
        }
    }
}

impl Partitioning {
    pub fn to_rest(&self) -> Value {
        let mut value = json!({"type": "MONTH", "field": self.field});
        if let Some(ms) = self.expiration {
            value["expirationMs"] = json!(ms.to_string());
        }
        value
    }
}

/// An entity tag that changes with the modification time.
pub fn etag(modified: i64) -> String {
    format!("\"{modified:x}\"")
}
