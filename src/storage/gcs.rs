//! A Google Cloud Storage bucket.
//!
//! Listing uses the JSON API: the official client lists over gRPC only, which no local server has, and the JSON API has the
//! server-side glob. Reading uses the official client, which has its own retries.

mod probe;

use std::ops::Range;

use ::http::{Extensions, HeaderMap};
use backon::Retryable;
use finops_core::hint;
use futures::{StreamExt, stream};
use google_cloud_auth::credentials::{self, CacheableResource, Credentials, anonymous};
use google_cloud_gax::retry_policy::RetryPolicyExt;
use google_cloud_storage::{
    client::Storage, model_ext::ReadRange, read_resume_policy::NeverResume, retry_policy::RetryableErrors,
};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    errors::replaced,
    keys::{inside, names_in},
    limit::Limit,
    object::Object,
    read::{Body, Failure},
};
use crate::{
    credentials::no_google,
    error::{Error, ErrorKind, Result},
    http,
};

const ENDPOINT: &str = "https://storage.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// Google's largest page; local servers return all objects unless a request limits them.
const PAGE: &str = "1000";
/// A page of 1000 objects has a few megabytes at most: a name has up to 1 KiB.
const LONGEST_ANSWER: usize = 64 << 20;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Gcs {
    bucket: String,
    endpoint: String,
    http: reqwest::Client,
    credentials: Credentials,
    storage: Storage,
    pub(super) limit: Limit,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    prefixes: Vec<String>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    size: String,
    updated: Option<Timestamp>,
    crc32c: Option<String>,
    generation: Option<String>,
}

impl Gcs {
    /// The bucket, at Google with application default credentials, or at the emulator `host` (a URL) without any.
    ///
    /// # Errors
    /// `Credentials` if there are none.
    pub async fn connect(bucket: &str, host: Option<&str>) -> Result<Self> {
        let http = http::client()?;
        let credentials = match host {
            Some(_) => anonymous::Builder::new().build(),
            None => credentials::Builder::default().with_scopes([SCOPE]).build().map_err(|error| no_google(&error))?,
        };
        let endpoint = host.unwrap_or(ENDPOINT).trim_end_matches('/').to_owned();
        let storage = Storage::builder()
            .with_endpoint(&endpoint)
            .with_credentials(credentials.clone())
            .with_retry_policy(RetryableErrors.with_attempt_limit(5).with_time_limit(http::DEADLINE))
            // Seen on 1.21: it resumes by recursion, without end if no byte arrives. `read.rs` continues from the last byte.
            .with_read_resume_policy(NeverResume)
            .build()
            .await
            .map_err(|error| {
                Error::new(ErrorKind::Storage, "cannot set up the storage client").cause(error.to_string())
            })?;
        Ok(Self { bucket: bucket.to_owned(), endpoint, http, credentials, storage, limit: Limit::new() })
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("gs://{}/{key}", self.bucket)
    }

    pub(super) async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        let (asked, folder) = (folder, inside(folder));
        let literal = pattern.split(['*', '?']).next().unwrap_or_default();
        let glob: String = folder.chars().map(|c| if "*?[]{}\\".contains(c) { '?' } else { c }).collect();
        let (prefix, glob) = (format!("{folder}{literal}"), format!("{glob}{pattern}"));
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = (|| self.page(asked, &prefix, &glob, token.as_deref()))
                .retry(http::backoff())
                .when(Refusal::is_transient)
                .notify(|refusal, delay| tracing::info!(failure = %refusal.error, ?delay, "repeating a list request"))
                .await
                .map_err(|refusal| refusal.error)?;
            for item in page.items {
                let bytes = item.size.parse().map_err(|_| {
                    let what = format!("{} is listed with the size `{}`", self.uri(&item.name), item.size);
                    Error::new(ErrorKind::Storage, what)
                })?;
                let updated = item.updated.unwrap_or(Timestamp::UNIX_EPOCH);
                let (checksum, version) = (item.crc32c, item.generation);
                objects.push(Object { key: item.name, bytes, updated, checksum, version });
            }
            match page.next_page_token {
                Some(next) if token.as_ref() == Some(&next) => {
                    let what = format!("the listing of {} repeats the same page", self.uri(&prefix));
                    return Err(Error::new(ErrorKind::Storage, what).hint(hint::SERVER_MAY_BE_AT_FAULT));
                }
                Some(next) => token = Some(next),
                None => return Ok(objects),
            }
        }
    }

    pub(super) async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = inside(folder);
        let query = [("prefix", &*prefix), ("delimiter", "/"), ("fields", "prefixes"), ("maxResults", PAGE)];
        let page = self.get::<Page>("/o", &query, &format!("list {}", self.uri(&prefix)), &prefix).await;
        let page = page.map_err(|refusal| refusal.error)?;
        Ok(names_in(&prefix, page.prefixes.iter().map(String::as_str)))
    }

    /// A page of the objects that begin with `prefix`; errors are about the `folder` that is listed as a whole.
    async fn page(&self, folder: &str, prefix: &str, glob: &str, token: Option<&str>) -> Result<Page, Refusal> {
        let fields = "items(name,size,updated,crc32c,generation),nextPageToken";
        let mut query = vec![("prefix", prefix), ("matchGlob", glob), ("fields", fields), ("maxResults", PAGE)];
        query.extend(token.map(|token| ("pageToken", token)));
        self.get("/o", &query, &format!("list {}", self.uri(folder)), folder).await
    }

    /// The answer to a GET request for `below` the bucket in the JSON API; errors are about `key`.
    async fn get<T: DeserializeOwned>(
        &self,
        below: &str,
        query: &[(&str, &str)],
        doing: &str,
        key: &str,
    ) -> Result<T, Refusal> {
        let failed = |what: &str, cause: Cause| {
            let error = Error::new(ErrorKind::Storage, format!("cannot {doing}: {what}"))
                .hint(hint::check_network("STORAGE_EMULATOR_HOST"))
                .cause(cause);
            Refusal { error, status: None }
        };
        let _permit = self.limit.permit().await;
        let headers = self.headers().await.map_err(|error| Refusal { error, status: Some(401) })?;
        let url = format!("{}/storage/v1/b/{}{below}", self.endpoint, self.bucket);
        let response = self.http.get(url).query(query).headers(headers).send().await;
        let mut response = response.map_err(|error| failed("no answer", error.without_url().into()))?;
        let status = response.status();
        let mut body = Vec::new();
        let cut_off = |error: reqwest::Error| failed("the answer was cut off", error.without_url().into());
        while let Some(chunk) = response.chunk().await.map_err(cut_off)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                let what = format!("it has more than {LONGEST_ANSWER} bytes");
                return Err(failed("the answer is not one of the service", what.into()));
            }
        }
        if !status.is_success() {
            let error = self.refused(status.as_u16(), key, &said(&body));
            return Err(Refusal { error, status: Some(status.as_u16()) });
        }
        serde_json::from_slice(&body).map_err(|error| failed("the answer has another form", error.into()))
    }

    /// The headers with the credentials.
    async fn headers(&self) -> Result<HeaderMap> {
        match self.credentials.headers(Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            // google-cloud-auth has repeated the request already.
            Err(error) => Err(no_google(&error)),
        }
    }

    /// Requests a range of the generation that was listed. After the object was replaced, that generation exists only if the
    /// bucket keeps old versions; then it is still what was listed.
    pub(super) async fn open(&self, object: &Object, range: Range<u64>) -> Result<Body<'_>, Failure> {
        let uri = self.uri(&object.key);
        let mut request = self.storage.read_object(format!("projects/_/buckets/{}", self.bucket), &object.key);
        let generation: Option<i64> = object.version.as_ref().and_then(|version| version.parse().ok());
        if let Some(generation) = generation {
            request = request.set_generation(generation);
        }
        // The client compares an object that it reads as a whole with its checksum.
        if range != (0..object.bytes) {
            request = request.set_read_range(ReadRange::segment(range.start, range.end - range.start));
        }
        let response =
            Box::pin(request.send()).await.map_err(|error| match (error.http_status_code(), generation) {
                (Some(404), Some(_)) => Failure::Lasting(replaced(&uri).cause(error)),
                _ => Failure::Lasting(self.unreadable(&object.key, error)),
            })?;
        let key = object.key.clone();
        let chunks =
            stream::unfold(
                response,
                |mut response| async move { response.next().await.map(|chunk| (chunk, response)) },
            );
        let failed = move |error: google_cloud_storage::Error| {
            let passing = error.is_io() || error.is_transport() || error.is_timeout();
            let error = self.unreadable(&key, error);
            if passing { Failure::Passing(error) } else { Failure::Lasting(error) }
        };
        Ok(chunks.map(move |chunk| chunk.map_err(&failed)).boxed())
    }

    fn unreadable(&self, key: &str, error: google_cloud_storage::Error) -> Error {
        match error.http_status_code() {
            Some(status) => self.refused(status, key, "").cause(error),
            None => Error::new(ErrorKind::Storage, format!("cannot read {}", self.uri(key)))
                .hint(hint::check_network("STORAGE_EMULATOR_HOST"))
                .cause(error),
        }
    }

    fn refused(&self, status: u16, key: &str, said: &str) -> Error {
        let object = self.uri(key);
        match status {
            401 => Error::new(ErrorKind::Credentials, format!("the credentials are not accepted for {object}"))
                .hint(hint::LOG_IN),
            403 => Error::new(ErrorKind::Permission, format!("no permission to read {object}: {said}"))
                .hint(hint::grant_viewer(&self.bucket)),
            404 => Error::new(ErrorKind::NotFound, format!("there is no {object}: {said}"))
                .hint(hint::check_bucket(&self.bucket)),
            _ => Error::new(ErrorKind::Storage, format!("{object} returned status {status}: {said}"))
                .hint(hint::RUN_AGAIN_LATER),
        }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failed GET request.
struct Refusal {
    error: Error,
    /// The HTTP status, if the answer was complete.
    status: Option<u16>,
}

impl Refusal {
    /// Whether repeating the request may help.
    fn is_transient(&self) -> bool {
        self.status.is_none_or(|status| status >= 500 || matches!(status, 408 | 429))
    }
}

/// The message in the body of an error, or else the first characters of the body.
fn said(body: &[u8]) -> String {
    let message = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|json| json.pointer("/error/message").and_then(|m| m.as_str().map(str::to_owned)));
    message.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(200).collect())
}
