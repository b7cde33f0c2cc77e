//! Compiled expressions, their types, and the conversions between types.

use crate::{
    error::ApiError,
    grammar,
    types::{Type, literal},
};

/// A DuckDB expression with its BigQuery type.
#[derive(Debug, Clone)]
pub struct Typed {
    pub sql: String,
    pub ty: Type,
    pub constant: Constant,
}

/// What turns into other types than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    No,
    /// NULL: any type.
    Null,
    /// A string literal: a DATE or TIMESTAMP, if its text reads so.
    Text(String),
}

impl Typed {
    pub fn new(sql: impl Into<String>, ty: Type) -> Self {
        Self { sql: sql.into(), ty, constant: Constant::No }
    }

    /// The expression as `to`, by the implicit conversions of GoogleSQL; `None` where there is none.
    pub fn coerced(&self, to: Type) -> Option<Self> {
        match &self.constant {
            _ if self.ty == to => Some(self.clone()),
            Constant::Text(text) if matches!(to, Type::Date | Type::Timestamp) => {
                let stored = grammar::parse(to, text).ok()?;
                Some(Self::new(format!("CAST({} AS {})", literal(&stored), to.duckdb()), to))
            }
            // GoogleSQL coerces implicitly exactly where ALTER COLUMN may widen.
            constant if *constant == Constant::Null || self.ty.widens_to(to) => self.cast(to, false).ok(),
            _ => None,
        }
    }

    /// CAST, or SAFE_CAST. Every conversion goes through the text, which is exact.
    pub fn cast(&self, to: Type, safe: bool) -> Result<Self, ApiError> {
        let (text, from) = (self.text(), self.ty);
        let known = from == Type::String || to == Type::String || from.widens_to(to) || self.constant == Constant::Null;
        if !known || from != to && (from == Type::Json || to == Type::Json) {
            let (from, to) = (from.sql_name(), to.sql_name());
            return Err(ApiError::invalid_query(format!("Invalid cast from {from} to {to}")));
        }
        if from == to {
            return Ok(self.clone());
        }
        // A string is held against a pattern before DuckDB, which is lenient, sees it.
        let text = match pattern(to) {
            Some(pattern) => format!("bq_matching({text}, {}, {}, {safe})", literal(pattern), literal(to.sql_name())),
            None => text,
        };
        let sql = match to {
            Type::String => text,
            Type::BigNumeric => format!("bq_text_bignumeric({text})"),
            _ if safe => format!("TRY_CAST({text} AS {})", to.duckdb()),
            _ => format!("CAST({text} AS {})", to.duckdb()),
        };
        Ok(Self::new(sql, to))
    }

    /// The value as a CAST to STRING writes it.
    fn text(&self) -> String {
        let x = &self.sql;
        match self.ty {
            Type::String => x.clone(),
            Type::BigNumeric => format!("bq_bignumeric_text({x})"),
            Type::Float64 => format!("bq_float_text({x})"),
            Type::Timestamp => format!("bq_timestamp_text({x})"),
            Type::Int64 | Type::Bool | Type::Date | Type::Json => format!("CAST({x} AS VARCHAR)"),
        }
    }
}

/// What a text must look like to be cast.
fn pattern(to: Type) -> Option<&'static str> {
    Some(match to {
        Type::String | Type::Json => return None,
        Type::Int64 => r"\s*[+-]?[0-9]+\s*",
        Type::Float64 | Type::BigNumeric => r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*",
        Type::Bool => "(?i:true|false)",
        Type::Date => r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*",
        Type::Timestamp => {
            r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{1,6})?)?\s*(Z|UTC|[+-][0-9]{1,2}(:[0-9]{2})?)?\s*"
        }
    })
}

/// All expressions as the first type that fits them all.
pub fn unify<const N: usize>(items: [&Typed; N], what: &str) -> Result<[Typed; N], ApiError> {
    let common = items.iter().map(|item| item.ty).find(|ty| items.iter().all(|item| item.coerced(*ty).is_some()));
    let common = common.ok_or_else(|| {
        let names = items.map(|item| item.ty.sql_name()).join(", ");
        ApiError::invalid_query(format!("No matching signature for {what} for argument types: {names}"))
    })?;
    Ok(items.map(|item| item.coerced(common).unwrap_or_else(|| item.clone())))
}
