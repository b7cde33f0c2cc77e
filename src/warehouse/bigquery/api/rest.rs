//! One request to BigQuery's REST API, and when it is sent again. All requests of this warehouse are sent here.

use std::{mem, path::PathBuf};

use backon::{ExponentialBuilder, Retryable};
use finops_core::{hint, model::shown::shown};
use google_cloud_auth::credentials::{CacheableResource, Credentials, anonymous};
use http::{Extensions, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, header::RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{credentials::credentials, failure::Failure};
use crate::error::{Error, ErrorKind, Result};

pub const HOST: &str = "https://bigquery.googleapis.com";
/// A page of results has at most 20 MB.
const LONGEST_ANSWER: usize = 64 << 20;

/// A connection to BigQuery, or to a local server.
pub struct Rest {
    pub http: Client,
    host: Url,
    credentials: Credentials,
    key_file: Option<PathBuf>,
    pub backoff: ExponentialBuilder,
}

/// A request.
pub struct Request<'a> {
    pub method: Method,
    /// The path's components after `/bigquery/v2/projects`.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub body: Option<&'a Value>,
}

/// The service's answer: a success or a refusal.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// The answer, if it is a success.
    pub fn accepted(self) -> Result<Self, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let retry_after = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(Failure::refused(self.status.as_u16(), retry_after, &self.body))
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // The answer to a deletion is empty.
        let json = if self.body.is_empty() { b"null".as_slice() } else { &self.body };
        serde_json::from_slice(json).map_err(|error| Failure::unreadable(self.status.as_u16(), &self.body, error))
    }
}

impl Rest {
    /// A connection with the credentials of the key file or the environment; without credentials for a local server.
    ///
    /// # Errors
    /// `Credentials` where there are no usable ones, `Configuration` for a host that is not a URL.
    pub fn new(
        http: Client,
        backoff: ExponentialBuilder,
        emulator_host: Option<&str>,
        key_file: Option<PathBuf>,
    ) -> Result<Self> {
        let credentials = match emulator_host {
            Some(_) => anonymous::Builder::new().build(),
            None => credentials(key_file.as_deref())?,
        };
        let host = emulator_host.unwrap_or(HOST);
        let host = Url::parse(host).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("BIGQUERY_EMULATOR_HOST is not a URL: {}", shown(host)))
                .hint(hint::EMULATOR_URL)
                .cause(error)
        })?;
        Ok(Self { http, host, credentials, key_file, backoff })
    }

    /// Sends the request until it has a final answer. `method` is its name in BigQuery's documentation.
    pub async fn send<T: DeserializeOwned>(&self, method: &str, request: &Request<'_>) -> Result<T, Failure> {
        let attempt = || async {
            let sent =
                self.http.request(request.method.clone(), self.url(&["bigquery", "v2", "projects"], request.path));
            let sent = sent.query(request.query);
            self.exchange(request.body.into_iter().fold(sent, RequestBuilder::json)).await?.accepted()?.json()
        };
        self.until_answered(method, attempt).await
    }

    /// The URL of `path` under `root`, both as components.
    pub fn url(&self, root: &[&str], path: &[&str]) -> Url {
        let mut url = self.host.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(root).extend(path);
        }
        url
    }

    /// Whether a URL from an answer may receive credentials and data.
    pub fn is_ours(&self, url: &Url) -> bool {
        let is_google =
            |url: &Url| url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(".googleapis.com"));
        url.origin() == self.host.origin() || (is_google(&self.host) && is_google(url))
    }

    /// Repeats the attempt until it has a final answer.
    pub async fn until_answered<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        method: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Failure> {
        attempt
            .retry(self.backoff)
            .when(Failure::is_transient)
            .adjust(|failure, delay| delay.map(|delay| delay.max(failure.retry_after())))
            .notify(|failure, delay| tracing::info!(method, %failure, ?delay, "BigQuery request is sent again"))
            .await
    }

    /// The headers with the credentials.
    pub async fn headers(&self) -> Result<HeaderMap, Failure> {
        // google-cloud-auth caches tokens and retries.
        match self.credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => Err(Failure::Credentials(error, self.key_file.clone())),
        }
    }

    /// Sends the request once.
    pub async fn exchange(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let headers = self.headers().await?;
        let mut answer = request.headers(headers).send().await.map_err(Failure::no_answer)?;
        let (status, headers) = (answer.status(), mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(Failure::no_answer)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(Failure::strange(status.as_u16(), "far longer than any of BigQuery's"));
            }
        }
        Ok(Answer { status, headers, body })
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
        (Rest::new(http, backoff, Some(&host), None).unwrap(), server)
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
            assert_eq!(error.kind(), ErrorKind::Warehouse);
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

    #[test]
    fn credentials_stay_with_the_host_or_with_google() {
        let is_ours = |host: &str, url: &str| {
            let rest = Rest::new(Client::new(), ExponentialBuilder::default(), Some(host), None).unwrap();
            rest.is_ours(&url.parse().unwrap())
        };
        let local = "http://127.0.0.1:9050";
        assert!(is_ours(local, "http://127.0.0.1:9050/upload?upload_id=1"));
        for other in ["http://127.0.0.1:9051/", "https://127.0.0.1:9050/", "https://bigquery.googleapis.com/"] {
            assert!(!is_ours(local, other), "{other}");
        }
        assert!(is_ours(HOST, "https://www.googleapis.com/upload"));
        for other in ["http://www.googleapis.com/", "https://googleapis.com.example/", "https://evilgoogleapis.com/"] {
            assert!(!is_ours(HOST, other), "{other}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("http://user:secret@{}", listener.local_addr().unwrap());
        drop(listener);
        let backoff = ExponentialBuilder::default().with_min_delay(Duration::from_millis(1)).with_max_times(1);
        let rest = Rest::new(Client::new(), backoff, Some(&host), None).unwrap();
        let failure = rest.send::<Value>("jobs.insert", &request(&["p"], None)).await.unwrap_err();
        let error = failure.into_error("loading");
        assert!(error.full_message().starts_with("loading failed: no usable answer: "), "{error:?}");
        assert!(!error.full_message().contains("secret"), "{error:?}");
    }

    #[test]
    fn a_host_that_is_no_url_says_how_to_give_it() {
        let rest = Rest::new(Client::new(), ExponentialBuilder::default(), Some("127.0.0.1:9050"), None);
        assert_eq!(rest.err().unwrap().next_step(), Some(hint::EMULATOR_URL));
    }
}
