//! Expressions and functions.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, TypedString, UnaryOperator, Value, WindowType,
};

use super::{
    names::Context,
    parse::{unescape, unsupported},
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
    let null_test = |inner: &Expr, test: &str| {
        let itself = match inner {
            Expr::Identifier(name) => find(columns, &name.value),
            _ => None,
        };
        // The only use of a map as a value is this test.
        let value = itself.map_or_else(|| Ok(sub(inner)?.sql), |column| Ok::<_, ApiError>(quote(&column.name)))?;
        Ok(Typed::new(format!("({value} {test})"), Type::Bool))
    };
    match expr {
        Expr::Nested(inner) => sub(inner),
        Expr::Identifier(name) => {
            if let Some(parameter) = name.value.strip_prefix('@') {
                let value = context.parameters.get(&parameter.to_ascii_lowercase()).cloned();
                return value
                    .ok_or_else(|| ApiError::invalid_query(format!("Query parameter '{parameter}' not found")));
            }
            match column(name, columns)? {
                map if map.ty.map_value().is_some() => Err(unsupported(format!("a value of the record {name}"))),
                column => Ok(Typed::new(quote(&column.name), column.ty)),
            }
        }
        Expr::Value(value) => constant(&value.value),
        Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }) => {
            let text = string(&value.value)?;
            let ty = sql_type(data_type)?;
            let stored = grammar::parse(ty, &text)
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
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            Ok(Typed::new(format!("(- {})", of_type(&sub(expr)?, Type::Int64)?), Type::Int64))
        }
        Expr::IsNull(inner) => null_test(inner, "IS NULL"),
        Expr::IsNotNull(inner) => null_test(inner, "IS NOT NULL"),
        Expr::Exists { subquery, negated } => {
            let not = if *negated { "NOT " } else { "" };
            let inner = select::query(subquery, None, &[], context)?;
            Ok(Typed::new(format!("({not}EXISTS ({}))", inner.sql), Type::Bool))
        }
        Expr::Subquery(subquery) => {
            let inner = select::query(subquery, None, columns, context)?;
            match inner.columns.as_slice() {
                [value] => Ok(Typed::new(format!("({})", inner.sql), value.ty)),
                _ => Err(unsupported(expr)),
            }
        }
        Expr::Function(call) => function(call, columns, context),
        other => Err(unsupported(other)),
    }
}

/// The type with this name in SQL.
pub fn sql_type(data_type: &DataType) -> Result<Type, ApiError> {
    Type::from_name(&data_type.to_string()).ok_or_else(|| unsupported(format!("type {data_type}")))
}

/// The column with this name.
pub fn column<'a>(name: &Ident, columns: &'a [Field]) -> Result<&'a Field, ApiError> {
    find(columns, &name.value).ok_or_else(|| ApiError::invalid_query(format!("Unrecognized name: {}", name.value)))
}

/// The SQL of a value. It must have the type.
pub fn of_type(value: &Typed, ty: Type) -> Result<&str, ApiError> {
    if value.ty == ty || value.constant == Constant::Any {
        return Ok(&value.sql);
    }
    let (expected, found) = (ty.sql_name(), value.ty.sql_name());
    Err(ApiError::invalid_query(format!("Expected type {expected}, found {found}: {}", value.sql)))
}

/// The text of a string literal.
fn string(value: &Value) -> Result<String, ApiError> {
    match value {
        Value::SingleQuotedString(text) => unescape(text, '\''),
        Value::DoubleQuotedString(text) => unescape(text, '"'),
        Value::SingleQuotedRawStringLiteral(text) | Value::DoubleQuotedRawStringLiteral(text) => Ok(text.clone()),
        other => Err(unsupported(other)),
    }
}

fn constant(value: &Value) -> Result<Typed, ApiError> {
    match value {
        Value::Number(text, false) if text.parse::<i64>().is_ok() => {
            Ok(Typed::new(format!("CAST({text} AS BIGINT)"), Type::Int64))
        }
        Value::Boolean(value) => Ok(Typed::new(value.to_string(), Type::Bool)),
        Value::Null => Ok(Typed { sql: "NULL".to_owned(), ty: Type::Int64, constant: Constant::Any }),
        other => {
            let text = string(other)?;
            Ok(Typed { sql: literal(&text), ty: Type::String, constant: Constant::Text(text) })
        }
    }
}

fn binary(left: &Typed, op: &BinaryOperator, right: &Typed) -> Result<Typed, ApiError> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, Minus, NotEq, Or, Plus, StringConcat};
    let both = |ty: Type| Ok::<_, ApiError>((of_type(left, ty)?.to_owned(), of_type(right, ty)?.to_owned(), ty));
    let (left, right, ty) = match op {
        And | Or => both(Type::Bool)?,
        Plus | Minus => both(Type::Int64)?,
        StringConcat => both(Type::String)?,
        Eq | NotEq | Lt | LtEq | Gt | GtEq if left.ty != Type::Json => {
            let sides = unify(&[left.clone(), right.clone()], &format!("operator {op}"))?;
            (sides[0].sql.clone(), sides[1].sql.clone(), Type::Bool)
        }
        _ => return Err(unsupported(format!("operator {op} on {}", left.ty.sql_name()))),
    };
    Ok(Typed::new(format!("({left} {op} {right})"), ty))
}

fn function(call: &Function, columns: &[Field], context: &Context<'_>) -> Result<Typed, ApiError> {
    let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = &call.args else {
        return Err(unsupported(call));
    };
    let supported = Function {
        name: call.name.clone(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: call.args.clone(),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: call.over.clone(),
    };
    let name = call.name.to_string().to_ascii_uppercase();
    let order = match clauses.as_slice() {
        [] => String::new(),
        [FunctionArgumentClause::OrderBy(keys)] if name == "STRING_AGG" => select::order(keys, columns, context)?,
        _ => return Err(unsupported(call)),
    };
    if *call != supported {
        return Err(unsupported(call));
    }
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
        // DuckDB's count_if is NULL where all values are NULL (seen on 1.5.6).
        ("COUNTIF", [value]) => (format!("count(CASE WHEN {} THEN 1 END)", of_type(value, Type::Bool)?), Type::Int64),
        // DuckDB's sum of integers has a wider type.
        ("SUM", [value]) if value.ty.is_number() => {
            (format!("CAST(sum({}) AS {})", value.sql, value.ty.duckdb()), value.ty)
        }
        ("MIN" | "MAX", [value]) if value.ty != Type::Json => (format!("{name}({})", value.sql), value.ty),
        ("IFNULL" | "NULLIF", [_, _]) | ("COALESCE", [_, ..]) => {
            let values = unify(&values, &name)?;
            let duckdb = if name == "NULLIF" { "nullif" } else { "coalesce" };
            (format!("{duckdb}({})", list(&values)), values[0].ty)
        }
        ("IF", [condition, branches @ ..]) if branches.len() == 2 => {
            let branches = unify(branches, &name)?;
            let (condition, [yes, no]) = (of_type(condition, Type::Bool)?, [&branches[0].sql, &branches[1].sql]);
            (format!("CASE WHEN {condition} THEN {yes} ELSE {no} END"), branches[0].ty)
        }
        ("ERROR", [message]) => {
            let sql = format!("error({})", of_type(message, Type::String)?);
            return Ok(Typed { sql, ty: Type::Int64, constant: Constant::Any });
        }
        ("CONCAT", [_, ..]) => {
            let parts = values.iter().map(|value| of_type(value, Type::String)).collect::<Result<Vec<_>, _>>()?;
            (format!("({})", parts.join(" || ")), Type::String)
        }
        // Without ORDER BY, the order would be undefined.
        ("STRING_AGG", [value, Typed { constant: Constant::Text(delimiter), .. }]) if !order.is_empty() => {
            let (value, delimiter) = (of_type(value, Type::String)?, literal(delimiter));
            (format!("string_agg({value}, {delimiter} ORDER BY {order})"), Type::String)
        }
        ("LENGTH", [value]) => (format!("length({})", of_type(value, Type::String)?), Type::Int64),
        ("REGEXP_CONTAINS", [value, Typed { constant: Constant::Text(pattern), .. }]) => {
            (format!("regexp_matches({}, {})", of_type(value, Type::String)?, literal(pattern)), Type::Bool)
        }
        ("REGEXP_EXTRACT", [value, Typed { constant: Constant::Text(pattern), .. }]) if groups(pattern) < 2 => {
            let (value, part) = (of_type(value, Type::String)?, groups(pattern));
            (format!("bq_extract({value}, {}, {part})", literal(pattern)), Type::String)
        }
        (
            "REGEXP_REPLACE",
            [value, Typed { constant: Constant::Text(pattern), .. }, Typed { constant: Constant::Text(rewrite), .. }],
        ) if is_rewrite(rewrite, groups(pattern)) => {
            let (value, pattern, rewrite) = (of_type(value, Type::String)?, literal(pattern), literal(rewrite));
            (format!("regexp_replace({value}, {pattern}, {rewrite}, 'g')"), Type::String)
        }
        ("FORMAT", [Typed { constant: Constant::Text(format), .. }, value])
            if ["%.15g", "%.16g", "%.17g"].contains(&format.as_str()) =>
        {
            (format!("printf({}, {})", literal(format), of_type(value, Type::Float64)?), Type::String)
        }
        ("FORMAT_TIMESTAMP", [Typed { constant: Constant::Text(format), .. }, value])
            if format == "%Y-%m-%dT%H:%M:%E*SZ" =>
        {
            (format!("bq_timestamp_iso({})", of_type(value, Type::Timestamp)?), Type::String)
        }
        ("FORMAT_TIMESTAMP" | "FORMAT_DATE", [Typed { constant: Constant::Text(format), .. }, value])
            if ["%Y-%m", "%Y-%m-%d"].contains(&format.as_str()) =>
        {
            let ty = if name == "FORMAT_DATE" { Type::Date } else { Type::Timestamp };
            (format!("strftime({}, {})", of_type(value, ty)?, literal(format)), Type::String)
        }
        ("MOD" | "DIV", [a, b]) => {
            let (a, b) = (of_type(a, Type::Int64)?, of_type(b, Type::Int64)?);
            // Both round towards zero, as BigQuery does.
            (if name == "MOD" { format!("(({a}) % ({b}))") } else { format!("(({a}) // ({b}))") }, Type::Int64)
        }
        // The default zone is UTC.
        ("TIMESTAMP", [value]) if value.ty == Type::Datetime => (value.sql.clone(), Type::Timestamp),
        ("TIMESTAMP_MICROS", [value]) => (format!("make_timestamp({})", of_type(value, Type::Int64)?), Type::Timestamp),
        ("CURRENT_TIMESTAMP", []) => ("make_timestamp(epoch_us(now()))".to_owned(), Type::Timestamp),
        ("PARSE_JSON", [value]) => (format!("CAST({} AS JSON)", of_type(value, Type::String)?), Type::Json),
        ("TO_JSON_STRING", [value]) if value.ty == Type::String => {
            (format!("bq_json_text({})", value.sql), Type::String)
        }
        ("TO_JSON_STRING", [value]) => {
            (format!("coalesce(json({})::VARCHAR, 'null')", of_type(value, Type::Json)?), Type::String)
        }
        _ => return Err(unsupported(call)),
    };
    Ok(Typed::new(sql, ty))
}

fn list(values: &[Typed]) -> String {
    values.iter().map(|value| value.sql.as_str()).collect::<Vec<_>>().join(", ")
}

/// The number of capturing groups of a regular expression. BigQuery and DuckDB both use RE2.
fn groups(pattern: &str) -> usize {
    let (mut groups, mut in_class) = (0, false);
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '[' if !in_class => {
                in_class = true;
                // A bracket in the first place, as in `[^]a]`, does not close the class.
                let class = rest.as_str().strip_prefix('^').unwrap_or(rest.as_str());
                rest = class.strip_prefix(']').unwrap_or(class).chars();
            }
            ']' => in_class = false,
            '(' if !in_class && (!rest.as_str().starts_with('?') || rest.as_str().starts_with("?P<")) => groups += 1,
            _ => {}
        }
    }
    groups
}

/// Whether each backslash is followed by the number of an existing group, or by another backslash.
fn is_rewrite(rewrite: &str, groups: usize) -> bool {
    let mut rest = rewrite.chars();
    while rest.any(|c| c == '\\') {
        match rest.next() {
            Some('\\') => {}
            Some(c) if c.to_digit(10).is_some_and(|group| group as usize <= groups) => {}
            _ => return false,
        }
    }
    true
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
