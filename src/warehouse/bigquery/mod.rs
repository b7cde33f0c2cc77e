//! BigQuery as a warehouse: one load job a month, straight from `gs://` or with a local file sent along into the month's
//! partition; where types differ, a load into a staging table and one query from there.
//!
//! What is relied on is in DESIGN.md ("Replace") and the facts about BigQuery's load semantics behind it.

mod cast;
mod client;
mod credentials;
mod errors;
mod inspect;
mod job;
mod load;
mod model;
mod prepare;
mod probe;
mod query;
mod record;
mod rest;
mod schema;
mod stage;
mod upload;
mod verify;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
};

use finops_core::{
    report::Check,
    schema::{Column, SchemaChange},
    state::LoadStatus,
};

use self::{
    client::Client,
    errors::{Failure, WAIT_FOR_QUOTA},
    job::NumberedJobs,
    model::Dataset,
};
use super::{Inventory, Load, MonthLoad, Replaced, Target, Warehouse, sql::Dialect};
use crate::error::{Error, Kind, Result};

pub use probe::{DatasetFacts, clock_ahead};

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
}

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
    /// Dataset to location: every job must name it.
    locations: Mutex<HashMap<String, String>>,
    /// Job id prefix of a month to the number of the last job of other work that the caller was told of.
    overtaken: Mutex<HashMap<String, i64>>,
    /// What was refused first for a quota that is used up. From then on nothing is begun.
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
            locations: Mutex::default(),
            overtaken: Mutex::default(),
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
            return Err(Error::new(Kind::Quota, message).hint(WAIT_FOR_QUOTA));
        }
        let done = Box::pin(work).await;
        if let Err(error) = &done
            && error.kind() == Kind::Quota
        {
            // Of several at once, one tells.
            let _ = self.quota_used_up.set(error.full_message());
        }
        done
    }

    fn remember_location(&self, dataset: &str, location: &str) {
        let mut locations = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        locations.insert(dataset.to_owned(), location.to_owned());
    }

    /// Loads, verifies and records the month.
    async fn load_month(&self, target: &Target, load: &MonthLoad) -> Result<Replaced> {
        let dataset = &target.dataset;
        let location = self.location(dataset).await?.ok_or_else(|| {
            let name = format!("{}.{dataset}", self.client.project());
            Error::new(Kind::NotFound, format!("dataset {name} is gone")).hint("run again: finops creates it anew")
        })?;
        let jobs = NumberedJobs::new(self, target, load, &location);
        let Some(finished) = Box::pin(jobs.replace()).await? else {
            return Ok(Replaced::Overtaken);
        };
        let found = self.verify(target, load, &finished, &location).await?;
        // What was counted and summed may be what a later job put there in the meantime, even where the rows agree.
        if jobs.is_overtaken_after(finished.number).await? {
            return Ok(Replaced::Overtaken);
        }
        if let Some(difference) = &found.difference {
            self.record(target, load, &finished, &found, LoadStatus::Unverified, &location).await?;
            let (period, table) = (load.billing_period, self.table_name(target));
            let message = format!("{period} is in {table} but does not add up (job {}): {difference}", finished.id);
            return Err(Error::new(Kind::Verification, message)
                .hint("run again: the month is loaded again")
                .job(finished.id));
        }
        let record = self.record(target, load, &finished, &found, LoadStatus::Loaded, &location).await?;
        let verified = vec![Check::Files, Check::Rows];
        Ok(Replaced::Done(Box::new(Load { record, verified, bytes_billed: found.bytes_billed })))
    }
}

impl Warehouse for BigQuery {
    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn reads_buckets(&self) -> bool {
        true
    }

    fn table_name(&self, target: &Target) -> String {
        format!("{}.{}.{}", self.client.project(), target.dataset, target.table)
    }

    async fn inspect(&self, target: &Target) -> Result<Inventory> {
        self.inventory(target).await
    }

    async fn prepare(&self, target: &Target, columns: &[Column], changes: &[SchemaChange]) -> Result<()> {
        let what = format!("preparing {}", self.table_name(target));
        self.within_quota(&what, self.prepare_tables(target, columns, changes)).await
    }

    async fn replace_month(&self, target: &Target, load: &MonthLoad) -> Result<Replaced> {
        let what = format!("loading {} into {}", load.billing_period, self.table_name(target));
        self.within_quota(&what, self.load_month(target, load)).await
    }
}

#[cfg(test)]
mod test {
    use finops_core::{
        manifest::FileFormat,
        schema::{Column, ColumnType, FileType},
    };

    use crate::warehouse::{LoadColumn, MonthLoad};

    /// A column that the files call the same in upper case.
    pub fn column(name: &str, file_type: FileType, column_type: ColumnType) -> LoadColumn {
        let column = Column { name: name.to_owned(), column_type };
        LoadColumn { column, file_name: name.to_uppercase(), file_type }
    }

    pub fn load() -> MonthLoad {
        MonthLoad {
            billing_period: "2025-09".parse().unwrap(),
            execution_id: "e".to_owned(),
            fingerprint: "f".to_owned(),
            manifest_uri: "gs://b/m".to_owned(),
            files: vec!["gs://b/1".to_owned()],
            bytes: 1,
            format: FileFormat::Csv,
            columns: vec![column("a", FileType::Text(None), ColumnType::String)],
            cost: "cost",
            currency: "currency",
            rows: None,
            previous: None,
            force: false,
            run_id: "Run:1".to_owned(),
        }
    }
}
