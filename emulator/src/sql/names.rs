//! Table paths in all forms of quoting, and the columns of their tables.

use std::{cell::RefCell, collections::BTreeMap};

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::{parse::unsupported, typed::Typed};
use crate::{
    catalog::{Catalog, DatasetId, Table},
    error::ApiError,
    types::{Field, Type, literal},
};

/// The context in which a statement is compiled.
pub struct Context<'a> {
    pub project: &'a str,
    pub parameters: &'a BTreeMap<String, Typed>,
    pub catalog: &'a Catalog,
    /// The job's location. All datasets must be there.
    pub location: &'a str,
    /// DuckDB expressions for the sizes of the tables that the statement reads or writes. Each is billed.
    pub sizes: RefCell<Vec<String>>,
}

/// A resolved path.
pub struct Path {
    pub dataset: DatasetId,
    /// `None` for the view INFORMATION_SCHEMA.PARTITIONS.
    pub table: Option<String>,
}

/// Resolves a path. Backticks may enclose one part, several or all.
pub fn resolve(name: &ObjectName, project: &str) -> Result<Path, ApiError> {
    let mut parts = Vec::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(Ident { value, .. }) = part else {
            return Err(unsupported(name));
        };
        parts.extend(value.split('.'));
    }
    let (dataset, table) = match parts.as_slice() {
        [dataset @ .., schema, view] if schema.eq_ignore_ascii_case("INFORMATION_SCHEMA") => {
            if !view.eq_ignore_ascii_case("PARTITIONS") {
                return Err(unsupported(format!("the view INFORMATION_SCHEMA.{view}")));
            }
            (dataset, None)
        }
        [dataset @ .., table] => (dataset, Some((*table).to_owned())),
        [] => (&[][..], None),
    };
    let dataset = match dataset {
        [dataset] => DatasetId::new(project, dataset),
        [project, dataset] => DatasetId::new(project, dataset),
        _ => {
            return Err(ApiError::invalid_query(format!(
                "Table \"{name}\" must be qualified with a dataset (e.g. dataset.table)."
            )));
        }
    };
    Ok(Path { dataset, table })
}

/// The table of a path. The path must not name a view.
pub fn table<'a>(name: &ObjectName, context: &Context<'a>) -> Result<&'a Table, ApiError> {
    let Path { dataset, table: Some(table) } = resolve(name, context.project)? else {
        return Err(unsupported(format!("a change of {name}")));
    };
    context.catalog.dataset_in(&dataset, context.location)?;
    let table = context.catalog.table(&dataset.table(&table)).map_err(|error| ApiError {
        message: format!("{} was not found in location {}", error.message, context.location),
        ..error
    })?;
    let size = format!("(SELECT count(*) * {} FROM {})", table.bytes(1), table.id.duckdb());
    context.sizes.borrow_mut().push(size);
    Ok(table)
}

/// The FROM item for a path, and its columns.
pub fn relation(name: &ObjectName, context: &Context<'_>) -> Result<(String, Vec<Field>), ApiError> {
    let path = resolve(name, context.project)?;
    if path.table.is_none() {
        return partitions(&path.dataset, context);
    }
    let table = table(name, context)?;
    Ok((table.id.duckdb(), table.fields.clone()))
}

/// The view of partitions. It has only partitions with rows.
fn partitions(dataset: &DatasetId, context: &Context<'_>) -> Result<(String, Vec<Field>), ApiError> {
    let tables = context.catalog.dataset_in(dataset, context.location)?.tables.values();
    let tables = tables.filter(|table| context.catalog.table(&table.id).is_ok());
    context.sizes.borrow_mut().push("0".to_owned());
    let mut selects =
        vec!["SELECT '' AS table_name, '' AS partition_id, 0::BIGINT AS total_rows WHERE false".to_owned()];
    selects.extend(tables.map(|table| {
        let (name, partition, rows) = (literal(&table.id.table), table.partition_id(), table.id.duckdb());
        format!("SELECT {name}, {partition} AS id, count(*) FROM {rows} GROUP BY id")
    }));
    let columns = [("table_name", Type::String), ("partition_id", Type::String), ("total_rows", Type::Int64)];
    let columns = columns.map(|(name, ty)| Field::nullable(name, ty)).into();
    Ok((format!("({})", selects.join(" UNION ALL ")), columns))
}
