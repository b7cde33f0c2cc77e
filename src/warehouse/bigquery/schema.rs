//! Columns as BigQuery writes them.

use finops_core::schema::{Column, ColumnType};
use gcp_bigquery_client::model::{
    field_type::FieldType, table_field_schema::TableFieldSchema, table_schema::TableSchema,
};

use crate::error::{Error, Kind, Result};

/// A table's columns, as finops knows them.
pub(super) fn columns(schema: &TableSchema) -> Vec<Column> {
    let fields = schema.fields().as_deref().unwrap_or_default();
    fields.iter().map(|field| Column { name: field.name.clone(), column_type: column_type(field) }).collect()
}

fn column_type(field: &TableFieldSchema) -> ColumnType {
    if field.mode.as_deref() == Some("REPEATED") {
        return ColumnType::Foreign;
    }
    match field.r#type {
        FieldType::String => ColumnType::String,
        FieldType::Integer | FieldType::Int64 => ColumnType::Int64,
        FieldType::Bignumeric => ColumnType::Decimal,
        FieldType::Timestamp => ColumnType::Timestamp,
        FieldType::Date => ColumnType::Date,
        _ => ColumnType::Foreign,
    }
}

/// `columns` as a schema. Every column is NULLABLE: a REQUIRED one cannot be added later, nor be absent from a file.
///
/// # Errors
/// `Schema` for a column of a type that finops does not write.
pub(super) fn table_schema(columns: &[Column]) -> Result<TableSchema> {
    let fields = columns.iter().map(|column| {
        let field_type = match column.column_type {
            ColumnType::String => FieldType::String,
            ColumnType::Int64 => FieldType::Integer,
            ColumnType::Decimal => FieldType::Bignumeric,
            ColumnType::Timestamp => FieldType::Timestamp,
            ColumnType::Date => FieldType::Date,
            ColumnType::Foreign => return Err(unwritable(column)),
        };
        Ok(TableFieldSchema::new(&column.name, field_type))
    });
    Ok(TableSchema::new(fields.collect::<Result<_>>()?))
}

/// A type's name in SQL.
///
/// # Errors
/// `Schema` for a column of a type that finops does not write.
pub(super) fn sql_type(column: &Column) -> Result<&'static str> {
    match column.column_type {
        ColumnType::String => Ok("STRING"),
        ColumnType::Int64 => Ok("INT64"),
        ColumnType::Decimal => Ok("BIGNUMERIC"),
        ColumnType::Timestamp => Ok("TIMESTAMP"),
        ColumnType::Date => Ok("DATE"),
        ColumnType::Foreign => Err(unwritable(column)),
    }
}

fn unwritable(column: &Column) -> Error {
    let message = format!("column {} has a type that finops does not write", column.name);
    Error::new(Kind::Schema, message).hint("drop or rename that column in the table")
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
        assert_eq!(columns(&table_schema(&written).unwrap()), written);
    }

    #[test]
    fn types_of_others_are_foreign_and_never_written() {
        let mut repeated = TableFieldSchema::string("a");
        repeated.mode = Some("REPEATED".to_owned());
        let fields = vec![repeated, TableFieldSchema::numeric("b"), TableFieldSchema::json("c")];
        let columns = columns(&TableSchema::new(fields));
        assert!(columns.iter().all(|column| column.column_type == ColumnType::Foreign));
        assert!(table_schema(&columns).is_err());
        assert!(sql_type(&columns[0]).is_err());
    }
}
