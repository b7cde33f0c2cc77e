//! HTTP settings of all clients.

use std::time::Duration;

use backon::ExponentialBuilder;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::DATE;

use crate::error::{Error, ErrorKind, Result};

/// The time limit for a connection.
pub const CONNECT: Duration = Duration::from_secs(10);
/// The time limit for an answer: only a request that hangs takes longer.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A client with time-outs. Must be called before any of Google's clients is created: they panic without the TLS provider that
/// this installs.
///
/// # Errors
/// `Storage` where the system's certificates cannot be used.
pub fn client() -> Result<reqwest::Client> {
    // It fails where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(DEADLINE).build();
    client.map_err(|error| Error::new(ErrorKind::Storage, "cannot set up HTTP").cause(error))
}

/// How long to wait between attempts: five of them, over some six seconds.
pub fn backoff() -> ExponentialBuilder {
    let (first, longest) = (Duration::from_millis(200), Duration::from_secs(5));
    ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_max_times(4).with_jitter()
}

/// How far this machine's clock is ahead of the server's, from the `Date` of its answer; `None` without an answer or a date.
/// Google's refusals have a date, too.
pub async fn ahead_of(request: reqwest::RequestBuilder) -> Option<SignedDuration> {
    let answer = request.send().await.ok()?;
    let date = rfc2822::parse(answer.headers().get(DATE)?.to_str().ok()?).ok()?;
    Some(Timestamp::now().duration_since(date.timestamp()))
}
