//! Reads a job's files into a temporary table, checked value by value.

use std::sync::Arc;

use duckdb::{Connection, appender_params_from_iter};

use super::{
    config::LoadConfig,
    csv::{Reader, Row},
    reconcile::reconcile,
    source,
};
use crate::{
    api::jobs::blocking,
    error::{ErrorProto, JobError},
    grammar,
    server::Server,
    types::{Field, Type},
};

/// Errors listed in `status.errors`; the service lists a few as well.
const MAX_DETAILS: usize = 5;

/// Files read and checked, not yet visible.
pub struct Staged {
    pub config: LoadConfig,
    /// Holds the temporary table `staged` with the text columns `c0`, `c1`, ...
    pub connection: Connection,
    pub fields: Vec<Field>,
    pub files: usize,
    pub file_bytes: usize,
    pub rows: usize,
    pub bad_records: usize,
}

/// Fetches and reads the files.
pub async fn stage(server: &Arc<Server>, config: LoadConfig) -> Result<Staged, JobError> {
    let fields = expected_fields(server, &config)?;
    let mut files = Vec::with_capacity(config.uris.len());
    for uri in &config.uris {
        files.push((uri.clone(), source::fetch(server, uri).await?));
    }
    let server = Arc::clone(server);
    blocking(move || read_all(&server, config, fields, files)).await
}

fn expected_fields(server: &Server, config: &LoadConfig) -> Result<Vec<Field>, JobError> {
    let catalog = server.catalog();
    catalog.dataset(&config.table.dataset)?;
    match catalog.table(&config.table) {
        Ok(table) => {
            reconcile(config, table, server.options.strict_missing_columns)?;
            Ok(config.fields.as_ref().unwrap_or(&table.fields).clone())
        }
        Err(missing) if !config.create_if_needed => Err(missing.into()),
        Err(_) => config.fields.clone().ok_or_else(|| JobError::invalid("No schema specified on job or table.")),
    }
}

fn read_all(
    server: &Server,
    config: LoadConfig,
    fields: Vec<Field>,
    files: Vec<(String, Vec<u8>)>,
) -> Result<Staged, JobError> {
    let packed = files.iter().filter(|(_, bytes)| source::is_gzip(bytes)).count();
    if packed > 0 && packed < files.iter().filter(|(_, bytes)| !bytes.is_empty()).count() {
        return Err(JobError::invalid("Cannot load compressed and uncompressed files in one job."));
    }
    let connection = server.warehouse.connect()?;
    let columns: Vec<String> = (0..fields.len()).map(|at| format!("c{at} VARCHAR")).collect();
    connection.execute_batch(&format!("CREATE TEMP TABLE staged ({})", columns.join(", ")))?;
    let mut reading = Reading {
        config: &config,
        fields: &fields,
        empty_string_as_null: server.options.empty_string_as_null,
        rows: 0,
        errors: Vec::new(),
        bad_records: 0,
    };
    let mut file_bytes = 0;
    let count = files.len();
    for (uri, bytes) in files {
        file_bytes += bytes.len();
        reading.file(&connection, &uri, &source::unpack(&uri, bytes)?)?;
    }
    let (rows, bad_records) = (reading.rows, reading.bad_records);
    Ok(Staged { connection, fields, files: count, file_bytes, rows, bad_records, config })
}

struct Reading<'a> {
    config: &'a LoadConfig,
    fields: &'a [Field],
    empty_string_as_null: bool,
    rows: usize,
    bad_records: usize,
    errors: Vec<ErrorProto>,
}

impl Reading<'_> {
    fn file(&mut self, connection: &Connection, uri: &str, bytes: &[u8]) -> Result<(), JobError> {
        let options = &self.config.csv;
        let mut appender = connection.appender_to_catalog_and_db("staged", "temp", "main")?;
        for row in Reader::new(bytes, options.allow_quoted_newlines).skip(options.skip_leading_rows) {
            let values = match row {
                Ok(row) => self.values(&row),
                Err(malformed) => Err(format!(
                    "Error detected while parsing row starting at position: {}. Error: {}",
                    malformed.start, malformed.message
                )),
            };
            match values {
                Ok(values) => {
                    appender.append_row(appender_params_from_iter(values))?;
                    self.rows += 1;
                }
                Err(message) => self.bad_row(uri, &message)?,
            }
        }
        appender.flush()?;
        Ok(())
    }

    fn values(&self, row: &Row) -> Result<Vec<Option<String>>, String> {
        let options = &self.config.csv;
        let (found, expected) = (row.cells.len(), self.fields.len());
        if found > expected && !options.ignore_unknown_values {
            return Err(format!(
                "Too many values in row starting at position: {}. Found {found} column(s) while expected {expected}.",
                row.start
            ));
        }
        if found < expected && !options.allow_jagged_rows {
            return Err(format!(
                "CSV table references column position {found}, but line starting at position:{} contains only {found} \
                 columns.",
                row.start
            ));
        }
        let values = self.fields.iter().enumerate().map(|(at, field)| {
            let value = match row.cells.get(at) {
                None => None,
                Some(cell) if cell.text.is_empty() => {
                    let string = field.ty == Type::String && (cell.quoted || !self.empty_string_as_null);
                    string.then(String::new)
                }
                Some(cell) => Some(grammar::parse(field.ty, &cell.text).map_err(|why| {
                    format!(
                        "Could not parse '{}' as {} for field {} (position {at}) starting at location {} with message \
                         '{why}'",
                        cell.text,
                        field.ty.sql_name(),
                        field.name,
                        row.start
                    )
                })?),
            };
            if value.is_none() && field.required {
                return Err(format!(
                    "Required column value for column index: {at} is missing in row starting at position: {}",
                    row.start
                ));
            }
            Ok(value)
        });
        values.collect()
    }

    /// Counts a bad row; too many end the job.
    fn bad_row(&mut self, uri: &str, message: &str) -> Result<(), JobError> {
        self.bad_records += 1;
        if self.errors.len() < MAX_DETAILS {
            self.errors.push(ErrorProto {
                reason: "invalid".to_owned(),
                message: format!("Error while reading data, error message: {message} File: {uri}"),
                location: Some(uri.to_owned()),
            });
        }
        if self.bad_records <= self.config.csv.max_bad_records {
            return Ok(());
        }
        let mut error = JobError::invalid(format!(
            "Error while reading data, error message: CSV table encountered too many errors, giving up. Rows: {}; \
             errors: {}. Please look into the errors[] collection for more details.",
            self.rows + self.bad_records,
            self.bad_records
        ))
        .at(uri);
        error.details = std::mem::take(&mut self.errors);
        Err(error)
    }
}
