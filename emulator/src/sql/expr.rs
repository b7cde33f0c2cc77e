//! Expressions and functions.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, TypedString, UnaryOperator, Value, WindowType,
};

use super::{
    names::Context,
    parse::unsupported,
    select,
    typed::{Constant, Typed, unify},
};
use crate::{
    error::ApiError,
    grammar,
    types::{Field, Type, find, literal, quote},
};

/// Compiles an expression over the columns of a table, view or subquery.
pub fn compile(expr: &Expr, columns: &[Field], context: &Context<'_>) -> Result<Typed, ApiError> {
    let sub = |expr: &Expr| compile(expr, columns, context);
    let null_test = |inner: &Expr, test: &str| Ok(Typed::new(format!("({} {test})", sub(inner)?.sql), Type::Bool));
    match expr {
        Expr::Nested(inner) => sub(inner),
        Expr::Identifier(name) => {
            if let Some(parameter) = name.value.strip_prefix('@') {
                let value = context.parameters.get(&parameter.to_ascii_lowercase()).cloned();
                return value
                    .ok_or_else(|| ApiError::invalid_query(format!("Query parameter '{parameter}' not found")));
            }
            let column = find(columns, &name.value)
                .ok_or_else(|| ApiError::invalid_query(format!("Unrecognized name: {}", name.value)))?;
            Ok(Typed::new(quote(&column.name), column.ty))
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
            Ok(Typed::new(format!("(NOT {})", of_type(&sub(expr)?, Type::Bool)?), Type::Bool))
        }
        Expr::IsNull(inner) => null_test(inner, "IS NULL"),
        Expr::IsNotNull(inner) => null_test(inner, "IS NOT NULL"),
        Expr::Exists { subquery, negated } => {
            let not = if *negated { "NOT " } else { "" };
            let inner = select::query(subquery, None, context)?;
            Ok(Typed::new(format!("({not}EXISTS ({}))", inner.sql), Type::Bool))
        }
        Expr::Function(call) => function(call, columns, context),
        other => Err(unsupported(other)),
    }
}

/// The type of a name in SQL.
pub fn sql_type(data_type: &DataType) -> Result<Type, ApiError> {
    Type::from_name(&data_type.to_string()).ok_or_else(|| unsupported(format!("type {data_type}")))
}

/// The SQL of a value that must be of the type.
pub fn of_type(value: &Typed, ty: Type) -> Result<&str, ApiError> {
    if value.ty == ty || value.constant == Constant::Null {
        return Ok(&value.sql);
    }
    let (expected, found) = (ty.sql_name(), value.ty.sql_name());
    Err(ApiError::invalid_query(format!("Expected type {expected}, found {found}: {}", value.sql)))
}

fn string(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
        _ => None,
    }
}

fn constant(value: &Value) -> Result<Typed, ApiError> {
    match value {
        Value::Number(text, false) if text.parse::<i64>().is_ok() => {
            Ok(Typed::new(format!("CAST({text} AS BIGINT)"), Type::Int64))
        }
        Value::Boolean(value) => Ok(Typed::new(value.to_string(), Type::Bool)),
        Value::Null => Ok(Typed { sql: "NULL".to_owned(), ty: Type::Int64, constant: Constant::Null }),
        other => {
            let text = string(other).ok_or_else(|| unsupported(other))?;
            Ok(Typed { sql: literal(text), ty: Type::String, constant: Constant::Text(text.to_owned()) })
        }
    }
}

fn binary(left: &Typed, op: &BinaryOperator, right: &Typed) -> Result<Typed, ApiError> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    let (left, right) = match op {
        And | Or => (of_type(left, Type::Bool)?.to_owned(), of_type(right, Type::Bool)?.to_owned()),
        Eq | NotEq | Lt | LtEq | Gt | GtEq if left.ty != Type::Json => {
            let [left, right] = unify([left, right], &format!("operator {op}"))?;
            (left.sql, right.sql)
        }
        _ => return Err(unsupported(format!("operator {op} on {}", left.ty.sql_name()))),
    };
    Ok(Typed::new(format!("({left} {op} {right})"), Type::Bool))
}

fn function(call: &Function, columns: &[Field], context: &Context<'_>) -> Result<Typed, ApiError> {
    let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = &call.args else {
        return Err(unsupported(call));
    };
    let plain = Function {
        name: call.name.clone(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: call.args.clone(),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: call.over.clone(),
    };
    if *call != plain || !clauses.is_empty() {
        return Err(unsupported(call));
    }
    let name = call.name.to_string().to_ascii_uppercase();
    if let Some(over) = &call.over {
        if name != "ROW_NUMBER" || !args.is_empty() {
            return Err(unsupported(call));
        }
        return Ok(Typed::new(format!("row_number() {}", window(over, columns, context)?), Type::Int64));
    }
    if let ("COUNT", [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) = (name.as_str(), args.as_slice()) {
        return Ok(Typed::new("count(*)", Type::Int64));
    }
    let values = args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => compile(expr, columns, context),
        _ => Err(unsupported(call)),
    });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let (sql, ty) = match (name.as_str(), values.as_slice()) {
        ("COUNT", [value]) => (format!("count({})", value.sql), Type::Int64),
        ("COUNTIF", [value]) => (format!("count_if({})", of_type(value, Type::Bool)?), Type::Int64),
        // DuckDB sums integers as wider ones.
        ("SUM", [value]) if value.ty.is_number() => {
            (format!("CAST(sum({}) AS {})", value.sql, value.ty.duckdb()), value.ty)
        }
        ("MIN" | "MAX", [value]) if value.ty != Type::Json => (format!("{name}({})", value.sql), value.ty),
        ("COALESCE" | "IFNULL" | "NULLIF", [first, second]) => {
            let [first, second] = unify([first, second], &name)?;
            let duckdb = if name == "NULLIF" { "nullif" } else { "coalesce" };
            (format!("{duckdb}({}, {})", first.sql, second.sql), first.ty)
        }
        ("CURRENT_TIMESTAMP", []) => ("make_timestamp(epoch_us(now()))".to_owned(), Type::Timestamp),
        ("PARSE_JSON", [value]) => (format!("CAST({} AS JSON)", of_type(value, Type::String)?), Type::Json),
        ("TO_JSON_STRING", [value]) => {
            (format!("coalesce(json({})::VARCHAR, 'null')", of_type(value, Type::Json)?), Type::String)
        }
        _ => return Err(unsupported(call)),
    };
    Ok(Typed::new(sql, ty))
}

fn window(over: &WindowType, columns: &[Field], context: &Context<'_>) -> Result<String, ApiError> {
    let WindowType::WindowSpec(spec) = over else {
        return Err(unsupported(over));
    };
    if spec.window_name.is_some() || spec.window_frame.is_some() {
        return Err(unsupported(over));
    }
    let mut parts = Vec::new();
    if !spec.partition_by.is_empty() {
        let keys = spec.partition_by.iter().map(|expr| Ok(compile(expr, columns, context)?.sql));
        parts.push(format!("PARTITION BY {}", keys.collect::<Result<Vec<_>, ApiError>>()?.join(", ")));
    }
    if !spec.order_by.is_empty() {
        parts.push(format!("ORDER BY {}", select::order(&spec.order_by, columns, context)?));
    }
    Ok(format!("OVER ({})", parts.join(" ")))
}
