//! Reads the files of a job into a temporary table and checks every value.

use std::{mem, sync::Arc};

use duckdb::{Connection, appender_params_from_iter};
use serde_json::{Value, json};

use super::{
    commit::{Incoming, write},
    config::{Csv, Format, LoadConfig, Source},
    csv::{Reader, Row},
    destination::Destination,
    parquet::{self, ReadOptions},
    reconcile::reconcile,
    source,
};
use crate::{
    api::jobs::blocking,
    error::JobError,
    grammar,
    options::Options,
    server::Server,
    types::{Field, Type},
};

/// Rows that are read and checked, but not yet visible.
pub struct Staged {
    config: LoadConfig,
    /// Has the temporary table `staged`.
    connection: Connection,
    fields: Vec<Field>,
    files: usize,
    file_bytes: usize,
}

/// Fetches and reads the files.
pub async fn stage(server: &Arc<Server>, mut config: LoadConfig) -> Result<Staged, JobError> {
    let fields = expected_fields(server, &config)?;
    let mut files = Vec::new();
    match &mut config.source {
        Source::Uris(uris) => {
            for uri in uris {
                files.push((uri.clone(), source::fetch(server, uri).await?));
            }
        }
        Source::Data(data) => files.push(("uploaded data".to_owned(), mem::take(data))),
    }
    let server = Arc::clone(server);
    blocking(move || {
        let connection = server.warehouse.connect()?;
        let (count, file_bytes) = (files.len(), files.iter().map(|(_, bytes)| bytes.len()).sum());
        match &config.format {
            Format::Csv(csv) => read_csv(&connection, &fields, files, csv, &server.options)?,
            Format::Parquet { enum_as_string } => {
                let options = ReadOptions {
                    enum_as_string: *enum_as_string,
                    refuse_required_fields: server.options.refuse_required_fields,
                    refuse_local_timestamps: server.options.refuse_local_timestamps,
                };
                parquet::read(&connection, &fields, files, options)?;
            }
        }
        Ok(Staged { config, connection, fields, files: count, file_bytes })
    })
    .await
}

/// Makes the rows visible and returns `statistics.load`.
pub fn commit(server: &Server, staged: &Staged) -> Result<Value, JobError> {
    let Staged { config, connection, fields, files, file_bytes } = staged;
    let destination = &config.destination;
    let all_columns = needs_all_columns(server, destination);
    let (rows, bytes) = write(server, &Incoming { destination, connection, fields, all_columns })?;
    Ok(json!({
        "inputFiles": files.to_string(),
        "inputFileBytes": file_bytes.to_string(),
        "outputRows": rows.to_string(),
        "outputBytes": bytes.to_string(),
        "badRecords": "0",
    }))
}

fn expected_fields(server: &Server, config: &LoadConfig) -> Result<Vec<Field>, JobError> {
    let LoadConfig { destination, fields, .. } = config;
    let catalog = server.catalog();
    catalog.dataset(&destination.target.table.dataset)?;
    match catalog.table(&destination.target.table) {
        Ok(table) => {
            reconcile(destination, fields.as_deref(), table, needs_all_columns(server, destination))?;
            Ok(fields.as_ref().unwrap_or(&table.fields).clone())
        }
        Err(missing) if !destination.create_if_needed => Err(missing.into()),
        Err(_) => fields.clone().ok_or_else(|| JobError::invalid("No schema specified on job or table.")),
    }
}

/// Whether the schema of a load must have all columns of the table. An append may always lack some.
fn needs_all_columns(server: &Server, destination: &Destination) -> bool {
    !server.options.allow_missing_columns && destination.write.replaces()
}

fn read_csv(
    connection: &Connection,
    fields: &[Field],
    files: Vec<(String, Vec<u8>)>,
    csv: &Csv,
    options: &Options,
) -> Result<(), JobError> {
    let compressed = files.iter().filter(|(_, bytes)| source::is_gzip(bytes)).count();
    if compressed > 0 && compressed < files.iter().filter(|(_, bytes)| !bytes.is_empty()).count() {
        return Err(JobError::invalid("Cannot load compressed and uncompressed files in one job."));
    }
    let columns: Vec<String> = (0..fields.len()).map(|at| format!("c{at} VARCHAR")).collect();
    connection.execute_batch(&format!("CREATE TEMP TABLE staged ({})", columns.join(", ")))?;
    let mut appender = connection.appender_to_catalog_and_db("staged", "temp", "main")?;
    let mut rows = 0;
    for (uri, bytes) in files {
        let bytes = source::decompress(&uri, bytes)?;
        let is_row = |row: &Result<Row, _>| fields.len() == 1 || !row.as_ref().is_ok_and(Row::is_empty_line);
        for row in Reader::new(&bytes, csv.allow_quoted_newlines).skip(csv.skip_leading_rows).filter(is_row) {
            let values = row
                .map_err(|malformed| {
                    let (start, message) = (malformed.start, malformed.message);
                    format!("Error detected while parsing row starting at position: {start}. Error: {message}")
                })
                .and_then(|row| values(&row, fields, csv, options));
            rows += 1;
            appender.append_row(appender_params_from_iter(values.map_err(|why| bad_row(&uri, rows, &why))?))?;
        }
    }
    Ok(appender.flush()?)
}

/// The stored values of a row.
fn values(row: &Row, fields: &[Field], csv: &Csv, options: &Options) -> Result<Vec<Option<String>>, String> {
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
        if text.contains('\0') && !csv.control_characters {
            return Err(format!("Bad character (ASCII 0) encountered: field starts with: <{}>", text.escape_debug()));
        }
        let value = if text.is_empty() {
            let is_text = field.ty == Type::String && !csv.empty_is_null;
            (is_text && (cell.quoted || options.empty_fields_as_text)).then(String::new)
        } else {
            let parsed = match csv.date_format {
                Some(format) if field.ty == Type::Date => grammar::date_in(format, text),
                _ if field.ty == Type::BigNumeric && options.refuse_exponents && text.contains(['e', 'E']) => {
                    Err("Invalid BIGNUMERIC value".to_owned())
                }
                _ => grammar::parse(field.ty, text),
            };
            Some(parsed.map_err(|why| {
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

/// The error of a job at its first bad row.
fn bad_row(uri: &str, rows: usize, message: &str) -> JobError {
    let detail = Some(format!("Error while reading data, error message: {message} File: {uri}"));
    let error = JobError::invalid(format!(
        "Error while reading data, error message: CSV table encountered too many errors, giving up. Rows: {rows}; \
         errors: 1. Please look into the errors[] collection for more details."
    ));
    JobError { detail, ..error.at(uri) }
}
