//! Jobs: ids, states, statistics and results.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    catalog::TableRef,
    error::{ApiError, JobError},
    lock::lock,
    rest::{etag, int64_text, now_ms, without_nulls},
    types::Field,
};

/// The account of every job.
pub const USER: &str = "emulator@example.com";

/// A job's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId {
    pub project: String,
    pub location: String,
    pub job: String,
}

/// A job. Its task and the requests about it share it.
pub struct Job {
    pub id: JobId,
    /// The configuration as sent, with the job's type.
    pub configuration: Value,
    progress: Mutex<Progress>,
    done: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

struct Progress {
    state: &'static str,
    created: i64,
    started: Option<i64>,
    ended: Option<i64>,
    outcome: Result<Outcome, JobError>,
}

/// The outcome of a successful job.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The `statistics.load`, `statistics.query` or `statistics.copy` object.
    pub statistics: Value,
    pub result: Option<Arc<QueryResult>>,
}

impl Outcome {
    pub fn of(statistics: Value) -> Self {
        Self { statistics, result: None }
    }
}

/// The rows of a query.
#[derive(Debug, Default)]
pub struct QueryResult {
    pub fields: Vec<Field>,
    /// Values in the form that `sql::wire` reads.
    pub rows: Vec<Vec<Option<String>>>,
    /// The table that holds the rows instead.
    pub stored: Option<TableRef>,
    /// Rows that a DML statement changed.
    pub affected_rows: Option<i64>,
}

#[derive(Default)]
pub struct Jobs(Mutex<BTreeMap<JobId, Arc<Job>>>);

impl Jobs {
    /// Creates a job. Its id is then used up, even if the job fails.
    pub fn create(&self, id: JobId, configuration: Value) -> Result<Arc<Job>, ApiError> {
        let mut jobs = self.all();
        Self::check_free(&jobs, &id)?;
        let job = Arc::new(Job::new(id, configuration));
        jobs.insert(job.id.clone(), Arc::clone(&job));
        Ok(job)
    }

    /// Refuses an id that is used up.
    pub fn refuse_used(&self, id: &JobId) -> Result<(), ApiError> {
        Self::check_free(&self.all(), id)
    }

    fn check_free(jobs: &BTreeMap<JobId, Arc<Job>>, id: &JobId) -> Result<(), ApiError> {
        let used = || ApiError::duplicate(format!("Job {}", id.display()));
        if jobs.contains_key(id) { Err(used()) } else { Ok(()) }
    }

    /// Finds a job. Without a location, only US and EU are searched.
    pub fn find(&self, project: &str, job: &str, location: Option<&str>) -> Result<Arc<Job>, ApiError> {
        let jobs = self.all();
        let locations: &[&str] = match &location {
            Some(location) => &[location],
            None => &["US", "EU"],
        };
        let id =
            |location: &str| JobId { project: project.to_owned(), location: location.to_owned(), job: job.to_owned() };
        locations.iter().find_map(|location| jobs.get(&id(location)).cloned()).ok_or_else(|| {
            let name = location.map_or(job.to_owned(), |location| format!("{location}.{job}"));
            ApiError::not_found(format!("Job {project}:{name}"))
        })
    }

    /// The jobs of a project, newest first.
    pub fn of_project(&self, project: &str) -> Vec<Arc<Job>> {
        let mut jobs: Vec<_> = self.all().values().filter(|job| job.id.project == project).cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.progress().created));
        jobs
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<JobId, Arc<Job>>> {
        lock(&self.0)
    }
}

impl JobId {
    fn display(&self) -> String {
        format!("{}:{}.{}", self.project, self.location, self.job)
    }

    pub fn to_rest(&self) -> Value {
        json!({"projectId": self.project, "jobId": self.job, "location": self.location})
    }
}

impl Job {
    fn new(id: JobId, configuration: Value) -> Self {
        let progress = Progress {
            state: "PENDING",
            created: now_ms(),
            started: None,
            ended: None,
            outcome: Ok(Outcome::default()),
        };
        Self {
            id,
            configuration,
            progress: Mutex::new(progress),
            done: watch::Sender::new(false),
            stop: watch::Sender::new(false),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub fn start(&self) {
        let mut progress = self.progress();
        progress.state = "RUNNING";
        progress.started = Some(now_ms());
    }

    pub fn finish(&self, outcome: Result<Outcome, JobError>) {
        let mut progress = self.progress();
        progress.state = "DONE";
        progress.ended = Some(now_ms());
        progress.outcome = outcome;
        drop(progress);
        self.done.send_replace(true);
    }

    /// Asks the job to stop. A job that already takes effect continues.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Does work that has no effect, until the job is stopped.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            done = work => done,
            // It fails only where the sender is dropped, and `self` owns the sender.
            _ = stop.wait_for(|stop| *stop) => {
                Err(JobError::new("stopped", "Job execution was cancelled: User requested cancellation"))
            }
        }
    }

    /// Waits until the job is DONE.
    pub async fn done(&self) {
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }

    /// The outcome of a job that is DONE.
    pub fn outcome(&self) -> Option<Result<Outcome, JobError>> {
        let progress = self.progress();
        (progress.state == "DONE").then(|| progress.outcome.clone())
    }

    /// The `Job` resource.
    pub fn to_rest(&self) -> Value {
        let progress = self.progress();
        let kind = self.configuration["jobType"].as_str().unwrap_or_default().to_ascii_lowercase();
        let statistics = progress.outcome.as_ref().map_or(&Value::Null, |outcome| &outcome.statistics);
        let error = progress.outcome.as_ref().err();
        without_nulls(json!({
            "kind": "bigquery#job",
            "etag": etag(progress.ended.unwrap_or(progress.created)),
            "id": self.id.display(),
            "selfLink": format!(
                "/bigquery/v2/projects/{}/jobs/{}?location={}", self.id.project, self.id.job, self.id.location
            ),
            "user_email": USER,
            "jobReference": self.id.to_rest(),
            "configuration": self.configuration,
            "status": {
                "state": progress.state,
                "errorResult": error.map(JobError::result_to_rest),
                "errors": error.map(JobError::errors_to_rest),
            },
            "statistics": {
                "creationTime": int64_text(progress.created),
                "startTime": int64_text(progress.started),
                "endTime": int64_text(progress.ended),
                kind.as_str(): statistics,
                "totalBytesProcessed": statistics["totalBytesProcessed"],
            },
        }))
    }
}
