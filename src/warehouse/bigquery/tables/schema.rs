//! Columns in BigQuery's schemas.

use finops_core::{hint, model::column_type::ColumnType, schema::Column};
use serde_json::{Value, json};

use crate::warehouse::bigquery::api::model::{Field, TableSchema};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::FoundColumn,
};

/// A table's columns.
pub fn columns(schema: &TableSchema) -> Vec<FoundColumn> {
    let fields = schema.fields.iter();
    fields
        .map(|field| FoundColumn {
            column: Column { name: field.name.clone(), column_type: column_type(field) },
            sql_type: field.r#type.clone(),
            required: field.mode.as_deref() == Some("REQUIRED"),
        })
        .collect()
}

fn column_type(field: &Field) -> ColumnType {
    if field.mode.as_deref() == Some("REPEATED") {
        return ColumnType::Foreign;
    }
    match field.r#type.as_str() {
        "STRING" => ColumnType::String,
        "INTEGER" | "INT64" => ColumnType::Int64,
        "BIGNUMERIC" => ColumnType::Decimal,
        "TIMESTAMP" => ColumnType::Timestamp,
        "DATE" => ColumnType::Date,
        _ => ColumnType::Foreign,
    }
}

/// `columns` as a schema. All are NULLABLE: a REQUIRED column cannot be added later, and every file must have it.
///
/// # Errors
/// `Schema` for a column of a type that finops does not write.
pub fn table_schema(columns: &[Column]) -> Result<Value> {
    let fields = columns.iter().map(|column| Ok(json!({"name": column.name, "type": sql_type(column)?})));
    Ok(json!({"fields": fields.collect::<Result<Vec<_>>>()?}))
}

/// A type's name in SQL.
///
/// # Errors
/// `Schema` for a column of a type that finops does not write.
pub fn sql_type(column: &Column) -> Result<&'static str> {
    match column.column_type {
        ColumnType::Foreign => Err(unwritable(column)),
        column_type => Ok(type_name(column_type)),
    }
}

/// GoogleSQL's name of a type.
pub fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "STRING",
        ColumnType::Int64 => "INT64",
        ColumnType::Decimal => "BIGNUMERIC",
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Date => "DATE",
        ColumnType::Foreign => "another type",
    }
}

fn unwritable(column: &Column) -> Error {
    let message = format!("column {} has a type that finops does not write", column.name);
    Error::new(ErrorKind::Schema, message).hint(hint::DROP_COLUMN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_the_same_columns() {
        use ColumnType::{Date, Decimal, Int64, String, Timestamp};
        let written: Vec<_> = [String, Int64, Decimal, Timestamp, Date]
            .map(|column_type| Column { name: column_type.to_string(), column_type })
            .into();
        let schema = serde_json::from_value(table_schema(&written).unwrap()).unwrap();
        let found: Vec<Column> = columns(&schema).into_iter().map(|found| found.column).collect();
        assert_eq!(found, written);
    }

    #[test]
    fn types_of_others_are_foreign_and_never_written() {
        let fields = [("STRING", Some("REPEATED")), ("NUMERIC", None), ("JSON", Some("NULLABLE"))];
        let fields = fields.map(|(sql_type, mode)| Field {
            name: "a".to_owned(),
            r#type: sql_type.to_owned(),
            mode: mode.map(str::to_owned),
            ..Field::default()
        });
        let columns: Vec<Column> =
            columns(&TableSchema { fields: fields.into() }).into_iter().map(|found| found.column).collect();
        assert!(columns.iter().all(|column| column.column_type == ColumnType::Foreign));
        assert_eq!(table_schema(&columns).unwrap_err().next_step(), Some(hint::DROP_COLUMN));
        assert!(sql_type(&columns[0]).is_err());
    }
}
