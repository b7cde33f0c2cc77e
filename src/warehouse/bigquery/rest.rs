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
/// A page of results has 20 MB at most.
const LONGEST_ANSWER: usize = 64 << 20;
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
        let mut answer = sent.send().await.map_err(Failure::no_answer)?;
        let status = answer.status();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(Failure::no_answer)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(Failure::too_long(status.as_u16()));
            }
        }
        if !status.is_success() {
            return Err(Failure::refused(status.as_u16(), retry_after.as_deref(), &body));
        }
        // The answer to a deletion is empty.
        let json = if body.is_empty() { b"null".as_slice() } else { &body };
        serde_json::from_slice(json).map_err(|error| Failure::unreadable(status.as_u16(), &body, error))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    use super::*;

    const ATTEMPTS: usize = 3;

    /// A server that answers each connection with `answer` and keeps it open; gives them with the requests' first lines.
    async fn serve(answer: &'static str) -> (Rest, JoinHandle<(Vec<String>, Vec<TcpStream>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut lines, mut open) = (Vec::new(), Vec::new());
            while lines.len() < ATTEMPTS {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 10_000];
                let read = connection.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                lines.push(text.lines().next().unwrap_or_default().to_owned());
                connection.write_all(answer.as_bytes()).await.unwrap();
                open.push(connection);
                if answer.contains("Content-Length: 0\r\n") {
                    break;
                }
            }
            (lines, open)
        });
        let http = Client::builder().timeout(Duration::from_millis(100)).build().unwrap();
        let backoff =
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(1)).with_max_times(ATTEMPTS - 1);
        (Rest::new(http, backoff, Some(&host)).unwrap(), server)
    }

    fn request<'a>(path: &'a [&'a str], body: Option<&'a Value>) -> Request<'a> {
        Request { method: Method::POST, path, query: &[("location", "EU")], body }
    }

    #[tokio::test]
    async fn an_answer_that_hangs_before_or_within_its_body_is_asked_for_again_and_given_up_in_time() {
        for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"state\": \"DONE\""] {
            let (rest, server) = serve(answer).await;
            let failure = rest.send::<Value>("jobs.insert", &request(&["p", "jobs"], None)).await.unwrap_err();
            assert_eq!(failure.to_string(), "no answer in time");
            let error = failure.into_error("loading");
            assert_eq!(error.kind(), Kind::Warehouse);
            assert!(error.next_step().unwrap().contains("network"), "{error:?}");
            assert_eq!(server.await.unwrap().0, ["POST /bigquery/v2/projects/p/jobs?location=EU HTTP/1.1"; ATTEMPTS]);
        }
    }

    #[tokio::test]
    async fn names_of_any_characters_stay_one_component_of_the_path() {
        let (rest, server) = serve("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").await;
        rest.send::<()>("tables.delete", &request(&["p", "a/b ?#ä"], None)).await.unwrap();
        let line = "POST /bigquery/v2/projects/p/a%2Fb%20%3F%23%C3%A4?location=EU HTTP/1.1";
        assert_eq!(server.await.unwrap().0, [line]);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://user:secret@{}", listener.local_addr().unwrap());
        drop(listener);
        let backoff = ExponentialBuilder::default().with_min_delay(Duration::from_millis(1)).with_max_times(1);
        let rest = Rest::new(Client::new(), backoff, Some(&host)).unwrap();
        let failure = rest.send::<Value>("jobs.insert", &request(&["p"], None)).await.unwrap_err();
        let error = failure.into_error("loading");
        assert!(error.full_message().starts_with("loading failed: no usable answer: "), "{error:?}");
        assert!(!error.full_message().contains("secret"), "{error:?}");
    }
}
