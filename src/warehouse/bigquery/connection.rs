//! A connection to one project's BigQuery, and what a run remembers of it.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use backon::ExponentialBuilder;
use finops_core::hint;

use super::api::{client::Client, failure::Failure, model::Dataset, pace::Pace, upload::Uploaded};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::sql::Dialect,
};

/// How to reach BigQuery.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project that holds the datasets and pays for the jobs.
    pub project: String,
    /// Where a dataset is created that is not there, such as `US`.
    pub default_location: String,
    /// The dataset in which staging tables are made; without one the table's own. It must be in the same location.
    pub staging_dataset: Option<String>,
    /// The URL of a local server that wants no credentials.
    pub emulator_host: Option<String>,
    /// A key file with the credentials, of any of Google's types; without one application default credentials.
    pub credentials_path: Option<PathBuf>,
    /// How many months may be replaced at once.
    pub concurrency: usize,
    /// How long a job whose id is taken may not be found before its number counts as used up.
    pub forgotten_after: Duration,
}

/// See [`Options::forgotten_after`]: a job that was just inserted may not be found for seconds.
pub const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// A connection to one project.
pub struct BigQuery {
    pub(super) client: Client,
    pub(super) default_location: String,
    staging_dataset: Option<String>,
    pub(super) concurrency: usize,
    forgotten_after: Duration,
    /// Dataset to location: every job must name it.
    locations: Mutex<HashMap<String, String>>,
    /// Job id prefix of a month to the number up to which this run was told of jobs of other work.
    pub(super) acknowledged: Mutex<HashMap<String, i64>>,
    /// Datasets in which this run has seen that it may record.
    pub(super) recordable: Mutex<HashSet<String>>,
    pub(super) new_tables: Pace,
    /// The first quota error of this run; once set, no new work starts.
    quota_used_up: OnceLock<String>,
}

impl BigQuery {
    /// Prepares the connection; no request is sent.
    ///
    /// # Errors
    /// `Credentials` where none can be made of the key file or the environment.
    pub fn connect(options: Options) -> Result<Self> {
        Ok(Self {
            client: Client::connect(options.project, options.emulator_host.as_deref(), options.credentials_path)?,
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

    /// The same, with `show` called as local files are sent.
    #[must_use]
    pub fn showing(mut self, show: impl Fn(Uploaded) + Send + Sync + 'static) -> Self {
        self.client.show_uploaded(Box::new(show));
        self
    }

    /// The dataset in which the staging tables are made of a table in `dataset`.
    pub(super) fn staging_dataset<'a>(&'a self, dataset: &'a str) -> &'a str {
        self.staging_dataset.as_deref().unwrap_or(dataset)
    }

    /// `dataset.table` in this project, quoted for SQL.
    pub(super) fn path(&self, dataset: &str, table: &str) -> String {
        Dialect::BigQuery.path(&[self.client.project(), dataset, table])
    }

    /// The dataset's location, if there is such a dataset; asked for once.
    pub(super) async fn location(&self, dataset: &str) -> Result<Option<String>> {
        let known = self.locations.lock().unwrap_or_else(PoisonError::into_inner).get(dataset).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(Dataset { location, .. }) = self.dataset(dataset).await? else { return Ok(None) };
        self.remember_location(dataset, &location);
        Ok(Some(location))
    }

    /// The dataset, if there is one.
    pub(super) async fn dataset(&self, dataset: &str) -> Result<Option<Dataset>> {
        let found = self.client.dataset(dataset).await.map(Some).or_else(Failure::none_if_missing);
        found.map_err(|f| f.into_error(&format!("reading dataset {}.{dataset}", self.client.project())))
    }

    /// Does the work, but not after a quota was found to be used up: trying on would use up what others need.
    pub(super) async fn within_quota<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(first) = self.quota_used_up.get() {
            let message = format!("{what} was not begun, since a quota is used up: {first}");
            return Err(Error::new(ErrorKind::Quota, message).hint(hint::WAIT_FOR_QUOTA));
        }
        self.noting_quota(work).await
    }

    /// Does the work, and keeps in mind where a quota is used up.
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

    /// How often, and how long, a job is looked for whose id is taken.
    pub(super) fn forgotten_after(&self) -> ExponentialBuilder {
        let first = Duration::from_millis(200).min(self.forgotten_after);
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(Duration::from_secs(15))
            .without_max_times()
            .with_total_delay(Some(self.forgotten_after))
    }
}
