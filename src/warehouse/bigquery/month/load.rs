//! The job that loads a batch of files.

use std::path::Path;

use finops_core::{
    BillingPeriod,
    files::file_type::{Conversion, FileType, TimeForm},
    hint,
    model::{column_type::ColumnType, manifest::FileFormat},
};
use serde_json::{Value, json};

use super::cast::{may_have_no_value, staged_name};
use crate::warehouse::bigquery::api::model::Field;
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Batch, LoadColumn, MonthLoad},
};

/// BigQuery's limit of source URIs for a job.
const MAX_FILES: usize = 10_000;

/// A load that appends the batch's files to a table. `schema` has their columns in the files' order, since CSV is read by
/// position. It has no partitioning or clustering: the table exists, and they would have to match.
///
/// # Errors
/// `Data` for too many files or a name that is a pattern to BigQuery, `Configuration` for several local files.
pub fn configuration(period: BillingPeriod, batch: &Batch, schema: &Value, destination: &Value) -> Result<Value> {
    if batch.files.len() > MAX_FILES {
        let found = batch.files.len();
        let message = format!("{period} comes in {found} files, and a BigQuery load job takes {MAX_FILES} at most");
        return Err(Error::new(ErrorKind::Data, message).hint(hint::FEWER_FILES));
    }
    if local_file(batch).is_some() && batch.files.len() > 1 {
        let files = batch.one_of_files();
        let message = format!("{period} comes in several local files, and a load job takes one: {files}");
        return Err(Error::new(ErrorKind::Configuration, message).hint(hint::USE_BUCKET));
    }
    if let Some(file) = batch.files.iter().find(|file| local_file(batch).is_none() && file.contains('*')) {
        let what = format!("{period} cannot be loaded: BigQuery takes the `*` in {file} for any text");
        return Err(Error::new(ErrorKind::Data, what).hint(hint::NO_STAR));
    }
    // BigQuery reads several slashes in a row as one: "Loading data from Cloud Storage", Google's documentation.
    if let Some(file) =
        batch.files.iter().find(|file| file.strip_prefix("gs://").is_some_and(|name| name.contains("//")))
    {
        let what = format!("{period} cannot be loaded: BigQuery reads no object with `//` in its name: {file}");
        return Err(Error::new(ErrorKind::Data, what).hint(hint::SET_A_PREFIX));
    }
    let mut configuration = match batch.format {
        FileFormat::Csv => json!({
            "sourceFormat": "CSV",
            "skipLeadingRows": 1,
            "allowQuotedNewlines": true,
            "maxBadRecords": 0,
            "encoding": "UTF-8",
            // An empty text means no value, quoted or not.
            "nullMarkers": [""],
            // Otherwise a NUL fails the load: `Bad character (ASCII 0) encountered` (tidb2dw#92).
            "preserveAsciiControlCharacters": true,
        }),
        // By default BigQuery reads decimals as NUMERIC, with nine digits after the point.
        FileFormat::Parquet => json!({"sourceFormat": "PARQUET", "decimalTargetTypes": ["BIGNUMERIC"]}),
    };
    if day_form(batch) == Some(TimeForm::MonthFirst) {
        configuration["dateFormat"] = "MM/DD/YYYY".into();
    }
    if local_file(batch).is_none() {
        configuration["sourceUris"] = json!(batch.files);
    }
    configuration["schema"] = schema.clone();
    configuration["destinationTable"] = destination.clone();
    configuration["createDisposition"] = "CREATE_NEVER".into();
    configuration["writeDisposition"] = "WRITE_APPEND".into();
    Ok(configuration)
}

/// The file to upload with the job, where the files are not in a bucket.
pub fn local_file(batch: &Batch) -> Option<&Path> {
    batch.files.iter().find(|file| !file.starts_with("gs://")).map(Path::new)
}

/// Whether the files can be loaded directly into a table with these fields: all columns have the table's types and names, no
/// Parquet text is empty, and all days have one format. A Parquet column that may lack values cannot go into a REQUIRED one:
/// BigQuery would put the values into other rows (python-bigquery#1692).
pub fn is_direct(load: &MonthLoad, batch: &Batch, fields: &[Field]) -> bool {
    let takes_no_null: Vec<&str> = fields
        .iter()
        .filter(|field| field.mode.as_deref() == Some("REQUIRED"))
        .map(|field| field.name.as_str())
        .collect();
    let as_it_is = |column: &LoadColumn| {
        let values = batch.values.get(&column.file_name);
        let may_be_empty = column.file_type == FileType::String && values.is_none_or(|values| values.may_be_empty);
        let may_lack = batch.format == FileFormat::Parquet
            && takes_no_null.contains(&column.column.name.as_str())
            && values.is_none_or(|values| !values.required);
        let is_same = column.reading() == Conversion::None && staged_name(column) == column.column.name;
        is_same && !may_be_empty && !may_lack && !may_have_no_value(column, load)
    };
    !batch.fills_period && batch.columns.iter().all(as_it_is) && day_form(batch) != Some(TimeForm::Other)
}

/// The format of all days in CSV files, from their first rows.
fn day_form(batch: &Batch) -> Option<TimeForm> {
    let days = batch.columns.iter().filter(|column| column.column.column_type == ColumnType::Date);
    let forms = days.filter_map(|column| match column.file_type {
        FileType::TimeText(form) => Some(form),
        _ => None,
    });
    forms.reduce(|a, b| if a == b { a } else { TimeForm::Other })
}

#[cfg(test)]
mod tests {
    use finops_core::files::column_values::ColumnValues;

    use super::*;
    use crate::warehouse::bigquery::test::{batch, column, load};

    fn job(batch: &Batch) -> Result<Value> {
        configuration(load().billing_period, batch, &Value::Null, &Value::Null)
    }

    #[test]
    fn days_are_read_by_the_load_where_all_have_one_form() {
        use ColumnType::{Date, String, Timestamp};

        let of = |forms: &[(TimeForm, ColumnType)]| {
            let columns = forms.iter().enumerate();
            let columns = columns.map(|(at, (form, to))| column(&format!("d{at}"), FileType::TimeText(*form), *to));
            let batch = Batch { columns: columns.collect(), ..batch() };
            let job = job(&batch).unwrap();
            (is_direct(&load(), &batch, &[]), job["dateFormat"].as_str().map(str::to_owned))
        };
        let month_first = Some("MM/DD/YYYY".to_owned());
        assert_eq!(of(&[(TimeForm::Day, Date), (TimeForm::Day, Date)]), (true, None));
        assert_eq!(of(&[(TimeForm::MonthFirst, Date), (TimeForm::MonthFirst, Date)]), (true, month_first.clone()));
        assert_eq!(of(&[(TimeForm::MonthFirst, Date), (TimeForm::Other, String)]), (true, month_first));
        assert_eq!(of(&[(TimeForm::MonthFirst, Date), (TimeForm::Day, Date)]), (false, None));
        assert_eq!(of(&[(TimeForm::Other, Date)]), (false, None));
        assert_eq!(of(&[(TimeForm::Moment, Timestamp), (TimeForm::Day, Date)]), (true, None));
        assert_eq!(of(&[(TimeForm::Other, Timestamp), (TimeForm::Day, Date)]), (false, None));
    }

    #[test]
    fn a_local_file_is_sent_along_and_several_are_refused() {
        let of = |files: &[&str]| {
            let files = files.iter().map(|file| (*file).to_owned()).collect();
            job(&Batch { files, ..batch() })
        };
        assert_eq!(of(&["/data/a"]).unwrap()["sourceUris"], Value::Null);
        let error = of(&["/data/a", "/data/b"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.full_message().contains("/data/a or /data/b"), "{}", error.full_message());
        assert_eq!(error.next_step(), Some(hint::USE_BUCKET));
    }

    #[test]
    fn more_files_than_a_job_takes_are_refused_before_anything_is_sent() {
        let files = vec!["gs://b/f".to_owned(); MAX_FILES + 1];
        let error = job(&Batch { files, ..batch() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.full_message().contains("10001 files"), "{}", error.full_message());
        assert_eq!(error.next_step(), Some(hint::FEWER_FILES));
    }

    #[test]
    fn an_object_that_bigquery_would_not_find_is_refused_before_anything_is_sent() {
        for file in ["gs://b//report/a.csv", "gs://b/report//a.csv"] {
            let files = vec!["gs://b/a.csv".to_owned(), file.to_owned()];
            let error = job(&Batch { files, ..batch() }).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.full_message().ends_with(file), "{}", error.full_message());
            assert_eq!(error.next_step(), Some(hint::SET_A_PREFIX));
        }
        let files = vec!["/data//a.csv".to_owned()];
        assert!(job(&Batch { files, ..batch() }).is_ok(), "a local file");
    }

    #[test]
    fn parquet_goes_straight_into_the_table_where_no_text_may_be_empty_and_no_value_missing_that_must_be_there() {
        let of = |required, may_be_empty, mode: &str| {
            let values =
                ColumnValues { required, required_parts: [false; 2], has_values: true, is_null: false, may_be_empty };
            let mut column = column("a", FileType::String, ColumnType::String);
            column.file_name = "a".to_owned();
            let batch = Batch {
                format: FileFormat::Parquet,
                columns: vec![column],
                values: [("a".to_owned(), values)].into(),
                ..batch()
            };
            is_direct(
                &load(),
                &batch,
                &[Field { name: "a".to_owned(), mode: Some(mode.to_owned()), ..Field::default() }],
            )
        };
        assert!(of(false, false, "NULLABLE") && of(true, false, "NULLABLE") && of(true, false, "REQUIRED"));
        assert!(!of(false, false, "REQUIRED"), "a value may be missing");
        assert!(!of(true, true, "NULLABLE"), "a text may be empty");
    }

    #[test]
    fn a_name_that_stands_for_other_files_too_is_refused_before_anything_is_sent() {
        let files = vec!["gs://b/ab.csv".to_owned(), "gs://b/a*.csv".to_owned()];
        let error = job(&Batch { files, ..batch() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.full_message().contains("the `*` in gs://b/a*.csv"), "{}", error.full_message());
        assert_eq!(error.next_step(), Some(hint::NO_STAR));
    }
}
