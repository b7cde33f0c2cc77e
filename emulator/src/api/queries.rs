//! jobs.query and jobs.getQueryResults

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Paging, flag, int64, jobs::blocking, jobs::find, jobs::new_id};
use crate::{
    catalog::etag,
    clock,
    error::ApiError,
    jobs::{Job, Outcome},
    server::{Answer, Call, Server},
    sql::{self, QueryConfig},
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn query(server: &Arc<Server>, project: &str, body: &Value) -> Result<Answer, ApiError> {
    let config = QueryConfig::from_request(body, project)?;
    let request_id = body["requestId"].as_str();
    // A request that is sent again with the same id is answered by the job that it made.
    let known = request_id.and_then(|id| server.jobs.of_request(id));
    let job = if let Some(job) = known {
        job
    } else {
        let configuration = json!({"jobType": "QUERY", "labels": body["labels"], "query": {
            "query": config.query,
            "useLegacySql": false,
            "queryParameters": body["queryParameters"],
        }});
        let location = body["location"].as_str();
        let job = start(server, project, location, None, config, configuration)?;
        if let Some(id) = request_id {
            server.jobs.remember_request(id, &job);
        }
        job
    };
    let timeout = body["timeoutMs"].as_u64().map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let wanted = Wanted {
        paging: Paging { size: int64(&body["maxResults"]).and_then(|size| size.try_into().ok()), token: None },
        int64_timestamps: body["formatOptions"]["useInt64Timestamp"].as_bool() == Some(true),
    };
    answer(&job, timeout, &wanted, "bigquery#queryResponse").await
}

pub async fn results(server: &Arc<Server>, project: &str, job: &str, call: &Call) -> Result<Answer, ApiError> {
    let job = find(server, project, job, call)?;
    let timeout = call.query.get("timeoutMs").and_then(|ms| ms.parse().ok());
    let wanted = Wanted { paging: Paging::of(call), int64_timestamps: flag(call, "formatOptions.useInt64Timestamp") };
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    answer(&job, timeout, &wanted, "bigquery#getQueryResultsResponse").await
}

/// Makes a query job and runs it.
pub fn start(
    server: &Arc<Server>,
    project: &str,
    location: Option<&str>,
    job_id: Option<&str>,
    config: QueryConfig,
    configuration: Value,
) -> Result<Arc<Job>, ApiError> {
    let location = match location {
        Some(location) => location.to_owned(),
        None => sql::location(server, &config).unwrap_or_else(|| "US".to_owned()),
    };
    let job = server.jobs.create(new_id(project, &location, job_id)?, configuration)?;
    tokio::spawn(run(Arc::clone(server), Arc::clone(&job), config));
    Ok(job)
}

async fn run(server: Arc<Server>, job: Arc<Job>, config: QueryConfig) {
    job.start();
    server.holds.pass(&job.id.job).await;
    let outcome = if let Some(error) = server.faults.for_job(&job.id.job) {
        Err(error)
    } else {
        let location = job.id.location.clone();
        blocking(move || sql::run(&server, &config, &location)).await
    };
    job.finish(outcome);
}

/// What a request wants to see of a result.
struct Wanted {
    paging: Paging,
    /// Timestamps as microseconds, not as seconds.
    int64_timestamps: bool,
}

async fn answer(job: &Job, timeout: Duration, wanted: &Wanted, kind: &str) -> Result<Answer, ApiError> {
    let mut answer = json!({
        "kind": kind,
        "etag": etag(clock::now_ms()),
        "jobReference": job.id.to_rest(),
        "jobComplete": false,
    });
    if tokio::time::timeout(timeout, job.done()).await.is_err() {
        return Ok(Answer::Json(answer));
    }
    let Outcome { result, statistics } =
        job.outcome().unwrap_or_else(|| Ok(Outcome::default())).map_err(|error| error.to_api())?;
    let result = result
        .ok_or_else(|| ApiError::invalid(format!("Job {} is not a query; ask for it with jobs.get", job.id.job)))?;
    let (rows, next) = wanted.paging.cut(&result.rows)?;
    answer["jobComplete"] = json!(true);
    answer["cacheHit"] = json!(false);
    answer["schema"] = result.schema();
    answer["totalRows"] = json!(result.rows.len().to_string());
    answer["totalBytesProcessed"] = statistics["totalBytesProcessed"].clone();
    if let Some(affected) = result.affected_rows {
        answer["numDmlAffectedRows"] = json!(affected.to_string());
    }
    if !rows.is_empty() {
        answer["rows"] = rows.iter().map(|row| sql::wire::row(&result.fields, row, wanted.int64_timestamps)).collect();
    }
    if let Some(next) = next {
        answer["pageToken"] = json!(next);
    }
    Ok(Answer::Json(answer))
}
