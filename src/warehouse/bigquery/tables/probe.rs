//! Checks of BigQuery that change nothing and cost nothing.
//!
//! Documented by Google: a dry run of a statement creates no job, is free, and is refused where the job would be;
//! tables.get, datasets.get, tabledata.list, tables.testIamPermissions and rowAccessPolicies.list are free. Assumed: a dry run
//! of `CREATE` is refused where the account may not create (bigquery.tables.create, bigquery.datasets.create), and its answer
//! names the account.

use finops_core::model::load_record::STATE_TABLE;
use jiff::SignedDuration;

use crate::warehouse::bigquery::{BigQuery, Options, api::rest::HOST};
use crate::{
    error::{ErrorKind, Result},
    http,
    warehouse::sql::Dialect,
};

/// The permissions to replace, verify and record months: `roles/bigquery.dataEditor` has all.
const NEEDED: [&str; 4] =
    ["bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.update", "bigquery.tables.updateData"];
/// What staging tables need in addition, besides `bigquery.tables.create`. It is checked on another table of the dataset,
/// since there is no staging table yet.
const NEEDED_OF_STAGING: &str = "bigquery.tables.delete";

/// What matters about a dataset before tables are created in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFacts {
    /// Its location, such as `EU`.
    pub location: String,
    /// After how many days it drops partitions of new tables, in text.
    pub partition_expiration_days: Option<String>,
    /// After how many days it drops new tables, in text.
    pub table_expiration_days: Option<String>,
}

/// How far this machine's clock is ahead of BigQuery's; `None` where BigQuery does not report its time. It needs no
/// credentials: a refusal has the time, too.
pub async fn clock_ahead(options: &Options) -> Option<SignedDuration> {
    let host = options.emulator_host.as_deref().unwrap_or(HOST).trim_end_matches('/');
    let url = format!("{host}/bigquery/v2/projects/{}/datasets?maxResults=1", options.project);
    http::ahead_of(http::client().ok()?.get(url)).await
}

impl BigQuery {
    fn project(&self) -> &str {
        self.client.project()
    }

    /// Signs in, as the first request would.
    ///
    /// # Errors
    /// `Credentials` where there is no token.
    pub async fn sign_in(&self) -> Result<()> {
        self.client.sign_in().await.map_err(|failure| failure.into_error("signing in to BigQuery"))
    }

    /// Checks that the account may run jobs in the project (bigquery.jobs.create). Returns the account, if BigQuery reports
    /// it.
    ///
    /// # Errors
    /// `Permission` where it may not.
    pub async fn may_run_jobs(&self) -> Result<Option<String>> {
        let doing = format!("trying a query in project {}", self.client.job_project());
        Ok(self.dry_run(&self.default_location, "SELECT 1", &[], &doing).await?.user_email)
    }

    /// The dataset, if it exists.
    ///
    /// # Errors
    /// What BigQuery refuses.
    pub async fn dataset_facts(&self, dataset: &str) -> Result<Option<DatasetFacts>> {
        Ok(self.dataset(dataset).await?.map(|found| DatasetFacts {
            location: found.location,
            partition_expiration_days: found.default_partition_expiration_ms.and_then(|ms| days(&ms)),
            table_expiration_days: found.default_table_expiration_ms.and_then(|ms| days(&ms)),
        }))
    }

    /// Checks that a run may create the dataset.
    ///
    /// # Errors
    /// `Permission` where it may not.
    pub async fn may_create_dataset(&self, dataset: &str) -> Result<()> {
        let path = Dialect::BigQuery.path(&[self.project(), dataset]);
        let doing = format!("trying to create dataset {}.{dataset}", self.project());
        self.dry_run(&self.default_location, &format!("CREATE SCHEMA {path}"), &[], &doing).await.map(drop)
    }

    /// Checks that a run may create tables in the dataset: the first load and each staging table need it.
    ///
    /// # Errors
    /// `Permission` where they may not.
    pub async fn may_create_tables(&self, dataset: &str, location: &str) -> Result<()> {
        let sql = format!("CREATE TABLE {} (a STRING)", self.path(dataset, "finops_check"));
        let doing = format!("trying to create a table in {}.{dataset}", self.project());
        self.dry_run(location, &sql, &[], &doing).await.map(drop)
    }

    /// The permissions that the account lacks to load into a table, and for staging tables in the same dataset; `None` where
    /// the server does not have this method. It may report too many permissions: its documentation says `this operation may
    /// "fail open" without warning`.
    ///
    /// # Errors
    /// What BigQuery refuses.
    pub async fn missing_permissions(&self, dataset: &str, table: &str) -> Result<Option<Vec<&'static str>>> {
        let mut needed = NEEDED.to_vec();
        needed.extend((self.staging_dataset(dataset) == dataset).then_some(NEEDED_OF_STAGING));
        match self.client.test_permissions(dataset, table, &needed).await {
            Ok(granted) => {
                needed.retain(|name| granted.permissions.iter().all(|granted| granted != name));
                Ok(Some(needed))
            }
            Err(failure) if [404, 405, 501].iter().any(|status| failure.is_status(*status)) => Ok(None),
            Err(failure) => {
                let table = format!("{}.{dataset}.{table}", self.project());
                Err(failure.into_error(&format!("asking for the permissions on table {table}")))
            }
        }
    }

    /// The ids of the table's row access policies; `None` where the account may not list them
    /// (`bigquery.rowAccessPolicies.list`, which `roles/bigquery.dataEditor` does not have).
    ///
    /// # Errors
    /// What BigQuery refuses.
    pub async fn row_access_policies(&self, dataset: &str, table: &str) -> Result<Option<Vec<String>>> {
        let listed = self.client.row_access_policies(dataset, table).await;
        let doing = || format!("listing the row access policies of {}.{dataset}.{table}", self.project());
        match listed.map_err(|failure| failure.into_error(&doing())) {
            Ok(ids) => Ok(Some(ids)),
            Err(error) if error.kind() == ErrorKind::Permission => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a row of the state table, if there is one, and checks that a row may be added, if jobs may be run.
    ///
    /// # Errors
    /// `ForeignTable` where finops did not create it; what BigQuery refuses.
    pub async fn try_state(&self, dataset: &str, location: &str, may_run_jobs: bool) -> Result<bool> {
        let Some(table) = self.find_table(dataset, STATE_TABLE).await? else {
            // It is not known whether a sandbox refuses the statement before it finds the table missing.
            let tried = if may_run_jobs { self.try_recording(dataset, location, |_| true).await } else { Ok(()) };
            return tried
                .map(|()| false)
                .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(false) } else { Err(error) });
        };
        self.check_state(dataset, &table)?;
        let read = self.client.first_row(dataset, STATE_TABLE).await;
        read.map_err(|failure| failure.into_error(&format!("reading {}", self.state_table(dataset))))?;
        // A run adds the columns that an older version's table lacks.
        let is_there = |name: &str| table.schema.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
        if may_run_jobs {
            self.try_recording(dataset, location, is_there).await?;
        }
        Ok(true)
    }
}

/// Milliseconds as days, rounded down. Zero means never.
fn days(milliseconds: &str) -> Option<String> {
    const DAY: u64 = 86_400_000;
    match milliseconds.parse::<u64>() {
        Ok(0) => None,
        Ok(ms) if ms < DAY => Some("less than 1".to_owned()),
        Ok(ms) => Some((ms / DAY).to_string()),
        Err(_) => Some(milliseconds.to_owned()),
    }
}
