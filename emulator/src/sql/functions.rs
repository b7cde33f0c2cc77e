//! Functions, aggregates and windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, WindowType,
};

use super::{
    expr::{self, bool, string_of, unsupported},
    scope::{Context, Scope},
    select,
    typed::{Coerce, Typed, unify_all},
};
use crate::{error::ApiError, types::Type};

/// Compiles a call.
///
/// # Errors
/// invalidQuery for functions and arguments that it does not know.
pub fn compile(
    call: &Function,
    scope: &Scope<'_>,
    context: &Context<'_>,
) -> Result<Typed, ApiError> {
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
        FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment,
            args,
            clauses,
        }) if clauses.is_empty() => (
            args.as_slice(),
            *duplicate_treatment == Some(DuplicateTreatment::Distinct),
        ),
        _ => return Err(unsupported(call)),
    };
    let name = name.to_string().to_ascii_uppercase();
    let over = over
        .as_ref()
        .map(|over| window(over, scope, context))
        .transpose()?;
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
    if let ("DATE_TRUNC" | "TIMESTAMP_TRUNC" | "DATETIME_TRUNC", [value, part]) =
        (name.as_str(), expressions.as_slice())
    {
        return truncate(
            &name,
            &expr::compile(value, scope, context)?,
            &part.to_string(),
        );
    }
    let values = expressions
        .iter()
        .map(|expr| expr::compile(expr, scope, context))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(aggregate) = aggregate(&name, &values, distinct)? {
        return Ok(if over.is_none() {
            aggregate_cast(aggregate)
        } else {
            wrap(aggregate)
        });
    }
    match scalar(&name, &values) {
        Some(result) if over.is_none() && !distinct => result,
        _ => Err(unsupported(call)),
    }
}

/// DuckDB sums BIGINT as HUGEINT.
fn aggregate_cast(value: Typed) -> Typed {
    match value.ty {
        Type::Int64 | Type::Numeric => Typed::new(
            format!("CAST({} AS {})", value.sql, value.ty.duckdb()),
            value.ty,
        ),
        _ => value,
    }
}

fn aggregate(name: &str, values: &[Typed], distinct: bool) -> Result<Option<Typed>, ApiError> {
    let prefix = if distinct { "DISTINCT " } else { "" };
    Ok(Some(match (name, values) {
        ("COUNT", [value]) => Typed::new(format!("count({prefix}{})", value.sql), Type::Int64),
        ("COUNTIF", [value]) => Typed::new(format!("count_if({})", bool(value)?), Type::Int64),
        ("SUM", [value]) if is_number(value.ty) => {
            Typed::new(format!("sum({prefix}{})", value.sql), value.ty)
        }
        ("AVG", [value]) if matches!(value.ty, Type::Int64 | Type::Float64) => {
            Typed::new(format!("avg({prefix}{})", value.sql), Type::Float64)
        }
        ("MIN" | "MAX" | "ANY_VALUE", [value]) if value.ty != Type::Json => Typed::new(
            format!("{}({})", name.to_ascii_lowercase(), value.sql),
            value.ty,
        ),
        ("LOGICAL_AND" | "LOGICAL_OR", [value]) => Typed::new(
            format!("bool_{}({})", name[8..].to_ascii_lowercase(), bool(value)?),
            Type::Bool,
        ),
        ("STRING_AGG", [value]) => Typed::new(
            format!("string_agg({prefix}{}, ',')", string_of(value)?),
            Type::String,
        ),
        ("ROW_NUMBER" | "RANK" | "DENSE_RANK", []) => {
            Typed::new(format!("{}()", name.to_ascii_lowercase()), Type::Int64)
        }
        _ => return Ok(None),
    }))
}

fn is_number(ty: Type) -> bool {
    matches!(
        ty,
        Type::Int64 | Type::Float64 | Type::Numeric | Type::BigNumeric
    )
}

fn scalar(name: &str, values: &[Typed]) -> Option<Result<Typed, ApiError>> {
    let common = |name: &str, values: &[Typed], template: &dyn Fn(&[Typed]) -> String| {
        let values = unify_all(values, name)?;
        Ok(Typed::new(template(&values), values[0].ty))
    };
    let list = |values: &[Typed]| {
        values
            .iter()
            .map(|value| value.sql.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let cast = |value: &Typed, to: Type| value.cast(to, false);
    let text = |function: &str, value: &Typed| {
        Ok(Typed::new(
            format!("{function}({})", string_of(value)?),
            Type::String,
        ))
    };
    Some(match (name, values) {
        ("COALESCE" | "IFNULL", [_, ..]) => common(name, values, &|values| {
            format!("coalesce({})", list(values))
        }),
        ("GREATEST" | "LEAST", [_, ..]) => {
            // NULL where any argument is NULL, unlike DuckDB.
            common(name, values, &|values| {
                let nulls: Vec<String> = values
                    .iter()
                    .map(|value| format!("{} IS NULL", value.sql))
                    .collect();
                format!(
                    "CASE WHEN NOT ({}) THEN {name}({}) END",
                    nulls.join(" OR "),
                    list(values)
                )
            })
        }
        ("NULLIF", [_, _]) => common(name, values, &|values| format!("nullif({})", list(values))),
        ("IF", [condition, results @ ..]) if results.len() == 2 => {
            bool(condition).and_then(|condition| {
                common(name, results, &|results| {
                    format!("if({condition}, {})", list(results))
                })
            })
        }
        ("CURRENT_TIMESTAMP", []) => Ok(Typed::new(
            "make_timestamp(epoch_us(now()))",
            Type::Timestamp,
        )),
        ("CURRENT_DATE", []) => Ok(Typed::new(
            "CAST(make_timestamp(epoch_us(now())) AS DATE)",
            Type::Date,
        )),
        ("DATE", [value]) => cast(value, Type::Date),
        ("TIMESTAMP", [value]) => cast(value, Type::Timestamp),
        ("DATETIME", [value]) => cast(value, Type::DateTime),
        ("LOWER" | "UPPER" | "TRIM", [value]) => text(&name.to_ascii_lowercase(), value),
        ("LENGTH", [value]) => {
            string_of(value).map(|value| Typed::new(format!("length({value})"), Type::Int64))
        }
        ("STARTS_WITH" | "ENDS_WITH", [value, part]) => string_of(value).and_then(|value| {
            Ok(Typed::new(
                format!("{name}({value}, {})", string_of(part)?),
                Type::Bool,
            ))
        }),
        ("CONCAT", [_, ..]) => values
            .iter()
            .map(string_of)
            .collect::<Result<Vec<_>, _>>()
            // || gives NULL for a NULL part, as BigQuery's CONCAT does and DuckDB's does not.
            .map(|parts| Typed::new(format!("({})", parts.join(" || ")), Type::String)),
        ("FORMAT_DATE" | "FORMAT_TIMESTAMP", [format, value]) => match &format.coerce {
            Coerce::Text(_) if matches!(value.ty, Type::Date | Type::Timestamp) => Ok(Typed::new(
                format!("strftime({}, {})", value.sql, format.sql),
                Type::String,
            )),
            _ => return None,
        },
        ("PARSE_JSON", [value]) => {
            string_of(value).map(|value| Typed::new(format!("CAST({value} AS JSON)"), Type::Json))
        }
        ("TO_JSON_STRING", [value]) => match value.ty {
            Type::Numeric
            | Type::BigNumeric
            | Type::Timestamp
            | Type::Date
            | Type::DateTime
            | Type::Float64 => return None,
            _ => Ok(Typed::new(
                format!("coalesce(to_json({})::VARCHAR, 'null')", value.sql),
                Type::String,
            )),
        },
        ("JSON_VALUE", [value, path]) if matches!(value.ty, Type::Json | Type::String) => {
            string_of(path).map(|path| {
                Typed::new(
                    format!("json_extract_string({}, {path})", value.sql),
                    Type::String,
                )
            })
        }
        _ => return None,
    })
}

fn truncate(name: &str, value: &Typed, part: &str) -> Result<Typed, ApiError> {
    let part = part.to_ascii_lowercase();
    let wanted = match name {
        "DATE_TRUNC" => Type::Date,
        "TIMESTAMP_TRUNC" => Type::Timestamp,
        _ => Type::DateTime,
    };
    if value.ty != wanted || !matches!(part.as_str(), "year" | "quarter" | "month" | "day" | "hour")
    {
        return Err(unsupported(format!(
            "{name}({}, {part})",
            value.ty.sql_name()
        )));
    }
    Ok(Typed::new(
        format!(
            "CAST(date_trunc('{part}', {}) AS {})",
            value.sql,
            wanted.duckdb()
        ),
        wanted,
    ))
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
        let keys = spec
            .partition_by
            .iter()
            .map(|expr| Ok(expr::compile(expr, scope, context)?.sql));
        parts.push(format!(
            "PARTITION BY {}",
            keys.collect::<Result<Vec<_>, ApiError>>()?.join(", ")
        ));
    }
    if !spec.order_by.is_empty() {
        parts.push(format!(
            "ORDER BY {}",
            select::order(&spec.order_by, scope, context)?
        ));
    }
    Ok(format!("OVER ({})", parts.join(" ")))
}
