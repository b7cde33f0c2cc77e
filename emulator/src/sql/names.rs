//! Table paths, however they are quoted.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::scope::{Context, Relation};
use crate::{
    catalog::{DatasetId, Table, TableId},
    error::ApiError,
    types::{Field, Type, literal, quote},
};

/// What a path names.
pub enum Path {
    Table(TableId),
    Partitions(DatasetId),
}

/// The parts of a path; backticks may enclose one part, several or all.
pub fn parts(name: &ObjectName) -> Result<Vec<String>, ApiError> {
    let mut parts = Vec::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(Ident { value, .. }) = part else {
            return Err(ApiError::invalid_query(format!("Unsupported table name: {name}")));
        };
        parts.extend(value.split('.').map(str::to_owned));
    }
    Ok(parts)
}

/// Resolves a path.
pub fn resolve(name: &ObjectName, context: &Context<'_>) -> Result<Path, ApiError> {
    let parts = parts(name)?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let [dataset @ .., schema, view] = parts.as_slice()
        && schema.eq_ignore_ascii_case("INFORMATION_SCHEMA")
    {
        if !view.eq_ignore_ascii_case("PARTITIONS") {
            return Err(ApiError::invalid_query(format!("The emulator has no view INFORMATION_SCHEMA.{view}")));
        }
        return match dataset {
            [dataset] => Ok(Path::Partitions(DatasetId::new(context.project, dataset))),
            [project, dataset] => Ok(Path::Partitions(DatasetId::new(project, dataset))),
            _ => Err(ApiError::invalid_query(format!("INFORMATION_SCHEMA.PARTITIONS needs a dataset: {name}"))),
        };
    }
    match parts.as_slice() {
        [table] => {
            let dataset = context.default_dataset.ok_or_else(|| {
                ApiError::invalid_query(format!(
                    "Table \"{table}\" must be qualified with a dataset (e.g. dataset.table)."
                ))
            })?;
            Ok(Path::Table(dataset.table(table)))
        }
        [dataset, table] => Ok(Path::Table(DatasetId::new(context.project, dataset).table(table))),
        [project, dataset, table] => Ok(Path::Table(DatasetId::new(project, dataset).table(table))),
        _ => Err(ApiError::invalid_query(format!("Invalid table name: {name}"))),
    }
}

/// The table of a path that must name one.
pub fn table<'a>(name: &ObjectName, context: &Context<'a>) -> Result<&'a Table, ApiError> {
    match resolve(name, context)? {
        Path::Table(id) => {
            context.catalog.dataset_in(&id.dataset, context.location)?;
            let table = context.catalog.table(&id).map_err(|error| ApiError {
                message: format!("{} was not found in location {}", error.message, context.location),
                ..error
            })?;
            context.referenced.borrow_mut().push(id.duckdb());
            Ok(table)
        }
        Path::Partitions(dataset) => {
            Err(ApiError::invalid_query(format!("{dataset}.INFORMATION_SCHEMA.PARTITIONS cannot be changed")))
        }
    }
}

/// The FROM item of a path, and its columns.
pub fn relation(name: &ObjectName, alias: Option<&str>, context: &Context<'_>) -> Result<(String, Relation), ApiError> {
    if let Path::Partitions(dataset) = resolve(name, context)? {
        return partitions(&dataset, alias.unwrap_or("PARTITIONS"), context);
    }
    let table = table(name, context)?;
    let alias = alias.unwrap_or(&table.id.table).to_owned();
    let sql = format!("{} AS {}", table.id.duckdb(), quote(&alias));
    Ok((sql, Relation { alias, columns: table.fields.clone() }))
}

/// The view of partitions: those that have rows.
fn partitions(dataset: &DatasetId, alias: &str, context: &Context<'_>) -> Result<(String, Relation), ApiError> {
    let tables = &context.catalog.dataset_in(dataset, context.location)?.tables;
    context.referenced.borrow_mut().push("INFORMATION_SCHEMA.PARTITIONS".to_owned());
    let mut selects = vec![
        "SELECT ''::VARCHAR AS table_catalog, ''::VARCHAR AS table_schema, ''::VARCHAR AS table_name, \
         ''::VARCHAR AS partition_id, 0::BIGINT AS total_rows WHERE false"
            .to_owned(),
    ];
    selects.extend(tables.values().map(|table| {
        format!(
            "SELECT {}, {}, {}, {} AS id, count(*) FROM {} GROUP BY id",
            literal(&dataset.project),
            literal(&dataset.dataset),
            literal(&table.id.table),
            table.partition_id(),
            table.id.duckdb()
        )
    }));
    let column = |name: &str, ty| Field::nullable(name, ty);
    let columns = vec![
        column("table_catalog", Type::String),
        column("table_schema", Type::String),
        column("table_name", Type::String),
        column("partition_id", Type::String),
        column("total_rows", Type::Int64),
    ];
    let sql = format!("({}) AS {}", selects.join(" UNION ALL "), quote(alias));
    Ok((sql, Relation { alias: alias.to_owned(), columns }))
}
