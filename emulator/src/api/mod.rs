//! The methods of the REST API.

pub mod copies;
pub mod datasets;
pub mod jobs;
pub mod queries;
pub mod row_access_policies;
pub mod tabledata;
pub mod tables;
pub mod uploads;

use std::{ops::Range, sync::Arc};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{
    catalog::{DatasetId, TableRef},
    error::ApiError,
    rest::{etag, now_ms, without_nulls},
    server::{Answer, LoggedRequest, Server},
};

/// Calls the method of an HTTP method and path.
pub async fn dispatch(server: &Arc<Server>, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let segments: Vec<String> = call.path.split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["", "bigquery", "v2", "projects", project, path @ ..] = segments.as_slice() else {
        return Err(unknown(call));
    };
    let dataset_id = |dataset: &str| DatasetId::new(project, dataset);
    let body = &call.body;
    match (call.method.as_str(), path) {
        ("GET", ["datasets"]) => datasets::list(server, project, call),
        ("POST", ["datasets"]) => datasets::insert(server, project, body),
        ("GET", ["datasets", dataset]) => datasets::get(server, &dataset_id(dataset)),
        ("DELETE", ["datasets", dataset]) => {
            datasets::delete(server, &dataset_id(dataset), flag(call, "deleteContents"))
        }
        ("GET", ["datasets", dataset, "tables"]) => tables::list(server, &dataset_id(dataset), call),
        ("POST", ["datasets", dataset, "tables"]) => tables::insert(server, &dataset_id(dataset), body),
        ("GET", ["datasets", dataset, "tables", name]) => {
            tables::get(server, &TableRef::new(&dataset_id(dataset), name))
        }
        ("GET", ["datasets", dataset, "tables", name, "data"]) => {
            tabledata::list(server, &TableRef::new(&dataset_id(dataset), name), call)
        }
        ("GET", ["datasets", dataset, "tables", name, "rowAccessPolicies"]) => {
            row_access_policies::list(server, &dataset_id(dataset).table(name))
        }
        ("POST", ["datasets", dataset, "tables", name]) => match name.split_once(':') {
            Some((table, "testIamPermissions")) => {
                tables::test_permissions(server, &dataset_id(dataset).table(table), body)
            }
            _ => Err(unknown(call)),
        },
        ("PATCH", ["datasets", dataset, "tables", table]) => {
            tables::patch(server, &dataset_id(dataset).table(table), body)
        }
        ("DELETE", ["datasets", dataset, "tables", name]) => {
            tables::delete(server, &TableRef::new(&dataset_id(dataset), name))
        }
        ("POST", ["jobs"]) => {
            datasets::refuse_hidden(server, body)?;
            jobs::insert(server, project, body, None)
        }
        ("GET", ["jobs"]) => jobs::list(server, project, call),
        ("GET", ["jobs", job]) => jobs::get(server, project, job, call),
        ("POST", ["jobs", job, "cancel"]) => jobs::cancel(server, project, job, call),
        ("POST", ["queries"]) => {
            datasets::refuse_hidden(server, body)?;
            queries::query(server, project, body).await
        }
        ("GET", ["queries", job]) => queries::results(server, project, job, call).await,
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &LoggedRequest) -> ApiError {
    ApiError::not_implemented(format!("{} {}", call.method, call.path))
}

/// Refuses an object that has keys other than the words of `known`: 501, which names the first unknown key. Keys with the
/// values null, false, `[]` and `{}` are allowed, because some clients always send them.
pub fn only_keys(object: &Value, what: &str, known: &str) -> Result<(), ApiError> {
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    for (key, value) in object.as_object().into_iter().flatten() {
        if !known.split_whitespace().any(|name| name == key) && is_set(value) {
            return Err(ApiError::not_implemented(format!("{what}.{key}")));
        }
    }
    Ok(())
}

/// A flag of the query string. Python clients write `True`.
pub fn flag(call: &LoggedRequest, key: &str) -> bool {
    call.query.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Reads a 64-bit integer, which the API accepts as a string or a number.
pub fn int64(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A page of a list, with the entries under `key`.
pub fn page(call: &LoggedRequest, kind: &str, key: &str, entries: &[Value]) -> Result<Value, ApiError> {
    let (page, next) = Paging::of(call).cut(entries)?;
    let answer = json!({"kind": kind, "etag": etag(now_ms()), key: page, "nextPageToken": next});
    Ok(without_nulls(answer))
}

/// The part of a list that a request asks for.
#[derive(Debug, Default)]
pub struct Paging {
    /// The maximum number of entries; 1000 by default.
    pub size: Option<usize>,
    pub token: Option<String>,
    /// The first entry, where there is no token.
    pub start: usize,
}

impl Paging {
    /// Reads `maxResults`, `pageToken` and `startIndex`.
    pub fn of(call: &LoggedRequest) -> Self {
        let number = |key: &str| call.query.get(key).and_then(|number| number.parse().ok());
        Self {
            size: number("maxResults"),
            token: call.query.get("pageToken").filter(|token| !token.is_empty()).cloned(),
            start: number("startIndex").unwrap_or(0),
        }
    }

    /// The positions of the page in a list of `total` entries, and the token of the next page.
    pub fn range(&self, total: usize) -> Result<(Range<usize>, Option<String>), ApiError> {
        let start = match &self.token {
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|start| start.parse().ok())
                .filter(|start| *start <= total)
                .ok_or_else(|| ApiError::invalid(format!("Invalid page token {token}")))?,
            None => self.start.min(total),
        };
        let end = total.min(start.saturating_add(self.size.unwrap_or(1000)));
        Ok((start..end, (end < total).then(|| format!("page-{end}"))))
    }

    /// The entries of the page, and the token of the next page.
    pub fn cut<'a, T>(&self, entries: &'a [T]) -> Result<(&'a [T], Option<String>), ApiError> {
        let (range, next) = self.range(entries.len())?;
        Ok((&entries[range], next))
    }
}
