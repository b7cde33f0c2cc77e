//! jobs.*

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{copies, int64, only_keys, page, queries};
use crate::{
    catalog::{DatasetId, canonical_location},
    error::{ApiError, JobError},
    jobs::{Job, JobId, Outcome},
    load::{self, LoadConfig},
    rest::now_ms,
    server::{Answer, LoggedRequest, Server},
    sql::QueryConfig,
};

pub fn insert(server: &Arc<Server>, project: &str, body: &Value, data: Option<Vec<u8>>) -> Result<Answer, ApiError> {
    let configuration = known_configuration(body)?;
    if configuration["dryRun"] == true && configuration["query"].is_object() {
        return queries::dry_run(server, project, body);
    }
    let job = if data.is_some() || configuration["load"].is_object() {
        let (id, config) = load_job(server, project, body, data)?;
        let location = id.location.clone();
        // The id is checked first: a second insert with the same id is always a duplicate.
        let job = server.jobs.create(id, with_type(configuration, "LOAD"))?;
        if let Err(error) = server.catalog().dataset_in(&config.destination.target.table.dataset, &location) {
            job.finish(Err(error.clone().into()));
            return Err(error);
        }
        tokio::spawn(run_load(Arc::clone(server), Arc::clone(&job), config));
        job
    } else if configuration["query"].is_object() {
        let location = body["jobReference"]["location"].as_str();
        let job_id = body["jobReference"]["jobId"].as_str();
        let config = QueryConfig::from_job(&configuration["query"], project)?;
        let id = queries::id(server, project, location, job_id, &config)?;
        queries::start(server, id, config, with_type(configuration, "QUERY"))?
    } else if configuration["copy"].is_object() {
        copies::start(server, project, body)?
    } else {
        return Err(ApiError::missing("configuration.load, configuration.query or configuration.copy"));
    };
    Ok(Answer::Json(job.to_rest()))
}

fn known_configuration(body: &Value) -> Result<&Value, ApiError> {
    only_keys(body, "job", "jobReference configuration kind id etag status statistics")?;
    let configuration = &body["configuration"];
    only_keys(configuration, "configuration", "load query copy labels jobType jobTimeoutMs dryRun")?;
    Ok(configuration)
}

/// The id and the configuration of a load job.
pub fn load_job(
    server: &Server,
    project: &str,
    body: &Value,
    data: Option<Vec<u8>>,
) -> Result<(JobId, LoadConfig), ApiError> {
    let configuration = known_configuration(body)?;
    if configuration["dryRun"] == true {
        return Err(ApiError::not_implemented("a dry run of a load job"));
    }
    let config = LoadConfig::from_rest(&configuration["load"], project, data)?;
    Ok((id_beside(server, project, body, &config.destination.target.table.dataset)?, config))
}

/// The id of a new job. Without a location, the job runs where the dataset is.
pub fn id_beside(server: &Server, project: &str, body: &Value, dataset: &DatasetId) -> Result<JobId, ApiError> {
    let reference = &body["jobReference"];
    let location = match reference["location"].as_str() {
        Some(location) => location.to_owned(),
        None => server.catalog().dataset(dataset)?.location.clone(),
    };
    new_id(project, &location, reference["jobId"].as_str())
}

/// The id of a new job, with the client's name or a generated one.
pub fn new_id(project: &str, location: &str, job: Option<&str>) -> Result<JobId, ApiError> {
    let job = job.map_or_else(generated_id, str::to_owned);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if job.is_empty() || job.len() > 1024 || !job.chars().all(allowed) {
        return Err(ApiError::invalid(format!(
            "Invalid job ID \"{job}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most \
             1024 characters long."
        )));
    }
    Ok(JobId { project: project.to_owned(), location: canonical_location(location), job })
}

fn generated_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("job_{}_{}", now_ms(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn with_type(configuration: &Value, kind: &str) -> Value {
    let mut configuration = configuration.clone();
    configuration["jobType"] = json!(kind);
    configuration
}

/// Runs a job to its end. `prepare` has no effect and can be cancelled, `commit` takes effect.
pub async fn run<T: Send + 'static>(
    job: &Job,
    prepare: impl Future<Output = Result<T, JobError>>,
    commit: impl FnOnce(T) -> Result<Outcome, JobError> + Send + 'static,
) {
    job.start();
    let outcome = match job.unless_stopped(prepare).await {
        Ok(prepared) => blocking(move || commit(prepared)).await,
        Err(error) => Err(error),
    };
    job.finish(outcome);
}

/// Waits until a copy or a query may take effect.
pub async fn wait_to_commit(server: &Server, job: &Job, duration: Duration) -> Result<(), JobError> {
    tokio::time::sleep(duration).await;
    server.holds.wait_for_release(&job.id.job).await;
    server.faults.for_job(&job.id.job).map_or(Ok(()), Err)
}

async fn run_load(server: Arc<Server>, job: Arc<Job>, config: LoadConfig) {
    let committing = Arc::clone(&server);
    let commit = move |staged| Ok(Outcome::of(load::commit(&committing, &staged)?));
    run(&job, stage(&server, &job, config), commit).await;
}

async fn stage(server: &Arc<Server>, job: &Job, config: LoadConfig) -> Result<load::Staged, JobError> {
    tokio::time::sleep(server.options.job_duration).await;
    if let Some(error) = server.faults.for_job(&job.id.job) {
        return Err(error);
    }
    let staged = load::stage(server, config).await?;
    server.holds.wait_for_release(&job.id.job).await;
    Ok(staged)
}

/// Runs DuckDB's work on a thread where it does not block requests.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ApiError::internal(error).into()))
}

pub fn get(server: &Server, project: &str, job: &str, call: &LoggedRequest) -> Result<Answer, ApiError> {
    Ok(Answer::Json(find(server, project, job, call)?.to_rest()))
}

/// The job that a request names by path and `location`.
pub fn find(server: &Server, project: &str, job: &str, call: &LoggedRequest) -> Result<Arc<Job>, ApiError> {
    let location = call.query.get("location").map(|location| canonical_location(location));
    server.jobs.find(project, job, location.as_deref())
}

pub fn cancel(server: &Server, project: &str, job: &str, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let job = find(server, project, job, call)?;
    job.stop();
    Ok(Answer::Json(json!({"kind": "bigquery#jobCancelResponse", "job": job.to_rest()})))
}

pub fn list(server: &Server, project: &str, call: &LoggedRequest) -> Result<Answer, ApiError> {
    let wanted = call.query.get("stateFilter").map(|state| state.to_ascii_uppercase());
    let full = call.query.get("projection").is_some_and(|projection| projection.eq_ignore_ascii_case("full"));
    let bound = |key: &str| call.query.get(key).and_then(|ms| ms.parse::<i64>().ok());
    let created = bound("minCreationTime").unwrap_or(0)..=bound("maxCreationTime").unwrap_or(i64::MAX);
    let entries: Vec<Value> = server
        .jobs
        .of_project(project)
        .iter()
        .map(|job| {
            let mut entry = job.to_rest();
            entry["state"] = entry["status"]["state"].clone();
            if let Some(error) = entry["status"].get("errorResult").cloned() {
                entry["errorResult"] = error;
            }
            if let (false, Some(entry)) = (full, entry.as_object_mut()) {
                entry.remove("configuration");
            }
            entry
        })
        .filter(|entry| wanted.as_deref().is_none_or(|wanted| entry["state"] == wanted))
        .filter(|entry| int64(&entry["statistics"]["creationTime"]).is_some_and(|ms| created.contains(&ms)))
        .collect();
    Ok(Answer::Json(page(call, "bigquery#jobList", "jobs", &entries)?))
}
