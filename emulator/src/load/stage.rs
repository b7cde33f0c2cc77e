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
    error::JobError,
    grammar,
    server::Server,
    types::{Field, Type},
};

/// Files read and checked, not yet visible.
pub struct Staged {
    pub config: LoadConfig,
    /// Holds the temporary table `staged` with the text columns `c0`, `c1`, ...
    pub connection: Connection,
    pub fields: Vec<Field>,
    pub file_bytes: usize,
    pub rows: usize,
}

/// Fetches and reads the files.
pub async fn stage(server: &Arc<Server>, config: LoadConfig) -> Result<Staged, JobError> {
    let fields = expected_fields(server, &config)?;
    let mut files = Vec::with_capacity(config.uris.len());
    for uri in &config.uris {
        files.push(source::fetch(server, uri).await?);
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

fn read_all(server: &Server, config: LoadConfig, fields: Vec<Field>, files: Vec<Vec<u8>>) -> Result<Staged, JobError> {
    let packed = files.iter().filter(|bytes| source::is_gzip(bytes)).count();
    if packed > 0 && packed < files.iter().filter(|bytes| !bytes.is_empty()).count() {
        return Err(JobError::invalid("Cannot load compressed and uncompressed files in one job."));
    }
    let connection = server.warehouse.connect()?;
    let columns: Vec<String> = (0..fields.len()).map(|at| format!("c{at} VARCHAR")).collect();
    connection.execute_batch(&format!("CREATE TEMP TABLE staged ({})", columns.join(", ")))?;
    let mut appender = connection.appender_to_catalog_and_db("staged", "temp", "main")?;
    let (mut file_bytes, mut rows) = (0, 0);
    for (uri, bytes) in config.uris.iter().zip(files) {
        file_bytes += bytes.len();
        let bytes = source::unpack(uri, bytes)?;
        for row in Reader::new(&bytes, config.allow_quoted_newlines).skip(config.skip_leading_rows) {
            let values = row
                .map_err(|malformed| {
                    let (start, message) = (malformed.start, malformed.message);
                    format!("Error detected while parsing row starting at position: {start}. Error: {message}")
                })
                .and_then(|row| values(&row, &fields, server.options.empty_string_as_null));
            rows += 1;
            appender.append_row(appender_params_from_iter(values.map_err(|why| bad_row(uri, rows, &why))?))?;
        }
    }
    appender.flush()?;
    drop(appender);
    Ok(Staged { config, connection, fields, file_bytes, rows })
}

/// A row's values as their columns store them.
fn values(row: &Row, fields: &[Field], empty_string_as_null: bool) -> Result<Vec<Option<String>>, String> {
    let (found, expected, start) = (row.cells.len(), fields.len(), row.start);
    if found > expected {
        return Err(format!(
            "Too many values in row starting at position: {start}. Found {found} column(s) while expected {expected}."
        ));
    }
    if found < expected {
        return Err(format!(
            "CSV table references column position {found}, but line starting at position:{start} contains only {found} \
             columns."
        ));
    }
    let values = row.cells.iter().zip(fields).enumerate().map(|(at, (cell, field))| {
        let (text, kind, name) = (&cell.text, field.ty.sql_name(), &field.name);
        let value = if text.is_empty() {
            let string = field.ty == Type::String && (cell.quoted || !empty_string_as_null);
            string.then(String::new)
        } else {
            Some(grammar::parse(field.ty, text).map_err(|why| {
                format!(
                    "Could not parse '{text}' as {kind} for field {name} (position {at}) starting at location {start} \
                     with message '{why}'"
                )
            })?)
        };
        if value.is_none() && field.required {
            return Err(format!(
                "Required column value for column index: {at} is missing in row starting at position: {start}"
            ));
        }
        Ok(value)
    });
    values.collect()
}

/// The job's end at its first bad row.
fn bad_row(uri: &str, rows: usize, message: &str) -> JobError {
    let detail = Some(format!("Error while reading data, error message: {message} File: {uri}"));
    let error = JobError::invalid(format!(
        "Error while reading data, error message: CSV table encountered too many errors, giving up. Rows: {rows}; \
         errors: 1. Please look into the errors[] collection for more details."
    ));
    JobError { detail, ..error.at(uri) }
}
