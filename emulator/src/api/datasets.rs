//! datasets.*

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Paging, int64, only_keys};
use crate::{
    catalog::{Dataset, DatasetId, etag},
    clock,
    error::ApiError,
    server::{Answer, Call, Server},
};

pub fn get(server: &Server, id: &DatasetId) -> Result<Answer, ApiError> {
    Ok(Answer::Json(server.catalog().dataset(id)?.to_rest()))
}

pub fn list(server: &Server, project: &str, call: &Call) -> Result<Answer, ApiError> {
    let entries: Vec<Value> = server
        .catalog()
        .datasets
        .values()
        .filter(|dataset| dataset.id.project == project)
        .map(|dataset| {
            json!({
                "kind": "bigquery#dataset",
                "id": dataset.id.to_string(),
                "datasetReference": {"projectId": project, "datasetId": dataset.id.dataset},
                "location": dataset.location,
                "labels": dataset.labels,
            })
        })
        .collect();
    let (datasets, next) = Paging::of(call).cut(&entries)?;
    let mut answer = json!({"kind": "bigquery#datasetList", "etag": etag(clock::now_ms()), "datasets": datasets});
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(Answer::Json(answer))
}

pub fn insert(server: &Server, project: &str, body: &Value) -> Result<Answer, ApiError> {
    only_keys(
        body,
        "dataset",
        "datasetReference location labels description friendlyName defaultPartitionExpirationMs defaultTableExpirationMs
            access kind id",
    )?;
    let name = body["datasetReference"]["datasetId"]
        .as_str()
        .ok_or_else(|| ApiError::invalid("Required parameter is missing: datasetReference.datasetId"))?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(ApiError::invalid(format!(
            "Invalid dataset ID \"{name}\". Dataset IDs must be alphanumeric (plus underscores) and must be at most \
             1024 characters long."
        )));
    }
    let id = DatasetId::new(project, name);
    create(server, &id, body["location"].as_str().unwrap_or("US"), labels(&body["labels"]))?;
    let mut catalog = server.catalog();
    let dataset = catalog.dataset_mut(&id)?;
    dataset.description = body["description"].as_str().map(str::to_owned);
    dataset.default_partition_expiration = int64(&body["defaultPartitionExpirationMs"]);
    dataset.default_table_expiration = int64(&body["defaultTableExpirationMs"]);
    Ok(Answer::Json(dataset.to_rest()))
}

/// Makes a dataset.
pub fn create(
    server: &Server,
    id: &DatasetId,
    location: &str,
    labels: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    if catalog.dataset(id).is_ok() {
        return Err(ApiError::duplicate(format!("Dataset {id}")));
    }
    server.warehouse.connect()?.execute_batch(&format!("CREATE SCHEMA {}", id.duckdb()))?;
    let dataset = Dataset {
        id: id.clone(),
        location: canonical_location(location),
        description: None,
        labels,
        default_partition_expiration: None,
        default_table_expiration: None,
        created: clock::now_ms(),
        tables: BTreeMap::new(),
    };
    catalog.datasets.insert((id.project.clone(), id.dataset.clone()), dataset);
    Ok(())
}

pub fn delete(server: &Server, id: &DatasetId, contents: bool) -> Result<Answer, ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    if !catalog.dataset(id)?.tables.is_empty() && !contents {
        return Err(ApiError::new(400, "resourceInUse", format!("Dataset {id} is still in use")));
    }
    server.warehouse.connect()?.execute_batch(&format!("DROP SCHEMA {} CASCADE", id.duckdb()))?;
    catalog.datasets.remove(&(id.project.clone(), id.dataset.clone()));
    Ok(Answer::Empty)
}

/// Multi-regions are upper case, regions lower case.
pub fn canonical_location(location: &str) -> String {
    match location.to_ascii_uppercase().as_str() {
        multi @ ("US" | "EU") => multi.to_owned(),
        _ => location.to_ascii_lowercase(),
    }
}

/// Reads a map of labels.
pub fn labels(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
