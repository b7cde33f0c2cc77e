//! An emulator, a storage server and an HTTP client for the tests.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, http::Uri};
use bigquery_emulator::{Emulator, Options};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Serves the objects of bucket `b` as the JSON API does.
async fn object(State(objects): State<Objects>, uri: Uri) -> Result<Vec<u8>, StatusCode> {
    let objects = objects.lock().unwrap();
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let name = path.strip_prefix("/storage/v1/b/b/o/").ok_or(StatusCode::NOT_FOUND)?;
    objects.get(name).cloned().ok_or(StatusCode::NOT_FOUND)
}

pub struct Harness {
    pub emulator: Emulator,
    pub client: reqwest::Client,
    objects: Objects,
}

impl Harness {
    /// An emulator with dataset `d` in US.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let objects = Objects::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let storage = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(object).with_state(Arc::clone(&objects));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let datasets = vec![("d".to_owned(), "US".to_owned())];
        let emulator = Emulator::start(Options { storage: Some(storage), datasets, ..options }).await.unwrap();
        Self { emulator, client: reqwest::Client::new(), objects }
    }

    /// Stores an object and returns its URI.
    pub fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) -> String {
        self.objects.lock().unwrap().insert(name.to_owned(), bytes.into());
        format!("gs://b/{name}")
    }

    /// Sends a request about the project of the datasets. Returns status and body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_in("demo", method, path, body).await
    }

    pub async fn call_in(&self, project: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/bigquery/v2/projects/{project}{path}", self.emulator.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, Value::Null).await
    }

    /// Creates the table `d.t`: MONTH partitions on `month`, an amount, a text.
    pub async fn table(&self) {
        self.table_with(json!([
            {"name": "month", "type": "TIMESTAMP"},
            {"name": "cost", "type": "BIGNUMERIC"},
            {"name": "note", "type": "STRING"},
        ]))
        .await;
    }

    pub async fn table_with(&self, fields: Value) {
        let body = json!({
            "tableReference": {"projectId": "demo", "datasetId": "d", "tableId": "t"},
            "schema": {"fields": fields},
            "timePartitioning": {"type": "MONTH", "field": "month"},
        });
        let (status, body) = self.call("POST", "/datasets/d/tables", body).await;
        assert_eq!(status, 200, "{body}");
    }

    /// Inserts a load job. `extra` is merged into `configuration.load`.
    pub async fn insert_load(&self, id: &str, table: &str, uris: &[&str], extra: Value) -> (u16, Value) {
        let mut load = json!({
            "sourceUris": uris,
            "destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": table},
            "sourceFormat": "CSV",
            "writeDisposition": "WRITE_TRUNCATE",
            "createDisposition": "CREATE_NEVER",
            "skipLeadingRows": 1,
            "allowQuotedNewlines": true,
        });
        for (key, value) in extra.as_object().unwrap() {
            load[key] = value.clone();
        }
        let body = json!({
            "jobReference": {"projectId": "demo", "jobId": id, "location": "US"},
            "configuration": {"load": load, "labels": {"work": "abc"}},
        });
        self.call("POST", "/jobs", body).await
    }

    /// Inserts a load job and waits for its end.
    pub async fn load(&self, id: &str, table: &str, uris: &[&str], extra: Value) -> Value {
        let (status, body) = self.insert_load(id, table, uris, extra).await;
        assert_eq!(status, 200, "{body}");
        self.wait(id).await
    }

    pub async fn wait(&self, id: &str) -> Value {
        for _ in 0..500 {
            let (status, job) = self.get(&format!("/jobs/{id}?location=US")).await;
            assert_eq!(status, 200, "{job}");
            if job["status"]["state"] == "DONE" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("job {id} does not end");
    }

    /// Runs a statement with named parameters `(name, type, value)`.
    pub async fn query(&self, sql: &str, parameters: &[(&str, &str, &str)]) -> (u16, Value) {
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|(name, ty, value)| {
                json!({"name": name, "parameterType": {"type": ty}, "parameterValue": {"value": value}})
            })
            .collect();
        let body = json!({
            "query": sql, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": parameters, "location": "US",
        });
        self.call("POST", "/queries", body).await
    }

    /// The rows of a statement as texts, `NULL` for null.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let (status, body) = self.query(sql, &[]).await;
        assert_eq!(status, 200, "{sql}: {body}");
        let rows = body["rows"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| {
                let cells = row["f"].as_array().unwrap();
                cells.iter().map(|cell| cell["v"].as_str().unwrap_or("NULL").to_owned()).collect()
            })
            .collect()
    }
}

pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
