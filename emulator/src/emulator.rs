//! Starting, steering and inspecting an emulator within a process.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    api::datasets,
    catalog::DatasetId,
    connection::{CuttableListener, ResetHandle},
    faults::{Fault, JobFault},
    requests::LoggedRequest,
    server::{Server, handle},
    warehouse::Warehouse,
};

/// How an emulator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// The project of the datasets made at the start.
    pub project: String,
    /// Datasets made at the start: id and location.
    pub datasets: Vec<(String, String)>,
    /// The storage server that `gs://` objects come from, such as `http://127.0.0.1:4443`.
    pub storage: Option<String>,
    /// Added to every request.
    pub latency: Duration,
    /// The least time that a load job runs.
    pub job_duration: Duration,
    /// Refuses a job schema that lacks columns of the table on a partition truncate, in case the
    /// real service does.
    pub strict_missing_columns: bool,
    /// Loads an empty unquoted CSV field of a STRING column as NULL, not as an empty string.
    pub empty_string_as_null: bool,
    /// Prints each request on stderr.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            project: "demo".to_owned(),
            datasets: Vec::new(),
            storage: None,
            latency: Duration::ZERO,
            job_duration: Duration::ZERO,
            strict_missing_columns: false,
            empty_string_as_null: false,
            log: false,
        }
    }
}

/// A running emulator; dropping it stops it and cuts its connections.
pub struct Emulator {
    server: Arc<Server>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Starts listening.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let bind = options.address;
        let listener = TcpListener::bind(bind).await.map_err(|source| StartError::Bind { address: bind, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Bind { address: bind, source })?;
        let server = Arc::new(Server::new(options).map_err(|error| StartError::Warehouse(error.message))?);
        for (dataset, location) in &server.options.datasets {
            let id = DatasetId::new(&server.options.project, dataset);
            datasets::create(&server, &id, location, BTreeMap::new())
                .map_err(|error| StartError::Warehouse(error.message))?;
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let listener = CuttableListener::new(listener, Arc::clone(&stopped));
        let service = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&server))
            .into_make_service_with_connect_info::<ResetHandle>();
        let task = tokio::spawn(async move {
            // `serve` answers accept errors itself and never returns.
            let _ = axum::serve(listener, service).await;
        });
        Ok(Self { server, address, stopped, task })
    }

    /// The base URL, without the `/bigquery/v2` of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a fault to the schedule.
    pub fn add_fault(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Adds a fault of jobs to the schedule.
    pub fn add_job_fault(&self, fault: JobFault) {
        self.server.faults.add_job(fault);
    }

    /// Keeps load jobs whose id begins with the prefix running, and their rows invisible.
    pub fn hold_jobs(&self, prefix: &str) {
        self.server.holds.hold(prefix);
    }

    /// Lets all held jobs end.
    pub fn release(&self) {
        self.server.holds.release();
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.server.requests.all()
    }

    /// Runs DuckDB SQL on the stored rows, past the API: table `t` of dataset `d` in project `p` is
    /// `"p:d"."t"`, and a BIGNUMERIC column reads as `bq_bignumeric_text(column)`.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let run = || {
            let connection = self.server.warehouse.connect()?;
            let columns = {
                let mut statement = connection.prepare(sql)?;
                let _ = statement.query([])?;
                statement.column_names()
            };
            let texts: Vec<String> = (0..columns.len()).map(|at| format!("c{at}::VARCHAR")).collect();
            let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
            let wrapped = format!("SELECT {} FROM ({sql}) AS t({})", texts.join(", "), names.join(", "));
            Warehouse::rows(&connection, &wrapped, columns.len())
        };
        run().map_err(|error| error.to_string())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        self.task.abort();
    }
}

/// Why an emulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    Bind {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// DuckDB or a dataset of the options could not be set up.
    Warehouse(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind { address, .. } => write!(f, "cannot listen on {address}; choose another --host or --port"),
            Self::Warehouse(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } => Some(source),
            Self::Warehouse(_) => None,
        }
    }
}
