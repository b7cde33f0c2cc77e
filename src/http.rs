//! HTTP, alike for every client.

use std::time::Duration;

use backon::ExponentialBuilder;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::DATE;

use crate::error::{Error, ErrorKind, Result};

/// A connection stands by then.
pub const CONNECT: Duration = Duration::from_secs(10);
/// No request is answered later than this, unless something hangs.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A client with time-outs. Made before any of Google's clients, since those rely on the TLS provider that is installed
/// here: they panic without one.
///
/// # Errors
/// `Storage` where the system's certificates cannot be used.
pub fn client() -> Result<reqwest::Client> {
    // An error says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(DEADLINE).build();
    client.map_err(|error| Error::new(ErrorKind::Storage, "cannot set up HTTP").cause(error))
}

/// How long to wait between attempts: five of them, over some six seconds.
pub fn backoff() -> ExponentialBuilder {
    let (first, longest) = (Duration::from_millis(200), Duration::from_secs(5));
    ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_max_times(4).with_jitter()
}

/// How far this machine's clock is ahead of that of the server that answers the request, as the `Date` of its answer tells,
/// which Google's refusals have too; `None` where there is no answer, or none with it.
pub async fn ahead_of(request: reqwest::RequestBuilder) -> Option<SignedDuration> {
    let answer = request.send().await.ok()?;
    let date = rfc2822::parse(answer.headers().get(DATE)?.to_str().ok()?).ok()?;
    Some(Timestamp::now().duration_since(date.timestamp()))
}
