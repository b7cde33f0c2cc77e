//! datasets.*

use std::collections::BTreeMap;

use serde_json::Value;

use super::{int64, only_keys, page};
use crate::{
    catalog::{Dataset, DatasetId},
    error::ApiError,
    server::{Answer, LoggedRequest, Server},
};

pub fn get(server: &Server, id: &DatasetId) -> Result<Answer, ApiError> {
    Ok(Answer::Json(server.catalog().dataset(id)?.to_rest()))
}

pub fn list(server: &Server, project: &str, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let catalog = server.catalog();
    let datasets = catalog.datasets.values().filter(|dataset| dataset.id.project == project);
    let entries: Vec<Value> = datasets.map(Dataset::to_rest).collect();
    Ok(Answer::Json(page(call, "bigquery#datasetList", "datasets", &entries)?))
}

pub fn insert(server: &Server, project: &str, body: &Value) -> Result<Answer, ApiError> {
    only_keys(
        body,
        "dataset",
        "datasetReference location labels description defaultPartitionExpirationMs defaultTableExpirationMs kind id",
    )?;
    let name = body["datasetReference"]["datasetId"]
        .as_str()
        .ok_or_else(|| ApiError::missing("datasetReference.datasetId"))?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(ApiError::invalid(format!(
            "Invalid dataset ID \"{name}\". Dataset IDs must be alphanumeric (plus underscores) and must be at most \
             1024 characters long."
        )));
    }
    let id = DatasetId::new(project, name);
    let dataset = Dataset {
        labels: labels(&body["labels"]),
        description: body["description"].as_str().map(str::to_owned),
        default_partition_expiration: int64(&body["defaultPartitionExpirationMs"]),
        default_table_expiration: int64(&body["defaultTableExpirationMs"]),
        hidden: server.options.hide_new_datasets,
        ..Dataset::new(id, body["location"].as_str().unwrap_or("US"))
    };
    let answer = dataset.to_rest();
    create(server, dataset)?;
    Ok(Answer::Json(answer))
}

/// Refuses the first job that names a hidden dataset. BigQuery sometimes does so after a dataset was created (ingestr#643).
pub fn refuse_hidden(server: &Server, job: &Value) -> Result<(), ApiError> {
    let mut catalog = server.catalog();
    let hidden = catalog.datasets.values_mut().filter(|dataset| dataset.hidden);
    let text = job.to_string();
    for dataset in hidden {
        if text.contains(&dataset.id.dataset) {
            dataset.hidden = false;
            return Err(ApiError::not_found(format!("Dataset {}", dataset.id)));
        }
    }
    Ok(())
}

/// Creates a dataset.
pub fn create(server: &Server, dataset: Dataset) -> Result<(), ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let id = &dataset.id;
    if catalog.dataset(id).is_ok() {
        return Err(ApiError::duplicate(format!("Dataset {id}")));
    }
    server.warehouse.connect()?.execute_batch(&format!("CREATE SCHEMA {}", id.duckdb()))?;
    catalog.datasets.insert(id.clone(), dataset);
    Ok(())
}

pub fn delete(server: &Server, id: &DatasetId, contents: bool) -> Result<Answer, ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    if !catalog.dataset(id)?.tables.is_empty() && !contents {
        return Err(ApiError::new(400, "resourceInUse", format!("Dataset {id} is still in use")));
    }
    server.warehouse.connect()?.execute_batch(&format!("DROP SCHEMA {} CASCADE", id.duckdb()))?;
    catalog.datasets.remove(id);
    Ok(Answer::Empty)
}

/// Reads a map of labels.
pub fn labels(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
