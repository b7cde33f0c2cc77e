//! Expressions.

use sqlparser::ast::{BinaryOperator, CastKind, DataType, Expr, TypedString, UnaryOperator, Value};

use super::{
    functions,
    scope::{Context, Scope},
    select,
    typed::{Coerce, Typed, unify, unify_all},
};
use crate::{
    error::ApiError,
    grammar,
    types::{Type, literal},
};

/// Compiles an expression.
pub fn compile(expr: &Expr, scope: &Scope<'_>, context: &Context<'_>) -> Result<Typed, ApiError> {
    let sub = |expr: &Expr| compile(expr, scope, context);
    match expr {
        Expr::Nested(inner) => sub(inner).map(|inner| Typed { sql: format!("({})", inner.sql), ..inner }),
        Expr::Identifier(name) => match name.value.strip_prefix('@') {
            Some(parameter) => context
                .parameters
                .get(&parameter.to_ascii_lowercase())
                .cloned()
                .ok_or_else(|| ApiError::invalid_query(format!("Query parameter '{parameter}' not found"))),
            None => scope.column(&[&name.value]),
        },
        Expr::CompoundIdentifier(names) => {
            let path: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
            scope.column(&path)
        }
        Expr::Value(value) => constant(&value.value),
        Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }) => {
            let text = string(&value.value).ok_or_else(|| unsupported(expr))?;
            let ty = sql_type(data_type)?;
            let stored = grammar::parse(ty, text)
                .map_err(|why| ApiError::invalid_query(format!("Invalid {} literal '{text}': {why}", ty.sql_name())))?;
            Ok(Typed::new(format!("CAST({} AS {})", literal(&stored), ty.duckdb()), ty))
        }
        Expr::Cast { kind: kind @ (CastKind::Cast | CastKind::SafeCast), expr, data_type, format: None } => {
            sub(expr)?.cast(sql_type(data_type)?, *kind == CastKind::SafeCast)
        }
        Expr::BinaryOp { left, op, right } => binary(&sub(left)?, op, &sub(right)?),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            Ok(Typed::new(format!("(NOT {})", bool(&sub(expr)?)?), Type::Bool))
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            let inner = sub(inner)?;
            if !inner.ty.is_number() {
                return Err(unsupported(expr));
            }
            let coerce = match &inner.coerce {
                Coerce::Number(text) => Coerce::Number(format!("-{text}")),
                _ => Coerce::No,
            };
            Ok(Typed { sql: format!("(-{})", inner.sql), ty: inner.ty, coerce })
        }
        Expr::IsNull(inner) => Ok(Typed::new(format!("({} IS NULL)", sub(inner)?.sql), Type::Bool)),
        Expr::IsNotNull(inner) => Ok(Typed::new(format!("({} IS NOT NULL)", sub(inner)?.sql), Type::Bool)),
        Expr::Between { expr, negated, low, high } => {
            let (value, low, high) = (sub(expr)?, sub(low)?, sub(high)?);
            let (above, below) = (compared(&value, ">=", &low)?, compared(&value, "<=", &high)?);
            Ok(Typed::new(format!("({}({} AND {}))", not(*negated), above.sql, below.sql), Type::Bool))
        }
        Expr::InList { expr, list, negated } => {
            let mut items = vec![sub(expr)?];
            items.extend(list.iter().map(sub).collect::<Result<Vec<_>, _>>()?);
            let items = unify_all(&items, "operator IN")?;
            let texts: Vec<&str> = items[1..].iter().map(|item| item.sql.as_str()).collect();
            Ok(Typed::new(format!("({} {}IN ({}))", items[0].sql, not(*negated), texts.join(", ")), Type::Bool))
        }
        Expr::Exists { subquery, negated } => {
            let inner = select::query(subquery, Some(scope), context)?;
            Ok(Typed::new(format!("({}EXISTS ({}))", not(*negated), inner.sql), Type::Bool))
        }
        Expr::Subquery(subquery) => {
            let inner = select::query(subquery, Some(scope), context)?;
            match inner.columns.as_slice() {
                [column] => Ok(Typed::new(format!("({})", inner.sql), column.ty)),
                _ => Err(ApiError::invalid_query("Scalar subquery cannot have more than one column")),
            }
        }
        Expr::Case { operand: None, conditions, else_result, .. } => {
            let mut results = conditions.iter().map(|when| sub(&when.result)).collect::<Result<Vec<_>, _>>()?;
            results.push(match else_result {
                Some(result) => sub(result)?,
                None => constant(&Value::Null)?,
            });
            let results = unify_all(&results, "CASE")?;
            let mut parts = vec!["(CASE".to_owned()];
            for (when, result) in conditions.iter().zip(&results) {
                let condition = sub(&when.condition)?;
                parts.push(format!("WHEN {} THEN {}", bool(&condition)?, result.sql));
            }
            let last = &results[results.len() - 1];
            parts.push(format!("ELSE {} END)", last.sql));
            Ok(Typed::new(parts.join(" "), last.ty))
        }
        Expr::Function(function) => functions::compile(function, scope, context),
        other => Err(unsupported(other)),
    }
}

/// The refusal of a construct.
pub fn unsupported(what: impl std::fmt::Display) -> ApiError {
    ApiError::invalid_query(format!("The emulator does not understand: {what}"))
}

/// The SQL of a BOOL.
pub fn bool(value: &Typed) -> Result<&str, ApiError> {
    if value.ty == Type::Bool || value.coerce == Coerce::Null {
        return Ok(&value.sql);
    }
    Err(ApiError::invalid_query(format!("Expected a BOOL, found {}: {}", value.ty.sql_name(), value.sql)))
}

/// The SQL of a STRING.
pub fn string_of(value: &Typed) -> Result<&str, ApiError> {
    if value.ty == Type::String || value.coerce == Coerce::Null {
        return Ok(&value.sql);
    }
    Err(ApiError::invalid_query(format!("Expected a STRING, found {}: {}", value.ty.sql_name(), value.sql)))
}

/// The type of a name in SQL.
pub fn sql_type(data_type: &DataType) -> Result<Type, ApiError> {
    Type::from_name(&data_type.to_string()).ok_or_else(|| unsupported(format!("type {data_type}")))
}

fn string(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text)
        | Value::DoubleQuotedString(text)
        | Value::TripleSingleQuotedString(text)
        | Value::TripleDoubleQuotedString(text)
        | Value::SingleQuotedRawStringLiteral(text)
        | Value::DoubleQuotedRawStringLiteral(text) => Some(text),
        _ => None,
    }
}

fn constant(value: &Value) -> Result<Typed, ApiError> {
    if let Some(text) = string(value) {
        return Ok(Typed { sql: literal(text), ty: Type::String, coerce: Coerce::Text(text.to_owned()) });
    }
    match value {
        Value::Number(text, false) => {
            let ty = if text.parse::<i64>().is_ok() { Type::Int64 } else { Type::Float64 };
            let stored = grammar::parse(ty, text)
                .map_err(|why| ApiError::invalid_query(format!("Invalid number {text}: {why}")))?;
            let sql = format!("CAST({} AS {})", literal(&stored), ty.duckdb());
            Ok(Typed { sql, ty, coerce: Coerce::Number(text.clone()) })
        }
        Value::Boolean(value) => Ok(Typed::new(value.to_string(), Type::Bool)),
        Value::Null => Ok(Typed { sql: "NULL".to_owned(), ty: Type::Int64, coerce: Coerce::Null }),
        other => Err(unsupported(other)),
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn compared(left: &Typed, operator: &str, right: &Typed) -> Result<Typed, ApiError> {
    let (left, right) = unify(left, right).filter(|(left, _)| left.ty != Type::Json).ok_or_else(|| {
        ApiError::invalid_query(format!(
            "No matching signature for operator {operator} for argument types: {}, {}",
            left.ty.sql_name(),
            right.ty.sql_name()
        ))
    })?;
    Ok(Typed::new(format!("({} {operator} {})", left.sql, right.sql), Type::Bool))
}

fn binary(left: &Typed, op: &BinaryOperator, right: &Typed) -> Result<Typed, ApiError> {
    let signature = || {
        ApiError::invalid_query(format!(
            "No matching signature for operator {op} for argument types: {}, {}",
            left.ty.sql_name(),
            right.ty.sql_name()
        ))
    };
    match op {
        BinaryOperator::And | BinaryOperator::Or => {
            Ok(Typed::new(format!("({} {op} {})", bool(left)?, bool(right)?), Type::Bool))
        }
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq => compared(left, &op.to_string(), right),
        BinaryOperator::StringConcat => {
            Ok(Typed::new(format!("({} || {})", string_of(left)?, string_of(right)?), Type::String))
        }
        BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
            let (left, right) = unify(left, right).ok_or_else(signature)?;
            // DuckDB's BIGNUM adds exactly, but multiplies as DOUBLE; its DECIMAL(38,9) overflows.
            let exact = match left.ty {
                Type::Int64 | Type::Float64 => true,
                Type::BigNumeric => *op != BinaryOperator::Multiply,
                _ => false,
            };
            if !exact {
                return Err(signature());
            }
            Ok(Typed::new(format!("({} {op} {})", left.sql, right.sql), left.ty))
        }
        BinaryOperator::Divide => match (left.cast(Type::Float64, false), right.cast(Type::Float64, false)) {
            (Ok(left), Ok(right)) if left.ty == Type::Float64 && right.ty == Type::Float64 => {
                Ok(Typed::new(format!("({} / {})", left.sql, right.sql), Type::Float64))
            }
            _ => Err(signature()),
        },
        _ => Err(unsupported(op)),
    }
}
