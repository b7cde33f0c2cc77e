//! One request to BigQuery's REST API, and when it is sent again. Every request of this warehouse goes through here.

use backon::{ExponentialBuilder, Retryable};
use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials, anonymous};
use http::{Extensions, HeaderMap};
use reqwest::{Client, Method, Url, header::RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::errors::{Failure, no_credentials};
use crate::error::{Error, Kind, Result};

const HOST: &str = "https://bigquery.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/bigquery";

/// A connection to BigQuery, or to a local server.
pub(super) struct Rest {
    http: Client,
    base: Url,
    credentials: Credentials,
    backoff: ExponentialBuilder,
}

/// What is sent.
pub(super) struct Request<'a> {
    pub method: Method,
    /// The path's components behind `/bigquery/v2/projects`.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub body: Option<&'a Value>,
}

impl Rest {
    /// A connection with application default credentials (metadata server, key file, workload identity federation,
    /// impersonation), or without any to a local server.
    ///
    /// # Errors
    /// `Credentials` where none can be made, `Configuration` for a host that is no URL.
    pub(super) fn new(http: Client, backoff: ExponentialBuilder, emulator_host: Option<&str>) -> Result<Self> {
        let credentials = match emulator_host {
            Some(_) => anonymous::Builder::new().build(),
            None => Builder::default().with_scopes([SCOPE]).build().map_err(no_credentials)?,
        };
        let host = emulator_host.unwrap_or(HOST).trim_end_matches('/');
        let base = Url::parse(&format!("{host}/bigquery/v2/projects")).map_err(|error| {
            Error::new(Kind::Configuration, format!("BIGQUERY_EMULATOR_HOST is no URL: {host}"))
                .hint("give it as http://host:port")
                .cause(error)
        })?;
        Ok(Self { http, base, credentials, backoff })
    }

    /// Sends the request until it is answered for good; `method` is its name in BigQuery's documentation.
    pub(super) async fn send<T: DeserializeOwned>(&self, method: &str, request: &Request<'_>) -> Result<T, Failure> {
        (|| self.attempt(request))
            .retry(self.backoff)
            .when(Failure::is_transient)
            .adjust(|failure, delay| delay.map(|delay| delay.max(failure.retry_after())))
            .notify(|failure, delay| tracing::debug!(method, %failure, ?delay, "BigQuery request is sent again"))
            .await
    }

    async fn attempt<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, Failure> {
        // google-cloud-auth keeps tokens as long as they are good, and tries again by itself.
        let headers = match self.credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => data,
            Ok(CacheableResource::NotModified) => HeaderMap::new(),
            Err(error) => return Err(Failure::Credentials(error)),
        };
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(request.path);
        }
        let mut sent = self.http.request(request.method.clone(), url).query(request.query).headers(headers);
        if let Some(body) = request.body {
            sent = sent.json(body);
        }
        let answer = sent.send().await.map_err(Failure::no_answer)?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.map_err(Failure::no_answer)?;
        if !status.is_success() {
            return Err(Failure::refused(status.as_u16(), retry_after.as_deref(), &body));
        }
        // 204 has no body at all.
        let json = if body.is_empty() { b"null".as_slice() } else { &body };
        serde_json::from_slice(json).map_err(|error| Failure::unreadable(status.as_u16(), &body, error))
    }
}
