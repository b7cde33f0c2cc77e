//! The methods of BigQuery's API that finops uses.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    model::{Dataset, Granted, Job, QueryResponse, RowAccessPolicies, Table},
    rest::{Request, Rest},
    upload::ShowUploaded,
};
use crate::{error::Result, http};

const SLOWEST_POLL: Duration = Duration::from_secs(5);

/// The projects that requests name.
pub struct Projects {
    /// Of datasets and tables.
    pub tables: String,
    /// Of jobs.
    pub jobs: String,
}

/// BigQuery, with tables in one project.
pub struct Client {
    pub(super) rest: Rest,
    projects: Projects,
    /// The labels of every job, which users configure.
    labels: BTreeMap<String, String>,
    /// A server on this machine, which answers quickly.
    is_local: bool,
    /// Called as files are uploaded.
    pub(super) show_uploaded: ShowUploaded,
}

impl Client {
    /// A client for the projects; with `emulator_host` at a local server.
    pub fn connect(
        projects: Projects,
        labels: BTreeMap<String, String>,
        emulator_host: Option<&str>,
        key_file: Option<PathBuf>,
    ) -> Result<Self> {
        let rest = Rest::new(http::client()?, http::backoff(), emulator_host, key_file)?;
        Ok(Self { rest, projects, labels, is_local: emulator_host.is_some(), show_uploaded: Box::new(|_| {}) })
    }

    pub fn show_uploaded(&mut self, show: ShowUploaded) {
        self.show_uploaded = show;
    }

    /// The project of datasets and tables.
    pub fn project(&self) -> &str {
        &self.projects.tables
    }

    /// The project of jobs.
    pub fn job_project(&self) -> &str {
        &self.projects.jobs
    }

    /// The object with the configured labels; its own labels win.
    pub fn labelled(&self, mut object: Value) -> Value {
        for (key, value) in &self.labels {
            if object["labels"][key].is_null() {
                object["labels"][key] = value.as_str().into();
            }
        }
        object
    }

    /// A table's name in requests.
    pub fn reference(&self, dataset: &str, table: &str) -> Value {
        json!({"projectId": self.project(), "datasetId": dataset, "tableId": table})
    }

    pub async fn dataset(&self, dataset: &str) -> Result<Option<Dataset>, Failure> {
        self.get_if_there("datasets.get", &["datasets", dataset], &[]).await
    }

    pub async fn create_dataset(&self, dataset: &Value) -> Result<Dataset, Failure> {
        self.post("datasets.insert", &["datasets"], dataset).await
    }

    pub async fn table(&self, dataset: &str, table: &str) -> Result<Option<Table>, Failure> {
        self.get_if_there("tables.get", &["datasets", dataset, "tables", table], &[]).await
    }

    pub async fn create_table(&self, dataset: &str, table: &Value) -> Result<Table, Failure> {
        self.post("tables.insert", &["datasets", dataset, "tables"], table).await
    }

    pub async fn delete_table(&self, dataset: &str, table: &str) -> Result<(), Failure> {
        let path = ["datasets", dataset, "tables", table];
        self.send("tables.delete", Method::DELETE, &path, &[], None).await
    }

    /// How long to wait before a job with a transient failure is tried again.
    pub fn job_backoff(&self) -> ExponentialBuilder {
        if self.is_local {
            return http::backoff();
        }
        // Google's documentation: `jobRateLimitExceeded` goes away after seconds to minutes.
        let (first, longest) = (Duration::from_secs(1), Duration::from_mins(1));
        ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_max_times(6).with_jitter()
    }

    /// How long to wait where a table was changed too often: 5 changes in 10 seconds are allowed, and each added row counts.
    pub fn rate_limit_backoff(&self) -> ExponentialBuilder {
        let first = if self.is_local { Duration::from_millis(200) } else { Duration::from_secs(10) };
        let backoff = ExponentialBuilder::default().with_min_delay(first).with_max_delay(first * 6);
        backoff.with_factor(1.5).with_max_times(6).with_jitter()
    }

    /// How long to wait where BigQuery does not find a dataset or table that exists: new ones may be missing for seconds.
    pub fn new_backoff(&self) -> ExponentialBuilder {
        let first = if self.is_local { Duration::from_millis(50) } else { Duration::from_secs(1) };
        ExponentialBuilder::default().with_min_delay(first).with_max_times(4)
    }

    /// How long to wait between requests for a job's state.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let first = if self.is_local { Duration::from_millis(50) } else { Duration::from_millis(250) };
        std::iter::successors(Some(first), |pause| Some((*pause * 3 / 2).min(SLOWEST_POLL)))
    }

    /// Lets BigQuery check a statement without running it.
    pub async fn dry_run(&self, location: &str, sql: &str, parameters: &[Value]) -> Result<Job, Failure> {
        let mut job = json!({
            "jobReference": {"projectId": self.job_project(), "location": location},
            "configuration": {"dryRun": true, "query": {"query": sql, "useLegacySql": false}},
        });
        if !parameters.is_empty() {
            job["configuration"]["query"]["parameterMode"] = "NAMED".into();
            job["configuration"]["query"]["queryParameters"] = parameters.into();
        }
        let tried = || self.post("jobs.insert", &["jobs"], &job);
        tried.retry(self.new_backoff()).when(|failure: &Failure| failure.is_status(404)).await
    }

    pub async fn test_permissions(&self, dataset: &str, table: &str, permissions: &[&str]) -> Result<Granted, Failure> {
        let table = format!("{table}:testIamPermissions");
        let path = ["datasets", dataset, "tables", &table];
        self.post("tables.testIamPermissions", &path, &json!({ "permissions": permissions })).await
    }

    /// The ids of a table's row access policies; none for a missing table.
    pub async fn row_access_policies(&self, dataset: &str, table: &str) -> Result<Vec<String>, Failure> {
        let path = ["datasets", dataset, "tables", table, "rowAccessPolicies"];
        let mut ids = Vec::new();
        let mut page_token: Option<String> = None;
        loop {
            let query: Vec<(&str, &str)> = page_token.iter().map(|token| ("pageToken", token.as_str())).collect();
            let page: Option<RowAccessPolicies> = self.get_if_there("rowAccessPolicies.list", &path, &query).await?;
            let Some(page) = page else { return Ok(Vec::new()) };
            ids.extend(page.row_access_policies.into_iter().map(|policy| policy.row_access_policy_reference.policy_id));
            page_token = page.next_page_token.filter(|token| !token.is_empty());
            if page_token.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Reads one row of a table, if it has any.
    pub async fn first_row(&self, dataset: &str, table: &str) -> Result<Value, Failure> {
        self.get("tabledata.list", &["datasets", dataset, "tables", table, "data"], &[("maxResults", "1")]).await
    }

    /// Signs in, as the first request would.
    pub async fn sign_in(&self) -> Result<(), Failure> {
        self.rest.headers().await.map(drop)
    }

    pub async fn job(&self, id: &str, location: &str) -> Result<Job, Failure> {
        self.get("jobs.get", &["jobs", id], &[("location", location)]).await
    }

    pub async fn start_query(&self, request: &Value) -> Result<QueryResponse, Failure> {
        self.post("jobs.query", &["queries"], request).await
    }

    pub async fn query_results(
        &self,
        id: &str,
        location: &str,
        page_token: Option<&str>,
    ) -> Result<QueryResponse, Failure> {
        let mut query = vec![("location", location)];
        query.extend(page_token.map(|token| ("pageToken", token)));
        self.get("jobs.getQueryResults", &["queries", id], &query).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.send(method, Method::GET, path, query, None).await
    }

    /// `None` for something that does not exist.
    async fn get_if_there<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Failure> {
        self.get(method, path, query).await.map(Some).or_else(Failure::none_if_missing)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &[&str],
        body: &Value,
    ) -> Result<T, Failure> {
        self.send(method, Method::POST, path, &[], Some(body)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        name: &str,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let project = if let ["jobs" | "queries", ..] = path { self.job_project() } else { self.project() };
        let path = [&[project], path].concat();
        // Boxed, since every future that waits for an answer contains it.
        Box::pin(self.rest.send(name, &Request { method, path: &path, query, body })).await
    }
}
