//! SELECT.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, OrderByExpr,
    OrderByKind, OrderBySort, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Statement, TableFactor, TableWithJoins, Value,
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
        self.columns
            .iter()
            .map(|column| Field::nullable(&column.name, column.ty))
            .collect()
    }
}

/// Compiles a query; `outer` is the scope that a correlated subquery sees.
///
/// # Errors
/// invalidQuery for what it does not understand.
pub fn query(
    query: &Query,
    outer: Option<&Scope<'_>>,
    context: &Context<'_>,
) -> Result<Compiled, ApiError> {
    let understood = Query {
        with: query.with.clone(),
        body: query.body.clone(),
        order_by: query.order_by.clone(),
        limit_clause: query.limit_clause.clone(),
        ..plain()?
    };
    if understood != *query {
        return Err(unsupported(query));
    }
    let mut scope = Scope {
        parent: outer,
        ..Scope::default()
    };
    let mut with = Vec::new();
    if let Some(clause) = &query.with {
        if clause.recursive {
            return Err(unsupported(clause));
        }
        for cte in &clause.cte_tables {
            let inner = self::query(&cte.query, Some(&scope), context)?;
            let name = &cte.alias.name.value;
            with.push(format!("{} AS ({})", quote(name), inner.sql));
            scope.with.push(Relation {
                alias: name.clone(),
                columns: inner.fields(),
            });
        }
    }
    let (mut compiled, order_scope) = body(&query.body, &scope, context)?;
    if let Some(order_by) = &query.order_by {
        let OrderByKind::Expressions(keys) = &order_by.kind else {
            return Err(unsupported(order_by));
        };
        compiled.sql += &format!(" ORDER BY {}", order(keys, &order_scope, context)?);
    }
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset {
            limit: Some(limit),
            offset,
            limit_by,
        }) if limit_by.is_empty() => {
            compiled.sql += &format!(" LIMIT {}", count(limit)?);
            if let Some(offset) = offset {
                compiled.sql += &format!(" OFFSET {}", count(&offset.value)?);
            }
        }
        Some(other) => return Err(unsupported(other)),
    }
    if !with.is_empty() {
        compiled.sql = format!("WITH {} {}", with.join(", "), compiled.sql);
    }
    Ok(compiled)
}

/// A query with nothing but `SELECT 1`: what a clause looks like where it is absent.
fn plain() -> Result<Query, ApiError> {
    match Parser::parse_sql(&BigQueryDialect, "SELECT 1").map(|mut statements| statements.pop()) {
        Ok(Some(Statement::Query(query))) => Ok(*query),
        other => Err(ApiError::internal(format!(
            "cannot parse SELECT 1: {other:?}"
        ))),
    }
}

fn body<'a>(
    body: &SetExpr,
    scope: &'a Scope<'a>,
    context: &Context<'_>,
) -> Result<(Compiled, Scope<'a>), ApiError> {
    match body {
        SetExpr::Select(select) => self::select(select, scope, context),
        SetExpr::Query(inner) => {
            let inner = query(inner, Some(scope), context)?;
            let order = outputs(&inner, scope);
            Ok((
                Compiled {
                    sql: format!("({})", inner.sql),
                    ..inner
                },
                order,
            ))
        }
        SetExpr::SetOperation {
            left,
            op: SetOperator::Union,
            set_quantifier: SetQuantifier::All,
            right,
        } => {
            let (left, _) = self::body(left, scope, context)?;
            let (right, _) = self::body(right, scope, context)?;
            let types = |side: &Compiled| {
                side.columns
                    .iter()
                    .map(|column| column.ty)
                    .collect::<Vec<_>>()
            };
            if types(&left) != types(&right) {
                return Err(ApiError::invalid_query(
                    "Queries in UNION ALL have mismatched column types",
                ));
            }
            let order = outputs(&left, scope);
            Ok((
                Compiled {
                    sql: format!("{} UNION ALL {}", left.sql, right.sql),
                    columns: left.columns,
                },
                order,
            ))
        }
        other => Err(unsupported(other)),
    }
}

/// The scope in which only the result's own columns are known.
fn outputs<'a>(compiled: &Compiled, scope: &'a Scope<'a>) -> Scope<'a> {
    let aliases = compiled
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.ty))
        .collect();
    Scope {
        aliases,
        parent: Some(scope),
        ..Scope::default()
    }
}

fn select<'a>(
    select: &Select,
    scope: &'a Scope<'a>,
    context: &Context<'_>,
) -> Result<(Compiled, Scope<'a>), ApiError> {
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
    let mut own = Scope {
        parent: Some(scope),
        ..Scope::default()
    };
    let from = from(&select.from, &mut own, context)?;
    let items = projection(&select.projection, &own, context)?;
    let list: Vec<String> = items
        .iter()
        .map(|(name, value)| format!("{} AS {}", value.sql, quote(name)))
        .collect();
    let distinct = match &select.distinct {
        None => "",
        Some(Distinct::Distinct) => "DISTINCT ",
        Some(other) => return Err(unsupported(other)),
    };
    let mut sql = format!("SELECT {distinct}{}{from}", list.join(", "));
    if let Some(condition) = &select.selection {
        sql += &format!(
            " WHERE {}",
            bool(&expr::compile(condition, &own, context)?)?
        );
    }
    let group_by = group_by(&select.group_by, &items, &own, context)?;
    if !group_by.is_empty() {
        sql += &format!(" GROUP BY {}", group_by.join(", "));
    }
    own.aliases = items
        .iter()
        .map(|(name, value)| (name.clone(), value.ty))
        .collect();
    if let Some(condition) = &select.having {
        sql += &format!(
            " HAVING {}",
            bool(&expr::compile(condition, &own, context)?)?
        );
    }
    if let Some(condition) = &select.qualify {
        sql += &format!(
            " QUALIFY {}",
            bool(&expr::compile(condition, &own, context)?)?
        );
    }
    let columns = items
        .into_iter()
        .map(|(name, value)| OutputColumn {
            name,
            ty: value.ty,
            coerce: value.coerce,
        })
        .collect();
    Ok((Compiled { sql, columns }, own))
}

fn from(
    tables: &[TableWithJoins],
    scope: &mut Scope<'_>,
    context: &Context<'_>,
) -> Result<String, ApiError> {
    let mut items = Vec::new();
    for table in tables {
        let mut sql = factor(&table.relation, scope, context)?;
        for join in &table.joins {
            let right = factor(&join.relation, scope, context)?;
            let (kind, constraint) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) => ("JOIN", Some(on)),
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("LEFT JOIN", Some(on)),
                JoinOperator::CrossJoin(JoinConstraint::None) => ("CROSS JOIN", None),
                _ => return Err(unsupported(join)),
            };
            sql += &format!(" {kind} {right}");
            match constraint {
                None => {}
                Some(JoinConstraint::On(condition)) => {
                    sql += &format!(" ON {}", bool(&expr::compile(condition, scope, context)?)?);
                }
                Some(_) => return Err(unsupported(join)),
            }
        }
        items.push(sql);
    }
    Ok(if items.is_empty() {
        String::new()
    } else {
        format!(" FROM {}", items.join(", "))
    })
}

fn factor(
    factor: &TableFactor,
    scope: &mut Scope<'_>,
    context: &Context<'_>,
) -> Result<String, ApiError> {
    let (sql, relation) = match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
            let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
            match (names::parts(name)?.as_slice(), scope) {
                ([single], scope) if scope.with(single).is_some() => {
                    let columns = scope
                        .with(single)
                        .map(|relation| relation.columns.clone())
                        .unwrap_or_default();
                    let relation = Relation {
                        alias: alias.unwrap_or(single).to_owned(),
                        columns,
                    };
                    let sql = format!("{} AS {}", quote(single), quote(&relation.alias));
                    scope.relations.push(relation);
                    return Ok(sql);
                }
                (_, scope) => {
                    let (sql, relation) = names::relation(name, alias, context)?;
                    scope.relations.push(relation);
                    return Ok(sql);
                }
            }
        }
        TableFactor::Derived {
            lateral: false,
            subquery,
            alias,
            sample: None,
        } => {
            let inner = query(subquery, scope.parent, context)?;
            let alias = alias.as_ref().map_or_else(
                || format!("subquery_{}", scope.relations.len()),
                |alias| alias.name.value.clone(),
            );
            (
                format!("({}) AS {}", inner.sql, quote(&alias)),
                Relation {
                    alias,
                    columns: inner.fields(),
                },
            )
        }
        other => return Err(unsupported(other)),
    };
    scope.relations.push(relation);
    Ok(sql)
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
                    Expr::CompoundIdentifier(names) if !names.is_empty() => {
                        names[names.len() - 1].value.clone()
                    }
                    _ => format!("f{}_", columns.len()),
                };
                columns.push((name, value));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push((alias.value.clone(), expr::compile(expr, scope, context)?));
            }
            SelectItem::Wildcard(options) if options.to_string().is_empty() => {
                columns.extend(scope.relations.iter().flat_map(all));
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) if options.to_string().is_empty() => {
                let name = name.to_string();
                let relation = scope
                    .relations
                    .iter()
                    .find(|relation| relation.alias.eq_ignore_ascii_case(&name));
                columns.extend(all(relation.ok_or_else(|| unsupported(item))?));
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
            Expr::Identifier(name) => items
                .iter()
                .find(|(alias, _)| alias.eq_ignore_ascii_case(&name.value)),
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
///
/// # Errors
/// invalidQuery for what it does not understand.
pub fn order(
    keys: &[OrderByExpr],
    scope: &Scope<'_>,
    context: &Context<'_>,
) -> Result<String, ApiError> {
    let key = |key: &OrderByExpr| {
        if key.with_fill.is_some() {
            return Err(unsupported(key));
        }
        let descending = match &key.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(_)) => return Err(unsupported(key)),
        };
        let sql = count(&key.expr)
            .or_else(|_| expr::compile(&key.expr, scope, context).map(|value| value.sql))?;
        let nulls_first = key.options.nulls_first.unwrap_or(!descending);
        let (direction, nulls) = (
            if descending { "DESC" } else { "ASC" },
            if nulls_first { "FIRST" } else { "LAST" },
        );
        Ok(format!("{sql} {direction} NULLS {nulls}"))
    };
    Ok(keys
        .iter()
        .map(key)
        .collect::<Result<Vec<_>, ApiError>>()?
        .join(", "))
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
