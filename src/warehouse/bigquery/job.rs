//! Numbered jobs: the loads of one month happen strictly in a row, without a lock.
//!
//! `jobs.insert` with an id of our own is an atomic compare-and-set: one insert wins, every other one gets 409. Number
//! n is only inserted when n-1 is done, and a number once used, by whatever end, is used up.

use std::{sync::PoisonError, time::Duration};

use backon::{BackoffBuilder, Retryable};
use futures::future::try_join3;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    BigQuery,
    errors::{Failure, is_transient_job, load_error, refuses_schema, tells_of_another_month},
    inspect::milliseconds,
    load::{WORK_LABEL, direct_job, is_direct, job_id_prefix, local_file, with_id, work},
    model::{ErrorProto, Job, LoadStatistics},
    stage::{FILES_LABEL, ROWS_LABEL, Staging, remove_left_over},
};
use crate::{
    error::{Error, Kind, Result},
    http,
    warehouse::{MonthLoad, Target, Warehouse, another_month::another_month, sql::NO_VALUE},
};

const FIRST_POLL: Duration = Duration::from_millis(50);
const SLOWEST_POLL: Duration = Duration::from_secs(5);

/// The jobs of one month.
pub(super) struct NumberedJobs<'a> {
    bigquery: &'a BigQuery,
    target: &'a Target,
    load: &'a MonthLoad,
    location: &'a str,
    prefix: String,
    work: String,
}

/// How the files get into the month's partition.
enum Way<'a> {
    /// By a load job.
    Direct(Value),
    /// By a query over a staging table, which is filled when it is needed.
    Staged(Option<Staging<'a>>),
}

/// A job that loaded the month.
pub(super) struct Finished {
    /// Its number: the record's sequence.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// When it ended, by BigQuery's clock.
    pub ended: Timestamp,
    /// What it read and wrote; where it read a staging table, what was loaded into that.
    pub statistics: LoadStatistics,
    /// What BigQuery bills for it, in bytes; a load job is free.
    pub bytes_billed: u64,
}

impl Way<'_> {
    fn set_in_use(&mut self, in_use: bool) {
        if let Self::Staged(Some(staging)) = self {
            staging.set_in_use(in_use);
        }
    }
}

impl<'a> NumberedJobs<'a> {
    /// The jobs that may load `load`.
    pub(super) fn new(bigquery: &'a BigQuery, target: &'a Target, load: &'a MonthLoad, location: &'a str) -> Self {
        Self { bigquery, target, load, location, prefix: job_id_prefix(target, load), work: work(load) }
    }

    /// Loads the month under the first free number, or finds that it is loaded already. `None` where another run put
    /// another delivery there that may be newer than what this run knows of.
    ///
    /// No clock tells which delivery is newer, as ours and BigQuery's may differ. Instead every job of other work that
    /// went through is told of once. The caller then lists deliveries again, and what it finds is at least as new as
    /// what those jobs loaded, since their runs had listed before.
    pub(super) async fn replace(&self) -> Result<Option<Finished>> {
        let mut way = if is_direct(self.load) {
            Way::Direct(direct_job(self.bigquery.client.project(), self.target, self.load, &self.work)?)
        } else {
            Way::Staged(None)
        };
        let replaced = self.replace_by(&mut way).await;
        if let Way::Staged(Some(staging)) = &way {
            staging.remove().await;
        }
        replaced
    }

    async fn replace_by(&self, way: &mut Way<'a>) -> Result<Option<Finished>> {
        let mut number = self.load.next_sequence()?;
        let mut pauses = http::backoff().build();
        loop {
            let inserted = self.insert(number, way).await?;
            let found = inserted.is_none();
            let job = match inserted {
                Some(job) => job,
                None => self.existing(number).await?,
            };
            if found && !self.is_same_work(&job) {
                let job = self.wait(job, number).await?;
                way.set_in_use(false);
                if job.status.error_result.is_none() && self.is_news(number).await? {
                    return Ok(None);
                }
                number += 1;
                continue;
            }
            let found_done = found && is_done(&job);
            let job = self.wait(job, number).await?;
            way.set_in_use(false);
            // Of a job that failed, its run may still need the table.
            if found && job.status.error_result.is_none() {
                remove_left_over(self.bigquery, &self.target.dataset, &job).await;
            }
            if let Some(error) = &job.status.error_result {
                let (job_id, reason) = (self.id(number), &error.reason);
                tracing::info!(job_id, reason, "job failed, its number is used up");
                if matches!(way, Way::Direct(_)) && refuses_schema(error) {
                    tracing::debug!(job_id, "the files' columns are not taken as they are: staging them");
                    *way = Way::Staged(None);
                } else if found && error.message.contains(NO_VALUE) {
                    tracing::debug!(job_id, "another run's job met values without a counterpart");
                } else if !found_done {
                    let Some(pause) = pauses.next().filter(|_| is_transient_job(error)) else {
                        return Err(self.failed(way, number, error, &job.status.errors).await);
                    };
                    tokio::time::sleep(pause).await;
                }
            } else {
                let finished = self.finished(job, number)?;
                if !found_done || self.stands(&finished).await? {
                    return Ok(Some(finished));
                }
            }
            number += 1;
        }
    }

    /// Whether another run loaded the month after job `number`; the caller counts as told of it.
    pub(super) async fn is_overtaken_after(&self, number: i64) -> Result<bool> {
        let last = self.last_success_after(number).await?;
        if let Some(last) = last {
            self.tell(last);
        }
        Ok(last.is_some())
    }

    /// Whether the caller was not told yet of job `number`, which went through; it counts as told from now on, of this
    /// one and of all later ones.
    async fn is_news(&self, number: i64) -> Result<bool> {
        if number <= self.told() {
            return Ok(false);
        }
        self.tell(self.last_success_after(number).await?.unwrap_or(number));
        Ok(true)
    }

    /// The number of the last job that the caller was told of; 0 if of none.
    fn told(&self) -> i64 {
        let overtaken = self.bigquery.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.get(&self.prefix).copied().unwrap_or_default()
    }

    fn tell(&self, number: i64) {
        let mut overtaken = self.bigquery.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.insert(self.prefix.clone(), number);
    }

    /// The highest number after `number` whose job went through; running ones are waited for. A failed job changed
    /// nothing, so it does not count.
    async fn last_success_after(&self, number: i64) -> Result<Option<i64>> {
        let mut last = None;
        for next in number + 1.. {
            let Some(job) = self.find(next).await? else { break };
            let job = self.wait(job, next).await?;
            if job.status.error_result.is_none() {
                last = Some(next);
            }
        }
        Ok(last)
    }

    /// The job of that number, if there is one that this account may see.
    async fn find(&self, number: i64) -> Result<Option<Job>> {
        let found = self.bigquery.client.job(&self.id(number), self.location).await;
        match found.map(Some).or_else(Failure::none_if_missing) {
            // Google's services say 403 rather than 404 where the account may not know whether a thing exists. If it is
            // another account's job, inserting its number tells.
            Err(failure) if failure.is_status(403) => Ok(None),
            found => found.map_err(|failure| self.unreadable(failure, number)),
        }
    }

    /// Why the month is not loaded, after a job that failed for good.
    async fn failed(&self, way: &Way<'a>, number: i64, error: &ErrorProto, all: &[ErrorProto]) -> Error {
        if let Way::Staged(Some(staging)) = way
            && error.message.contains(NO_VALUE)
            && let Some(refused) = staging.refused().await
        {
            return refused.job(self.id(number));
        }
        if tells_of_another_month(error) {
            let told = format!("job {}: {}", self.id(number), error.message);
            let column = self.target.layout.partition;
            let row = format!("a row belongs to another month, or to none, as {column} tells");
            return another_month(self.load, &row).cause(told).job(self.id(number));
        }
        let failed = load_error(&self.doing(), &self.id(number), error, all);
        // The query had every column of the table when it was made.
        let changed = matches!(way, Way::Staged(_)) && refuses_schema(error);
        if changed { failed.hint("the table's columns changed in the meantime: run again") } else { failed }
    }

    /// Inserts the job under `number`; `None` where the number is taken.
    async fn insert(&self, number: i64, way: &mut Way<'a>) -> Result<Option<Job>> {
        let client = &self.bigquery.client;
        let (is_direct, file) = (matches!(way, Way::Direct(_)), local_file(self.load));
        // Nothing need be sent or staged for work that another run is doing, or has done.
        if (file.is_some() || !is_direct) && self.find(number).await?.is_some() {
            return Ok(None);
        }
        let job = match way {
            Way::Direct(job) => job.clone(),
            Way::Staged(staging) => {
                let staging = match staging {
                    Some(staging) => staging,
                    None => staging.insert(Staging::new(self.bigquery, self.target, self.load, self.location).await?),
                };
                staging.job(&self.work)
            }
        };
        let job = with_id(&job, client.project(), &self.id(number), self.location);
        // The job's own reasons too: only an insert of the same number tells whether there is such a job now.
        let insert = || client.insert_job(&job, file.filter(|_| is_direct));
        let inserted = insert.retry(http::backoff()).when(Failure::is_transient_of_jobs).await;
        way.set_in_use(!inserted.as_ref().is_err_and(Failure::is_without_effect));
        match inserted {
            Ok(inserted) => {
                tracing::info!(job_id = self.id(number), "job started");
                Ok(Some(inserted))
            }
            Err(failure) if failure.is_status(409) => Ok(None),
            Err(failure) => Err(failure.into_error(&self.doing())),
        }
    }

    /// The job of a number that is taken. BigQuery may still answer 404 for it for a moment.
    async fn existing(&self, number: i64) -> Result<Job> {
        let id = self.id(number);
        let get = || self.bigquery.client.job(&id, self.location);
        let found = get.retry(http::backoff()).when(|failure| failure.is_status(404)).await;
        found.map_err(|failure| self.unreadable(failure, number))
    }

    async fn wait(&self, mut job: Job, number: i64) -> Result<Job> {
        let mut pauses = pauses();
        while !is_done(&job) {
            tokio::time::sleep(pauses.next().unwrap_or(SLOWEST_POLL)).await;
            job = self.existing(number).await?;
        }
        Ok(job)
    }

    fn is_same_work(&self, job: &Job) -> bool {
        job.configuration.labels.get(WORK_LABEL) == Some(&self.work)
    }

    /// Whether what a job of an earlier run loaded is still what the table holds: the table is not a newer one, the
    /// partition has the job's rows, and no later job replaced them (a failed one did not).
    async fn stands(&self, finished: &Finished) -> Result<bool> {
        let period = self.load.billing_period;
        let (table, rows, later) = try_join3(
            self.bigquery.find_table(&self.target.dataset, &self.target.table),
            self.bigquery.month_rows(self.target, period, self.location),
            self.last_success_after(finished.number),
        )
        .await?;
        let Some(table) = table else { return Ok(false) };
        let written = finished.statistics.output_rows.as_deref().and_then(|rows| rows.parse().ok());
        Ok(later.is_none() && self.bigquery.created_at(self.target, &table)? < finished.ended && Some(rows) == written)
    }

    fn finished(&self, job: Job, number: i64) -> Result<Finished> {
        let ended = milliseconds(job.statistics.end_time.as_deref());
        let ended = ended.ok_or_else(|| self.incomplete("end time", number))?;
        let label = |name: &str| job.configuration.labels.get(name).cloned();
        let (statistics, billed) = match (job.statistics.load, job.statistics.query) {
            (Some(load), _) => (load, None),
            (None, Some(query)) => {
                let (input_files, output_rows) = (label(FILES_LABEL), label(ROWS_LABEL));
                (LoadStatistics { input_files, output_rows, bad_records: None }, query.total_bytes_billed)
            }
            (None, None) => return Err(self.incomplete("statistics", number)),
        };
        let bytes_billed = billed.and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
        Ok(Finished { number, id: self.id(number), ended, statistics, bytes_billed })
    }

    fn id(&self, number: i64) -> String {
        format!("{}{number}", self.prefix)
    }

    fn doing(&self) -> String {
        format!("loading {} into {}", self.load.billing_period, self.bigquery.table_name(self.target))
    }

    fn incomplete(&self, what: &str, number: i64) -> Error {
        let message = format!("{} failed: job {} is done but has no {what}", self.doing(), self.id(number));
        Error::new(Kind::Warehouse, message).hint("run again: the job is looked at again")
    }

    fn unreadable(&self, failure: Failure, number: i64) -> Error {
        let doing = format!("{}: reading job {}", self.doing(), self.id(number));
        let another_account = failure.is_status(403);
        let error = failure.into_error(&doing);
        if !another_account {
            return error;
        }
        error.hint(
            "the job was started by another account: run finops under one account only, \
             or give this one bigquery.jobs.get (roles/bigquery.resourceViewer) on the project",
        )
    }
}

/// How long to wait between looks at a job.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_POLL), |pause| Some((*pause * 3 / 2).min(SLOWEST_POLL)))
}

pub(super) fn is_done(job: &Job) -> bool {
    job.status.state == "DONE"
}
