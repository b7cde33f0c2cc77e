//! jobs.insert of copy jobs.

use std::sync::Arc;

use serde_json::Value;

use super::jobs::{id_beside, run, wait_to_commit, with_type};
use crate::{
    copy::CopyConfig,
    error::ApiError,
    jobs::{Job, Outcome},
    server::Server,
};

/// Creates and runs a copy job. A refused copy uses up its id, unless the option says otherwise.
pub fn start(server: &Arc<Server>, project: &str, body: &Value) -> Result<Arc<Job>, ApiError> {
    let configuration = &body["configuration"];
    if configuration["dryRun"] == true {
        return Err(ApiError::not_implemented("a dry run of a copy job"));
    }
    let config = CopyConfig::from_rest(&configuration["copy"], project)?;
    let id = id_beside(server, project, body, &config.destination.table.dataset)?;
    server.jobs.refuse_used(&id)?;
    let checked = config.check(server, &id.location);
    if server.options.refused_copies_free_their_id {
        checked.clone()?;
    }
    let job = server.jobs.create(id, with_type(configuration, "COPY"))?;
    if let Err(error) = checked {
        job.finish(Err(error.clone().into()));
        return Err(error);
    }
    tokio::spawn(run_copy(Arc::clone(server), Arc::clone(&job), config));
    Ok(job)
}

async fn run_copy(server: Arc<Server>, job: Arc<Job>, config: CopyConfig) {
    let (committing, location) = (Arc::clone(&server), job.id.location.clone());
    let commit = move |()| Ok(Outcome::of(config.commit(&committing, &location)?));
    run(&job, wait_to_commit(&server, &job, server.options.job_duration), commit).await;
}
