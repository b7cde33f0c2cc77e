//! SELECT.

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value,
};

use super::{
    change::coerce_to_columns,
    expr::{column, compile, of_type},
    names::{self, Context},
    parse::{empty_query, unsupported},
    typed::Typed,
};
use crate::{
    error::ApiError,
    types::{Field, Type, quote},
};

/// A compiled query and the columns of its result.
pub struct Compiled {
    pub sql: String,
    pub columns: Vec<Field>,
}

/// Compiles a query. `targets` are the columns of an INSERT. `outer` are the columns of the enclosing query, whose maps a
/// subquery may read.
pub fn query(
    query: &Query,
    targets: Option<&[Field]>,
    outer: &[Field],
    context: &Context<'_>,
) -> Result<Compiled, ApiError> {
    let supported = Query {
        body: query.body.clone(),
        order_by: query.order_by.clone(),
        limit_clause: query.limit_clause.clone(),
        ..empty_query()?
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(unsupported(&query.body));
    };
    if supported != *query {
        return Err(unsupported(query));
    }
    let Selected { mut clauses, names, columns } = selected(select, targets, outer, context)?;
    if let Some(order_by) = &query.order_by {
        let OrderByKind::Expressions(keys) = &order_by.kind else {
            return Err(unsupported(order_by));
        };
        clauses.push(format!("ORDER BY {}", order(keys, &names, context)?));
    }
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by }) if limit_by.is_empty() => {
            clauses.push(format!("LIMIT {}", count(limit).ok_or_else(|| unsupported(limit))?));
        }
        Some(other) => return Err(unsupported(other)),
    }
    Ok(Compiled { sql: clauses.join(" "), columns })
}

/// Compiles a query whose rows go to a client. The emulator does not send maps to clients.
pub fn query_for_client(query: &Query, context: &Context<'_>) -> Result<Compiled, ApiError> {
    let compiled = self::query(query, None, &[], context)?;
    match compiled.columns.iter().find(|column| column.ty.map_value().is_some()) {
        Some(map) => Err(unsupported(format!("a value of the record {}", map.name))),
        None => Ok(compiled),
    }
}

struct Selected {
    clauses: Vec<String>,
    /// The columns that ORDER BY may name.
    names: Vec<Field>,
    columns: Vec<Field>,
}

fn selected(
    select: &Select,
    targets: Option<&[Field]>,
    outer: &[Field],
    context: &Context<'_>,
) -> Result<Selected, ApiError> {
    let SetExpr::Select(template) = *empty_query()?.body else {
        return Err(unsupported(select));
    };
    let supported = Select {
        projection: select.projection.clone(),
        from: select.from.clone(),
        selection: select.selection.clone(),
        group_by: select.group_by.clone(),
        qualify: select.qualify.clone(),
        ..*template
    };
    if supported != *select {
        return Err(unsupported(select));
    }
    let (from, names) = from(&select.from, outer, context)?;
    let mut items = projection(&select.projection, &names, context)?;
    if let Some(targets) = targets {
        let (aliases, values): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        items = aliases.into_iter().zip(coerce_to_columns(&values, targets)?).collect();
    }
    let list: Vec<String> = items.iter().map(|(name, value)| format!("{} AS {}", value.sql, quote(name))).collect();
    let mut clauses = vec![format!("SELECT {}{from}", list.join(", "))];
    let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
        return Err(unsupported(&select.group_by));
    };
    if !modifiers.is_empty() {
        return Err(unsupported(&select.group_by));
    }
    let condition = |clause: &str, condition: &Expr| -> Result<String, ApiError> {
        Ok(format!("{clause} {}", of_type(&compile(condition, &names, context)?, Type::Bool)?))
    };
    if let Some(selection) = &select.selection {
        clauses.push(condition("WHERE", selection)?);
    }
    if !keys.is_empty() {
        let keys = keys.iter().map(|key| position_or_value(key, &names, context));
        clauses.push(format!("GROUP BY {}", keys.collect::<Result<Vec<_>, _>>()?.join(", ")));
    }
    if let Some(qualify) = &select.qualify {
        clauses.push(condition("QUALIFY", qualify)?);
    }
    let columns: Vec<Field> = items.into_iter().map(|(name, value)| Field::nullable(name, value.ty)).collect();
    let names = columns.iter().cloned().chain(names).collect();
    Ok(Selected { clauses, names, columns })
}

/// The FROM clause and its columns: one table, view or subquery, or the entries of a map of the enclosing query.
fn from(tables: &[TableWithJoins], outer: &[Field], context: &Context<'_>) -> Result<(String, Vec<Field>), ApiError> {
    let factor = match tables {
        [] => return Ok((String::new(), Vec::new())),
        [table] if table.joins.is_empty() => &table.relation,
        [table, ..] => return Err(unsupported(format!("a join with {}", table.relation))),
    };
    let (sql, columns) = match factor {
        other if !outer.is_empty() && !matches!(other, TableFactor::UNNEST { .. }) => return Err(unsupported(other)),
        TableFactor::Table { name, .. } if factor.to_string() == name.to_string() => names::relation(name, context)?,
        TableFactor::Derived { lateral: false, subquery, alias: None, sample: None } => {
            let inner = query(subquery, None, &[], context)?;
            (format!("({})", inner.sql), inner.columns)
        }
        TableFactor::UNNEST {
            alias: None,
            array_exprs,
            with_offset: true,
            with_offset_alias: Some(offset),
            with_ordinality: false,
        } => {
            let [Expr::CompoundIdentifier(path)] = array_exprs.as_slice() else { return Err(unsupported(factor)) };
            entries(path, &offset.value, outer)?
        }
        other => return Err(unsupported(other)),
    };
    Ok((format!(" FROM {sql}"), columns))
}

/// The entries of a map with their offsets.
fn entries(path: &[Ident], offset: &str, outer: &[Field]) -> Result<(String, Vec<Field>), ApiError> {
    let unknown = || unsupported("UNNEST of anything but a map's `key_value`");
    let [map, key_value] = path else { return Err(unknown()) };
    let map = column(map, outer)?;
    let value = map.ty.map_value().filter(|_| key_value.value.eq_ignore_ascii_case("key_value")).ok_or_else(unknown)?;
    let (list, at) = (format!("map_entries({})", quote(&map.name)), quote(offset));
    let sql = format!(
        "(SELECT e.key AS key, e.value AS value, i - 1 AS {at} FROM (SELECT unnest({list}) AS e, generate_subscripts({list}, 1) AS i))"
    );
    let columns = [("key", Type::String), ("value", value), (offset, Type::Int64)];
    Ok((sql, columns.map(|(name, ty)| Field::nullable(name, ty)).into()))
}

fn projection(items: &[SelectItem], names: &[Field], context: &Context<'_>) -> Result<Vec<(String, Typed)>, ApiError> {
    let mut columns = Vec::new();
    for item in items {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(name) if !name.value.starts_with('@') => name.value.clone(),
                    _ => format!("f{}_", columns.len()),
                };
                columns.push((name, compile(expr, names, context)?));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push((alias.value.clone(), compile(expr, names, context)?));
            }
            SelectItem::Wildcard(options) if options.to_string().is_empty() => {
                // Unlike a single name, `*` may include maps.
                let all = names.iter().map(|field| (field.name.clone(), Typed::new(quote(&field.name), field.ty)));
                columns.extend(all);
            }
            other => return Err(unsupported(other)),
        }
    }
    Ok(columns)
}

/// An ORDER BY list. NULL is the smallest value, unlike in DuckDB by default.
pub fn order(keys: &[OrderByExpr], names: &[Field], context: &Context<'_>) -> Result<String, ApiError> {
    let key = |key: &OrderByExpr| {
        let direction = match &key.options.sort {
            None | Some(OrderBySort::Asc) => "ASC NULLS FIRST",
            Some(OrderBySort::Desc) => "DESC NULLS LAST",
            Some(OrderBySort::Using(_)) => return Err(unsupported(key)),
        };
        if key.with_fill.is_some() || key.options.nulls_first.is_some() {
            return Err(unsupported(key));
        }
        Ok(format!("{} {direction}", position_or_value(&key.expr, names, context)?))
    };
    Ok(keys.iter().map(key).collect::<Result<Vec<_>, ApiError>>()?.join(", "))
}

fn position_or_value(key: &Expr, names: &[Field], context: &Context<'_>) -> Result<String, ApiError> {
    match count(key) {
        Some(position) => Ok(position),
        None => Ok(compile(key, names, context)?.sql),
    }
}

/// A whole number: a limit, or the position of a column.
fn count(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, false) if text.parse::<u32>().is_ok() => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
