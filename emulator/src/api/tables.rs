//! tables.*

use serde_json::{Value, json};

use super::{datasets::labels, int64, only_keys, page};
use crate::{
    catalog::{DatasetId, Partitioning, Table, TableId, TableRef},
    error::ApiError,
    rest::{int64_text, now_ms},
    server::{Answer, LoggedRequest, Server},
    types::{Allow, Field, Type, added_fields, fields_from_rest, find},
    warehouse::Warehouse,
};

/// Keys that clients copy from an earlier answer. They have no effect.
const OUTPUT_ONLY: &str = "kind etag id selfLink tableReference type creationTime lastModifiedTime location numRows
    numBytes numLongTermBytes";
const PATCHABLE: &str = "schema labels description expirationTime";

/// A table. For a partition, the size is that of the partition.
pub fn get(server: &Server, target: &TableRef) -> Result<Answer, ApiError> {
    let from = server.catalog().rows_sql(target)?;
    let rows = Warehouse::count(&server.warehouse.connect()?, &from)?;
    resource(server, &target.table, rows)
}

fn resource(server: &Server, id: &TableId, rows: i64) -> Result<Answer, ApiError> {
    let catalog = server.catalog();
    let location = &catalog.dataset(&id.dataset)?.location;
    let table = catalog.table(id)?;
    let mut value = table.to_rest();
    value["location"] = json!(location);
    value["numRows"] = int64_text(rows);
    value["numBytes"] = int64_text(table.bytes(rows));
    value["numLongTermBytes"] = int64_text(0);
    Ok(Answer::Json(value))
}

/// Grants all permissions: the emulator has no accounts. Grants none where the table does not exist.
pub fn test_permissions(server: &Server, id: &TableId, body: &Value) -> Result<Answer, ApiError> {
    only_keys(body, "testIamPermissions", "permissions")?;
    let wildcard = |permission: &Value| permission.as_str().is_none_or(|name| name.contains('*'));
    if body["permissions"].as_array().into_iter().flatten().any(wildcard) {
        return Err(ApiError::invalid("Permissions must be names without wildcards"));
    }
    let exists = server.catalog().table(id).is_ok();
    Ok(Answer::Json(if exists { json!({"permissions": body["permissions"]}) } else { json!({}) }))
}

pub fn list(server: &Server, id: &DatasetId, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let entries: Vec<Value> = {
        let catalog = server.catalog();
        let dataset = catalog.dataset(id)?;
        let live = dataset.tables.values().filter(|table| catalog.table(&table.id).is_ok());
        live.map(Table::to_rest).collect()
    };
    let mut answer = page(call, "bigquery#tableList", "tables", &entries)?;
    answer["totalItems"] = json!(entries.len());
    Ok(Answer::Json(answer))
}

pub fn insert(server: &Server, dataset: &DatasetId, body: &Value) -> Result<Answer, ApiError> {
    only_keys(
        body,
        "table",
        &format!("{OUTPUT_ONLY} {PATCHABLE} timePartitioning clustering encryptionConfiguration"),
    )?;
    let name = body["tableReference"]["tableId"].as_str();
    let id = dataset.table(name.ok_or_else(|| ApiError::missing("tableReference.tableId"))?);
    let table = Table {
        partitioning: partitioning(&body["timePartitioning"])?,
        clustering: clustering(&body["clustering"]),
        labels: labels(&body["labels"]),
        description: body["description"].as_str().map(str::to_owned),
        expires: int64(&body["expirationTime"]),
        encryption_key: encryption_key(&body["encryptionConfiguration"])?,
        ..Table::new(id.clone(), fields_from_rest(&body["schema"])?)
    };
    server.limits.creation(&server.options)?;
    create(server, table)?;
    resource(server, &id, 0)
}

/// Creates a table. Where it sets no expirations, the dataset's defaults apply.
pub fn create(server: &Server, mut table: Table) -> Result<(), ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let id = &table.id;
    catalog.dataset(&id.dataset)?;
    if catalog.table(id).is_ok() {
        return Err(ApiError::duplicate(format!("Table {id}")));
    }
    if id.table.is_empty() || id.table.contains(['$', '@', '.', '`', '"', '/']) {
        return Err(ApiError::invalid(format!("Invalid table ID \"{}\".", id.table)));
    }
    if table.fields.is_empty() {
        return Err(ApiError::not_implemented(format!("a table without schema ({id})")));
    }
    check_layout(&table)?;
    let columns: Vec<String> = table.fields.iter().map(Field::ddl).collect();
    // OR REPLACE: the rows of an expired table are still in DuckDB.
    let ddl = format!("CREATE OR REPLACE TABLE {} ({})", id.duckdb(), columns.join(", "));
    server.warehouse.connect()?.execute_batch(&ddl)?;
    let dataset = catalog.dataset_mut(&id.dataset)?;
    if let Some(partitioning) = &mut table.partitioning {
        // Zero means none, also where the dataset has a default.
        let own = partitioning.expiration.or(dataset.default_partition_expiration);
        partitioning.expiration = own.filter(|ms| *ms > 0);
    }
    // A table whose partitions expire does not inherit a table expiration.
    if table.partitioning.as_ref().is_none_or(|partitioning| partitioning.expiration.is_none()) {
        let inherited = dataset.default_table_expiration.map(|ms| table.created + ms);
        table.expires = table.expires.or(inherited);
    }
    dataset.tables.insert(table.id.table.clone(), table);
    Ok(())
}

fn check_layout(table: &Table) -> Result<(), ApiError> {
    let Table { fields, partitioning, clustering, .. } = table;
    if let Some(partitioning) = partitioning {
        let name = &partitioning.field;
        let field = find(fields, name).ok_or_else(|| {
            ApiError::invalid(format!("The field specified for partitioning cannot be found in the schema: {name}"))
        })?;
        if !matches!(field.ty, Type::Timestamp | Type::Date) {
            return Err(ApiError::invalid(format!(
                "The field specified for time partitioning can only be of type TIMESTAMP, DATE or DATETIME. The type \
                 found is: {}.",
                field.ty.rest_name()
            )));
        }
    }
    if clustering.len() > 4 {
        return Err(ApiError::invalid(format!("Too many clustering fields: {}, at most 4", clustering.len())));
    }
    match clustering.iter().find(|name| find(fields, name).is_none()) {
        Some(name) => {
            Err(ApiError::invalid(format!("The field specified for clustering cannot be found in the schema: {name}")))
        }
        None => Ok(()),
    }
}

/// Reads `timePartitioning`.
pub fn partitioning(value: &Value) -> Result<Option<Partitioning>, ApiError> {
    if value.is_null() {
        return Ok(None);
    }
    only_keys(value, "timePartitioning", "type field expirationMs")?;
    let kind = value["type"].as_str().unwrap_or_default();
    if kind != "MONTH" {
        return Err(ApiError::not_implemented(format!("timePartitioning.type {kind}, only MONTH")));
    }
    let field = value["field"]
        .as_str()
        .ok_or_else(|| ApiError::not_implemented("timePartitioning without field (ingestion time)"))?;
    Ok(Some(Partitioning { field: field.to_owned(), expiration: int64(&value["expirationMs"]) }))
}

/// Reads an `EncryptionConfiguration`.
pub fn encryption_key(value: &Value) -> Result<Option<String>, ApiError> {
    only_keys(value, "encryptionConfiguration", "kmsKeyName")?;
    Ok(value["kmsKeyName"].as_str().map(str::to_owned))
}

/// Reads `clustering`.
pub fn clustering(value: &Value) -> Vec<String> {
    let fields = value["fields"].as_array().into_iter().flatten();
    fields.filter_map(|field| field.as_str().map(str::to_owned)).collect()
}

pub fn patch(server: &Server, id: &TableId, body: &Value) -> Result<Answer, ApiError> {
    only_keys(body, "table", &format!("{OUTPUT_ONLY} {PATCHABLE}"))?;
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let mut table = catalog.table(id)?.clone();
    server.limits.update(&server.options, &table)?;
    let mut ddl = Vec::new();
    if body["schema"].is_object() {
        ddl = patch_schema(&mut table, &fields_from_rest(&body["schema"])?)?;
    }
    for (key, value) in body["labels"].as_object().into_iter().flatten() {
        // A null removes the label. Labels that the patch does not name are unchanged.
        match value.as_str() {
            Some(value) => table.labels.insert(key.clone(), value.to_owned()),
            None => table.labels.remove(key),
        };
    }
    if let Some(description) = body.get("description") {
        table.description = description.as_str().map(str::to_owned);
    }
    if let Some(expires) = body.get("expirationTime") {
        table.expires = int64(expires);
    }
    table.modified = now_ms();
    let rows = {
        let connection = server.warehouse.connect()?;
        Warehouse::transaction(&connection, &ddl)?;
        Warehouse::count(&connection, &id.duckdb())?
    };
    *catalog.table_mut(id)? = table;
    drop(catalog);
    resource(server, id, rows)
}

/// Applies a schema that keeps every column and may add nullable ones.
fn patch_schema(table: &mut Table, new: &[Field]) -> Result<Vec<String>, ApiError> {
    let added = added_fields(&table.fields, new, &Allow { addition: true, missing: false })
        .map_err(|why| ApiError::invalid(format!("Provided Schema does not match Table {}. {why}", table.id)))?;
    Ok(added.into_iter().map(|field| table.add(field)).collect())
}

/// Deletes a table, or the rows of one partition.
pub fn delete(server: &Server, TableRef { table: id, partition }: &TableRef) -> Result<Answer, ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let table = catalog.table_mut(id)?;
    let statement = match partition {
        Some(_) => format!("DELETE FROM {}", table.rows_sql(partition.as_deref())),
        None => format!("DROP TABLE {}", id.duckdb()),
    };
    Warehouse::transaction(&server.warehouse.connect()?, &[statement])?;
    table.modified = now_ms();
    if partition.is_none() {
        catalog.dataset_mut(&id.dataset)?.tables.remove(&id.table);
    }
    Ok(Answer::Empty)
}
