//! The raw table: for files that cannot be loaded directly into the staging table. A query then converts its rows.

use finops_core::{
    BillingPeriod,
    files::file_type::{FileType, MapForm},
    hint,
    model::text::excerpt,
};
use serde_json::{Value, json};

use super::cast::{is_staged_as_text, staged_name};
use crate::warehouse::bigquery::tables::{raw_form::RawForm, schema::sql_type};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Batch, LoadColumn, MonthLoad},
};

/// The raw table's columns: for CSV of the target's types, if a load reads them; for Parquet of the files' types.
pub fn schema(load: &MonthLoad, batch: &Batch, form: RawForm) -> Value {
    let field = |column: &LoadColumn| {
        let name = staged_name(column);
        let field_type = match column.file_type {
            FileType::Map(form) => return map(name, form),
            FileType::Text(_) | FileType::TimeText(_) if is_staged_as_text(column, load) => "STRING",
            FileType::Text(_) | FileType::TimeText(_) => sql_type(&column.column).unwrap_or("STRING"),
            FileType::String | FileType::Other => "STRING",
            // BigQuery reads nanoseconds as whole numbers (others have seen it: R2 of emulator/SEMANTICS.md).
            FileType::Int64 | FileType::Nanos => "INT64",
            FileType::Double => "FLOAT64",
            FileType::Decimal | FileType::LongDecimal => "BIGNUMERIC",
            FileType::Timestamp => "TIMESTAMP",
            // The type that BigQuery itself finds for them. Whether it loads them into TIMESTAMP is less certain (R2).
            FileType::LocalTimestamp => "DATETIME",
            FileType::Date => "DATE",
            FileType::Boolean => "BOOL",
        };
        json!({"name": name, "type": field_type})
    };
    let mut fields: Vec<Value> = batch.columns.iter().map(field).collect();
    form.set_modes(batch, &mut fields);
    json!({ "fields": fields })
}

/// BigQuery's column for a Parquet map.
fn map(name: &str, form: MapForm) -> Value {
    let value = if form.numbers { "FLOAT64" } else { "STRING" };
    let entry = json!([{"name": "key", "type": "STRING"}, {"name": "value", "type": value}]);
    let entries = json!([{"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": entry}]);
    json!({"name": name, "type": "RECORD", "fields": entries})
}

/// Refuses files with names that BigQuery does not find or that its tables cannot have: the query reads columns and entries of
/// maps by the files' names.
pub fn check_names(period: BillingPeriod, batch: &Batch) -> Result<()> {
    let is_odd = |column: &&LoadColumn| matches!(column.file_type, FileType::Map(form) if !form.by_the_book);
    if let Some(LoadColumn { column, .. }) = batch.columns.iter().find(is_odd) {
        let message = format!(
            "{period} cannot be loaded: column {} is a map in the form of old Parquet writers, where BigQuery would not find its \
             `key_value`, `key` and `value`",
            column.name
        );
        return Err(Error::new(ErrorKind::Schema, message).hint(hint::DELIVER_CSV));
    }
    let fits = |name: &str| name.len() <= 300 && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let Some(column) = batch.columns.iter().map(staged_name).find(|name| !fits(name)) else { return Ok(()) };
    let message = format!(
        "{period} cannot be loaded: its files have a column `{}`, and BigQuery takes letters, digits and underscores, at most 300",
        excerpt(column)
    );
    Err(Error::new(ErrorKind::Schema, message).hint(hint::RENAME_COLUMN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_bigquery_does_not_take_says_what_to_change() {
        use crate::warehouse::bigquery::test::{batch, column, load};
        use finops_core::model::column_type::ColumnType;
        let columns = vec![column("a", FileType::String, ColumnType::String)];
        let period = load().billing_period;
        assert!(check_names(period, &Batch { columns, ..batch() }).is_ok());
        let columns = vec![column("a-b", FileType::String, ColumnType::String)];
        let error = check_names(period, &Batch { columns, ..batch() }).unwrap_err();
        assert_eq!(error.next_step(), Some(hint::RENAME_COLUMN));
    }
}
