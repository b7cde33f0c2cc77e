//! SELECT.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, OrderBySort, Query, Select, SelectItem,
    SetExpr, Statement, TableFactor, TableWithJoins, Value,
};
use sqlparser::{dialect::BigQueryDialect, parser::Parser};

use super::{
    expr::{self, bool, unsupported},
    names,
    scope::{Context, Relation, Scope},
    typed::{Coerce, Typed},
};
use crate::{
    error::ApiError,
    types::{Field, Type, quote},
};

/// A compiled query.
pub struct Compiled {
    pub sql: String,
    pub columns: Vec<OutputColumn>,
}

/// A column of a query's result.
#[derive(Debug, Clone)]
pub struct OutputColumn {
    pub name: String,
    pub ty: Type,
    pub coerce: Coerce,
}

impl Compiled {
    /// The result's schema.
    pub fn fields(&self) -> Vec<Field> {
        self.columns.iter().map(|column| Field::nullable(&column.name, column.ty)).collect()
    }
}

/// Compiles a query; `outer` is the scope that a correlated subquery sees.
pub fn query(query: &Query, outer: Option<&Scope<'_>>, context: &Context<'_>) -> Result<Compiled, ApiError> {
    let understood = Query {
        body: query.body.clone(),
        order_by: query.order_by.clone(),
        limit_clause: query.limit_clause.clone(),
        ..plain()?
    };
    if understood != *query {
        return Err(unsupported(query));
    }
    let root = Scope::default();
    let scope = outer.unwrap_or(&root);
    let SetExpr::Select(body) = query.body.as_ref() else {
        return Err(unsupported(&query.body));
    };
    let (mut clauses, columns, order_scope) = select(body, scope, context)?;
    if let Some(order_by) = &query.order_by {
        let OrderByKind::Expressions(keys) = &order_by.kind else {
            return Err(unsupported(order_by));
        };
        clauses.push(format!("ORDER BY {}", order(keys, &order_scope, context)?));
    }
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit: Some(limit), offset, limit_by }) if limit_by.is_empty() => {
            clauses.push(format!("LIMIT {}", count(limit)?));
            if let Some(offset) = offset {
                clauses.push(format!("OFFSET {}", count(&offset.value)?));
            }
        }
        Some(other) => return Err(unsupported(other)),
    }
    let sql = clauses.join(" ");
    Ok(Compiled { sql, columns })
}

/// Parses one statement.
pub fn parse_one(sql: &str) -> Result<Statement, ApiError> {
    let mut statements = Parser::parse_sql(&BigQueryDialect, sql)
        .map_err(|error| ApiError::invalid_query(format!("Syntax error: {error}")))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(unsupported("a script of several statements, or none")),
    }
}

/// A query without any clause. What a statement has beyond the clauses understood here shows as a
/// difference from it, whatever the parser learns in later versions.
fn plain() -> Result<Query, ApiError> {
    match parse_one("SELECT 1")? {
        Statement::Query(query) => Ok(*query),
        other => Err(unsupported(other)),
    }
}

/// The clauses of a SELECT, its columns, and the names that ORDER BY may use.
fn select<'a>(
    select: &Select,
    scope: &'a Scope<'a>,
    context: &Context<'_>,
) -> Result<(Vec<String>, Vec<OutputColumn>, Scope<'a>), ApiError> {
    let SetExpr::Select(template) = *plain()?.body else {
        return Err(unsupported(select));
    };
    let understood = Select {
        distinct: select.distinct.clone(),
        projection: select.projection.clone(),
        from: select.from.clone(),
        selection: select.selection.clone(),
        group_by: select.group_by.clone(),
        having: select.having.clone(),
        qualify: select.qualify.clone(),
        ..*template
    };
    if understood != *select {
        return Err(unsupported(select));
    }
    let mut own = Scope { parent: Some(scope), ..Scope::default() };
    let (from, relation) = from(&select.from, &own, context)?;
    own.relation = relation;
    let items = projection(&select.projection, &own, context)?;
    let list: Vec<String> = items.iter().map(|(name, value)| format!("{} AS {}", value.sql, quote(name))).collect();
    let distinct = match &select.distinct {
        None => "",
        Some(Distinct::Distinct) => "DISTINCT ",
        Some(other) => return Err(unsupported(other)),
    };
    let mut clauses = vec![format!("SELECT {distinct}{}{from}", list.join(", "))];
    if let Some(condition) = &select.selection {
        let condition = expr::compile(condition, &own, context)?;
        clauses.push(format!("WHERE {}", bool(&condition)?));
    }
    let group_by = group_by(&select.group_by, &items, &own, context)?;
    if !group_by.is_empty() {
        clauses.push(format!("GROUP BY {}", group_by.join(", ")));
    }
    own.aliases = items.iter().map(|(name, value)| (name.clone(), value.ty)).collect();
    for (clause, condition) in [("HAVING", &select.having), ("QUALIFY", &select.qualify)] {
        if let Some(condition) = condition {
            let condition = expr::compile(condition, &own, context)?;
            clauses.push(format!("{clause} {}", bool(&condition)?));
        }
    }
    let columns =
        items.into_iter().map(|(name, value)| OutputColumn { name, ty: value.ty, coerce: value.coerce }).collect();
    Ok((clauses, columns, own))
}

/// The FROM clause and what it brings into scope: one table, view or subquery.
fn from(
    tables: &[TableWithJoins],
    scope: &Scope<'_>,
    context: &Context<'_>,
) -> Result<(String, Option<Relation>), ApiError> {
    let factor = match tables {
        [] => return Ok((String::new(), None)),
        [table] if table.joins.is_empty() => &table.relation,
        [table, ..] => return Err(unsupported(format!("a join with {}", table.relation))),
    };
    let (sql, relation) = match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            version: None,
            with_ordinality: false,
            json_path: None,
            sample: None,
            ..
        } => {
            let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
            names::relation(name, alias, context)?
        }
        TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
            let inner = query(subquery, Some(scope), context)?;
            let alias = alias.as_ref();
            let alias = alias.map_or("subquery", |alias| &alias.name.value).to_owned();
            let sql = format!("({}) AS {}", inner.sql, quote(&alias));
            let columns = inner.fields();
            (sql, Relation { alias, columns })
        }
        other => return Err(unsupported(other)),
    };
    Ok((format!(" FROM {sql}"), Some(relation)))
}

fn projection(
    items: &[SelectItem],
    scope: &Scope<'_>,
    context: &Context<'_>,
) -> Result<Vec<(String, Typed)>, ApiError> {
    let mut columns = Vec::new();
    for item in items {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let value = expr::compile(expr, scope, context)?;
                let name = match expr {
                    Expr::Identifier(name) if !name.value.starts_with('@') => name.value.clone(),
                    Expr::CompoundIdentifier(names) if !names.is_empty() => names[names.len() - 1].value.clone(),
                    _ => format!("f{}_", columns.len()),
                };
                columns.push((name, value));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push((alias.value.clone(), expr::compile(expr, scope, context)?));
            }
            SelectItem::Wildcard(options) if options.to_string().is_empty() => {
                columns.extend(scope.relation.iter().flat_map(all));
            }
            other => return Err(unsupported(other)),
        }
    }
    Ok(columns)
}

fn all(relation: &Relation) -> Vec<(String, Typed)> {
    let column = |field: &Field| {
        let sql = format!("{}.{}", quote(&relation.alias), quote(&field.name));
        (field.name.clone(), Typed::new(sql, field.ty))
    };
    relation.columns.iter().map(column).collect()
}

fn group_by(
    clause: &GroupByExpr,
    items: &[(String, Typed)],
    scope: &Scope<'_>,
    context: &Context<'_>,
) -> Result<Vec<String>, ApiError> {
    let GroupByExpr::Expressions(keys, modifiers) = clause else {
        return Err(unsupported(clause));
    };
    if !modifiers.is_empty() {
        return Err(unsupported(clause));
    }
    let key = |key: &Expr| {
        if let Ok(position) = count(key) {
            return Ok(position);
        }
        let alias = match key {
            Expr::Identifier(name) => items.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&name.value)),
            _ => None,
        };
        // A column of the tables comes before an alias of the same name.
        match (expr::compile(key, scope, context), alias) {
            (Ok(value), _) => Ok(value.sql),
            (Err(_), Some((_, value))) => Ok(value.sql.clone()),
            (Err(error), None) => Err(error),
        }
    };
    keys.iter().map(key).collect()
}

/// An ORDER BY list. NULL is the smallest value, unlike DuckDB's default.
pub fn order(keys: &[OrderByExpr], scope: &Scope<'_>, context: &Context<'_>) -> Result<String, ApiError> {
    let key = |key: &OrderByExpr| {
        if key.with_fill.is_some() {
            return Err(unsupported(key));
        }
        let descending = match &key.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(_)) => return Err(unsupported(key)),
        };
        let sql = count(&key.expr).or_else(|_| expr::compile(&key.expr, scope, context).map(|value| value.sql))?;
        let nulls_first = key.options.nulls_first.unwrap_or(!descending);
        let (direction, nulls) = (if descending { "DESC" } else { "ASC" }, if nulls_first { "FIRST" } else { "LAST" });
        Ok(format!("{sql} {direction} NULLS {nulls}"))
    };
    Ok(keys.iter().map(key).collect::<Result<Vec<_>, ApiError>>()?.join(", "))
}

/// A bare whole number: a limit, or a column's position.
fn count(expr: &Expr) -> Result<String, ApiError> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, false) if text.parse::<u32>().is_ok() => Ok(text.clone()),
            _ => Err(unsupported(expr)),
        },
        _ => Err(unsupported(expr)),
    }
}
