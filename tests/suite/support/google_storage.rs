//! fake-gcs-server, and in front of it a server that answers what it does not know of Google Cloud Storage: locations of
//! buckets, permissions, and refusals.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::support::servers::{self, StorageServer};

/// The answers to requests, by the end of their path.
type Answers = Arc<Mutex<Vec<(&'static str, u16, Value)>>>;

#[derive(Clone)]
struct Front {
    behind: String,
    http: reqwest::Client,
    answers: Answers,
}

/// A storage server with scripted answers.
pub struct GoogleStorage {
    url: String,
    answers: Answers,
}

impl GoogleStorage {
    /// In front of `storage`, like Google's service without a problem: the bucket has a location, and every permission
    /// is granted.
    pub async fn start(storage: &StorageServer, location: &str) -> Self {
        let answers = Answers::default();
        let front = Front { behind: storage.url().to_owned(), http: servers::client(), answers: Arc::clone(&answers) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(front);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let server = Self { url, answers };
        server.answer(Self::PERMISSIONS, 200, json!({"permissions": ["storage.objects.get", "storage.objects.list"]}));
        server.answer(Self::BUCKET, 200, json!({"location": location, "locationType": "region"}));
        server
    }

    /// The end of the path of the tests' bucket.
    pub const BUCKET: &str = "/b/billing-mirror";
    /// The end of the path that asks for permissions.
    pub const PERMISSIONS: &str = "/iam/testPermissions";
    /// The end of the path that lists.
    pub const LISTING: &str = "/o";

    /// From now on, answers requests whose path ends with `path_ends` with this status and body.
    pub fn answer(&self, path_ends: &'static str, status: u16, body: Value) {
        self.answers.lock().unwrap().insert(0, (path_ends, status, body));
    }

    /// For `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A refusal in the form of Google's.
pub fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}})
}

async fn answer(State(front): State<Front>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let scripted = front.answers.lock().unwrap().iter().find(|(end, ..)| path.ends_with(end)).cloned();
    if let Some((_, status, body)) = scripted {
        return (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
    }
    servers::pass_on(&front.http, &front.behind, request).await
}
