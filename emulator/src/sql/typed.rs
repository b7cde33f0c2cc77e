//! Compiled expressions, their types, and conversions between types.

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

/// The constants that GoogleSQL converts implicitly to other types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    No,
    /// NULL, and ERROR(), which never returns: converts to any type.
    Any,
    /// A string literal: converts to DATE or TIMESTAMP if its text is one.
    Text(String),
}

impl Typed {
    pub fn new(sql: impl Into<String>, ty: Type) -> Self {
        Self { sql: sql.into(), ty, constant: Constant::No }
    }

    /// The expression as `to` by GoogleSQL's implicit conversions; `None` where there is no such conversion.
    pub fn coerced(&self, to: Type) -> Option<Self> {
        match &self.constant {
            _ if self.ty == to => Some(self.clone()),
            Constant::Text(text) if matches!(to, Type::Date | Type::Timestamp) => {
                let stored = grammar::parse(to, text).ok()?;
                Some(Self::new(format!("CAST({} AS {})", literal(&stored), to.duckdb()), to))
            }
            // GoogleSQL converts implicitly exactly where ALTER COLUMN may widen.
            constant if *constant == Constant::Any || self.ty.widens_to(to) => self.cast(to, false).ok(),
            _ => None,
        }
    }

    /// CAST, or SAFE_CAST.
    pub fn cast(&self, to: Type, safe: bool) -> Result<Self, ApiError> {
        use Type::{BigNumeric, Bool, Date, Datetime, Float64, Int64, Json, String, Timestamp};
        let (x, from) = (&self.sql, self.ty);
        let cast = |x: &str| format!("{}({x} AS {})", if safe { "TRY_CAST" } else { "CAST" }, to.duckdb());
        let bignumeric = |text: &str| format!("bq_text_bignumeric({text}, {safe})");
        // A string is checked against a pattern first, because DuckDB's casts are lenient.
        let matching = |text: &str| match pattern(to) {
            Some(pattern) => {
                format!("bq_matching({text}, {}, {}, {safe})", literal(pattern), literal(to.sql_name()))
            }
            None => text.to_owned(),
        };
        let sql = match (from, to) {
            _ if self.constant == Constant::Any => format!("CAST({x} AS {})", to.duckdb()),
            _ if from == to => x.clone(),
            (Json | Datetime, _) | (_, Json | Datetime) => return Err(invalid_cast(from, to)),
            (_, String) => self.text(),
            (String, BigNumeric) => bignumeric(&matching(x)),
            (String, _) => cast(&matching(x)),
            (Int64, BigNumeric) => format!("bq_int64_bignumeric({x})"),
            // The full expansion of the double: the double 0.1 is not exactly 0.1.
            (Float64, BigNumeric) => bignumeric(&matching(&format!("printf('%.60f', {x})"))),
            (Float64, Int64) => cast(&format!("round({x})")),
            (BigNumeric, Int64) => cast(&format!("bq_scaled({}, 0)", self.text())),
            (BigNumeric, Float64) => cast(&self.text()),
            (Int64, Float64 | Bool) | (Bool, Int64) | (Timestamp, Date) | (Date, Timestamp) => cast(x),
            _ => return Err(invalid_cast(from, to)),
        };
        Ok(Self::new(sql, to))
    }

    /// The value as text, as CAST to STRING writes it.
    fn text(&self) -> String {
        let x = &self.sql;
        match self.ty {
            Type::String => x.clone(),
            Type::BigNumeric => format!("bq_bignumeric_text({x})"),
            Type::Float64 => format!("bq_float_text({x})"),
            Type::Timestamp => format!("bq_timestamp_text({x})"),
            // A map is never the value of an expression.
            _ => format!("CAST({x} AS VARCHAR)"),
        }
    }
}

fn invalid_cast(from: Type, to: Type) -> ApiError {
    ApiError::invalid_query(format!("Invalid cast from {} to {}", from.sql_name(), to.sql_name()))
}

/// The pattern of texts that can be cast to the type.
fn pattern(to: Type) -> Option<&'static str> {
    Some(match to {
        Type::String | Type::Datetime | Type::Json | Type::StringMap | Type::Float64Map => return None,
        Type::Int64 => r"\s*[+-]?[0-9]+\s*",
        Type::Float64 => r"(?i:\s*[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?|inf(inity)?|nan)\s*)",
        Type::BigNumeric => r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*",
        Type::Bool => "(?i:true|false)",
        Type::Date => r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*",
        Type::Timestamp => {
            r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{1,6})?)?\s*(Z|UTC|[+-][0-9]{1,2}(:[0-9]{2})?)?\s*"
        }
    })
}

/// Converts all expressions to the first type that fits all of them.
pub fn unify(items: &[Typed], what: &str) -> Result<Vec<Typed>, ApiError> {
    let all = |ty: Type| items.iter().map(|item| item.coerced(ty)).collect::<Option<Vec<_>>>();
    items.iter().find_map(|item| all(item.ty)).ok_or_else(|| {
        let names: Vec<&str> = items.iter().map(|item| item.ty.sql_name()).collect();
        ApiError::invalid_query(format!("No matching signature for {what} for argument types: {}", names.join(", ")))
    })
}
