//! Column types and fields, in REST and in DuckDB form.

use serde_json::{Value, json};

use crate::{api::only_keys, error::ApiError, rest::without_nulls};

/// A BigQuery column type that the emulator stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    String,
    Int64,
    Float64,
    BigNumeric,
    Bool,
    Timestamp,
    Date,
    /// Only in tables that a load job fills, and as the argument of `TIMESTAMP`.
    Datetime,
    Json,
    /// The type of a Parquet map: a record with a repeated record `key_value` of a text `key` and a text `value`.
    StringMap,
    /// The same with a FLOAT64 `value`.
    Float64Map,
}

impl Type {
    const ALL: [Self; 9] = [
        Self::String,
        Self::Int64,
        Self::Float64,
        Self::BigNumeric,
        Self::Bool,
        Self::Timestamp,
        Self::Date,
        Self::Datetime,
        Self::Json,
    ];

    /// The name in GoogleSQL, the legacy name in REST schemas, and the DuckDB type of stored values.
    ///
    /// A BIGNUMERIC is stored as the integer value * 10^38 in a BIGNUM (arbitrary precision, exact SUM and order), because
    /// DuckDB's DECIMAL ends at 38 digits. Timestamps are UTC without zone.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::String => ("STRING", "STRING", "VARCHAR"),
            Self::Int64 => ("INT64", "INTEGER", "BIGINT"),
            Self::Float64 => ("FLOAT64", "FLOAT", "DOUBLE"),
            Self::BigNumeric => ("BIGNUMERIC", "BIGNUMERIC", "BIGNUM"),
            Self::Bool => ("BOOL", "BOOLEAN", "BOOLEAN"),
            Self::Timestamp => ("TIMESTAMP", "TIMESTAMP", "TIMESTAMP"),
            Self::Date => ("DATE", "DATE", "DATE"),
            Self::Datetime => ("DATETIME", "DATETIME", "TIMESTAMP"),
            Self::Json => ("JSON", "JSON", "JSON"),
            Self::StringMap => ("STRUCT", "RECORD", "MAP(VARCHAR, VARCHAR)"),
            Self::Float64Map => ("STRUCT", "RECORD", "MAP(VARCHAR, DOUBLE)"),
        }
    }

    /// The type of a map's values; `None` for all other types.
    pub fn map_value(self) -> Option<Self> {
        match self {
            Self::StringMap => Some(Self::String),
            Self::Float64Map => Some(Self::Float64),
            _ => None,
        }
    }

    /// The map type with values of this type.
    pub fn map_of(value: Self) -> Option<Self> {
        [Self::StringMap, Self::Float64Map].into_iter().find(|map| map.map_value() == Some(value))
    }

    /// The map type of a record, and whether keys and values are required; `None` for other records.
    fn of_record(name: &str, fields: &[Value]) -> Option<(Self, [bool; 2])> {
        let [entries] = fields else { return None };
        let [key, value] = entries["fields"].as_array()?.as_slice() else { return None };
        only_keys(entries, "", "name type mode fields").ok()?;
        let given = ["name", "type", "mode"].map(|key| entries[key].as_str().unwrap_or_default());
        let (key, value) = (Field::from_rest(key).ok()?, Field::from_rest(value).ok()?);
        let plain =
            |part: &Field, name: &str| *part == Field { required: part.required, ..Field::nullable(name, part.ty) };
        let is_map = matches!((name, given), ("RECORD" | "STRUCT", ["key_value", "RECORD" | "STRUCT", "REPEATED"]))
            && (key.ty, plain(&key, "key"), plain(&value, "value")) == (Self::String, true, true);
        Self::map_of(value.ty).filter(|_| is_map).map(|map| (map, [key.required, value.required]))
    }

    /// The type with this name in REST schemas or SQL; `None` where the emulator lacks it.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        Self::ALL.into_iter().find(|ty| [ty.sql_name(), ty.rest_name()].contains(&name.as_str()))
    }

    /// The name in REST schemas.
    pub fn rest_name(self) -> &'static str {
        self.names().1
    }

    /// The name in GoogleSQL and in messages about queries.
    pub fn sql_name(self) -> &'static str {
        self.names().0
    }

    /// The DuckDB type of stored values.
    pub fn duckdb(self) -> &'static str {
        self.names().2
    }

    /// Whether it is a type of numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int64 | Self::Float64 | Self::BigNumeric)
    }

    /// Whether `ALTER COLUMN SET DATA TYPE` may turn this type into `to`.
    pub fn widens_to(self, to: Self) -> bool {
        use Type::{BigNumeric, Float64, Int64};
        self == to || matches!((self, to), (Int64, BigNumeric | Float64) | (BigNumeric, Float64))
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    /// For a map: whether keys and values are required.
    pub required_parts: [bool; 2],
    pub description: Option<String>,
    /// `policyTags`, unchanged.
    pub policy_tags: Option<Value>,
}

impl Field {
    /// A nullable column.
    pub fn nullable(name: impl Into<String>, ty: Type) -> Self {
        Self {
            name: name.into(),
            ty,
            required: false,
            required_parts: [false; 2],
            description: None,
            policy_tags: None,
        }
    }

    /// Reads a `TableFieldSchema`.
    pub fn from_rest(value: &Value) -> Result<Self, ApiError> {
        only_keys(value, "schema.fields", "name type mode description fields policyTags")?;
        let text = |key: &str| value[key].as_str();
        let name = text("name").filter(|name| is_column_name(name)).ok_or_else(|| {
            ApiError::invalid(format!(
                "Invalid field name {}. Fields must contain only letters, numbers, and underscores, start with a \
                 letter or underscore, and be at most 300 characters long.",
                value["name"]
            ))
        })?;
        let type_name =
            text("type").ok_or_else(|| ApiError::invalid(format!("Field {name} is missing its type in the schema")))?;
        let ty = match value["fields"].as_array() {
            Some(fields) if !fields.is_empty() => Type::of_record(type_name, fields),
            _ => Type::from_name(type_name).map(|ty| (ty, [false; 2])),
        };
        let (ty, required_parts) =
            ty.ok_or_else(|| ApiError::not_implemented(format!("schema field {name}: type {type_name}")))?;
        let required = match text("mode").unwrap_or("NULLABLE") {
            "" | "NULLABLE" => false,
            "REQUIRED" => true,
            mode => return Err(ApiError::not_implemented(format!("schema field {name}: mode {mode}"))),
        };
        only_keys(&value["policyTags"], "schema.fields.policyTags", "names")?;
        let policy_tags = value.get("policyTags").filter(|tags| tags.is_object()).cloned();
        let description = text("description").map(str::to_owned);
        Ok(Self { name: name.to_owned(), ty, required, required_parts, description, policy_tags })
    }

    /// The `TableFieldSchema`.
    pub fn to_rest(&self) -> Value {
        let (name, ty, mode) = (&self.name, self.ty.rest_name(), self.mode());
        let fields = self.ty.map_value().map(|value| {
            let parts = [("key", Type::String), ("value", value)].into_iter().zip(self.required_parts);
            let entry = parts.map(|((name, ty), required)| Self { required, ..Self::nullable(name, ty) }.to_rest());
            let entry: Vec<Value> = entry.collect();
            json!([{"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": entry}])
        });
        without_nulls(json!({
            "name": name,
            "type": ty,
            "mode": mode,
            "description": self.description,
            "policyTags": self.policy_tags,
            "fields": fields,
        }))
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

/// Reads a `TableSchema`. Names must be unique, ignoring case.
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

/// The quoted names of columns, with commas between them.
pub fn column_list(fields: &[Field]) -> String {
    fields.iter().map(|field| quote(&field.name)).collect::<Vec<_>>().join(", ")
}

/// A quoted DuckDB identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The allowed differences between the schema of a table and a new schema.
pub struct Allow {
    /// New nullable columns.
    pub addition: bool,
    /// The new schema lacks nullable columns of the table.
    pub missing: bool,
}

/// Returns the columns that the new schema adds. The first difference that is not allowed is an error in BigQuery's words.
pub fn added_fields(old: &[Field], new: &[Field], allow: &Allow) -> Result<Vec<Field>, String> {
    for old in old {
        let name = &old.name;
        match find(new, name) {
            None if old.required || !allow.missing => return Err(format!("Field {name} is missing in new schema")),
            Some(new) if new.ty != old.ty => {
                let (from, to) = (old.ty.rest_name(), new.ty.rest_name());
                return Err(format!("Field {name} has changed type from {from} to {to}"));
            }
            Some(new) if (new.required, new.required_parts) != (old.required, old.required_parts) => {
                return Err(format!("Field {name} has changed mode from {} to {}", old.mode(), new.mode()));
            }
            _ => {}
        }
    }
    let added: Vec<Field> = new.iter().filter(|new| find(old, &new.name).is_none()).cloned().collect();
    if let Some(field) = added.iter().find(|field| field.required || !allow.addition) {
        let required = if allow.addition { "required " } else { "" };
        return Err(format!("Cannot add {required}fields (field: {})", field.name));
    }
    Ok(added)
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
