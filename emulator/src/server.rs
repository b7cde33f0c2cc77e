//! The handler of a request: log it, delay it, apply a fault, answer it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json,
    body::{self, Body, Bytes},
    extract::{ConnectInfo, Query, Request, State},
    http::{
        self, Method, StatusCode,
        header::{LOCATION, RANGE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    api::{self, uploads},
    catalog::Catalog,
    connection::ResetHandle,
    error::ApiError,
    faults::{FaultKind, Faults, Holds, When},
    jobs::Jobs,
    limits::Limits,
    lock::lock,
    options::Options,
    warehouse::Warehouse,
};

const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The state that all requests share.
pub struct Server {
    pub options: Options,
    pub warehouse: Warehouse,
    catalog: Mutex<Catalog>,
    pub jobs: Jobs,
    pub uploads: uploads::Uploads,
    pub faults: Faults,
    pub holds: Holds,
    pub limits: Limits,
    /// All requests so far.
    pub requests: Mutex<Vec<LoggedRequest>>,
    pub http: reqwest::Client,
}

/// A logged request.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query parameters, decoded.
    pub query: HashMap<String, String>,
    /// The body as JSON; null where there is none, or where it is the data of an upload.
    pub body: Value,
    /// Bytes received of an upload's data.
    pub uploaded: usize,
}

/// A successful answer.
#[derive(Clone)]
pub enum Answer {
    Json(Value),
    Empty,
    /// The URL of an upload session.
    Session(String),
    /// The number of bytes received so far.
    Incomplete(usize),
}

impl Server {
    pub fn new(options: Options) -> Result<Self, ApiError> {
        Ok(Self {
            options,
            warehouse: Warehouse::open()?,
            catalog: Mutex::default(),
            jobs: Jobs::default(),
            uploads: uploads::Uploads::default(),
            faults: Faults::default(),
            holds: Holds::default(),
            limits: Limits::default(),
            requests: Mutex::default(),
            http: reqwest::Client::builder().build().map_err(ApiError::internal)?,
        })
    }

    #[expect(clippy::print_stderr, reason = "--log prints here")]
    fn record(&self, request: &LoggedRequest) {
        if self.options.log {
            eprintln!("{} {} {}", request.method, request.path, request.body);
        }
        lock(&self.requests).push(request.clone());
    }

    pub fn catalog(&self) -> MutexGuard<'_, Catalog> {
        lock(&self.catalog)
    }
}

/// The handler of all paths. A request that was received takes effect, even if its client is gone before the answer.
pub async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<ResetHandle>,
    request: Request,
) -> Response {
    let answered = tokio::spawn(async move { respond(server, connection, request).await });
    answered.await.unwrap_or_else(|failed| ApiError::internal(failed.to_string()).into_response())
}

async fn respond(server: Arc<Server>, connection: ResetHandle, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let fault = server.faults.for_request(parts.method.as_str(), path);
    let is_upload = path.starts_with("/upload/");
    let is_data = is_upload && parts.method == Method::PUT;
    let (body, data) =
        if is_data { (Body::empty(), uploads::receive(body, fault.as_ref()).await) } else { (body, Vec::new()) };
    let call = match read(&parts, body, data.len()).await {
        Ok(call) => call,
        Err(error) => return error.into_response(),
    };
    server.record(&call);
    tokio::time::sleep(server.options.latency).await;
    if let Some(fault) = &fault
        && fault.when == When::BeforeEffect
    {
        return fail(&fault.kind, &connection).await;
    }
    let answered = match (is_upload, is_data) {
        (_, true) => uploads::put(&server, &call, &parts.headers, &data),
        (true, false) => uploads::begin(&server, &call, &parts.headers),
        (false, false) => api::dispatch(&server, &call).await,
    };
    let response = match answered {
        Ok(Answer::Json(value)) => Json(value).into_response(),
        Ok(Answer::Empty) => StatusCode::NO_CONTENT.into_response(),
        Ok(Answer::Session(url)) => [(LOCATION, url)].into_response(),
        Ok(Answer::Incomplete(0)) => StatusCode::PERMANENT_REDIRECT.into_response(),
        Ok(Answer::Incomplete(bytes)) => {
            (StatusCode::PERMANENT_REDIRECT, [(RANGE, format!("bytes=0-{}", bytes - 1))]).into_response()
        }
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
        FaultKind::Reset | FaultKind::Cut(_) => {
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

async fn read(parts: &Parts, body: Body, uploaded: usize) -> Result<LoggedRequest, ApiError> {
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
    Ok(LoggedRequest { method: parts.method.to_string(), path, query, body, uploaded })
}
