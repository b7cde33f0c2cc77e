//! `configuration.load`

use serde_json::Value;

use super::destination::{Destination, KEYS};
use crate::{
    api::{int64, only_keys},
    error::ApiError,
    grammar::DateFormat,
    types::{Field, fields_from_rest},
};

const MAX_URIS: usize = 10_000;

/// The configuration of a load job.
pub struct LoadConfig {
    pub source: Source,
    pub destination: Destination,
    pub fields: Option<Vec<Field>>,
    pub format: Format,
}

/// The source of the files.
pub enum Source {
    Uris(Vec<String>),
    /// The uploaded data.
    Data(Vec<u8>),
}

/// `sourceFormat` and its options.
pub enum Format {
    Csv(Csv),
    Parquet { enum_as_string: bool },
}

/// The options of CSV.
pub struct Csv {
    pub skip_leading_rows: usize,
    pub allow_quoted_newlines: bool,
    pub date_format: Option<DateFormat>,
    /// `nullMarkers` has the empty text: an empty field is NULL in every column, quoted or not.
    pub empty_is_null: bool,
    /// `preserveAsciiControlCharacters`: fields may contain NUL.
    pub control_characters: bool,
}

const SHARED: &str = "sourceUris sourceFormat schema maxBadRecords";
const CSV: &str = "skipLeadingRows allowQuotedNewlines encoding fieldDelimiter quote nullMarker nullMarkers dateFormat \
                   preserveAsciiControlCharacters";
const PARQUET: &str = "decimalTargetTypes parquetOptions";

/// Options for which only one value is accepted.
const DEFAULTS: [(&str, &str); 5] =
    [("maxBadRecords", "0"), ("encoding", "UTF-8"), ("fieldDelimiter", ","), ("quote", "\""), ("nullMarker", "")];

impl LoadConfig {
    /// Reads the object. It names no files where `data` was uploaded.
    pub fn from_rest(load: &Value, project: &str, data: Option<Vec<u8>>) -> Result<Self, ApiError> {
        for (key, allowed) in DEFAULTS {
            let given = match &load[key] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if given != allowed {
                return Err(ApiError::not_implemented(format!("configuration.load.{key} = {given}")));
            }
        }
        let fields = Some(fields_from_rest(&load["schema"])?).filter(|fields| !fields.is_empty());
        Ok(Self {
            format: Format::from_rest(load, fields.is_some())?,
            source: match data {
                Some(_) if !load["sourceUris"].is_null() => {
                    return Err(ApiError::invalid("A load of uploaded data must not have sourceUris."));
                }
                Some(data) => Source::Data(data),
                None => Source::Uris(uris(&load["sourceUris"])?),
            },
            destination: Destination::from_rest(load, "load", project, "WRITE_APPEND")?,
            fields,
        })
    }
}

impl Format {
    fn from_rest(load: &Value, has_schema: bool) -> Result<Self, ApiError> {
        let check_keys = |own: &str| only_keys(load, "configuration.load", &format!("{SHARED} {KEYS} {own}"));
        match load["sourceFormat"].as_str().unwrap_or("CSV") {
            "CSV" => {
                check_keys(CSV)?;
                let skipped = int64(&load["skipLeadingRows"]).and_then(|rows| usize::try_from(rows).ok());
                Ok(Self::Csv(Csv {
                    skip_leading_rows: skipped.unwrap_or(0),
                    allow_quoted_newlines: load["allowQuotedNewlines"] == true,
                    date_format: date_format(&load["dateFormat"])?,
                    empty_is_null: empty_is_null(load)?,
                    control_characters: load["preserveAsciiControlCharacters"] == true,
                }))
            }
            "PARQUET" => {
                check_keys(PARQUET)?;
                let options = &load["parquetOptions"];
                only_keys(options, "configuration.load.parquetOptions", "enumAsString enableListInference")?;
                if !has_schema {
                    return Err(ApiError::not_implemented("a Parquet load without schema"));
                }
                Ok(Self::Parquet { enum_as_string: options["enumAsString"] == true })
            }
            other => Err(ApiError::not_implemented(format!("configuration.load.sourceFormat = {other}"))),
        }
    }
}

fn date_format(value: &Value) -> Result<Option<DateFormat>, ApiError> {
    match value.as_str() {
        None => Ok(None),
        Some("YYYY-MM-DD") => Ok(Some(DateFormat { separator: '-', year_first: true })),
        Some("MM/DD/YYYY") => Ok(Some(DateFormat { separator: '/', year_first: false })),
        Some(other) => Err(ApiError::not_implemented(format!("configuration.load.dateFormat = {other}"))),
    }
}

fn empty_is_null(load: &Value) -> Result<bool, ApiError> {
    let markers = &load["nullMarkers"];
    match markers.as_array().map(Vec::as_slice) {
        None | Some([]) => Ok(false),
        Some(_) if load["nullMarker"].is_string() => {
            Err(ApiError::invalid("nullMarker and nullMarkers cannot be set at the same time."))
        }
        Some([marker]) if marker == "" => Ok(true),
        Some(_) => Err(ApiError::not_implemented(format!("configuration.load.nullMarkers = {markers}"))),
    }
}

fn uris(value: &Value) -> Result<Vec<String>, ApiError> {
    let uris: Vec<String> =
        value.as_array().into_iter().flatten().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    if uris.is_empty() {
        return Err(ApiError::missing("load.sourceUris"));
    }
    if uris.len() > MAX_URIS {
        let found = uris.len();
        return Err(ApiError::invalid(format!("Too many source URIs: {found}. A job can have at most {MAX_URIS}.")));
    }
    for uri in &uris {
        let object = uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/'));
        if !object.is_some_and(|(bucket, object)| !bucket.is_empty() && !object.is_empty()) {
            return Err(ApiError::invalid(format!("Source URI must be a Google Cloud Storage location: {uri}")));
        }
        if uri.contains('*') {
            return Err(ApiError::not_implemented(format!("wildcards in source URIs ({uri})")));
        }
    }
    Ok(uris)
}
