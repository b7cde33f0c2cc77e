//! Query jobs: parameters in, all rows out.

use std::sync::atomic::{AtomicU64, Ordering};

use backon::Retryable;
use finops_core::model::digest::hash;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    client::Client,
    failure::Failure,
    model::{Field, Row},
};

/// The result of a query.
pub struct Answer {
    /// The columns.
    pub fields: Vec<Field>,
    /// Each value as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// The job that ran it.
    pub job_id: String,
}

/// A named parameter; `None` is NULL.
pub fn parameter(name: &str, sql_type: &str, value: Option<String>) -> Value {
    let value = value.map_or_else(|| json!({}), |value| json!({ "value": value }));
    json!({"name": name, "parameterType": {"type": sql_type}, "parameterValue": value})
}

impl Client {
    /// Runs `sql` in `location` to its end and reads every page. The statement must be idempotent: after a transient failure
    /// it runs again as a new job. Its tables must exist: where BigQuery does not find a new one yet, it is sent again.
    pub async fn query(&self, location: &str, sql: &str, parameters: &[Value]) -> Result<Answer, Failure> {
        let query = || self.query_if_there(location, sql, parameters);
        query.retry(self.new_backoff()).when(|failure| failure.is_status(404)).await
    }

    /// The same for a table that may be missing.
    pub async fn query_if_there(&self, location: &str, sql: &str, parameters: &[Value]) -> Result<Answer, Failure> {
        let mut request = self.labelled(json!({"query": sql, "useLegacySql": false, "location": location}));
        if !parameters.is_empty() {
            request["parameterMode"] = "NAMED".into();
            request["queryParameters"] = parameters.into();
        }
        let run = || self.run(location, &request);
        let run = || run.retry(self.job_backoff()).when(Failure::is_transient_job);
        run.retry(self.rate_limit_backoff()).when(Failure::is_rate_limited).await
    }

    async fn run(&self, location: &str, request: &Value) -> Result<Answer, Failure> {
        // With this id, BigQuery does not run the statement again when the request is sent again.
        let request = with_id(request);
        let mut answer = self.start_query(&request).await?;
        let job_id = answer.job_reference.job_id.clone();
        let (mut fields, mut rows) = (Vec::new(), Vec::new());
        let mut pauses = self.pauses();
        loop {
            if let Some(schema) = answer.schema.take() {
                fields = schema.fields;
            }
            let mut page_token = None;
            if answer.job_complete {
                rows.extend(answer.rows.into_iter().map(texts));
                page_token = answer.page_token;
                if page_token.is_none() {
                    return Ok(Answer { fields, rows, job_id });
                }
            } else {
                // The service usually waits for the end, but does not have to.
                tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            }
            answer = self.query_results(&job_id, location, page_token.as_deref()).await?;
        }
    }
}

/// The request with a unique id of at most 36 characters.
fn with_id(request: &Value) -> Value {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let sent = SENT.fetch_add(1, Ordering::Relaxed);
    let unique = format!("{} {} {sent}", std::process::id(), Timestamp::now().as_nanosecond());
    let mut request = request.clone();
    request["requestId"] = hash([unique.as_bytes()])[..32].into();
    request
}

fn texts(row: Row) -> Vec<Option<String>> {
    let cells = row.f.into_iter();
    cells
        .map(|cell| match cell.v {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        time::{Duration, Instant},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::warehouse::bigquery::api::client::Projects;

    #[tokio::test]
    async fn a_running_query_is_requested_again_after_longer_and_longer_pauses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            for asked in 0..4 {
                let (mut connection, _) = listener.accept().await.unwrap();
                let _ = connection.read(&mut [0; 10_000]).await.unwrap();
                let body = json!({"jobReference": {"jobId": "j"}, "jobComplete": asked == 3}).to_string();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        let projects = Projects { tables: "p".to_owned(), jobs: "p".to_owned() };
        let client = Client::connect(projects, BTreeMap::new(), Some(&host), None).unwrap();
        let begin = Instant::now();
        let answer = client.query("EU", "SELECT 1", &[]).await.map_err(|failure| failure.to_string());
        assert_eq!(answer.unwrap().job_id, "j");
        server.await.unwrap();
        // At least: a pause never ends early, however slow the machine is.
        assert!(begin.elapsed() >= client.pauses().take(3).sum::<Duration>());
    }
}
