//! One request: log it, delay it, let a fault have its way, answer it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    body::{self, Bytes},
    extract::{ConnectInfo, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{
    api,
    catalog::Catalog,
    connection::ResetHandle,
    emulator::Options,
    error::ApiError,
    faults::{FaultKind, Faults, When},
    holds::Holds,
    jobs::Jobs,
    requests::{LoggedRequest, RequestLog},
    warehouse::Warehouse,
};

const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Everything that the requests share.
pub struct Server {
    pub options: Options,
    pub warehouse: Warehouse,
    catalog: Mutex<Catalog>,
    pub jobs: Jobs,
    pub faults: Faults,
    pub holds: Holds,
    pub requests: RequestLog,
    pub http: reqwest::Client,
}

/// A request taken apart.
pub struct Call {
    pub method: String,
    pub path: String,
    /// The path after `/bigquery/v2`, split and percent-decoded.
    pub segments: Vec<String>,
    pub query: HashMap<String, String>,
    pub body: Value,
}

/// A successful answer.
pub enum Answer {
    Json(Value),
    Empty,
}

impl Server {
    pub fn new(options: Options) -> Result<Self, ApiError> {
        Ok(Self {
            options,
            warehouse: Warehouse::open()?,
            catalog: Mutex::default(),
            jobs: Jobs::default(),
            faults: Faults::default(),
            holds: Holds::default(),
            requests: RequestLog::default(),
            http: reqwest::Client::builder().build().map_err(ApiError::internal)?,
        })
    }

    pub fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handler of all paths.
pub async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<ResetHandle>,
    request: Request,
) -> Response {
    let call = match read(request).await {
        Ok(call) => call,
        Err(error) => return error.into_response(),
    };
    server.requests.record(&LoggedRequest::from(&call), server.options.log);
    tokio::time::sleep(server.options.latency).await;
    let fault = server.faults.for_request(&call.method, &call.path);
    if let Some(fault) = &fault
        && fault.when == When::BeforeEffect
    {
        return fail(&fault.kind, &connection);
    }
    let response = match api::dispatch(&server, &call).await {
        Ok(Answer::Json(value)) => Json(value).into_response(),
        Ok(Answer::Empty) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(),
    };
    match fault {
        Some(fault) => fail(&fault.kind, &connection),
        None => response,
    }
}

fn fail(kind: &FaultKind, connection: &ResetHandle) -> Response {
    match kind {
        FaultKind::Status(code, reason) => {
            ApiError::new(*code, reason, format!("Injected fault: {reason}")).into_response()
        }
        FaultKind::Reset => {
            connection.reset();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn read(request: Request) -> Result<Call, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|error| ApiError::invalid(format!("Cannot read the request's body: {error}")))?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?
    };
    let Query(query) = Query::try_from_uri(&parts.uri)
        .map_err(|error| ApiError::invalid(format!("Cannot read the query string: {error}")))?;
    let path = parts.uri.path().to_owned();
    let segments = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    Ok(Call { method: parts.method.to_string(), path, segments, query, body })
}
