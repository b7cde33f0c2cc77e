//! `configuration.query`, and the body of jobs.query.

use std::collections::BTreeMap;

use serde_json::Value;

use super::typed::{Constant, Typed};
use crate::{
    api::{int64, only_keys, tables::encryption_key},
    error::ApiError,
    grammar,
    load::{DESTINATION_KEYS, Destination},
    types::{Type, literal},
};

/// A statement with its parameters.
pub struct QueryConfig {
    pub project: String,
    pub query: String,
    /// Named parameters, by lower-case name.
    pub parameters: BTreeMap<String, Typed>,
    /// The table to write, if any.
    pub destination: Option<Destination>,
    /// `maximumBytesBilled`
    pub billing_limit: Option<i64>,
}

const SHARED: &str =
    "query useLegacySql parameterMode queryParameters useQueryCache maximumBytesBilled priority labels";

impl QueryConfig {
    /// Reads `configuration.query`.
    pub fn from_job(query: &Value, project: &str) -> Result<Self, ApiError> {
        let key = &query["destinationEncryptionConfiguration"];
        let has_destination = query["destinationTable"].is_object();
        let own = if has_destination { "destinationEncryptionConfiguration" } else { "" };
        only_keys(query, "configuration.query", &format!("{SHARED} {DESTINATION_KEYS} {own}"))?;
        let destination = || {
            let destination = Destination::from_rest(query, "query", project, "WRITE_EMPTY")?;
            Ok::<_, ApiError>(Destination { key: encryption_key(key)?, ..destination })
        };
        let destination = has_destination.then(destination).transpose()?;
        Ok(Self { destination, ..Self::read(query, project)? })
    }

    /// Reads the body of jobs.query.
    pub fn from_request(body: &Value, project: &str) -> Result<Self, ApiError> {
        let own = "kind location maxResults timeoutMs requestId formatOptions jobCreationMode";
        only_keys(body, "query", &format!("{SHARED} {own}"))?;
        Self::read(body, project)
    }

    fn read(query: &Value, project: &str) -> Result<Self, ApiError> {
        if query["useLegacySql"].as_bool() != Some(false) {
            return Err(ApiError::not_implemented("legacy SQL; send useLegacySql = false"));
        }
        let text = query["query"].as_str().ok_or_else(|| ApiError::missing("query"))?.to_owned();
        let parameters = query["queryParameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(parameter).collect::<Result<_, _>>()?;
        let billing_limit = int64(&query["maximumBytesBilled"]);
        Ok(Self { project: project.to_owned(), query: text, parameters, destination: None, billing_limit })
    }
}

fn parameter(value: &Value) -> Result<(String, Typed), ApiError> {
    let name = value["name"].as_str().ok_or_else(|| ApiError::not_implemented("positional query parameters"))?;
    let type_name = value["parameterType"]["type"].as_str().unwrap_or_default();
    let ty = Type::from_name(type_name)
        .ok_or_else(|| ApiError::not_implemented(format!("query parameter {name}: type {type_name}")))?;
    let sql = match &value["parameterValue"]["value"] {
        Value::Null => "NULL".to_owned(),
        given => {
            let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
            let stored = grammar::parse(ty, &text).map_err(|why| {
                ApiError::invalid(format!("Invalid value for query parameter {name} ({type_name}): '{text}': {why}"))
            })?;
            literal(&stored)
        }
    };
    let sql = format!("CAST({sql} AS {})", ty.duckdb());
    Ok((name.to_ascii_lowercase(), Typed { sql, ty, constant: Constant::No }))
}
