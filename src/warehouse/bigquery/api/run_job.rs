//! A job of an id of its own, which is nobody else's: inserted, whatever becomes of the answer, and run to its end.

use std::path::Path;

use backon::Retryable;
use serde_json::{Value, json};

use crate::http;
use crate::warehouse::bigquery::api::{client::Client, errors::Failure, model::Job};

impl Client {
    /// Runs `job` under the id `id` in `location` to its end; with a file, that is sent along.
    pub(crate) async fn run_job(
        &self,
        job: &Value,
        id: &str,
        location: &str,
        file: Option<&Path>,
    ) -> Result<Job, Failure> {
        let job = with_id(job, self.project(), id, location);
        let insert = || self.insert_job(&job, file);
        let insert = || insert.retry(self.job_backoff()).when(Failure::is_transient_job);
        let inserted = match insert.retry(self.new_backoff()).when(|failure| failure.is_status(404)).await {
            // The answer to the first insert was lost.
            Err(failure) if failure.is_status(409) => self.inserted_job(id, location).await?,
            inserted => inserted?,
        };
        tracing::info!(job_id = id, "job started");
        if is_done(&inserted) { Ok(inserted) } else { self.end_of_job(id, location).await }
    }

    /// A job that is there. BigQuery may still answer 404 for it for a moment.
    pub(crate) async fn inserted_job(&self, id: &str, location: &str) -> Result<Job, Failure> {
        let get = || self.job(id, location);
        get.retry(http::backoff()).when(|failure| failure.is_status(404)).await
    }

    /// Looks at a job that runs, until it is over.
    pub(crate) async fn end_of_job(&self, id: &str, location: &str) -> Result<Job, Failure> {
        let mut pauses = self.pauses();
        loop {
            tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            let job = self.inserted_job(id, location).await?;
            if is_done(&job) {
                return Ok(job);
            }
        }
    }
}

pub(crate) fn is_done(job: &Job) -> bool {
    job.status.state == "DONE"
}

/// `job` under the id `id`, to run in `location`.
pub(crate) fn with_id(job: &Value, project: &str, id: &str, location: &str) -> Value {
    let mut job = job.clone();
    job["jobReference"] = json!({"projectId": project, "jobId": id, "location": location});
    job
}
