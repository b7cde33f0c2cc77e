//! Starts, controls and inspects an emulator within a process.

use std::{io, net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    api::datasets,
    catalog::{Dataset, DatasetId, RowAccessPolicy},
    connection::{CuttableListener, ResetHandle},
    error::ApiError,
    faults::{Fault, JobFault},
    lock::lock,
    options::Options,
    server::{LoggedRequest, Server, handle},
    warehouse::Warehouse,
};

/// A running emulator. Dropping it stops it and cuts its connections.
pub struct Emulator {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Starts an emulator.
    ///
    /// # Errors
    /// Fails where the address is in use, or a dataset of the options cannot be created.
    pub async fn start(options: Options) -> io::Result<Self> {
        let address = SocketAddr::new(options.host, options.port);
        let cannot_listen = |error: io::Error| {
            let message = format!("cannot listen on {address}: {error}; choose another --host or --port");
            io::Error::new(error.kind(), message)
        };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr()?;
        let failed = |error: ApiError| io::Error::other(error.message);
        let server = Arc::new(Server::new(options).map_err(failed)?);
        for (dataset, location) in &server.options.datasets {
            let id = DatasetId::new(&server.options.project, dataset);
            datasets::create(&server, Dataset::new(id, location)).map_err(failed)?;
        }
        let listener = CuttableListener::new(listener);
        let service = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&server))
            .into_make_service_with_connect_info::<ResetHandle>();
        let task = tokio::spawn(async move {
            // `serve` handles errors of accept itself and never returns.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Self { server, address, task })
    }

    /// The base URL without `/bigquery/v2`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Schedules a fault of requests.
    pub fn add_fault(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Schedules a fault of jobs.
    pub fn add_job_fault(&self, fault: JobFault) {
        self.server.faults.add_job(fault);
    }

    /// Keeps jobs whose id begins with the prefix RUNNING. Their rows are invisible meanwhile.
    pub fn hold_jobs(&self, prefix: &str) {
        self.server.holds.hold(prefix);
    }

    /// Releases all held jobs.
    pub fn release(&self) {
        self.server.holds.release();
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.server.requests).clone()
    }

    /// Adds a row access policy to a table of the options' project. The policy is listed, and a truncate may remove it.
    /// Readers still see all rows.
    ///
    /// # Errors
    /// Fails where the table does not exist.
    pub fn add_row_access_policy(&self, dataset: &str, table: &str, policy: &str, filter: &str) -> Result<(), String> {
        let id = DatasetId::new(&self.server.options.project, dataset).table(table);
        let mut catalog = self.server.catalog();
        let table = catalog.table_mut(&id).map_err(|error| error.message)?;
        table.row_access_policies.push(RowAccessPolicy { id: policy.to_owned(), filter: filter.to_owned() });
        Ok(())
    }

    /// Runs DuckDB SQL on the stored rows, without the API. Table `t` of dataset `d` in project `p` is `"p:d"."t"`;
    /// `bq_bignumeric_text(column)` converts a BIGNUMERIC column to text.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let texts = format!("SELECT COLUMNS(*)::VARCHAR FROM ({sql})");
        let rows = self.server.warehouse.connect().and_then(|connection| Warehouse::rows(&connection, &texts));
        rows.map_err(|error| error.to_string())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
