//! INSERT and DELETE.

use sqlparser::ast::{Delete, FromTable, Insert, ObjectName, Query, SetExpr, Statement, TableFactor, TableObject};

use super::{
    expr::{compile, of_type},
    names::{self, Context},
    parse::{empty_query, parse_one, unsupported},
    select,
    typed::Typed,
};
use crate::{
    catalog::TableId,
    error::ApiError,
    types::{Field, Type, column_list, find},
};

/// A statement that changes rows.
pub struct Change {
    pub sql: String,
    pub table: TableId,
}

/// Compiles an INSERT.
pub fn insert(insert: &Insert, context: &Context<'_>) -> Result<Change, ApiError> {
    let (TableObject::TableName(name), Some(source), Statement::Insert(template)) =
        (&insert.table, &insert.source, parse_one("INSERT INTO t SELECT 1")?)
    else {
        return Err(unsupported(insert));
    };
    let supported = Insert {
        into: insert.into,
        table: insert.table.clone(),
        columns: insert.columns.clone(),
        source: insert.source.clone(),
        ..template
    };
    if supported != *insert || insert.columns.is_empty() {
        return Err(unsupported(insert));
    }
    let table = names::table(name, context)?;
    let column = |name: &ObjectName| {
        let name = name.0.last().and_then(|part| part.as_ident()).map_or_else(String::new, |name| name.value.clone());
        find(&table.fields, &name)
            .cloned()
            .ok_or_else(|| ApiError::invalid_query(format!("Column {name} is not present in table {}", table.id)))
    };
    let columns = insert.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let values = match source.body.as_ref() {
        SetExpr::Values(_) => rows(source, &columns, context)?,
        _ => select::query(source, Some(&columns), &[], context)?.sql,
    };
    let sql = format!("INSERT INTO {} ({}) {values}", table.id.duckdb(), column_list(&columns));
    Ok(Change { sql, table: table.id.clone() })
}

fn rows(source: &Query, columns: &[Field], context: &Context<'_>) -> Result<String, ApiError> {
    let supported = Query { body: source.body.clone(), ..empty_query()? };
    let SetExpr::Values(values) = source.body.as_ref() else {
        return Err(unsupported(source));
    };
    if supported != *source {
        return Err(unsupported(source));
    }
    let row = |row: &[sqlparser::ast::Expr]| {
        let values = row.iter().map(|value| compile(value, &[], context)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<String> = coerce_to_columns(&values, columns)?.into_iter().map(|value| value.sql).collect();
        Ok(format!("({})", values.join(", ")))
    };
    let rows = values.rows.iter().map(|values| row(&values.content)).collect::<Result<Vec<_>, ApiError>>()?;
    Ok(format!("VALUES {}", rows.join(", ")))
}

/// Converts values to the types of their columns.
pub fn coerce_to_columns(values: &[Typed], columns: &[Field]) -> Result<Vec<Typed>, ApiError> {
    if values.len() != columns.len() {
        return Err(ApiError::invalid_query(format!(
            "Inserted row has wrong column count; Has {}, expected {}",
            values.len(),
            columns.len()
        )));
    }
    let coerced = values.iter().zip(columns).map(|(value, column)| {
        value.coerced(column.ty).ok_or_else(|| {
            ApiError::invalid_query(format!(
                "Value has type {} which cannot be inserted into column {}, which has type {}",
                value.ty.sql_name(),
                column.name,
                column.ty.sql_name()
            ))
        })
    });
    coerced.collect()
}

/// Compiles a DELETE.
pub fn delete(delete: &Delete, context: &Context<'_>) -> Result<Change, ApiError> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let ([from], Statement::Delete(template)) = (from.as_slice(), parse_one("DELETE FROM t")?) else {
        return Err(unsupported(delete));
    };
    let TableFactor::Table { name, .. } = &from.relation else {
        return Err(unsupported(delete));
    };
    let supported = Delete { from: delete.from.clone(), selection: delete.selection.clone(), ..template };
    if supported != *delete || from.to_string() != name.to_string() {
        return Err(unsupported(delete));
    }
    let condition =
        delete.selection.as_ref().ok_or_else(|| ApiError::invalid_query("DELETE must have a WHERE clause"))?;
    let table = names::table(name, context)?;
    let condition = compile(condition, &table.fields, context)?;
    let sql = format!("DELETE FROM {} WHERE {}", table.id.duckdb(), of_type(&condition, Type::Bool)?);
    Ok(Change { sql, table: table.id.clone() })
}
