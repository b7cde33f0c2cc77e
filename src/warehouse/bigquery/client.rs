//! Requests, with retries.

use std::future::Future;

use backon::Retryable;
use gcp_bigquery_client::{
    Client as Api,
    client_builder::ClientBuilder,
    error::BQError,
    model::{
        dataset::Dataset, get_query_results_parameters::GetQueryResultsParameters, job::Job,
        query_request::QueryRequest, query_response::QueryResponse, table::Table,
    },
};

use super::{credentials::authenticator, errors::Failure};
use crate::{
    error::{Error, Kind, Result},
    http,
};

/// One project's BigQuery.
pub(super) struct Client {
    api: Api,
    project: String,
}

impl Client {
    /// A client for `project`, at a local server if one is given.
    pub(super) async fn connect(project: String, emulator_host: Option<&str>) -> Result<Self> {
        let mut builder = ClientBuilder::new();
        builder.with_client(http::client()?);
        if let Some(host) = emulator_host {
            builder.with_v2_base_url(format!("{}/bigquery/v2", host.trim_end_matches('/')));
        }
        let api = builder.build_from_authenticator(authenticator(emulator_host.is_some())?).await;
        let failed = |error| Error::new(Kind::Warehouse, "cannot set up the BigQuery client").cause(error);
        Ok(Self { api: api.map_err(failed)?, project })
    }

    pub(super) fn project(&self) -> &str {
        &self.project
    }

    pub(super) async fn dataset(&self, dataset: &str) -> Result<Dataset, Failure> {
        retry("datasets.get", || self.api.dataset().get(&self.project, dataset)).await
    }

    pub(super) async fn create_dataset(&self, dataset: Dataset) -> Result<Dataset, Failure> {
        retry("datasets.insert", || self.api.dataset().create(dataset.clone())).await
    }

    pub(super) async fn table(&self, dataset: &str, table: &str) -> Result<Table, Failure> {
        retry("tables.get", || self.api.table().get(&self.project, dataset, table, None)).await
    }

    pub(super) async fn create_table(&self, table: &Table) -> Result<Table, Failure> {
        retry("tables.insert", || self.api.table().create(table.clone())).await
    }

    pub(super) async fn insert_job(&self, job: &Job) -> Result<Job, Failure> {
        retry("jobs.insert", || self.api.job().insert(&self.project, job.clone())).await
    }

    pub(super) async fn job(&self, id: &str, location: &str) -> Result<Job, Failure> {
        retry("jobs.get", || self.api.job().get_job(&self.project, id, Some(location))).await
    }

    pub(super) async fn start_query(&self, request: QueryRequest) -> Result<QueryResponse, Failure> {
        retry("jobs.query", || self.api.job().query(&self.project, request.clone())).await
    }

    pub(super) async fn query_results(
        &self,
        id: &str,
        parameters: GetQueryResultsParameters,
    ) -> Result<QueryResponse, Failure> {
        let results = || self.api.job().get_query_results(&self.project, id, parameters.clone());
        Ok(retry("jobs.getQueryResults", results).await?.into())
    }
}

async fn retry<T, F>(method: &str, mut send: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, BQError>>,
{
    let attempt = || {
        // The client's futures are large: they hold whole jobs and tables by value.
        let sent = Box::pin(send());
        async move { sent.await.map_err(Failure::from) }
    };
    attempt
        .retry(http::backoff())
        .when(Failure::is_transient)
        .notify(|failure, delay| tracing::debug!(method, %failure, ?delay, "BigQuery request is sent again"))
        .await
}
