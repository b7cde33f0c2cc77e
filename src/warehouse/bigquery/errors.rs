//! What BigQuery answers when it refuses, and what that means here.

use std::fmt;

use gcp_bigquery_client::{
    error::BQError,
    model::{error_proto::ErrorProto, job_status::JobStatus},
};

use crate::error::{Error, Kind};

/// Reasons that go away, of requests.
const TRANSIENT: [&str; 4] = ["rateLimitExceeded", "backendError", "internalError", "badGateway"];
/// Reasons that go away, of jobs: the same work goes through as a new job.
const TRANSIENT_OF_JOBS: [&str; 4] =
    ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable"];
/// How many of a job's errors a message shows.
const ERRORS_SHOWN: usize = 3;

/// Why a request failed, before it is known what it was sent for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The service said no.
    Refused {
        /// HTTP status.
        status: i64,
        /// Google's word for it, such as `notFound`.
        reason: String,
        /// In words.
        message: String,
    },
    /// No answer, or one that cannot be read.
    NoAnswer(reqwest::Error),
    /// No access token.
    Credentials(std::io::Error),
    /// An answer that lacks what the API promises.
    Incomplete(&'static str),
    /// The client's own.
    Client(Box<BQError>),
}

impl From<BQError> for Failure {
    fn from(error: BQError) -> Self {
        match error {
            BQError::ResponseError { error } => {
                let error = error.error;
                let reason = error.errors.first().and_then(|first| first.get("reason")).cloned().unwrap_or_default();
                Self::Refused { status: error.code, reason, message: error.message }
            }
            BQError::RequestError(error) => Self::NoAnswer(error),
            BQError::InvalidApplicationDefaultCredentialsAuthenticator(error) => Self::Credentials(error),
            other => Self::Client(Box::new(other)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, reason, message } => write!(f, "{message} ({status} {reason})"),
            Self::NoAnswer(error) => write!(f, "{error}"),
            Self::Credentials(error) => write!(f, "{error}"),
            Self::Incomplete(what) => write!(f, "BigQuery's answer lacks {what}"),
            Self::Client(error) => write!(f, "{error}"),
        }
    }
}

impl Failure {
    /// Whether the same request may go through when it is sent again.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, reason, .. } => {
                is_transient(reason) || *status == 429 || (*status >= 500 && *status != 501)
            }
            Self::NoAnswer(error) => !error.is_builder(),
            Self::Credentials(_) | Self::Incomplete(_) | Self::Client(_) => false,
        }
    }

    /// Whether a statement lost against another that changed the same table at the same time.
    pub(super) fn is_concurrent_update(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("concurrent update"))
    }

    /// Whether the service answered with this HTTP status.
    pub(super) fn is_status(&self, wanted: i64) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// `None` where the thing asked for is not there.
    pub(super) fn none_if_missing<T>(self) -> Result<Option<T>, Self> {
        if self.is_status(404) { Ok(None) } else { Err(self) }
    }

    /// As an error that says what was being done, such as `reading table p.d.t`.
    pub(super) fn into_error(self, doing: &str) -> Error {
        match self {
            Self::Refused { status, reason, message } => {
                let (kind, hint) = meaning(status, &reason);
                Error::new(kind, format!("{doing} failed: {message} ({status} {reason})")).hint(hint)
            }
            Self::NoAnswer(error) => Error::new(Kind::Warehouse, format!("{doing} failed: no usable answer"))
                .hint("check the network (and BIGQUERY_EMULATOR_HOST where it is set), then run again")
                .cause(error),
            Self::Credentials(error) => no_credentials(error),
            Self::Incomplete(_) => Error::new(Kind::Warehouse, format!("{doing} failed: {self}"))
                .hint("run again; if it stays, the server is not one that finops knows"),
            Self::Client(error) => Error::new(Kind::Warehouse, format!("{doing} failed"))
                .hint("run again; if it stays, report it with this message")
                .cause(error),
        }
    }
}

/// No access token can be had.
pub(super) fn no_credentials(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Credentials, "there are no usable Google credentials")
        .hint("run `gcloud auth application-default login`, or run the job as a service account")
        .cause(cause)
}

fn is_transient(reason: &str) -> bool {
    TRANSIENT.contains(&reason) || TRANSIENT_OF_JOBS.contains(&reason)
}

fn meaning(status: i64, reason: &str) -> (Kind, &'static str) {
    match (status, reason) {
        (401, _) => {
            (Kind::Credentials, "run `gcloud auth application-default login`, or run the job as a service account")
        }
        (_, "accessNotConfigured") => {
            (Kind::Configuration, "run `gcloud services enable bigquery.googleapis.com` for the project")
        }
        (_, "accessDenied") => (
            Kind::Permission,
            "give the account roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project",
        ),
        (_, "quotaExceeded") => (
            Kind::Warehouse,
            "a BigQuery quota is used up: run again when it is renewed, or have it raised; what is loaded stays",
        ),
        (403, _) if !is_transient(reason) => {
            (Kind::Permission, "check the account's roles and the project's billing in the Google Cloud console")
        }
        (404, _) => (Kind::NotFound, "check the names of project, dataset and table, and the dataset's location"),
        _ => (Kind::Warehouse, "run again: what is loaded stays, and the rest is loaded then"),
    }
}

/// The error with which a job ended, if it did.
pub(super) fn job_failure(status: Option<&JobStatus>) -> Option<&ErrorProto> {
    status.and_then(|status| status.error_result.as_ref())
}

/// Whether a job that ended so may go through under a new id.
pub(super) fn is_transient_job(error: &ErrorProto) -> bool {
    error.reason.as_deref().is_some_and(is_transient)
}

/// A load job's end as an error; `doing` says what it was to load.
pub(super) fn load_error(doing: &str, job_id: &str, error: &ErrorProto, all: &[ErrorProto]) -> Error {
    let reason = error.reason.as_deref().unwrap_or("unknown");
    let text = error.message.as_deref().unwrap_or("BigQuery gives no message");
    let details: Vec<String> = all
        .iter()
        .filter(|detail| detail.message.as_deref() != Some(text))
        .filter_map(|detail| {
            let message = detail.message.as_deref()?;
            Some(detail.location.as_deref().map_or_else(|| message.to_owned(), |file| format!("{file}: {message}")))
        })
        .take(ERRORS_SHOWN)
        .collect();
    let mut message = format!("{doing} failed (job {job_id}, {reason}): {text}");
    for detail in details {
        message = format!("{message}; {detail}");
    }
    let schema = ["has changed type", "Cannot add fields", "Provided Schema does not match"];
    let (kind, hint) = match reason {
        "invalid" if text.contains("missing in new schema") => (
            Kind::Schema,
            "BigQuery insists on a column that the month's files lack, and this version cannot load such a month: \
             report it with this message",
        ),
        "invalid" if schema.iter().any(|sign| text.contains(sign)) => {
            (Kind::Schema, "choose another table name: finops creates that table and loads all months there")
        }
        "invalid" => (
            Kind::Data,
            "what stood before still stands; have the month delivered again, then run again. Where a column's type \
             changed at the provider, choose another table name: finops loads all months there",
        ),
        "notFound" => (Kind::NotFound, "a file or the table went away while it was needed: run again"),
        "accessDenied" => (
            Kind::Permission,
            "give the account roles/storage.objectViewer on the bucket and roles/bigquery.dataEditor on the dataset",
        ),
        "stopped" => (Kind::Warehouse, "somebody cancelled the job: run again"),
        _ => meaning(0, reason),
    };
    Error::new(kind, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: i64, reason: &str) -> Failure {
        Failure::Refused { status, reason: reason.to_owned(), message: "why".to_owned() }
    }

    fn proto(reason: &str, message: &str, location: Option<&str>) -> ErrorProto {
        ErrorProto {
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            location: location.map(str::to_owned),
            debug_info: None,
        }
    }

    #[test]
    fn what_goes_away_is_sent_again_and_nothing_else() {
        for (status, reason) in [(403, "rateLimitExceeded"), (429, ""), (500, "x"), (502, "badGateway"), (503, "")] {
            assert!(refused(status, reason).is_transient(), "{status} {reason}");
        }
        for (status, reason) in
            [(400, "invalid"), (403, "accessDenied"), (403, "quotaExceeded"), (404, "notFound"), (501, "x")]
        {
            assert!(!refused(status, reason).is_transient(), "{status} {reason}");
        }
    }

    #[test]
    fn refusals_have_the_kind_that_a_person_acts_on() {
        for (status, reason, kind) in [
            (401, "authError", Kind::Credentials),
            (403, "accessDenied", Kind::Permission),
            (403, "accessNotConfigured", Kind::Configuration),
            (403, "quotaExceeded", Kind::Warehouse),
            (403, "rateLimitExceeded", Kind::Warehouse),
            (404, "notFound", Kind::NotFound),
            (400, "invalidQuery", Kind::Warehouse),
        ] {
            let error = refused(status, reason).into_error("reading table p.d.t");
            assert_eq!(error.kind(), kind, "{status} {reason}");
            assert!(error.full_message().starts_with("reading table p.d.t failed: why"));
            assert!(error.next_step().is_some());
        }
    }

    #[test]
    fn a_bad_file_is_named_with_what_is_wrong_in_it() {
        let result = proto("invalid", "CSV table encountered too many errors", None);
        let all = [result.clone(), proto("invalid", "Could not parse 'abc'", Some("gs://b/f.csv.gz"))];
        let error = load_error("loading 2025-09 into p.d.t", "j", &result, &all);
        assert_eq!(error.kind(), Kind::Data);
        assert_eq!(
            error.full_message(),
            "loading 2025-09 into p.d.t failed (job j, invalid): CSV table encountered too many errors; \
             gs://b/f.csv.gz: Could not parse 'abc'"
        );
    }

    #[test]
    fn a_refused_schema_is_no_fault_of_the_data() {
        for (what, hint) in [
            ("Field x has changed type from STRING to INTEGER", "choose another table name"),
            // Another table would soon have the column too.
            ("Field x is missing in new schema", "report it"),
        ] {
            let result = proto("invalid", &format!("Provided Schema does not match Table p:d.t. {what}"), None);
            let error = load_error("loading", "j", &result, &[]);
            assert_eq!(error.kind(), Kind::Schema, "{what}");
            assert!(error.next_step().unwrap().contains(hint), "{what}: {error:?}");
        }
    }
}
