//! The log of requests.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::server::Call;

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

impl From<&Call> for LoggedRequest {
    fn from(call: &Call) -> Self {
        Self {
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            body: call.body.clone(),
        }
    }
}

/// All requests since the start.
#[derive(Default)]
pub struct RequestLog(Mutex<Vec<LoggedRequest>>);

impl RequestLog {
    /// Keeps the request, and prints a line on stderr if `print`.
    #[expect(clippy::print_stderr, reason = "the log that was asked for")]
    pub fn record(&self, request: &LoggedRequest, print: bool) {
        if print {
            eprintln!("{} {} {}", request.method, request.path, request.body);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    }

    pub fn all(&self) -> Vec<LoggedRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
