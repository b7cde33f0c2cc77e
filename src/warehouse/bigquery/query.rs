//! Query jobs: parameters in, all rows out.

use std::sync::atomic::{AtomicU64, Ordering};

use backon::Retryable;
use finops_core::delivery::hash;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    client::Client,
    errors::Failure,
    model::{Field, Row},
};

/// What a query gave.
pub(super) struct Answer {
    /// The columns.
    pub fields: Vec<Field>,
    /// Each value as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// The job that ran it.
    pub job_id: String,
}

/// A named parameter; `None` is NULL.
pub(super) fn parameter(name: &str, sql_type: &str, value: Option<String>) -> Value {
    let value = value.map_or_else(|| json!({}), |value| json!({ "value": value }));
    json!({"name": name, "parameterType": {"type": sql_type}, "parameterValue": value})
}

impl Client {
    /// Runs `sql` in `location` to its end and reads every page. Must be idempotent: where BigQuery fails to carry it out,
    /// it runs again as a new job.
    pub(super) async fn query(&self, location: &str, sql: &str, parameters: &[Value]) -> Result<Answer, Failure> {
        let mut request = json!({"query": sql, "useLegacySql": false, "location": location});
        if !parameters.is_empty() {
            request["parameterMode"] = "NAMED".into();
            request["queryParameters"] = parameters.into();
        }
        let run = || self.run(location, &request);
        let run = || run.retry(self.job_backoff()).when(Failure::is_transient_job);
        run.retry(self.rate_limit_backoff()).when(Failure::is_rate_limited).await
    }

    async fn run(&self, location: &str, request: &Value) -> Result<Answer, Failure> {
        // By it BigQuery knows the request when it is sent again, and does not run the statement twice.
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
                // The service waits for the end itself, but need not.
                tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            }
            answer = self.query_results(&job_id, location, page_token.as_deref()).await?;
        }
    }
}

/// The request under an id of its own: at most 36 characters.
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
