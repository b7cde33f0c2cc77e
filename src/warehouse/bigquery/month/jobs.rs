//! One month's numbered jobs: the protocol of [`finops_core::numbered`], carried out against BigQuery.

use std::{collections::HashMap, sync::atomic::Ordering};

use backon::BackoffBuilder;
use finops_core::{
    hint,
    numbered::{By, Do, Month, Seen, Whose, Why},
};
use futures::future::try_join;
use jiff::Timestamp;

use super::{
    job::{content_key, job_id_prefix},
    staging::StagingTable,
    swap::{Labels, ToSwap},
    why::{why_failed, why_refused},
};
use crate::warehouse::bigquery::{
    BigQuery,
    api::{
        failure::Failure,
        job_error::load_error,
        model::{Job, QueryStatistics},
        run_job::is_done,
        signs,
    },
    tables::{inspect::milliseconds, prepare::Prepared},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Committed, Figures, MonthLoad, NewRecord, Warehouse},
};

/// A month's numbered jobs.
pub struct MonthJobs<'a> {
    bigquery: &'a BigQuery,
    table: &'a Prepared,
    load: &'a MonthLoad,
    pub prefix: String,
    content_key: String,
    /// The number that this run inserted last.
    inserted: Option<i64>,
    /// The jobs that are over, by number.
    over: HashMap<i64, Job>,
    /// The figures of the rows that an unrecorded job of an earlier run loaded, for the same delivery.
    pub found: Option<Figures>,
    /// Why the last job failed, or was refused.
    failure: Option<Error>,
}

impl<'a> MonthJobs<'a> {
    pub fn new(bigquery: &'a BigQuery, table: &'a Prepared, load: &'a MonthLoad) -> Self {
        let (prefix, content_key) = (job_id_prefix(&table.target, load), content_key(load));
        Self {
            bigquery,
            table,
            load,
            prefix,
            content_key,
            inserted: None,
            over: HashMap::new(),
            found: None,
            failure: None,
        }
    }

    /// Carries out the protocol's steps up to one that is not about numbered jobs. It can swap only with `staged` rows.
    pub async fn follow(
        &mut self,
        protocol: &mut Month,
        first: Do,
        mut staged: Option<(&mut StagingTable, u64)>,
    ) -> Result<Do> {
        let mut next = first;
        let mut pauses = self.bigquery.client.job_backoff().build();
        loop {
            let seen = match (next, &mut staged) {
                (Do::Look(n), _) => self.look(n).await?,
                (Do::Wait(n), staged) => {
                    self.wait(n, staged.as_ref().map(|(staging, _)| staging.name.as_str())).await?
                }
                (Do::CheckRows(n), _) => Seen::HasRows(self.has_rows(n).await?),
                (Do::Insert(n, by), Some((staging, rows))) => self.insert(n, by, staging, *rows).await?,
                (end, _) => return Ok(end),
            };
            // That job may be this run's own. It is over now.
            if let (Seen::Succeeded(..) | Seen::Failed(_), Some((staging, _))) = (seen, &mut staged) {
                staging.set_in_use(false);
            }
            if let Seen::Failed(Why::Transient) | Seen::Refused(Why::Transient) = seen {
                tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            }
            next = protocol.next(seen);
            tracing::debug!(?seen, ?next, billing_period = %self.load.billing_period, "numbered jobs");
        }
    }

    /// Finds out whether there is a job that this account may see.
    async fn look(&mut self, n: i64) -> Result<Seen> {
        match self.bigquery.client.job(&self.id(n), &self.table.location).await {
            Ok(job) => Ok(self.seen(n, job, "")),
            Err(failure) if failure.is_status(404) => Ok(Seen::Free),
            // Google's services answer 403 instead of 404 where the account may not know whether something exists. If it is
            // another account's job, the insert of its number will fail.
            Err(failure) if failure.is_status(403) && !failure.is_forbidden_by_policy() => Ok(Seen::Free),
            Err(failure) => Err(self.unreadable(failure, n)),
        }
    }

    async fn wait(&mut self, n: i64, staging: Option<&str>) -> Result<Seen> {
        let id = self.id(n);
        let job = self.bigquery.client.end_of_job(&id, &self.table.location).await;
        let job = job.map_err(|failure| self.unreadable(failure, n))?;
        Ok(self.seen(n, job, staging.unwrap_or_default()))
    }

    /// The result of a step that found a job.
    fn seen(&mut self, n: i64, job: Job, staging: &str) -> Seen {
        if !is_done(&job) {
            return Seen::Running;
        }
        let labels = Labels::of(&job);
        let seen = match &job.status.error_result {
            Some(error) => {
                // Why a job of another run or of an older version failed does not matter.
                let is_own = self.inserted == Some(n);
                let by = if job.statistics.query.is_some() { By::Query } else { By::Copy };
                let why = if is_own { why_failed(error, by, staging) } else { Why::Final };
                if why == Why::CopyRefused {
                    self.copies_are_refused(&error.message);
                }
                tracing::info!(job_id = self.id(n), reason = error.reason, "job failed, its number is used up");
                self.failure = Some(load_error(&self.doing(), &self.id(n), error, &job.status.errors));
                Seen::Failed(why)
            }
            None if labels.content_key == self.content_key => Seen::Succeeded(Whose::Mine, labels.until),
            None => Seen::Succeeded(Whose::Other, labels.until),
        };
        self.over.insert(n, job);
        seen
    }

    /// Inserts the swap under number `n`; where that is taken, looks at the job that has it.
    async fn insert(&mut self, n: i64, by: By, staging: &mut StagingTable, rows: u64) -> Result<Seen> {
        if !staging.lasts() {
            return Ok(Seen::Refused(Why::SourceGone));
        }
        let client = &self.bigquery.client;
        let swap = ToSwap { table: self.table, load: self.load, content_key: &self.content_key, staging, rows };
        let job = self.bigquery.swap_job(&swap, by).await?;
        let inserted = client.insert_job(&job, &self.id(n), &self.table.location, None).await;
        // Without an answer, there may be a job.
        staging.set_in_use(!inserted.as_ref().is_err_and(Failure::is_without_effect));
        match inserted {
            Ok(_) => {
                self.inserted = Some(n);
                Ok(Seen::Inserted)
            }
            Err(failure) if failure.is_status(409) => self.taken(n).await,
            Err(failure) => {
                let why = why_refused(&failure, by, &staging.name);
                if why == Why::CopyRefused {
                    self.copies_are_refused(&failure.to_string());
                }
                self.failure = Some(failure.into_error(&self.doing()));
                Ok(Seen::Refused(why))
            }
        }
    }

    /// The job that has a number which is taken. BigQuery may not find a new job for seconds, and forgets jobs after half a
    /// year.
    async fn taken(&mut self, n: i64) -> Result<Seen> {
        let (id, pauses) = (self.id(n), self.bigquery.forgotten_after());
        match self.bigquery.client.inserted_job(&id, &self.table.location, pauses).await {
            Ok(job) => Ok(self.seen(n, job, "")),
            Err(failure) if failure.is_status(404) => {
                tracing::warn!(
                    job_id = id,
                    "the job's id is used, but BigQuery has no such job: its number is skipped"
                );
                Ok(Seen::Forgotten)
            }
            Err(failure) => Err(self.unreadable(failure, n)),
        }
    }

    /// Other months are not copied either, unless the copy was refused for this month's columns.
    fn copies_are_refused(&self, message: &str) {
        tracing::info!(message, "a copy is refused: the month is replaced by a query");
        if !signs::SCHEMA.is_in(message) {
            self.table.copies_refused.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the table still has the rows that a job of an earlier run put there: it is not a newer table, and the partition
    /// has as many rows. If the job loaded the same delivery, sums the rows, too.
    async fn has_rows(&mut self, n: i64) -> Result<bool> {
        let (name, location, period) = (&self.table.target.name, &self.table.location, self.load.billing_period);
        let Some(job) = self.over.get(&n) else { return Ok(false) };
        let (Some(ended), labels) = (ended(job), Labels::of(job)) else { return Ok(false) };
        let (table, rows) =
            try_join(self.bigquery.existing_table(&self.table.target), self.bigquery.partition_rows(name, location))
                .await?;
        let rows = rows.get(&period.partition_id()).copied();
        if self.bigquery.created_at(name, &table)? >= ended || rows.is_none() || rows != labels.rows {
            return Ok(false);
        }
        if labels.content_key != self.content_key {
            return Ok(true);
        }
        let path = self.bigquery.path(&name.dataset, &name.table);
        let (mut figures, sum_job) = self.bigquery.sum(self.table, self.load, &path, true).await?;
        if Some(figures.rows()) != rows {
            return Err(self.filtered(rows.unwrap_or_default(), figures.rows()));
        }
        figures.bytes_billed = self.bigquery.bytes_billed(&sum_job, location).await;
        self.found = Some(figures);
        Ok(true)
    }

    /// The error for rows that this account does not see.
    fn filtered(&self, there: u64, seen: u64) -> Error {
        let message = format!("{}: the month has {there} rows, and the account sees {seen} of them", self.doing());
        Error::new(ErrorKind::Permission, message).hint(hint::ROW_ACCESS)
    }

    /// Compares the rows that the swap copied with the staged ones.
    pub fn check_rows(&self, n: i64, staged: u64) -> Result<()> {
        let copied = self.over.get(&n).and_then(|job| job.statistics.copy.as_ref()?.copied_rows.clone());
        match copied {
            Some(copied) if copied != staged.to_string() => {
                let message = format!(
                    "{} failed: {staged} rows were staged, but job {} copied {copied}",
                    self.doing(),
                    self.id(n)
                );
                Err(Error::new(ErrorKind::Verification, message).hint(hint::MONTH_CHANGED).job(self.id(n)))
            }
            _ => Ok(()),
        }
    }

    /// What BigQuery bills for job `n`, if this run inserted it. A copy is free.
    pub fn billed(&self, n: i64) -> u64 {
        let job = self.over.get(&n).filter(|_| self.inserted == Some(n));
        let query = job.and_then(|job| job.statistics.query.as_ref());
        query.and_then(QueryStatistics::bytes_billed).unwrap_or_default()
    }

    /// Records that job `n` loaded the month.
    pub async fn record(&self, n: i64, record: NewRecord, bytes_billed: u64) -> Result<Committed> {
        // Not before the job's end: a record that is older than its table does not count.
        let ended = self.over.get(&n).and_then(ended).unwrap_or(Timestamp::MIN);
        let record = record.numbered(n, Some(self.id(n)), ended);
        self.bigquery.record(&self.table.target, &record, &self.table.location).await?;
        Ok(Committed { record, bytes_billed })
    }

    pub fn failed(&mut self) -> Error {
        self.failure.take().unwrap_or_else(|| {
            Error::new(ErrorKind::Warehouse, format!("{} failed", self.doing())).hint(hint::RUN_AGAIN)
        })
    }

    fn id(&self, n: i64) -> String {
        format!("{}{n}", self.prefix)
    }

    fn doing(&self) -> String {
        let table = self.bigquery.table_name(&self.table.target.name);
        format!("loading {} into {table}", self.load.billing_period)
    }

    fn unreadable(&self, failure: Failure, n: i64) -> Error {
        let doing = format!("{}: reading job {}", self.doing(), self.id(n));
        let another_account = failure.is_status(403) && !failure.is_forbidden_by_policy();
        let error = failure.into_error(&doing);
        if !another_account {
            return error;
        }
        error.hint(hint::ONE_ACCOUNT)
    }
}

/// When a job ended, by BigQuery's clock.
fn ended(job: &Job) -> Option<Timestamp> {
    milliseconds(job.statistics.end_time.as_deref())
}
