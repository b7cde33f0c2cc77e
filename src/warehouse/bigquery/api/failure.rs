//! Why a request to BigQuery failed, and what that means here.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use finops_core::{
    hint,
    model::{
        shown::shown,
        text::{excerpt, message},
    },
};
use google_cloud_auth::errors::CredentialsError;
use jiff::{Timestamp, fmt::rfc2822};

use super::{
    model::ErrorBody,
    reasons::{TRANSIENT, TRANSIENT_OF_JOBS, by_setting, meaning, or_no_message},
    signs,
};
use crate::{
    credentials::{last_error, no_google},
    error::{Error, ErrorKind},
};

/// How many characters a message shows of a body that is not BigQuery's.
const BODY_SHOWN: usize = 100;
/// No run waits longer than this because a service asks for it.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Why a request failed, without what it was sent for.
#[derive(Debug)]
pub enum Failure {
    /// The service refused it.
    Refused {
        /// HTTP status.
        status: u16,
        /// Google's reason, such as `notFound`; empty where there is none.
        reason: String,
        /// Google's message.
        message: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer, or an incomplete one.
    NoAnswer(reqwest::Error),
    /// A success, but not in BigQuery's format.
    Unreadable {
        /// The answer.
        message: String,
        /// Why it cannot be read.
        cause: serde_json::Error,
    },
    /// No access token; with the key file, where there is one.
    Credentials(CredentialsError, Option<PathBuf>),
    /// The file to upload.
    File(PathBuf, io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, reason, message, retry_after } => {
                write!(f, "{message} ({})", format!("{status} {reason}").trim_end())?;
                retry_after.map_or(Ok(()), |wait| write!(f, "; the service asks to wait {} s", wait.as_secs()))
            }
            Self::NoAnswer(error) if error.is_timeout() => write!(f, "no answer in time"),
            Self::NoAnswer(_) => write!(f, "no usable answer"),
            Self::Unreadable { message, .. } => write!(f, "{message}"),
            Self::Credentials(error, _) => write!(f, "{error}"),
            Self::File(path, _) => write!(f, "cannot read {}", path.display()),
        }
    }
}

impl Failure {
    /// The failure that an answer other than success reports. A proxy may have sent it, in any format.
    pub fn refused(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.and_then(wait);
        let (reason, message) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => {
                let message = message(or_no_message(&error.message));
                (error.errors.into_iter().next().map(|first| first.reason).unwrap_or_default(), message)
            }
            Err(_) => (String::new(), format!("an answer that is not BigQuery's, {}", beginning(body))),
        };
        Self::Refused { status, reason, message, retry_after }
    }

    /// No connection, a broken one, or no answer in time.
    pub fn no_answer(error: reqwest::Error) -> Self {
        Self::NoAnswer(error.without_url())
    }

    /// An answer that BigQuery would not send, and what is wrong with it.
    pub fn strange(status: u16, what: &str) -> Self {
        let message = format!("an answer that is not BigQuery's, {what}");
        Self::Refused { status, reason: String::new(), message, retry_after: None }
    }

    /// A success that is not from BigQuery, such as a proxy's login page.
    pub fn unreadable(status: u16, body: &[u8], cause: serde_json::Error) -> Self {
        Self::Unreadable { message: format!("an answer that is not BigQuery's, {} ({status})", beginning(body)), cause }
    }

    /// Whether the same request may succeed when it is sent again. After a failed job it cannot.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, reason, .. } => {
                let goes_away = TRANSIENT.contains(&reason.as_str()) || matches!(status, 408 | 429 | 500 | 502..);
                goes_away && !self.is_transient_of_jobs() && self.retry_after() <= LONGEST_WAIT
            }
            Self::NoAnswer(error) => !error.is_builder(),
            Self::Unreadable { .. } => true,
            Self::Credentials(..) | Self::File(..) => false,
        }
    }

    /// Whether the request certainly did nothing.
    pub fn is_without_effect(&self) -> bool {
        match self {
            // 409: it exists already, and an earlier attempt may have created it.
            // 501: the service does not have that method.
            Self::Refused { status, .. } => {
                (400..500).contains(status) && !matches!(status, 408 | 409) || *status == 501
            }
            // Without the whole file there is no job.
            Self::Credentials(..) | Self::File(..) => true,
            Self::NoAnswer(_) | Self::Unreadable { .. } => false,
        }
    }

    /// Whether a job failed that may succeed as a new job.
    pub fn is_transient_of_jobs(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if TRANSIENT_OF_JOBS.contains(&reason.as_str()))
    }

    /// The same, after a short wait.
    pub fn is_transient_job(&self) -> bool {
        self.is_transient_of_jobs() && !self.is_rate_limited()
    }

    /// Whether a table was changed too often within some seconds.
    pub fn is_rate_limited(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if signs::CHANGED_TOO_OFTEN.is_in(message))
    }

    /// Whether the organisation's policy or a service perimeter refuses it: roles do not help.
    pub fn is_forbidden_by_policy(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if signs::POLICY.is_in(message))
    }

    /// How long to wait at least before the request is sent again.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Whether a statement lost against another that changed the same table at the same time.
    pub fn is_concurrent_update(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if signs::CONCURRENT_UPDATE.is_in(message))
    }

    /// Whether the service answered with this HTTP status.
    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// `None` for something that does not exist.
    pub fn none_if_missing<T>(self) -> Result<Option<T>, Self> {
        if self.is_status(404) { Ok(None) } else { Err(self) }
    }

    /// The error, with what failed, such as `reading table p.d.t`.
    pub fn into_error(self, doing: &str) -> Error {
        let message = format!("{doing} failed: {self}");
        let network = hint::check_network("BIGQUERY_EMULATOR_HOST");
        match self {
            Self::Refused { message: ref text, .. } if let Some((kind, hint)) = by_setting(text) => {
                Error::new(kind, message).hint(hint)
            }
            Self::Refused { status, reason, retry_after, .. } => {
                let (kind, hint) = meaning(status, &reason);
                match retry_after.filter(|wait| *wait > LONGEST_WAIT && kind == ErrorKind::Warehouse) {
                    Some(wait) => Error::new(kind, message).hint(hint::wait_seconds(wait.as_secs())),
                    None => Error::new(kind, message).hint(hint),
                }
            }
            Self::NoAnswer(cause) => Error::new(ErrorKind::Warehouse, message).hint(network).cause(cause),
            Self::Unreadable { cause, .. } => Error::new(ErrorKind::Warehouse, message).hint(network).cause(cause),
            Self::Credentials(cause, Some(file)) => {
                unusable(&file, &format!("Google gives no token for it{}", last_error(&cause)))
            }
            Self::Credentials(cause, None) => no_google(&cause),
            Self::File(_, cause) => {
                let kind = match cause.kind() {
                    io::ErrorKind::NotFound => ErrorKind::NotFound,
                    io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                    _ => ErrorKind::Storage,
                };
                Error::new(kind, message).hint(hint::PARQUET_FILE).cause(cause)
            }
        }
    }
}

/// The error for an unusable key file. It shows nothing of the file's content.
pub fn unusable(key_file: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Credentials,
        format!("cannot use the key file {}: {why}", shown(&key_file.display().to_string())),
    )
    .hint(hint::KEY_FILE)
}

/// The value of a `Retry-After` header, in either format.
fn wait(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default())
}

/// The beginning of a body, on one line.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = line.chars().take(BODY_SHOWN).collect();
    if shown.is_empty() { "empty".to_owned() } else { format!("`{}`", excerpt(&shown)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, reason: &str) -> Failure {
        let body = serde_json::json!({"error": {"code": status, "message": "why", "errors": [{"reason": reason}]}});
        Failure::refused(status, None, body.to_string().as_bytes())
    }

    #[test]
    fn each_refusal_of_a_request_has_its_class_and_the_kind_that_a_person_acts_on() {
        use ErrorKind::{Busy, Configuration, Credentials, NotFound, Permission, Quota, Warehouse};
        for (status, reason, again, kind, hint) in [
            (403, "rateLimitExceeded", true, Warehouse, hint::RUN_AGAIN),
            (400, "backendError", true, Warehouse, hint::RUN_AGAIN),
            (400, "internalError", true, Warehouse, hint::RUN_AGAIN),
            (400, "badGateway", true, Warehouse, hint::RUN_AGAIN),
            (408, "", true, Warehouse, hint::RUN_AGAIN),
            (429, "", true, Warehouse, hint::RUN_AGAIN),
            (500, "", true, Warehouse, hint::RUN_AGAIN),
            (502, "", true, Warehouse, hint::RUN_AGAIN),
            (503, "", true, Warehouse, hint::RUN_AGAIN),
            (504, "", true, Warehouse, hint::RUN_AGAIN),
            (501, "", false, Warehouse, hint::RUN_AGAIN),
            (503, "jobBackendError", false, Warehouse, hint::RUN_AGAIN),
            (400, "jobInternalError", false, Warehouse, hint::RUN_AGAIN),
            (400, "jobRateLimitExceeded", false, Warehouse, hint::RUN_AGAIN),
            (400, "tableUnavailable", false, Warehouse, hint::RUN_AGAIN),
            (400, "invalid", false, Warehouse, hint::REPORT_REQUEST),
            (400, "invalidQuery", false, Warehouse, hint::REPORT_REQUEST),
            (400, "stopped", false, Warehouse, hint::CANCELLED),
            (401, "authError", false, Credentials, hint::LOG_IN),
            (401, "", false, Credentials, hint::LOG_IN),
            (403, "accessDenied", false, Permission, hint::GRANT_EDITOR),
            (403, "billingNotEnabled", false, Permission, hint::CHECK_ROLES),
            (403, "", false, Permission, hint::CHECK_ROLES),
            (403, "accessNotConfigured", false, Configuration, hint::ENABLE_API),
            (403, "quotaExceeded", false, Quota, hint::WAIT_FOR_QUOTA),
            (404, "notFound", false, NotFound, hint::CHECK_NAMES),
            (404, "", false, NotFound, hint::CHECK_NAMES),
            (409, "duplicate", false, Busy, hint::CREATED_MEANWHILE),
        ] {
            let failure = refused(status, reason);
            assert_eq!(failure.is_transient(), again, "{status} {reason}");
            assert_eq!(failure.is_transient_of_jobs(), TRANSIENT_OF_JOBS.contains(&reason), "{status} {reason}");
            let error = failure.into_error("reading table p.d.t");
            assert_eq!(error.kind(), kind, "{status} {reason}");
            assert!(error.full_message().starts_with("reading table p.d.t failed: why ("), "{error:?}");
            assert_eq!(error.next_step(), Some(hint), "{status} {reason}");
        }
    }

    #[test]
    fn answers_that_are_not_bigquerys_are_classed_by_status_and_shown_in_short() {
        let page = format!("<html>\r\n <h1>502\tBad\u{1b}[31m Gateway</h1>{}", "x".repeat(500));
        let failure = Failure::refused(502, None, page.as_bytes());
        assert!(failure.is_transient());
        let message = failure.into_error("loading").full_message();
        assert!(message.contains("`<html> <h1>502 Bad\u{fffd}[31m Gateway</h1>xxx"), "{message}");
        assert!(message.ends_with("` (502)") && message.len() < 200, "{message}");
        // The form that token servers answer with, and none at all.
        for (status, body) in [(400, r#"{"error": "invalid_grant"}"#), (413, ""), (403, "<html>"), (404, "not here")] {
            assert!(!Failure::refused(status, None, body.as_bytes()).is_transient(), "{status}");
        }
        let empty = Failure::refused(503, None, b"").into_error("loading").full_message();
        assert_eq!(empty, "loading failed: an answer that is not BigQuery's, empty (503)");
    }

    #[test]
    fn a_service_that_asks_to_wait_is_waited_for_within_bounds() {
        let asks = |text: &str| Failure::refused(503, Some(text), b"");
        assert_eq!((asks("7").retry_after(), asks("7").is_transient()), (Duration::from_secs(7), true));
        assert!(asks("60").is_transient());
        assert!(asks("soon").is_transient() && asks("soon").retry_after().is_zero());
        assert!(asks("Wed, 21 Oct 2015 07:28:00 GMT").retry_after().is_zero(), "it is past");
        for far in ["61", "Fri, 31 Dec 2100 23:59:59 GMT"] {
            let failure = asks(far);
            assert!(!failure.is_transient(), "{far}");
            let seconds = failure.retry_after().as_secs();
            let error = failure.into_error("loading");
            assert!(error.full_message().contains("asks to wait"), "{error:?}");
            assert_eq!(error.next_step(), Some(hint::wait_seconds(seconds).as_str()));
        }
    }

    #[test]
    fn what_is_no_answer_of_bigquery_says_what_to_check() {
        let cause = serde_json::from_slice::<ErrorBody>(b"<html>").err().unwrap();
        let error = Failure::unreadable(200, b"<html>", cause).into_error("loading");
        assert_eq!(error.next_step(), Some(hint::check_network("BIGQUERY_EMULATOR_HOST").as_str()));
        let gone = Failure::File("a.parquet".into(), io::ErrorKind::NotFound.into()).into_error("loading");
        assert_eq!((gone.kind(), gone.next_step()), (ErrorKind::NotFound, Some(hint::PARQUET_FILE)));
        assert_eq!(unusable(Path::new("key.json"), "it is no key").next_step(), Some(hint::KEY_FILE));
    }
}
