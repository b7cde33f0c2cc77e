//! BigQuery as a warehouse. A month's files are loaded into a staging table by BigQuery itself, straight from `gs://` or with
//! a local file sent along (`month/stage.rs`), and a numbered job makes the staged partition the month (`month/`).
//!
//! What is relied on is in emulator/SEMANTICS.md, with how sure each rule is.

mod api;
mod month;
mod tables;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use backon::ExponentialBuilder;
use finops_core::{
    hint,
    schema::{Column, SchemaChange},
};

use self::api::{client::Client, errors::Failure, model::Dataset, pace::Pace};
use super::{Found, Limits, Loaded, MonthLoad, NewRecord, Stage, Swap, TableName, Target, Warehouse, sql::Dialect};
use crate::error::{Error, ErrorKind, Result};

pub use month::Staged;
pub use tables::{
    prepare::Prepared,
    probe::{DatasetFacts, clock_ahead},
};

/// The label of every table that finops creates.
const MANAGED_BY: (&str, &str) = ("managed_by", "finops");
/// The other label of the tables that the staged pipeline writes.
const STAGED: (&str, &str) = ("finops_way", "staged");

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

/// How much of a file has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The bytes that the service has.
    pub bytes: u64,
    /// The file's bytes.
    pub of: u64,
}

/// A connection to one project.
pub struct BigQuery {
    client: Client,
    default_location: String,
    staging_dataset: Option<String>,
    concurrency: usize,
    forgotten_after: Duration,
    /// Dataset to location: every job must name it.
    locations: Mutex<HashMap<String, String>>,
    /// Job id prefix of a month to the number up to which this run was told of jobs of other work.
    acknowledged: Mutex<HashMap<String, i64>>,
    /// Datasets in which this run has seen that it may record.
    recordable: Mutex<HashSet<String>>,
    new_tables: Pace,
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
    fn staging_dataset<'a>(&'a self, dataset: &'a str) -> &'a str {
        self.staging_dataset.as_deref().unwrap_or(dataset)
    }

    /// `dataset.table` in this project, quoted for SQL.
    fn path(&self, dataset: &str, table: &str) -> String {
        Dialect::BigQuery.path(&[self.client.project(), dataset, table])
    }

    /// The dataset's location, if there is such a dataset; asked for once.
    async fn location(&self, dataset: &str) -> Result<Option<String>> {
        let known = self.locations.lock().unwrap_or_else(PoisonError::into_inner).get(dataset).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.client.dataset(dataset).await;
        let found = found.map(Some).or_else(Failure::none_if_missing);
        let found = found.map_err(|f| f.into_error(&format!("reading dataset {}.{dataset}", self.client.project())))?;
        let Some(Dataset { location, .. }) = found else {
            return Ok(None);
        };
        self.remember_location(dataset, &location);
        Ok(Some(location))
    }

    /// Does the work, but not after a quota was found to be used up: trying on would use up what others need.
    async fn within_quota<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(first) = self.quota_used_up.get() {
            let message = format!("{what} was not begun, since a quota is used up: {first}");
            return Err(Error::new(ErrorKind::Quota, message).hint(hint::WAIT_FOR_QUOTA));
        }
        self.noting_quota(work).await
    }

    /// Does the work, and keeps in mind where a quota is used up.
    async fn noting_quota<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let done = Box::pin(work).await;
        if let Err(error) = &done
            && error.kind() == ErrorKind::Quota
        {
            // Only the first failure is kept.
            let _ = self.quota_used_up.set(error.full_message());
        }
        done
    }

    fn remember_location(&self, dataset: &str, location: &str) {
        let mut locations = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        locations.insert(dataset.to_owned(), location.to_owned());
    }

    /// How often, and how long, a job is looked for whose id is taken.
    fn forgotten_after(&self) -> ExponentialBuilder {
        let first = Duration::from_millis(200).min(self.forgotten_after);
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(Duration::from_secs(15))
            .without_max_times()
            .with_total_delay(Some(self.forgotten_after))
    }
}

impl Warehouse for BigQuery {
    type Table = Prepared;
    type Staged = Staged;

    fn limits(&self) -> Limits {
        Limits { months: self.concurrency, reads_buckets: true }
    }

    fn table_name(&self, name: &TableName) -> String {
        format!("{}.{}.{}", self.client.project(), name.dataset, name.table)
    }

    async fn loaded(&self, name: &TableName) -> Result<Loaded> {
        self.last_records(name).await
    }

    async fn inspect(&self, name: &TableName, _: &Loaded) -> Result<Option<Found>> {
        self.find(name).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<Prepared> {
        let what = format!("preparing {}", self.table_name(&target.name));
        self.within_quota(&what, self.prepare_tables(target, columns, changes)).await
    }

    async fn stage(&self, table: &Prepared, month: &MonthLoad) -> Result<Stage<Staged>> {
        let what = format!("loading {} into {}", month.billing_period, self.table_name(&table.target.name));
        self.within_quota(&what, self.stage_month(table, month)).await
    }

    async fn swap(&self, table: &Prepared, staged: Staged, record: NewRecord) -> Result<Swap> {
        // What is staged is as good as done.
        self.noting_quota(self.swap_month(table, staged, record)).await
    }

    async fn discard(&self, staged: Staged) {
        self.remove_staging(&staged.staging).await;
    }
}

#[cfg(test)]
mod test {
    use finops_core::{files::file_type::FileType, model::column_type::ColumnType, schema::Column};

    use crate::warehouse::LoadColumn;
    pub use crate::warehouse::test::load;

    /// A column that the files call the same in upper case.
    pub fn column(name: &str, file_type: FileType, column_type: ColumnType) -> LoadColumn {
        let column = Column { name: name.to_owned(), column_type };
        LoadColumn { column, file_name: name.to_uppercase(), file_type }
    }
}
