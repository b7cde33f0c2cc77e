//! A connection to BigQuery, and what a run remembers of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use backon::ExponentialBuilder;
use finops_core::hint;
use serde_json::Value;

use super::api::{
    client::{Client, Projects},
    model::{Dataset, Job},
    pace::Pace,
    query::Answer,
    upload::Uploaded,
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::sql::Dialect,
};

/// How to reach BigQuery.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project of the datasets.
    pub project: String,
    /// The project of the jobs; `None` for the same.
    pub job_project: Option<String>,
    /// The labels of jobs, datasets and staging tables, besides finops's own.
    pub labels: BTreeMap<String, String>,
    /// The location of datasets that finops creates, such as `US`.
    pub default_location: String,
    /// The dataset of staging tables, in the same location; `None` for the table's own.
    pub staging_dataset: Option<String>,
    /// The URL of a local server that needs no credentials.
    pub emulator_host: Option<String>,
    /// A key file of any of Google's types; `None` for application default credentials.
    pub credentials_path: Option<PathBuf>,
    /// How many months may be replaced at the same time.
    pub concurrency: usize,
    /// How long finops looks for a job whose id is taken, before its number counts as used up.
    pub forgotten_after: Duration,
}

/// See [`Options::forgotten_after`]: a job that was just inserted may not be found for seconds.
pub const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// A connection, with tables in one project.
pub struct BigQuery {
    pub(super) client: Client,
    pub(super) default_location: String,
    staging_dataset: Option<String>,
    pub(super) concurrency: usize,
    forgotten_after: Duration,
    /// The locations of datasets: every job must name it.
    locations: Mutex<HashMap<String, String>>,
    /// By a month's job id prefix: the number up to which this run knows of jobs for other deliveries.
    pub(super) acknowledged: Mutex<HashMap<String, i64>>,
    /// Datasets in whose state table this run may record.
    pub(super) recordable: Mutex<HashSet<String>>,
    pub(super) new_tables: Pace,
    /// The first quota error of this run. Once it is set, no new work starts.
    quota_used_up: OnceLock<String>,
}

impl BigQuery {
    /// Prepares the connection. Sends no request.
    ///
    /// # Errors
    /// `Credentials` where key file or environment have no usable ones.
    pub fn connect(options: Options) -> Result<Self> {
        let (host, key_file) = (options.emulator_host.as_deref(), options.credentials_path);
        let jobs = options.job_project.unwrap_or_else(|| options.project.clone());
        let projects = Projects { tables: options.project, jobs };
        Ok(Self {
            client: Client::connect(projects, options.labels, host, key_file)?,
            default_location: options.default_location,
            staging_dataset: options.staging_dataset,
            concurrency: options.concurrency,
            forgotten_after: options.forgotten_after,
            locations: Mutex::default(),
            acknowledged: Mutex::default(),
            recordable: Mutex::default(),
            new_tables: Pace::new(options.emulator_host.is_some()),
            quota_used_up: OnceLock::new(),
        })
    }

    /// The same, with `show` called while local files are uploaded.
    #[must_use]
    pub fn showing(mut self, show: impl Fn(Uploaded) + Send + Sync + 'static) -> Self {
        self.client.show_uploaded(Box::new(show));
        self
    }

    /// The dataset of the staging tables for a table in `dataset`.
    pub(super) fn staging_dataset<'a>(&'a self, dataset: &'a str) -> &'a str {
        self.staging_dataset.as_deref().unwrap_or(dataset)
    }

    /// `dataset.table` in this project, quoted for SQL.
    pub(super) fn path(&self, dataset: &str, table: &str) -> String {
        Dialect::BigQuery.path(&[self.client.project(), dataset, table])
    }

    /// The dataset's location, if there is such a dataset; requested once.
    pub(super) async fn location(&self, dataset: &str) -> Result<Option<String>> {
        let known = self.locations.lock().unwrap_or_else(PoisonError::into_inner).get(dataset).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(Dataset { location, .. }) = self.dataset(dataset).await? else { return Ok(None) };
        self.remember_location(dataset, &location);
        Ok(Some(location))
    }

    /// Runs `sql` in `location`; `doing` is what it is for.
    pub(super) async fn query(&self, location: &str, sql: &str, doing: &str) -> Result<Answer> {
        self.client.query(location, sql, &[]).await.map_err(|failure| failure.into_error(doing))
    }

    /// Lets BigQuery check `sql` without running it; `doing` is what it is for.
    pub(super) async fn dry_run(&self, location: &str, sql: &str, parameters: &[Value], doing: &str) -> Result<Job> {
        self.client.dry_run(location, sql, parameters).await.map_err(|failure| failure.into_error(doing))
    }

    /// The dataset, if there is one.
    pub(super) async fn dataset(&self, dataset: &str) -> Result<Option<Dataset>> {
        self.client
            .dataset(dataset)
            .await
            .map_err(|f| f.into_error(&format!("reading dataset {}.{dataset}", self.client.project())))
    }

    /// Does the work, unless a quota is used up: more attempts would take what others need.
    pub(super) async fn within_quota<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(first) = self.quota_used_up.get() {
            let message = format!("{what} was not started, since a quota is used up: {first}");
            return Err(Error::new(ErrorKind::Quota, message).hint(hint::WAIT_FOR_QUOTA));
        }
        self.noting_quota(work).await
    }

    /// Does the work, and remembers when a quota is used up.
    pub(super) async fn noting_quota<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let done = Box::pin(work).await;
        if let Err(error) = &done
            && error.kind() == ErrorKind::Quota
        {
            // Only the first failure is kept.
            let _ = self.quota_used_up.set(error.full_message());
        }
        done
    }

    pub(super) fn remember_location(&self, dataset: &str, location: &str) {
        let mut locations = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        locations.insert(dataset.to_owned(), location.to_owned());
    }

    /// How often, and how long, finops looks for a job whose id is taken.
    pub(super) fn forgotten_after(&self) -> ExponentialBuilder {
        let first = Duration::from_millis(200).min(self.forgotten_after);
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(Duration::from_secs(15))
            .without_max_times()
            .with_total_delay(Some(self.forgotten_after))
    }
}
