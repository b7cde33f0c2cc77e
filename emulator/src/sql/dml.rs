//! INSERT and DELETE.

use sqlparser::ast::{Delete, FromTable, Insert, Parens, Query, SetExpr, Statement, TableFactor, TableObject};

use super::{
    expr::{self, bool, unsupported},
    names,
    scope::{Context, Relation, Scope},
    select::{self, OutputColumn, parse_one},
    typed::{Coerce, Typed},
};
use crate::{
    catalog::TableId,
    error::ApiError,
    types::{Field, Type, find, quote},
};

/// A statement that changes rows.
pub struct Change {
    pub sql: String,
    pub table: TableId,
}

/// Compiles an INSERT.
pub fn insert(insert: &Insert, context: &Context<'_>) -> Result<Change, ApiError> {
    let (TableObject::TableName(name), Some(source)) = (&insert.table, &insert.source) else {
        return Err(unsupported(insert));
    };
    let Statement::Insert(template) = parse_one("INSERT INTO t SELECT 1")? else {
        return Err(unsupported(insert));
    };
    let understood = Insert {
        into: insert.into,
        table: insert.table.clone(),
        columns: insert.columns.clone(),
        source: insert.source.clone(),
        ..template
    };
    if understood != *insert {
        return Err(unsupported(insert));
    }
    let table = names::table(name, context)?;
    let columns: Vec<Field> = if insert.columns.is_empty() {
        table.fields.clone()
    } else {
        let column = |name: &sqlparser::ast::ObjectName| {
            let name = names::parts(name)?.join(".");
            find(&table.fields, &name)
                .cloned()
                .ok_or_else(|| ApiError::invalid_query(format!("Column {name} is not present in table {}", table.id)))
        };
        insert.columns.iter().map(column).collect::<Result<_, _>>()?
    };
    if let Some(missing) = table.fields.iter().find(|field| field.required && find(&columns, &field.name).is_none()) {
        return Err(ApiError::invalid_query(format!("Required column {} is missing in INSERT", missing.name)));
    }
    let values = match source.body.as_ref() {
        SetExpr::Values(values) => rows(source, &values.rows, &columns, context)?,
        _ => selected(source, &columns, context)?,
    };
    let names: Vec<String> = columns.iter().map(|field| quote(&field.name)).collect();
    let sql = format!("INSERT INTO {} ({}) {values}", table.id.duckdb(), names.join(", "));
    Ok(Change { sql, table: table.id.clone() })
}

fn rows(
    source: &Query,
    rows: &[Parens<Vec<sqlparser::ast::Expr>>],
    columns: &[Field],
    context: &Context<'_>,
) -> Result<String, ApiError> {
    if source.with.is_some() || source.order_by.is_some() || source.limit_clause.is_some() {
        return Err(unsupported(source));
    }
    let scope = Scope::default();
    let mut compiled = Vec::new();
    for row in rows {
        check_width(row.content.len(), columns)?;
        let values = row
            .content
            .iter()
            .zip(columns)
            .map(|(value, field)| assigned(&expr::compile(value, &scope, context)?, field));
        compiled.push(format!("({})", values.collect::<Result<Vec<_>, _>>()?.join(", ")));
    }
    Ok(format!("VALUES {}", compiled.join(", ")))
}

fn selected(source: &Query, columns: &[Field], context: &Context<'_>) -> Result<String, ApiError> {
    let inner = select::query(source, None, context)?;
    check_width(inner.columns.len(), columns)?;
    let names: Vec<String> = (0..columns.len()).map(|at| format!("v{at}")).collect();
    let value = |(at, (column, field)): (usize, (&OutputColumn, &Field))| {
        let coerce = column.coerce.clone();
        let plain = Typed { sql: format!("source.v{at}"), ty: column.ty, coerce };
        // A literal is converted from its text; all rows of the SELECT hold the same one.
        assigned(&plain, field)
    };
    let values = inner.columns.iter().zip(columns).enumerate().map(value).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("SELECT {} FROM ({}) AS source({})", values.join(", "), inner.sql, names.join(", ")))
}

fn check_width(found: usize, columns: &[Field]) -> Result<(), ApiError> {
    if found == columns.len() {
        return Ok(());
    }
    Err(ApiError::invalid_query(format!(
        "Inserted row has wrong column count; Has {found}, expected {}",
        columns.len()
    )))
}

fn assigned(value: &Typed, field: &Field) -> Result<String, ApiError> {
    if field.required && value.coerce == Coerce::Null {
        return Err(ApiError::invalid_query(format!("Required field {} cannot be null", field.name)));
    }
    value.coerced(field.ty).map(|value| value.sql).ok_or_else(|| {
        let (from, to): (Type, Type) = (value.ty, field.ty);
        ApiError::invalid_query(format!(
            "Value has type {} which cannot be inserted into column {}, which has type {}",
            from.sql_name(),
            field.name,
            to.sql_name()
        ))
    })
}

/// Compiles a DELETE.
pub fn delete(delete: &Delete, context: &Context<'_>) -> Result<Change, ApiError> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = from.as_slice() else {
        return Err(unsupported(delete));
    };
    let TableFactor::Table { name, alias, .. } = &from.relation else {
        return Err(unsupported(delete));
    };
    let Statement::Delete(template) = parse_one("DELETE FROM t")? else {
        return Err(unsupported(delete));
    };
    let understood = Delete { from: delete.from.clone(), selection: delete.selection.clone(), ..template };
    if understood != *delete || !from.joins.is_empty() {
        return Err(unsupported(delete));
    }
    let condition =
        delete.selection.as_ref().ok_or_else(|| ApiError::invalid_query("DELETE must have a WHERE clause"))?;
    let table = names::table(name, context)?;
    let alias = alias.as_ref().map_or(&table.id.table, |alias| &alias.name.value).clone();
    let scope =
        Scope { relation: Some(Relation { alias: alias.clone(), columns: table.fields.clone() }), ..Scope::default() };
    let condition = expr::compile(condition, &scope, context)?;
    let sql = format!("DELETE FROM {} AS {} WHERE {}", table.id.duckdb(), quote(&alias), bool(&condition)?);
    Ok(Change { sql, table: table.id.clone() })
}
