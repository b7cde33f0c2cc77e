//! Column types and fields, in REST and in DuckDB form.

use serde_json::{Value, json};

use crate::error::ApiError;

/// A BigQuery column type that the emulator stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    String,
    Int64,
    Float64,
    Numeric,
    BigNumeric,
    Bool,
    Timestamp,
    Date,
    Json,
}

impl Type {
    /// The type of a name in REST schemas or SQL; `None` where the emulator lacks it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "STRING" => Self::String,
            "INTEGER" | "INT64" | "INT" => Self::Int64,
            "FLOAT" | "FLOAT64" => Self::Float64,
            "NUMERIC" | "DECIMAL" => Self::Numeric,
            "BIGNUMERIC" | "BIGDECIMAL" => Self::BigNumeric,
            "BOOLEAN" | "BOOL" => Self::Bool,
            "TIMESTAMP" => Self::Timestamp,
            "DATE" => Self::Date,
            "JSON" => Self::Json,
            _ => return None,
        })
    }

    /// The name in REST schemas; the API keeps the legacy names there.
    pub fn rest_name(self) -> &'static str {
        match self {
            Self::Int64 => "INTEGER",
            Self::Float64 => "FLOAT",
            Self::Bool => "BOOLEAN",
            other => other.sql_name(),
        }
    }

    /// The name in GoogleSQL, as messages about queries use it.
    pub fn sql_name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Int64 => "INT64",
            Self::Float64 => "FLOAT64",
            Self::Numeric => "NUMERIC",
            Self::BigNumeric => "BIGNUMERIC",
            Self::Bool => "BOOL",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Json => "JSON",
        }
    }

    /// The DuckDB type that holds it.
    ///
    /// A BIGNUMERIC is the integer value * 10^38 in a BIGNUM (arbitrary precision, exact SUM and
    /// order), since DuckDB's DECIMAL stops at 38 digits. Timestamps are UTC without zone.
    pub fn duckdb(self) -> &'static str {
        match self {
            Self::String => "VARCHAR",
            Self::Int64 => "BIGINT",
            Self::Float64 => "DOUBLE",
            Self::Numeric => "DECIMAL(38,9)",
            Self::BigNumeric => "BIGNUM",
            Self::Bool => "BOOLEAN",
            Self::Timestamp => "TIMESTAMP",
            Self::Date => "DATE",
            Self::Json => "JSON",
        }
    }

    /// Whether sums and signs apply to it.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int64 | Self::Float64 | Self::Numeric | Self::BigNumeric)
    }

    /// Whether `ALTER COLUMN SET DATA TYPE` may turn this type into `to`.
    pub fn widens_to(self, to: Self) -> bool {
        self == to
            || matches!(
                (self, to),
                (Self::Int64, Self::Numeric | Self::BigNumeric | Self::Float64)
                    | (Self::Numeric, Self::BigNumeric | Self::Float64)
                    | (Self::BigNumeric, Self::Float64)
            )
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    pub description: Option<String>,
}

impl Field {
    /// A nullable column without description.
    pub fn nullable(name: impl Into<String>, ty: Type) -> Self {
        Self { name: name.into(), ty, required: false, description: None }
    }

    /// Reads a `TableFieldSchema`.
    pub fn from_rest(value: &Value) -> Result<Self, ApiError> {
        let object = value.as_object().ok_or_else(|| ApiError::invalid(format!("Invalid field schema: {value}")))?;
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let name = text("name").filter(|name| is_column_name(name)).ok_or_else(|| {
            ApiError::invalid(format!(
                "Invalid field name {}. Fields must contain only letters, numbers, and underscores, start with a \
                 letter or underscore, and be at most 300 characters long.",
                object.get("name").unwrap_or(&Value::Null)
            ))
        })?;
        if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "name" | "type" | "mode" | "description")) {
            return Err(ApiError::not_implemented(format!("schema field {name}: key `{key}`")));
        }
        let type_name =
            text("type").ok_or_else(|| ApiError::invalid(format!("Field {name} is missing its type in the schema")))?;
        let ty = Type::from_name(type_name)
            .ok_or_else(|| ApiError::not_implemented(format!("schema field {name}: type {type_name}")))?;
        let required = match text("mode").unwrap_or("NULLABLE") {
            "" | "NULLABLE" => false,
            "REQUIRED" => true,
            mode => {
                return Err(ApiError::not_implemented(format!("schema field {name}: mode {mode}")));
            }
        };
        Ok(Self { name: name.to_owned(), ty, required, description: text("description").map(str::to_owned) })
    }

    /// The `TableFieldSchema`.
    pub fn to_rest(&self) -> Value {
        let mut value = json!({"name": self.name, "type": self.ty.rest_name(), "mode": self.mode()});
        if let Some(description) = &self.description {
            value["description"] = json!(description);
        }
        value
    }

    /// `REQUIRED` or `NULLABLE`.
    pub fn mode(&self) -> &'static str {
        if self.required { "REQUIRED" } else { "NULLABLE" }
    }

    /// The column definition in a DuckDB CREATE TABLE.
    pub fn ddl(&self) -> String {
        let not_null = if self.required { " NOT NULL" } else { "" };
        format!("{} {}{not_null}", quote(&self.name), self.ty.duckdb())
    }
}

/// Reads a `TableSchema`; names must be unique ignoring case.
pub fn fields_from_rest(schema: &Value) -> Result<Vec<Field>, ApiError> {
    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields = fields.iter().map(Field::from_rest).collect::<Result<Vec<_>, _>>()?;
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&field.name)) {
            return Err(ApiError::invalid(format!("Duplicate field name {} in schema", field.name)));
        }
    }
    Ok(fields)
}

/// The `TableSchema`.
pub fn fields_to_rest(fields: &[Field]) -> Value {
    json!({"fields": fields.iter().map(Field::to_rest).collect::<Vec<_>>()})
}

/// Finds a column ignoring case, as BigQuery does.
pub fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
}

/// A quoted DuckDB identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted DuckDB string.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn is_column_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.chars().count() <= 300
        && chars.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}
