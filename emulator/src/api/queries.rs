//! jobs.query and jobs.getQueryResults

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    Paging, flag, int64,
    jobs::{find, new_id, run, wait_to_commit, with_type},
    tabledata,
};
use crate::{
    error::ApiError,
    jobs::{Job, JobId, Outcome, USER},
    rest::{etag, int64_text, now_ms, without_nulls},
    server::{Answer, LoggedRequest, Server},
    sql::{self, QueryConfig},
    types::fields_to_rest,
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn query(server: &Arc<Server>, project: &str, body: &Value) -> Result<Answer, ApiError> {
    let config = QueryConfig::from_request(body, project)?;
    let configuration = json!({"jobType": "QUERY", "labels": body["labels"], "query": {
        "query": config.query,
        "useLegacySql": false,
        "queryParameters": body["queryParameters"],
    }});
    let job_id = body["requestId"].as_str().map(|id| format!("request_{id}"));
    let id = id(server, project, body["location"].as_str(), job_id.as_deref(), &config)?;
    let job = match start(server, id.clone(), config, configuration) {
        // A repeated request returns the job that the first one created.
        Err(error) if error.reason == "duplicate" => server.jobs.find(project, &id.job, Some(&id.location))?,
        started => started?,
    };
    let timeout = body["timeoutMs"].as_u64().map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    let wanted = ResultPage {
        paging: Paging { size: int64(&body["maxResults"]).and_then(|size| size.try_into().ok()), ..Paging::default() },
        int64_timestamps: body["formatOptions"]["useInt64Timestamp"].as_bool() == Some(true),
    };
    answer(server, &job, timeout, &wanted, "bigquery#queryResponse").await
}

pub async fn results(server: &Arc<Server>, project: &str, job: &str, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let job = find(server, project, job, call)?;
    let timeout = call.query.get("timeoutMs").and_then(|ms| ms.parse().ok());
    let wanted =
        ResultPage { paging: Paging::of(call), int64_timestamps: flag(call, "formatOptions.useInt64Timestamp") };
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
    answer(server, &job, timeout, &wanted, "bigquery#getQueryResultsResponse").await
}

/// The id of a new query job. Without a location, the job runs where its tables are.
pub fn id(
    server: &Server,
    project: &str,
    location: Option<&str>,
    job_id: Option<&str>,
    config: &QueryConfig,
) -> Result<JobId, ApiError> {
    let own = sql::location(server, config);
    new_id(project, location.or(own.as_deref()).unwrap_or("US"), job_id)
}

/// Answers a dry run: the statistics of the job, or its error. It creates no job.
pub fn dry_run(server: &Server, project: &str, body: &Value) -> Result<Answer, ApiError> {
    let configuration = &body["configuration"];
    let config = QueryConfig::from_job(&configuration["query"], project)?;
    let location = id(server, project, body["jobReference"]["location"].as_str(), None, &config)?.location;
    let statistics = sql::dry_run(server, &config, &location).map_err(|error| error.to_api())?;
    Ok(Answer::Json(json!({
        "kind": "bigquery#job",
        "etag": etag(now_ms()),
        "user_email": USER,
        "jobReference": {"projectId": project, "location": location},
        "configuration": with_type(configuration, "QUERY"),
        "status": {"state": "DONE"},
        "statistics": {
            "creationTime": int64_text(now_ms()),
            "totalBytesProcessed": statistics["totalBytesProcessed"],
            "query": statistics,
        },
    })))
}

/// Creates and runs a query job.
pub fn start(server: &Arc<Server>, id: JobId, config: QueryConfig, configuration: Value) -> Result<Arc<Job>, ApiError> {
    let job = server.jobs.create(id, configuration)?;
    tokio::spawn(run_query(Arc::clone(server), Arc::clone(&job), config));
    Ok(job)
}

async fn run_query(server: Arc<Server>, job: Arc<Job>, config: QueryConfig) {
    let duration = config.destination.as_ref().map_or(Duration::ZERO, |_| server.options.job_duration);
    let (committing, location) = (Arc::clone(&server), job.id.location.clone());
    let commit = move |()| sql::run(&committing, &config, &location);
    run(&job, wait_to_commit(&server, &job, duration), commit).await;
}

/// The part and the form of a result that a request asks for.
struct ResultPage {
    paging: Paging,
    /// Timestamps in microseconds, not in seconds.
    int64_timestamps: bool,
}

async fn answer(
    server: &Server,
    job: &Job,
    timeout: Duration,
    wanted: &ResultPage,
    kind: &str,
) -> Result<Answer, ApiError> {
    let now = etag(now_ms());
    if tokio::time::timeout(timeout, job.done()).await.is_err() {
        let answer = json!({"kind": kind, "etag": now, "jobReference": job.id.to_rest(), "jobComplete": false});
        return Ok(Answer::Json(answer));
    }
    let Outcome { result, statistics } =
        job.outcome().unwrap_or_else(|| Ok(Outcome::default())).map_err(|error| error.to_api())?;
    let result = result
        .ok_or_else(|| ApiError::invalid(format!("Job {} is not a query; ask for it with jobs.get", job.id.job)))?;
    let (total, rows, next) = if let Some(table) = &result.stored {
        tabledata::read(server, table, &result.fields, &wanted.paging)?
    } else {
        let (rows, next) = wanted.paging.cut(&result.rows)?;
        (result.rows.len(), rows.to_vec(), next)
    };
    let rows: Vec<Value> =
        rows.iter().map(|row| sql::wire::row(&result.fields, row, wanted.int64_timestamps)).collect();
    Ok(Answer::Json(without_nulls(json!({
        "kind": kind,
        "etag": now,
        "jobReference": job.id.to_rest(),
        "jobComplete": true,
        "cacheHit": false,
        "schema": fields_to_rest(&result.fields),
        "totalRows": total.to_string(),
        "totalBytesProcessed": statistics["totalBytesProcessed"],
        "numDmlAffectedRows": int64_text(result.affected_rows),
        "rows": (!rows.is_empty()).then_some(rows),
        "pageToken": next,
    }))))
}
