//! Local servers in place of Google Cloud: storage is a process of its own, BigQuery runs in the test's process.

use std::{
    io::{self, BufRead, BufReader},
    net::TcpListener,
    ops::Deref,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use axum::{body::Body, extract::Request, response::Response};
use bigquery_emulator::{Emulator, Options};
use reqwest::header::{HOST, TRANSFER_ENCODING};
use serde_json::{Value, json};

use crate::warehouse::discovery;

/// The project of the emulator's datasets.
pub const PROJECT: &str = "demo";

/// A fake-gcs-server. It ends when it is dropped.
pub struct StorageServer {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl StorageServer {
    /// Starts a server with the buckets in `seed`: a folder for each bucket, a file for each object.
    pub fn start(seed: &Path) -> Self {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/bin/fake-gcs-server");
        assert!(binary.exists(), "there is no {}: run `make servers`", binary.display());
        // The port is free now. Where another process takes it first, the server ends, and the next port is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (host, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
            let mut process = Command::new(&binary)
                .args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port.to_string(), "-backend", "memory"])
                .args(["-public-host", &host, "-external-url", &url, "-data"])
                .arg(seed)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut log = BufReader::new(process.stderr.take().unwrap());
            let mut line = String::new();
            // It prints this line once it listens, and not where it cannot.
            while log.read_line(&mut line).unwrap() > 0 {
                if line.contains("server started at") {
                    thread::spawn(move || io::copy(&mut log, &mut io::sink()));
                    return Self { process, url, http: client() };
                }
                line.clear();
            }
            process.wait().unwrap();
        }
        panic!("fake-gcs-server does not start on any of 20 ports");
    }

    /// For `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Uploads an object.
    pub async fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        let url = format!("{}/upload/storage/v1/b/{bucket}/o", self.url);
        let request = self.http.post(url).query(&[("uploadType", "media"), ("name", key)]);
        let answer = request.body(bytes.into()).send().await.unwrap();
        assert!(answer.status().is_success(), "upload of {key}: {}", answer.status());
    }

    /// Deletes an object.
    pub async fn delete(&self, bucket: &str, key: &str) {
        let mut url: reqwest::Url = self.url.parse().unwrap();
        url.path_segments_mut().unwrap().extend(["storage", "v1", "b", bucket, "o", key]);
        let answer = self.http.delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "deletion of {key}: {}", answer.status());
    }
}

impl Drop for StorageServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A BigQuery emulator. When it is dropped, its requests are compared with BigQuery's discovery document.
pub struct BigQueryServer(Emulator);

impl Deref for BigQueryServer {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

impl Drop for BigQueryServer {
    fn drop(&mut self) {
        if !thread::panicking() {
            discovery::check(&self.0.requests());
        }
    }
}

/// A BigQuery emulator that loads from `storage`; its URL is for `BIGQUERY_EMULATOR_HOST`.
pub async fn bigquery(storage: &StorageServer) -> BigQueryServer {
    bigquery_with(storage, Options::default()).await
}

/// The same with other options.
pub async fn bigquery_with(storage: &StorageServer, options: Options) -> BigQueryServer {
    started(Options { storage: Some(storage.url().to_owned()), ..options }).await
}

/// A BigQuery emulator without storage: it loads only uploads.
pub async fn bigquery_alone() -> BigQueryServer {
    started(Options::default()).await
}

async fn started(options: Options) -> BigQueryServer {
    let options = Options { project: PROJECT.to_owned(), ..options };
    BigQueryServer(Emulator::start(options).await.unwrap())
}

/// An HTTP client without certificates, because reading them is slow.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().tls_built_in_root_certs(false).build().unwrap()
}

/// Passes a request without a body on to the server, and returns its answer.
pub async fn pass_on(http: &reqwest::Client, server: &str, request: Request) -> Response {
    let mut passed_on = http.request(request.method().clone(), format!("{server}{}", request.uri()));
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != HOST) {
        passed_on = passed_on.header(name, value);
    }
    let answer = passed_on.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != TRANSFER_ENCODING) {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// Runs a statement in US through the emulator's REST API, as any other client would; `None` is NULL.
pub async fn query(emulator: &Emulator, sql: &str) -> Vec<Vec<Option<String>>> {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/queries", emulator.url());
    let body = json!({"query": sql, "useLegacySql": false, "location": "US"});
    let answer = client().post(url).json(&body).send().await.unwrap();
    let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
    assert!(status.is_success() && body["jobComplete"] == true && body["pageToken"].is_null(), "{sql}: {body}");
    let rows = body["rows"].as_array().cloned().unwrap_or_default();
    let text = |cell: &Value| cell["v"].as_str().map(str::to_owned);
    rows.iter().map(|row| row["f"].as_array().unwrap().iter().map(text).collect()).collect()
}

/// Sends a request, not through the code under test, such as `DELETE` of `/datasets/d/tables/t`.
pub async fn call(emulator: &Emulator, method: reqwest::Method, path: &str, body: Value) -> Value {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}{path}", emulator.url());
    let request = client().request(method, url);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}
