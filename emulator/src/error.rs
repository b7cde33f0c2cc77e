//! Errors in the forms of the REST API: an HTTP answer, or the result of a failed job.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::rest::without_nulls;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub code: u16,
    pub reason: String,
    pub message: String,
}

impl ApiError {
    /// An error with any HTTP status and reason.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.to_owned(), message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// A request lacks a required parameter.
    pub fn missing(parameter: &str) -> Self {
        Self::invalid(format!("Required parameter is missing: {parameter}"))
    }

    pub fn invalid_query(message: impl Into<String>) -> Self {
        Self::new(400, "invalidQuery", message)
    }

    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(404, "notFound", format!("Not found: {what}"))
    }

    pub fn duplicate(what: impl std::fmt::Display) -> Self {
        Self::new(409, "duplicate", format!("Already Exists: {what}"))
    }

    /// A feature that the emulator lacks; BigQuery may have it.
    pub fn not_implemented(what: impl std::fmt::Display) -> Self {
        Self::new(501, "notImplemented", format!("The emulator does not implement {what}"))
    }

    /// A failure of the emulator itself, such as a DuckDB error.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(500, "internalError", format!("The emulator failed: {error}"))
    }

    /// The status name in Google's APIs.
    fn status_name(&self) -> &'static str {
        match self.code {
            400 => "INVALID_ARGUMENT",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ALREADY_EXISTS",
            501 => "UNIMPLEMENTED",
            503 => "UNAVAILABLE",
            _ => "INTERNAL",
        }
    }
}

impl From<duckdb::Error> for ApiError {
    fn from(error: duckdb::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "status": self.status_name(),
            "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
        }});
        (status, Json(body)).into_response()
    }
}

/// The failure of a job: `status.errorResult` and `status.errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub reason: String,
    pub message: String,
    /// The file that caused the error.
    pub location: Option<String>,
    /// A second entry of `status.errors`, with the same reason and file.
    pub detail: Option<String>,
}

impl JobError {
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), location: None, detail: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid", message)
    }

    /// Sets the file that caused the error.
    pub fn at(self, uri: &str) -> Self {
        Self { location: Some(uri.to_owned()), ..self }
    }

    /// The `errorResult`.
    pub fn result_to_rest(&self) -> Value {
        self.entry(&self.message)
    }

    /// The `errors` array.
    pub fn errors_to_rest(&self) -> Value {
        std::iter::once(&self.message).chain(&self.detail).map(|message| self.entry(message)).collect()
    }

    fn entry(&self, message: &str) -> Value {
        without_nulls(json!({"reason": self.reason, "message": message, "location": self.location}))
    }

    /// The HTTP error for requests that fail with the job (jobs.query, getQueryResults).
    pub fn to_api(&self) -> ApiError {
        let code = match self.reason.as_str() {
            "notFound" => 404,
            "accessDenied" | "rateLimitExceeded" | "billingNotEnabled" => 403,
            "duplicate" => 409,
            "notImplemented" => 501,
            "internalError" => 500,
            "backendError" | "jobBackendError" => 503,
            _ => 400,
        };
        ApiError::new(code, &self.reason, self.message.clone())
    }
}

impl From<ApiError> for JobError {
    fn from(error: ApiError) -> Self {
        Self::new(&error.reason, error.message)
    }
}

impl From<duckdb::Error> for JobError {
    fn from(error: duckdb::Error) -> Self {
        ApiError::internal(error).into()
    }
}
