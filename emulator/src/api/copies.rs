//! jobs.insert of copy jobs.

use std::sync::Arc;

use serde_json::Value;

use super::jobs::{blocking, new_id, with_type};
use crate::{
    catalog::canonical_location,
    copy::CopyConfig,
    error::{ApiError, JobError},
    jobs::{Job, Outcome},
    server::Server,
};

/// Makes a copy job and runs it. One that is refused uses its id up, unless the options say otherwise.
pub fn start(server: &Arc<Server>, project: &str, body: &Value) -> Result<Arc<Job>, ApiError> {
    let configuration = &body["configuration"];
    if configuration["dryRun"] == true {
        return Err(ApiError::not_implemented("a dry run of a copy job"));
    }
    let config = CopyConfig::from_rest(&configuration["copy"], project)?;
    let location = match body["jobReference"]["location"].as_str() {
        Some(location) => canonical_location(location),
        None => server.catalog().dataset(&config.destination.table.dataset)?.location.clone(),
    };
    let id = new_id(project, &location, body["jobReference"]["jobId"].as_str())?;
    server.jobs.refuse_used(&id)?;
    let checked = config.check(server, &location);
    if server.options.refused_copies_free_their_id {
        checked.clone()?;
    }
    let job = server.jobs.create(id, with_type(configuration, "COPY"))?;
    if let Err(error) = checked {
        job.finish(Err(error.clone().into()));
        return Err(error);
    }
    tokio::spawn(run(Arc::clone(server), Arc::clone(&job), config));
    Ok(job)
}

async fn run(server: Arc<Server>, job: Arc<Job>, config: CopyConfig) {
    job.start();
    let outcome = match job.unless_stopped(turn(&server, &job)).await {
        Ok(()) => {
            let location = job.id.location.clone();
            blocking(move || config.commit(&server, &location)).await
        }
        Err(error) => Err(error),
    };
    job.finish(outcome.map(|statistics| Outcome { statistics, result: None }));
}

/// Waits until the copy may take effect.
async fn turn(server: &Server, job: &Job) -> Result<(), JobError> {
    tokio::time::sleep(server.options.job_duration).await;
    server.holds.pass(&job.id.job).await;
    server.faults.for_job(&job.id.job).map_or(Ok(()), Err)
}
