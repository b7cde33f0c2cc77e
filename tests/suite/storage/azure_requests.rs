//! How many requests to storage a run takes.

use std::sync::{Arc, Mutex};

use axum::{
    extract::{Request, State},
    response::Response,
};
use billing_exports::{Dialect, Export, Format, Run};
use finops_core::formats::{Format as _, azure::Azure};

use crate::support::{
    azure_job::AzureJob,
    program::each,
    servers::{self, client},
};

/// Passes requests to a server and keeps their paths and queries.
#[derive(Clone)]
struct Counter {
    server: String,
    http: reqwest::Client,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Counter {
    /// Listens on a free port. Returns the URL too.
    async fn before(server: &str) -> (Self, String) {
        let counter = Self { server: server.to_owned(), http: client(), seen: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(pass_on).with_state(counter.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (counter, url)
    }

    /// The requests since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn pass_on(State(counter): State<Counter>, request: Request) -> Response {
    counter.seen.lock().unwrap().push(request.uri().to_string());
    servers::pass_on(&counter.http, &counter.server, request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_runs_that_are_not_loaded_need_no_requests_to_storage() {
    for parts in [1, 10] {
        let job = AzureJob::cloud().await;
        let export = Export { parts, rows: 60, ..Export::new(Dialect::AzureFocus12, Format::Parquet) };
        let runs = Run::daily("2025-09".parse().unwrap());
        for run in &runs {
            job.deliver(&export, run).await;
        }
        let (counter, url) = Counter::before(job.storage().unwrap().url()).await;
        let finops = job.finops.clone().with("STORAGE_EMULATOR_HOST", &url);

        // Manifests are found by patterns and each is read; of one run, the files are listed.
        let discovery = Azure.manifest_patterns(None).len() + runs.len() + 1;
        // Each of its files is looked at once, and when it is loaded they are listed again: nothing may have changed.
        let loading = parts + 1;
        for (status, expected) in [("loaded", discovery + loading), ("skipped", discovery)] {
            assert_eq!(each(&finops.report(0), "status"), [status]);
            let seen = counter.take();
            assert_eq!(seen.len(), expected, "{parts} parts, {status}: {seen:#?}");
        }
    }
}
