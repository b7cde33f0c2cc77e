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
    pub coerce: Coerce,
}

/// What an expression turns into where another type is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coerce {
    /// Only what the type itself does.
    No,
    /// NULL: any type.
    Null,
    /// A string literal: whatever its text reads as.
    Text(String),
    /// A STRING parameter: DATE, DATETIME or TIMESTAMP.
    Parameter,
    /// A numeric literal, by its text: any numeric type.
    Number(String),
}

impl Typed {
    pub fn new(sql: impl Into<String>, ty: Type) -> Self {
        Self { sql: sql.into(), ty, coerce: Coerce::No }
    }

    /// The expression as `to`, by the implicit conversions of GoogleSQL; `None` where there is none.
    pub fn coerced(&self, to: Type) -> Option<Self> {
        if self.ty == to {
            return Some(self.clone());
        }
        let stored = |text: &str| {
            let stored = grammar::parse(to, text).ok()?;
            Some(Self::new(format!("CAST({} AS {})", literal(&stored), to.duckdb()), to))
        };
        match &self.coerce {
            Coerce::Null => return Some(Self::new(format!("CAST(NULL AS {})", to.duckdb()), to)),
            Coerce::Text(text) if matches!(to, Type::Date | Type::DateTime | Type::Timestamp) => {
                return stored(text);
            }
            Coerce::Parameter if matches!(to, Type::Date | Type::DateTime | Type::Timestamp) => {
                return self.cast(to, false).ok();
            }
            Coerce::Number(text) if matches!(to, Type::Numeric | Type::BigNumeric | Type::Float64) => {
                return stored(text);
            }
            _ => {}
        }
        // GoogleSQL coerces implicitly exactly where ALTER COLUMN may widen.
        if !self.ty.widens_to(to) {
            return None;
        }
        self.cast(to, false).ok()
    }

    /// CAST, or SAFE_CAST.
    pub fn cast(&self, to: Type, safe: bool) -> Result<Self, ApiError> {
        use Type::{BigNumeric, Bool, Date, DateTime, Float64, Int64, Numeric, String, Timestamp};
        if self.ty == to {
            return Ok(self.clone());
        }
        if self.coerce == Coerce::Null {
            return Ok(Self::new(format!("CAST(NULL AS {})", to.duckdb()), to));
        }
        let x = &self.sql;
        // A string is looked at by a grammar of ours before DuckDB, which is lenient, sees it.
        let text = |test: &str| {
            if safe {
                format!("bq_safe({x}, {test}({x}))")
            } else {
                format!("bq_checked({x}, {test}({x}), {})", literal(to.sql_name()))
            }
        };
        let sql = match (self.ty, to) {
            (String, Int64) => format!("CAST({} AS BIGINT)", text("bq_is_int")),
            (String, Float64) => format!("CAST({} AS DOUBLE)", text("bq_is_float")),
            (String, Bool) => format!("CAST({} AS BOOLEAN)", text("bq_is_bool")),
            (String, Date) => format!("CAST({} AS DATE)", text("bq_is_date")),
            (String, Timestamp | DateTime) => {
                format!("bq_text_timestamp({})", text("bq_is_timestamp"))
            }
            (String, Numeric) => format!("CAST({} AS DECIMAL(38,9))", text("bq_is_decimal")),
            (String, BigNumeric) => format!("bq_text_bignumeric({})", text("bq_is_decimal")),
            (Int64 | Bool | Date, String) => format!("CAST({x} AS VARCHAR)"),
            (Float64, String) => format!("bq_float_text({x})"),
            (Numeric, String) => format!("bq_numeric_text({x})"),
            (BigNumeric, String) => format!("bq_bignumeric_text({x})"),
            (Timestamp, String) => format!("bq_timestamp_text({x})"),
            (Int64, BigNumeric) => format!("bq_int_bignumeric({x})"),
            (Numeric, BigNumeric) => format!("bq_numeric_bignumeric({x})"),
            (BigNumeric, Float64) => format!("CAST(bq_bignumeric_text({x}) AS DOUBLE)"),
            (Int64, Numeric | Float64 | Bool)
            | (Numeric, Float64)
            | (Bool, Int64)
            | (Date, Timestamp | DateTime)
            | (Timestamp | DateTime, Date | Timestamp | DateTime) => {
                format!("CAST({x} AS {})", to.duckdb())
            }
            _ => {
                return Err(ApiError::invalid_query(format!(
                    "Invalid cast from {} to {}",
                    self.ty.sql_name(),
                    to.sql_name()
                )));
            }
        };
        Ok(Self::new(sql, to))
    }
}

/// The type that two expressions have in common, with both as that type.
pub fn unify(left: &Typed, right: &Typed) -> Option<(Typed, Typed)> {
    if let Some(right) = right.coerced(left.ty) {
        return Some((left.clone(), right));
    }
    left.coerced(right.ty).map(|left| (left, right.clone()))
}

/// All expressions as their common type.
pub fn unify_all(items: &[Typed], what: &str) -> Result<Vec<Typed>, ApiError> {
    let common =
        items.iter().map(|item| item.ty).find(|ty| items.iter().all(|item| item.coerced(*ty).is_some())).ok_or_else(
            || {
                let names: Vec<&str> = items.iter().map(|item| item.ty.sql_name()).collect();
                ApiError::invalid_query(format!(
                    "No matching signature for {what} for argument types: {}",
                    names.join(", ")
                ))
            },
        )?;
    Ok(items.iter().filter_map(|item| item.coerced(common)).collect())
}
