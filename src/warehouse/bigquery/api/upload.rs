//! A job with uploaded data: a resumable upload in chunks, which continues after a break.
//!
//! The job is created when the last byte has arrived.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use backon::BackoffBuilder;
use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_RANGE, HeaderMap, LOCATION, RANGE},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{failure::Failure, rest::Rest};

/// Chunks must be multiples of 256 KiB, except the last one.
const CHUNK: u64 = 8 << 20;
/// Enough for a line of 30 kB/s.
const LONGEST_CHUNK: Duration = Duration::from_mins(5);
/// How often an upload starts, when the service has lost it.
const STARTS: usize = 3;

/// How much of a file has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The bytes that have arrived.
    pub bytes: u64,
    /// The file's bytes.
    pub of: u64,
}

/// Called while a file is uploaded.
pub type ShowUploaded = Box<dyn Fn(Uploaded) + Send + Sync>;

/// A file that is being uploaded.
pub struct Upload<'a> {
    rest: &'a Rest,
    show_uploaded: &'a ShowUploaded,
    path: PathBuf,
    /// The open file: it stays the same even if another file gets its name.
    file: Arc<File>,
    length: u64,
}

/// The state of an upload.
enum Sent<T> {
    /// The bytes before this one have arrived.
    Before(u64),
    /// All bytes have arrived, and this is the job.
    All(T),
}

impl<'a> Upload<'a> {
    /// An upload of the file.
    ///
    /// # Errors
    /// Where the file cannot be read. Then nothing is sent.
    pub fn of(rest: &'a Rest, path: &Path, show_uploaded: &'a ShowUploaded) -> Result<Self, Failure> {
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let path = path.to_owned();
        match open() {
            Ok((file, length)) => Ok(Self { rest, show_uploaded, path, file: Arc::new(file), length }),
            Err(error) => Err(Failure::File(path, error)),
        }
    }

    /// Sends job and data until all have arrived. Returns the service's answer.
    pub async fn send<T: DeserializeOwned>(&self, project: &str, job: &Value) -> Result<T, Failure> {
        let mut starts = 1;
        loop {
            let session = self.rest.until_answered("jobs.insert", || self.begin(project, job)).await?;
            match self.send_data(&session).await {
                Err(failure) if starts < STARTS && (failure.is_status(404) || failure.is_status(410)) => {
                    tracing::debug!(path = %self.path.display(), %failure, "the service has lost the upload: it starts again");
                    starts += 1;
                }
                ended => return ended,
            }
        }
    }

    /// The URL for the data. It must be kept secret, like a password.
    async fn begin(&self, project: &str, job: &Value) -> Result<Url, Failure> {
        let url = self.rest.url(&["upload", "bigquery", "v2", "projects"], &[project, "jobs"]);
        let request = self.rest.http.post(url).query(&[("uploadType", "resumable")]).json(job);
        let request = request.header("X-Upload-Content-Type", "application/octet-stream");
        let answer = self.rest.exchange(request.header("X-Upload-Content-Length", self.length)).await?.accepted()?;
        let session = answer.headers.get(LOCATION).and_then(|url| url.to_str().ok()?.parse().ok());
        session
            .filter(|url| self.rest.is_ours(url))
            .ok_or_else(|| Failure::strange(answer.status.as_u16(), "without a URL for the data"))
    }

    async fn send_data<T: DeserializeOwned>(&self, session: &Url) -> Result<T, Failure> {
        let (mut at, mut farthest) = (0, 0);
        let mut is_known = true;
        let mut pauses = self.rest.backoff.build();
        loop {
            let sent = if is_known { self.send_chunk(session, at).await } else { self.ask(session).await };
            let failure = match sent {
                Ok(Sent::All(job)) => return Ok(job),
                Ok(Sent::Before(there)) => {
                    let took_nothing = is_known && there <= at;
                    (at, is_known) = (there, true);
                    if there > farthest {
                        farthest = there;
                        (self.show_uploaded)(Uploaded { bytes: there, of: self.length });
                        pauses = self.rest.backoff.build();
                    }
                    if !took_nothing {
                        continue;
                    }
                    Failure::strange(StatusCode::PERMANENT_REDIRECT.as_u16(), "that accepts no data")
                }
                Err(failure) if failure.is_transient() => {
                    is_known = false;
                    failure
                }
                Err(failure) => return Err(failure),
            };
            let Some(pause) = pauses.next() else { return Err(failure) };
            tracing::debug!(path = %self.path.display(), at, %failure, "the upload continues after a pause");
            tokio::time::sleep(pause.max(failure.retry_after())).await;
        }
    }

    async fn send_chunk<T: DeserializeOwned>(&self, session: &Url, at: u64) -> Result<Sent<T>, Failure> {
        let chunk = self.read(at).await.map_err(|error| Failure::File(self.path.clone(), error))?;
        let Some(last) = (at + chunk.len() as u64).checked_sub(1).filter(|_| !chunk.is_empty()) else {
            return self.ask(session).await;
        };
        self.put(session, format!("bytes {at}-{last}/{}", self.length), chunk).await
    }

    /// Asks how many bytes have arrived.
    async fn ask<T: DeserializeOwned>(&self, session: &Url) -> Result<Sent<T>, Failure> {
        self.put(session, format!("bytes */{}", self.length), Bytes::new()).await
    }

    async fn put<T: DeserializeOwned>(&self, session: &Url, range: String, data: Bytes) -> Result<Sent<T>, Failure> {
        let request = self.rest.http.put(session.clone()).header(CONTENT_RANGE, range).body(data);
        let request = request.timeout(LONGEST_CHUNK);
        let answer = self.rest.exchange(request).await?;
        if answer.status != StatusCode::PERMANENT_REDIRECT {
            return answer.accepted()?.json().map(Sent::All);
        }
        match received(&answer.headers).filter(|received| *received <= self.length) {
            Some(received) => Ok(Sent::Before(received)),
            None => Err(Failure::strange(answer.status.as_u16(), "with a range that was not sent")),
        }
    }

    async fn read(&self, at: u64) -> io::Result<Bytes> {
        let (file, length) = (Arc::clone(&self.file), CHUNK.min(self.length - at));
        let read = move || {
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            let mut file = &*file;
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes.into())
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }
}

/// The bytes that have arrived, from the answer's `Range`: none without one.
fn received(headers: &HeaderMap) -> Option<u64> {
    let Some(range) = headers.get(RANGE) else { return Some(0) };
    range.to_str().ok()?.strip_prefix("bytes=0-")?.parse::<u64>().ok()?.checked_add(1)
}
