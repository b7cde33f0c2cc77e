//! Functions, aggregates and windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    WindowType,
};

use super::{
    expr::{self, bool, string_of, unsupported},
    scope::{Context, Scope},
    select,
    typed::{Typed, unify_all},
};
use crate::{error::ApiError, types::Type};

/// The time in UTC, without zone.
const NOW: &str = "make_timestamp(epoch_us(now()))";

/// Compiles a call.
pub fn compile(call: &Function, scope: &Scope<'_>, context: &Context<'_>) -> Result<Typed, ApiError> {
    let Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args,
        within_group,
        filter: None,
        null_treatment: None,
        over,
    } = call
    else {
        return Err(unsupported(call));
    };
    if !within_group.is_empty() {
        return Err(unsupported(call));
    }
    let (arguments, distinct) = match args {
        FunctionArguments::None => (&[][..], false),
        FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) if clauses.is_empty() => {
            (args.as_slice(), *duplicate_treatment == Some(DuplicateTreatment::Distinct))
        }
        _ => return Err(unsupported(call)),
    };
    let name = name.to_string().to_ascii_uppercase();
    let over = over.as_ref().map(|over| window(over, scope, context)).transpose()?;
    let wrap = |value: Typed| match &over {
        Some(over) => Typed::new(format!("{} {over}", value.sql), value.ty),
        None => value,
    };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = arguments {
        return match (name.as_str(), distinct) {
            ("COUNT", false) => Ok(wrap(Typed::new("count(*)", Type::Int64))),
            _ => Err(unsupported(call)),
        };
    }
    let expressions = arguments.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err(unsupported(call)),
    });
    let expressions = expressions.collect::<Result<Vec<&Expr>, _>>()?;
    let values = expressions.iter().map(|expr| expr::compile(expr, scope, context)).collect::<Result<Vec<_>, _>>()?;
    if let Some(aggregate) = aggregate(&name, &values, distinct)? {
        return Ok(if over.is_none() { aggregate_cast(aggregate) } else { wrap(aggregate) });
    }
    if over.is_some() || distinct {
        return Err(unsupported(call));
    }
    scalar(&name, &values)?.ok_or_else(|| unsupported(call))
}

/// DuckDB sums BIGINT as HUGEINT.
fn aggregate_cast(value: Typed) -> Typed {
    match value.ty {
        Type::Int64 | Type::Numeric => Typed::new(format!("CAST({} AS {})", value.sql, value.ty.duckdb()), value.ty),
        _ => value,
    }
}

fn aggregate(name: &str, values: &[Typed], distinct: bool) -> Result<Option<Typed>, ApiError> {
    let prefix = if distinct { "DISTINCT " } else { "" };
    Ok(Some(match (name, values) {
        ("COUNT", [value]) => Typed::new(format!("count({prefix}{})", value.sql), Type::Int64),
        ("COUNTIF", [value]) => Typed::new(format!("count_if({})", bool(value)?), Type::Int64),
        ("SUM", [value]) if value.ty.is_number() => Typed::new(format!("sum({prefix}{})", value.sql), value.ty),
        ("MIN" | "MAX" | "ANY_VALUE", [value]) if value.ty != Type::Json => {
            Typed::new(format!("{}({})", name.to_ascii_lowercase(), value.sql), value.ty)
        }
        ("ROW_NUMBER", []) => Typed::new("row_number()", Type::Int64),
        _ => return Ok(None),
    }))
}

fn scalar(name: &str, values: &[Typed]) -> Result<Option<Typed>, ApiError> {
    let (sql, ty) = match (name, values) {
        ("COALESCE" | "IFNULL", [_, ..]) => {
            let values = unify_all(values, name)?;
            (format!("coalesce({})", list(&values)), values[0].ty)
        }
        ("NULLIF", [_, _]) => {
            let values = unify_all(values, name)?;
            (format!("nullif({})", list(&values)), values[0].ty)
        }
        ("IF", [condition, results @ ..]) if results.len() == 2 => {
            let results = unify_all(results, name)?;
            let sql = format!("if({}, {})", bool(condition)?, list(&results));
            (sql, results[0].ty)
        }
        ("CURRENT_TIMESTAMP", []) => (NOW.to_owned(), Type::Timestamp),
        ("CURRENT_DATE", []) => (format!("CAST({NOW} AS DATE)"), Type::Date),
        ("DATE", [value]) => return value.cast(Type::Date, false).map(Some),
        ("TIMESTAMP", [value]) => return value.cast(Type::Timestamp, false).map(Some),
        ("LOWER" | "UPPER", [value]) => (format!("{name}({})", string_of(value)?), Type::String),
        ("FORMAT_DATE", [format, value]) if value.ty == Type::Date => {
            (format!("strftime({}, {})", value.sql, string_of(format)?), Type::String)
        }
        ("FORMAT_TIMESTAMP", [format, value]) if value.ty == Type::Timestamp => {
            (format!("strftime({}, {})", value.sql, string_of(format)?), Type::String)
        }
        ("PARSE_JSON", [value]) => (format!("CAST({} AS JSON)", string_of(value)?), Type::Json),
        ("TO_JSON_STRING", [value]) if matches!(value.ty, Type::String | Type::Json | Type::Int64 | Type::Bool) => {
            let sql = format!("coalesce(to_json({})::VARCHAR, 'null')", value.sql);
            (sql, Type::String)
        }
        ("JSON_VALUE", [value, path]) if value.ty == Type::Json => {
            let sql = format!("json_extract_string({}, {})", value.sql, string_of(path)?);
            (sql, Type::String)
        }
        _ => return Ok(None),
    };
    Ok(Some(Typed::new(sql, ty)))
}

fn list(values: &[Typed]) -> String {
    let values: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
    values.join(", ")
}

fn window(over: &WindowType, scope: &Scope<'_>, context: &Context<'_>) -> Result<String, ApiError> {
    let WindowType::WindowSpec(spec) = over else {
        return Err(unsupported(over));
    };
    if spec.window_name.is_some() || spec.window_frame.is_some() {
        return Err(unsupported(over));
    }
    let mut parts = Vec::new();
    if !spec.partition_by.is_empty() {
        let keys = spec.partition_by.iter().map(|expr| Ok(expr::compile(expr, scope, context)?.sql));
        parts.push(format!("PARTITION BY {}", keys.collect::<Result<Vec<_>, ApiError>>()?.join(", ")));
    }
    if !spec.order_by.is_empty() {
        parts.push(format!("ORDER BY {}", select::order(&spec.order_by, scope, context)?));
    }
    Ok(format!("OVER ({})", parts.join(" ")))
}
