//! Datasets and tables, and the DuckDB names of their rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    rest::{etag, int64_text, now_ms, without_nulls},
    types::{Field, fields_to_rest, find, literal, quote},
};

#[derive(Debug, Default)]
pub struct Catalog {
    pub datasets: BTreeMap<DatasetId, Dataset>,
}

#[derive(Debug)]
pub struct Dataset {
    pub id: DatasetId,
    pub location: String,
    pub labels: BTreeMap<String, String>,
    pub description: Option<String>,
    /// Milliseconds. New partitioned tables that set none inherit it.
    pub default_partition_expiration: Option<i64>,
    /// Milliseconds. New tables that set none, and whose partitions do not expire, inherit it.
    pub default_table_expiration: Option<i64>,
    pub created: i64,
    /// The next job that names it does not find it.
    pub hidden: bool,
    pub tables: BTreeMap<String, Table>,
}

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
    /// When the table expires, in milliseconds since 1970.
    pub expires: Option<i64>,
    /// The name of the key in `encryptionConfiguration`.
    pub encryption_key: Option<String>,
    pub row_access_policies: Vec<RowAccessPolicy>,
}

/// A row access policy. It is listed, and a truncate can remove it. It filters no rows.
#[derive(Debug, Clone)]
pub struct RowAccessPolicy {
    pub id: String,
    pub filter: String,
}

/// MONTH partitions on a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitioning {
    pub field: String,
    /// Milliseconds from the start of the month.
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

/// A table, or one of its months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRef {
    pub table: TableId,
    /// The partition decorator, such as `202509`.
    pub partition: Option<String>,
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

impl std::fmt::Display for TableRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table.fmt(f)?;
        self.partition.iter().try_for_each(|partition| write!(f, "${partition}"))
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

impl TableRef {
    /// Splits a decorator off the name.
    pub fn new(dataset: &DatasetId, name: &str) -> Self {
        let (table, partition) = name.split_once('$').map_or((name, None), |(table, month)| (table, Some(month)));
        Self { table: dataset.table(table), partition: partition.map(str::to_owned) }
    }

    /// Reads a `TableReference` of a job, whose decorator must be a month. `what` names it in messages.
    pub fn from_rest(reference: &Value, what: &str, project: &str) -> Result<Self, ApiError> {
        let name = |key: &str| reference[key].as_str().ok_or_else(|| ApiError::missing(&format!("{what}.{key}")));
        let dataset = DatasetId::new(reference["projectId"].as_str().unwrap_or(project), name("datasetId")?);
        let target = Self::new(&dataset, name("tableId")?);
        let is_month = |text: &str| {
            let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits && ("01"..="12").contains(&&text[4..])
        };
        match &target.partition {
            Some(partition) if !is_month(partition) => Err(ApiError::invalid(format!(
                "Invalid partition decorator \"{partition}\": expected YYYYMM of a table partitioned by month"
            ))),
            _ => Ok(target),
        }
    }
}

impl Catalog {
    pub fn dataset(&self, id: &DatasetId) -> Result<&Dataset, ApiError> {
        self.datasets.get(id).ok_or_else(|| ApiError::not_found(format!("Dataset {id}")))
    }

    pub fn dataset_mut(&mut self, id: &DatasetId) -> Result<&mut Dataset, ApiError> {
        self.datasets.get_mut(id).ok_or_else(|| ApiError::not_found(format!("Dataset {id}")))
    }

    /// The dataset, if it is in `location`.
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
            .filter(|table| table.expires.is_none_or(|expires| expires > now_ms()))
            .ok_or_else(|| ApiError::not_found(format!("Table {id}")))
    }

    /// What follows FROM to read the rows of a table or of its month.
    pub fn rows_sql(&self, target: &TableRef) -> Result<String, ApiError> {
        Ok(self.table(&target.table)?.rows_sql(target.partition.as_deref()))
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
    /// A dataset with a location and nothing else.
    pub fn new(id: DatasetId, location: &str) -> Self {
        Self {
            id,
            location: canonical_location(location),
            labels: BTreeMap::new(),
            description: None,
            default_partition_expiration: None,
            default_table_expiration: None,
            created: now_ms(),
            hidden: false,
            tables: BTreeMap::new(),
        }
    }

    /// The `Dataset` resource.
    pub fn to_rest(&self) -> Value {
        let DatasetId { project, dataset } = &self.id;
        without_nulls(json!({
            "kind": "bigquery#dataset",
            "etag": etag(self.created),
            "id": self.id.to_string(),
            "selfLink": format!("/bigquery/v2/projects/{project}/datasets/{dataset}"),
            "datasetReference": {"projectId": project, "datasetId": dataset},
            "location": self.location,
            "creationTime": int64_text(self.created),
            "lastModifiedTime": int64_text(self.created),
            "labels": self.labels,
            "description": self.description,
            "type": "DEFAULT",
            "defaultPartitionExpirationMs": int64_text(self.default_partition_expiration),
            "defaultTableExpirationMs": int64_text(self.default_table_expiration),
        }))
    }
}

impl Table {
    /// A table with columns and nothing else.
    pub fn new(id: TableId, fields: Vec<Field>) -> Self {
        let now = now_ms();
        Self {
            id,
            fields,
            partitioning: None,
            clustering: Vec::new(),
            labels: BTreeMap::new(),
            description: None,
            created: now,
            modified: now,
            expires: None,
            encryption_key: None,
            row_access_policies: Vec::new(),
        }
    }

    /// Removes column descriptions, policy tags and row access policies.
    pub fn remove_annotations(&mut self) {
        for field in &mut self.fields {
            (field.description, field.policy_tags) = (None, None);
        }
        self.row_access_policies.clear();
    }

    /// Checks that a job names this table's key; `None` is Google's key.
    pub fn check_key(&self, key: Option<&str>) -> Result<(), ApiError> {
        let own = self.encryption_key.as_deref();
        if key == own {
            return Ok(());
        }
        let [own, key] = [own, key].map(|key| key.unwrap_or("Google's"));
        Err(ApiError::invalid(format!(
            "The encryption key of {} is {own}, and cannot be changed to {key} by a job that writes into it",
            self.id
        )))
    }

    /// Adds a column and returns the DuckDB statement that does so.
    pub fn add(&mut self, field: Field) -> String {
        let statement = format!("ALTER TABLE {} ADD COLUMN {}", self.id.duckdb(), field.ddl());
        self.fields.push(field);
        statement
    }

    /// The `Table` resource, without size and location.
    pub fn to_rest(&self) -> Value {
        let TableId { dataset: DatasetId { project, dataset }, table } = &self.id;
        without_nulls(json!({
            "kind": "bigquery#table",
            "etag": etag(self.modified),
            "id": self.id.to_string(),
            "selfLink": format!("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}"),
            "tableReference": self.id.to_rest(),
            "type": "TABLE",
            "schema": fields_to_rest(&self.fields),
            "timePartitioning": self.partitioning.as_ref().map(|partitioning| json!({
                "type": "MONTH", "field": partitioning.field, "expirationMs": int64_text(partitioning.expiration),
            })),
            "clustering": (!self.clustering.is_empty()).then(|| json!({"fields": self.clustering})),
            "labels": self.labels,
            "description": self.description,
            "creationTime": int64_text(self.created),
            "lastModifiedTime": int64_text(self.modified),
            "expirationTime": int64_text(self.expires),
            "encryptionConfiguration": self.encryption_key.as_ref().map(|key| json!({"kmsKeyName": key})),
        }))
    }

    /// An estimate of the logical size: eight bytes a value.
    pub fn bytes(&self, rows: i64) -> i64 {
        rows * i64::try_from(self.fields.len()).unwrap_or(i64::MAX) * 8
    }

    /// What follows FROM to read the rows of the table, or of one partition.
    pub fn rows_sql(&self, partition: Option<&str>) -> String {
        let condition = partition.map(|partition| format!(" WHERE {} = {}", self.partition_id(), literal(partition)));
        format!("{}{}", self.id.duckdb(), condition.unwrap_or_default())
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

/// Multi-regions in upper case, regions in lower case.
pub fn canonical_location(location: &str) -> String {
    match location.to_ascii_uppercase().as_str() {
        multi @ ("US" | "EU") => multi.to_owned(),
        _ => location.to_ascii_lowercase(),
    }
}
