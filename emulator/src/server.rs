//! One request: log it, delay it, let a fault have its way, answer it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    body::{self, Bytes},
    extract::{ConnectInfo, Query, Request, State},
    http::{self, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    api,
    catalog::Catalog,
    connection::ResetHandle,
    error::ApiError,
    faults::{FaultKind, Faults, Holds, When},
    jobs::Jobs,
    options::Options,
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
    /// All requests so far.
    pub requests: Mutex<Vec<LoggedRequest>>,
    pub http: reqwest::Client,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query parameters, decoded.
    pub query: HashMap<String, String>,
    /// The body as JSON; null without one.
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
            requests: Mutex::default(),
            http: reqwest::Client::builder().build().map_err(ApiError::internal)?,
        })
    }

    #[expect(clippy::print_stderr, reason = "the log that was asked for")]
    fn record(&self, request: &LoggedRequest) {
        if self.options.log {
            eprintln!("{} {} {}", request.method, request.path, request.body);
        }
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
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
    server.record(&call);
    tokio::time::sleep(server.options.latency).await;
    let fault = server.faults.for_request(&call.method, &call.path);
    if let Some(fault) = &fault
        && fault.when == When::BeforeEffect
    {
        return fail(&fault.kind, &connection).await;
    }
    let response = match api::dispatch(&server, &call).await {
        Ok(Answer::Json(value)) => Json(value).into_response(),
        Ok(Answer::Empty) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(),
    };
    match fault {
        Some(fault) => fail(&fault.kind, &connection).await,
        None => response,
    }
}

async fn fail(kind: &FaultKind, connection: &ResetHandle) -> Response {
    match kind {
        FaultKind::Status(code, reason) => {
            ApiError::new(*code, reason, format!("Injected fault: {reason}")).into_response()
        }
        FaultKind::Answer { status, headers, body } => answer(*status, headers, body)
            .unwrap_or_else(|error| ApiError::internal(format!("injected fault: {error}")).into_response()),
        FaultKind::Reset => {
            connection.reset();
            std::future::pending().await
        }
        FaultKind::Hang => std::future::pending().await,
    }
}

fn answer(status: u16, headers: &[(String, String)], body: &str) -> Result<Response, http::Error> {
    let response =
        headers.iter().fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
    response.body(body.to_owned().into())
}

async fn read(request: Request) -> Result<LoggedRequest, ApiError> {
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
    Ok(LoggedRequest { method: parts.method.to_string(), path, query, body })
}
