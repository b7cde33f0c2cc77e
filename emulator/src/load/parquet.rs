//! Reads Parquet, columns by name. DuckDB reads the values. This module checks the types, because DuckDB would convert
//! values that BigQuery refuses.

use std::io::Write as _;

use duckdb::Connection;

use crate::{
    error::{ApiError, JobError},
    types::{Field, Type, literal, quote},
    warehouse::Warehouse,
};

/// The digits of the widest DECIMAL that DuckDB reads exactly.
const DECIMAL_DIGITS: usize = 38;

/// A top-level column of a file.
struct Column {
    name: String,
    physical: String,
    /// The converted type, or the name of the logical type where there is none.
    annotation: Option<String>,
    /// A timestamp in nanoseconds.
    nanos: bool,
    /// A timestamp that is marked as UTC.
    utc: bool,
    /// With the annotation of newer writers.
    has_logical: bool,
    digits: usize,
    scale: usize,
    /// `REQUIRED`, `OPTIONAL` or `REPEATED`.
    repetition: String,
    /// All elements of a group, depth first.
    nested: Vec<Self>,
}

/// The options of a read.
#[derive(Clone, Copy)]
pub struct ReadOptions {
    pub enum_as_string: bool,
    /// Refuse REQUIRED fields for NULLABLE columns.
    pub refuse_required_fields: bool,
    /// Refuse timestamps that are not marked as UTC for TIMESTAMP columns.
    pub refuse_local_timestamps: bool,
}

/// Reads the files into the temporary table `staged`.
pub fn read(
    connection: &Connection,
    fields: &[Field],
    files: Vec<(String, Vec<u8>)>,
    options: ReadOptions,
) -> Result<(), JobError> {
    let columns: Vec<String> =
        fields.iter().enumerate().map(|(at, field)| format!("c{at} {}", field.ty.duckdb())).collect();
    connection.execute_batch(&format!("CREATE TEMP TABLE staged ({})", columns.join(", ")))?;
    for (uri, bytes) in files {
        let unreadable =
            |error: &dyn std::fmt::Display| bad_file(&uri, &format!("Cannot read the Parquet file: {error}"));
        let mut file = tempfile::NamedTempFile::new().map_err(ApiError::internal)?;
        file.write_all(&bytes).map_err(ApiError::internal)?;
        drop(bytes);
        let path = literal(&file.path().to_string_lossy());
        let columns = columns_of(connection, &path).map_err(|error| unreadable(&error))?;
        if let Some(why) = mode_mismatch(fields, &columns, &uri, options) {
            return Err(bad_file(&uri, &why));
        }
        let values = fields.iter().map(|field| value(field, &columns, options));
        let values = values.collect::<Result<Vec<_>, _>>().map_err(|why| bad_file(&uri, &why))?.join(", ");
        let insert = format!("INSERT INTO staged SELECT {values} FROM read_parquet({path})");
        connection.execute(&insert, []).map_err(|error| unreadable(&error))?;
    }
    Ok(())
}

fn columns_of(connection: &Connection, path: &str) -> duckdb::Result<Vec<Column>> {
    let schema = format!(
        "SELECT name, type, coalesce(converted_type, split_part(logical_type, '(', 1)), repetition_type,
             num_children::VARCHAR, precision::VARCHAR, scale::VARCHAR, logical_type FROM parquet_schema({path})"
    );
    let mut elements = Warehouse::rows(connection, &schema)?.into_iter().map(|element| {
        let [name, physical, annotation, repetition, children, digits, scale, logical] =
            element.try_into().unwrap_or_else(|_| std::array::from_fn(|_| None));
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let (children, digits, scale): (usize, usize, usize) = (number(children), number(digits), number(scale));
        let repetition = repetition.unwrap_or_default();
        let (name, physical) = (name.unwrap_or_default(), physical.unwrap_or_default());
        let has = |what: &str| logical.as_deref().is_some_and(|logical| logical.contains(what));
        let (nanos, utc) = (has("NANOS=NanoSeconds"), has("isAdjustedToUTC=1"));
        let has_logical = logical.is_some();
        let column =
            Column { name, physical, annotation, nanos, utc, has_logical, digits, scale, repetition, nested: vec![] };
        (children, column)
    });
    let top_level = elements.next().map_or(0, |(children, _)| children);
    let mut columns = Vec::with_capacity(top_level);
    while columns.len() < top_level
        && let Some((mut left, mut column)) = elements.next()
    {
        while left > 0
            && let Some((children, part)) = elements.next()
        {
            left = left - 1 + children;
            column.nested.push(part);
        }
        columns.push(column);
    }
    Ok(columns)
}

impl Column {
    /// The type of the table column that accepts its values unchanged.
    fn ty(&self, enum_as_string: bool) -> Option<Type> {
        if self.is_nested() {
            return self.map();
        }
        Some(match (self.physical.as_str(), self.annotation.as_deref().unwrap_or_default()) {
            ("BYTE_ARRAY", "UTF8" | "StringType") => Type::String,
            ("BYTE_ARRAY", "ENUM" | "EnumType") if enum_as_string => Type::String,
            (_, "DECIMAL" | "DecimalType") => Type::BigNumeric,
            ("INT64", "TimestampType") if self.nanos => Type::Int64,
            ("INT64", "TIMESTAMP_MILLIS" | "TIMESTAMP_MICROS" | "TimestampType") | ("INT96", "") => Type::Timestamp,
            ("INT32", "DATE" | "DateType") => Type::Date,
            ("INT32" | "INT64", "" | "INT_8" | "INT_16" | "INT_32" | "INT_64" | "UINT_8" | "UINT_16" | "UINT_32") => {
                Type::Int64
            }
            ("FLOAT" | "DOUBLE", "") => Type::Float64,
            ("BOOLEAN", "") => Type::Bool,
            _ => return None,
        })
    }

    /// Whether it has timestamps of microseconds or milliseconds that are not marked as UTC. Old annotations mean UTC.
    fn is_local(&self) -> bool {
        self.ty(false) == Some(Type::Timestamp) && self.physical == "INT64" && self.has_logical && !self.utc
    }

    fn is_repeated(&self) -> bool {
        self.repetition == "REPEATED"
    }

    fn is_required(&self) -> bool {
        self.repetition == "REQUIRED"
    }

    fn is_nested(&self) -> bool {
        self.is_repeated() || !self.nested.is_empty()
    }

    /// The type of a map of texts or doubles.
    fn map(&self) -> Option<Type> {
        let [entries, key, value] = self.nested.as_slice() else { return None };
        let is_map = matches!(self.annotation.as_deref(), Some("MAP" | "MapType"))
            && (self.is_repeated(), entries.is_repeated()) == (false, true)
            && [&entries.name, &key.name, &value.name] == ["key_value", "key", "value"]
            && key.ty(false) == Some(Type::String);
        Type::map_of(value.ty(false)?).filter(|_| is_map)
    }
}

/// The message where a field's mode in the file does not match the schema.
fn mode_mismatch(fields: &[Field], columns: &[Column], uri: &str, options: ReadOptions) -> Option<String> {
    for field in fields {
        let Some(column) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&field.name)) else {
            continue;
        };
        let [is_key_required, is_value_required] = field.required_parts;
        let mut pairs = vec![(&column.name, column.is_required(), field.required)];
        // The elements of a map: the entry, its key and its value.
        if let ([_, key, value], true) = (column.nested.as_slice(), field.ty.map_value().is_some()) {
            pairs.push((&key.name, key.is_required(), is_key_required));
            pairs.push((&value.name, value.is_required(), is_value_required));
        }
        for (name, in_file, in_schema) in pairs {
            // BigQuery's message in 2019 (googleapis/java-bigquery#13).
            if in_file && !in_schema && options.refuse_required_fields {
                return Some(format!(
                    "Provided schema is not compatible with the file '{uri}'. Field '{name}' is specified as NULLABLE in \
                     provided schema which does not match REQUIRED as specified in the file."
                ));
            }
            // BigQuery puts the values into other rows and reports no error (python-bigquery#1692).
            if in_schema && !in_file {
                return Some(format!("The emulator does not read an OPTIONAL field into a REQUIRED column: '{name}'"));
            }
        }
    }
    None
}

/// The DuckDB expression for the stored form of a column.
fn value(field: &Field, columns: &[Column], options: ReadOptions) -> Result<String, String> {
    let Some(column) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&field.name)) else {
        return Ok("NULL".to_owned());
    };
    let (name, enum_as_string) = (quote(&column.name), options.enum_as_string);
    // A map whose groups have other names is NULL, and no error (python-bigquery#2370, PostHog#45417).
    if field.ty.map_value().is_some() && column.is_nested() && column.ty(enum_as_string).is_none() {
        return Ok("NULL".to_owned());
    }
    let takes = match field.ty {
        Type::Datetime => column.is_local(),
        Type::Timestamp if options.refuse_local_timestamps && column.is_local() => false,
        ty => column.ty(enum_as_string) == Some(ty),
    };
    if !takes {
        let annotation = column.annotation.as_deref().map_or_else(String::new, |annotation| format!(" ({annotation})"));
        return Err(format!(
            "Parquet column '{}' has type {}{annotation} which does not match the target type {}.",
            column.name,
            if column.is_nested() { "group or repeated" } else { &column.physical },
            field.ty.sql_name()
        ));
    }
    if column.nanos {
        // For these, DuckDB has cut off the nanoseconds.
        if column.utc {
            return Err(format!("The emulator does not read TIMESTAMP(NANOS) in UTC: '{}'", column.name));
        }
        return Ok(format!("epoch_ns({name})"));
    }
    if field.ty != Type::BigNumeric {
        return Ok(name);
    }
    if column.digits > DECIMAL_DIGITS {
        let name = &column.name;
        return Err(format!("The emulator does not read a DECIMAL of more than {DECIMAL_DIGITS} digits: '{name}'"));
    }
    // DuckDB writes all digits of the scale. The text without the point, plus zeros up to scale 38, is the stored integer.
    let zeros = "0".repeat(38 - column.scale);
    Ok(format!("CAST(replace(CAST({name} AS VARCHAR), '.', '') || '{zeros}' AS BIGNUM)"))
}

fn bad_file(uri: &str, message: &str) -> JobError {
    JobError::invalid(format!("Error while reading data, error message: {message} File: {uri}")).at(uri)
}
