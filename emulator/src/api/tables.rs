//! tables.*

use serde_json::{Value, json};

use super::{Paging, datasets::labels, int64, only_keys};
use crate::{
    catalog::{DatasetId, Partitioning, Table, TableId, etag},
    clock,
    error::ApiError,
    schema_change::{Allow, SchemaChange},
    server::{Answer, Call, Server},
    types::{Field, Type, fields_from_rest, find, literal},
    warehouse::Warehouse,
};

/// Keys that a client may send back from an earlier answer, and that carry no wish.
const OUTPUT_ONLY: &str = "kind etag id selfLink tableReference type creationTime lastModifiedTime location numRows
    numBytes numLongTermBytes";
const SETTABLE: &str = "schema timePartitioning clustering labels description expirationTime";

pub fn get(server: &Server, id: &TableId) -> Result<Answer, ApiError> {
    let rows = {
        server.catalog().table(id)?;
        Warehouse::count(&server.warehouse.connect()?, &id.duckdb())?
    };
    resource(server, id, rows)
}

fn resource(server: &Server, id: &TableId, rows: i64) -> Result<Answer, ApiError> {
    let catalog = server.catalog();
    let location = &catalog.dataset(&id.dataset)?.location;
    Ok(Answer::Json(catalog.table(id)?.to_rest(location, rows)))
}

pub fn list(server: &Server, id: &DatasetId, call: &Call) -> Result<Answer, ApiError> {
    let entries: Vec<Value> = {
        let catalog = server.catalog();
        let dataset = catalog.dataset(id)?;
        let live = dataset.tables.values().filter(|table| catalog.table(&table.id).is_ok());
        live.map(Table::to_list_entry).collect()
    };
    let total = entries.len();
    let (tables, next) = Paging::of(call).cut(&entries)?;
    let mut answer = json!({
        "kind": "bigquery#tableList", "etag": etag(clock::now_ms()), "tables": tables, "totalItems": total,
    });
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(Answer::Json(answer))
}

pub fn insert(server: &Server, dataset: &DatasetId, body: &Value) -> Result<Answer, ApiError> {
    only_keys(body, "table", &format!("{OUTPUT_ONLY} {SETTABLE}"))?;
    let name = body["tableReference"]["tableId"]
        .as_str()
        .ok_or_else(|| ApiError::invalid("Required parameter is missing: tableReference.tableId"))?;
    let id = dataset.table(name);
    create(
        server,
        &id,
        Definition {
            fields: fields_from_rest(&body["schema"])?,
            partitioning: partitioning(&body["timePartitioning"])?,
            clustering: clustering(&body["clustering"]),
            labels: labels(&body["labels"]),
            description: body["description"].as_str().map(str::to_owned),
            expires: int64(&body["expirationTime"]),
        },
    )?;
    resource(server, &id, 0)
}

/// What a new table is to be.
#[derive(Default)]
pub struct Definition {
    pub fields: Vec<Field>,
    pub partitioning: Option<Partitioning>,
    pub clustering: Vec<String>,
    pub labels: std::collections::BTreeMap<String, String>,
    pub description: Option<String>,
    pub expires: Option<i64>,
}

/// Makes a table; the dataset's default expirations apply where it sets none.
pub fn create(server: &Server, id: &TableId, definition: Definition) -> Result<(), ApiError> {
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    catalog.dataset(&id.dataset)?;
    if catalog.table(id).is_ok() {
        return Err(ApiError::duplicate(format!("Table {id}")));
    }
    if id.table.is_empty() || id.table.contains(['$', '@', '.', '`', '"', '/']) {
        return Err(ApiError::invalid(format!("Invalid table ID \"{}\".", id.table)));
    }
    let Definition { fields, mut partitioning, clustering, labels, description, expires } = definition;
    if fields.is_empty() {
        return Err(ApiError::not_implemented(format!("a table without schema ({id})")));
    }
    check_layout(&fields, partitioning.as_ref(), &clustering)?;
    let dataset = catalog.dataset_mut(&id.dataset)?;
    let now = clock::now_ms();
    if let Some(partitioning) = &mut partitioning {
        partitioning.expiration = match partitioning.expiration {
            // Zero is how a client says "none" where the dataset has a default.
            Some(0) => None,
            None => dataset.default_partition_expiration,
            set => set,
        };
    }
    // An explicit partition expiration rule replaces the dataset's table expiration.
    let inherited = dataset.default_table_expiration.filter(|_| partitioning.is_none()).map(|ms| now + ms);
    let columns: Vec<String> = fields.iter().map(Field::ddl).collect();
    // OR REPLACE: an expired table of this name leaves its rows behind.
    let ddl = format!("CREATE OR REPLACE TABLE {} ({})", id.duckdb(), columns.join(", "));
    server.warehouse.connect()?.execute_batch(&ddl)?;
    let table = Table {
        id: id.clone(),
        fields,
        partitioning,
        clustering,
        labels,
        description,
        created: now,
        modified: now,
        expires: expires.or(inherited),
    };
    dataset.tables.insert(id.table.clone(), table);
    Ok(())
}

fn check_layout(fields: &[Field], partitioning: Option<&Partitioning>, clustering: &[String]) -> Result<(), ApiError> {
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

/// Reads `clustering`.
pub fn clustering(value: &Value) -> Vec<String> {
    let fields = value["fields"].as_array().into_iter().flatten();
    fields.filter_map(|field| field.as_str().map(str::to_owned)).collect()
}

pub fn patch(server: &Server, id: &TableId, body: &Value) -> Result<Answer, ApiError> {
    only_keys(body, "table", &format!("{OUTPUT_ONLY} {SETTABLE}"))?;
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let mut table = catalog.table(id)?.clone();
    let mut ddl = Vec::new();
    if body["schema"].is_object() {
        ddl = patch_schema(&mut table, &fields_from_rest(&body["schema"])?)?;
    }
    if let Some(new) = partitioning(&body["timePartitioning"])? {
        match &mut table.partitioning {
            Some(old) if old.field.eq_ignore_ascii_case(&new.field) => {
                old.expiration = new.expiration.filter(|ms| *ms > 0);
            }
            _ => {
                return Err(ApiError::invalid("Cannot change partitioning of an existing table."));
            }
        }
    }
    if body["clustering"].is_object() {
        let new = clustering(&body["clustering"]);
        check_layout(&table.fields, None, &new)?;
        table.clustering = new;
    }
    for (key, value) in body["labels"].as_object().into_iter().flatten() {
        // A null removes the label; others stay as they are.
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
    table.modified = clock::now_ms();
    let rows = {
        let connection = server.warehouse.connect()?;
        Warehouse::transaction(&connection, &ddl)?;
        Warehouse::count(&connection, &id.duckdb())?
    };
    *catalog.table_mut(id)? = table;
    drop(catalog);
    resource(server, id, rows)
}

/// Takes a schema that keeps every column and may add nullable ones, relax others and change descriptions.
fn patch_schema(table: &mut Table, new: &[Field]) -> Result<Vec<String>, ApiError> {
    let allow = Allow { addition: true, relaxation: true, missing: false };
    let change = SchemaChange::between(&table.fields, new, &allow)
        .map_err(|why| ApiError::invalid(format!("Provided Schema does not match Table {}. {why}", table.id)))?;
    let statements = change.apply(table);
    for field in &mut table.fields {
        field.description = find(new, &field.name).and_then(|new| new.description.clone());
    }
    Ok(statements)
}

/// Deletes a table, or with a decorator `t$YYYYMM` one partition's rows.
pub fn delete(server: &Server, dataset: &DatasetId, name: &str) -> Result<Answer, ApiError> {
    let (table, partition) = match name.split_once('$') {
        Some((table, partition)) => (table, Some(partition)),
        None => (name, None),
    };
    let id = dataset.table(table);
    let _writer = server.warehouse.writer();
    let mut catalog = server.catalog();
    let partition_id = catalog.table(&id)?.partition_id();
    let statement = match partition {
        Some(partition) => {
            format!("DELETE FROM {} WHERE {partition_id} = {}", id.duckdb(), literal(partition))
        }
        None => format!("DROP TABLE {}", id.duckdb()),
    };
    Warehouse::transaction(&server.warehouse.connect()?, &[statement])?;
    if partition.is_none() {
        catalog.dataset_mut(dataset)?.tables.remove(table);
    } else {
        catalog.table_mut(&id)?.modified = clock::now_ms();
    }
    Ok(Answer::Empty)
}
