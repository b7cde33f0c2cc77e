//! A job under an id of ours: inserted once, whatever happens to the answer, and followed to its end.

use std::path::Path;

use backon::{ExponentialBuilder, Retryable};
use serde_json::{Value, json};

use super::{client::Client, failure::Failure, model::Job, upload::Upload};
use crate::http;

impl Client {
    /// Runs `job` under the id `id` in `location` to its end; with a file, that is uploaded with it.
    pub async fn run_job(&self, job: &Value, id: &str, location: &str, file: Option<&Path>) -> Result<Job, Failure> {
        let insert = || self.insert_job(job, id, location, file);
        let insert = || insert.retry(self.job_backoff()).when(Failure::is_transient_job);
        let inserted = match insert.retry(self.new_backoff()).when(|failure| failure.is_status(404)).await {
            // The answer to the first insert was lost.
            Err(failure) if failure.is_status(409) => {
                tracing::info!(job_id = id, "job started");
                self.inserted_job(id, location, http::backoff()).await?
            }
            inserted => inserted?,
        };
        if is_done(&inserted) { Ok(inserted) } else { self.end_of_job(id, location).await }
    }

    /// Inserts `job` under the id. With a file, the job is created when the file is uploaded.
    pub async fn insert_job(&self, job: &Value, id: &str, location: &str, file: Option<&Path>) -> Result<Job, Failure> {
        let mut job = job.clone();
        job["configuration"] = self.labelled(job["configuration"].take());
        job["jobReference"] = json!({"projectId": self.job_project(), "jobId": id, "location": location});
        let inserted = match file {
            Some(file) => {
                let upload = Upload::of(&self.rest, file, &self.show_uploaded)?;
                Box::pin(upload.send(self.job_project(), &job)).await?
            }
            None => self.post("jobs.insert", &["jobs"], &job).await?,
        };
        tracing::info!(job_id = id, "job started");
        Ok(inserted)
    }

    /// The job of an id that is taken. BigQuery may answer 404 for a job that is new: it is asked again with `pauses`.
    pub async fn inserted_job(&self, id: &str, location: &str, pauses: ExponentialBuilder) -> Result<Job, Failure> {
        let get = || self.job(id, location);
        get.retry(pauses).when(|failure| failure.is_status(404)).await
    }

    /// The job when it is over.
    pub async fn end_of_job(&self, id: &str, location: &str) -> Result<Job, Failure> {
        let mut pauses = self.pauses();
        loop {
            tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            let job = self.inserted_job(id, location, http::backoff()).await?;
            if is_done(&job) {
                return Ok(job);
            }
        }
    }
}

/// Whether the job is over.
pub fn is_done(job: &Job) -> bool {
    job.status.state == "DONE"
}
