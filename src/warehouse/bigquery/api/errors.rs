//! What BigQuery answers when it refuses, and what that means here.

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
    numbered::{By, Why},
};
use google_cloud_auth::errors::CredentialsError;
use jiff::{Timestamp, fmt::rfc2822};

use crate::warehouse::bigquery::api::model::{ErrorBody, ErrorProto};
use crate::{
    error::{Error, ErrorKind},
    warehouse::sql::NO_VALUE,
};

/// Reasons that go away, of requests.
const TRANSIENT: [&str; 4] = ["rateLimitExceeded", "backendError", "internalError", "badGateway"];
/// Reasons that go away, of jobs: the same work goes through as a new job.
const TRANSIENT_OF_JOBS: [&str; 4] =
    ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable"];
/// What BigQuery says of a table that was changed too often.
const TOO_OFTEN: &str = "Exceeded rate limits";
/// What it says where no role helps.
const POLICY_SIGNS: [&str; 2] = ["vpcServiceControls", "organization's policy"];
/// What BigQuery says where a setting of the project or organisation refuses it, and what helps.
const SETTINGS: [(&str, ErrorKind, &str); 6] = [
    ("restrictNonCmekServices", ErrorKind::Configuration, hint::SET_A_DEFAULT_KEY),
    ("requires that you specify an encryption key", ErrorKind::Configuration, hint::SET_A_DEFAULT_KEY),
    (POLICY_SIGNS[0], ErrorKind::Permission, hint::LET_INTO_THE_PERIMETER),
    (POLICY_SIGNS[1], ErrorKind::Permission, hint::ASK_ADMINISTRATOR),
    ("Billing has not been enabled", ErrorKind::Configuration, hint::LINK_BILLING),
    ("not allowed in the free tier", ErrorKind::Configuration, hint::LINK_BILLING),
];
/// How many of a job's errors a message shows.
const ERRORS_SHOWN: usize = 3;
/// How many characters a message shows of a body that is not BigQuery's.
const BODY_SHOWN: usize = 100;
/// No run waits longer than this because a service asks for it.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Why a request failed, before it is known what it was sent for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The service said no.
    Refused {
        /// HTTP status.
        status: u16,
        /// Google's word for it, such as `notFound`; empty where there is none.
        reason: String,
        /// In words.
        message: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer, or none to its end.
    NoAnswer(reqwest::Error),
    /// Success, but in a form that BigQuery does not have.
    Unreadable {
        /// What was answered.
        message: String,
        /// Why it cannot be read.
        cause: serde_json::Error,
    },
    /// No access token; of the key file, where there is one.
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
    /// What an answer other than success means. Something between here and BigQuery may have given it, in any form.
    pub(crate) fn refused(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.and_then(wait);
        let (reason, message) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => {
                let message = message(&or(&error.message, NO_MESSAGE));
                (error.errors.into_iter().next().map(|first| first.reason).unwrap_or_default(), message)
            }
            Err(_) => (String::new(), format!("an answer that is not BigQuery's, {}", beginning(body))),
        };
        Self::Refused { status, reason, message, retry_after }
    }

    /// A connection that was not made, or cut, or an answer that did not come in time.
    pub(crate) fn no_answer(error: reqwest::Error) -> Self {
        Self::NoAnswer(error.without_url())
    }

    /// An answer that BigQuery would not give, and what tells so.
    pub(crate) fn strange(status: u16, what: &str) -> Self {
        let message = format!("an answer that is not BigQuery's, {what}");
        Self::Refused { status, reason: String::new(), message, retry_after: None }
    }

    /// A success that is not BigQuery's, as a proxy's login page.
    pub(crate) fn unreadable(status: u16, body: &[u8], cause: serde_json::Error) -> Self {
        Self::Unreadable { message: format!("an answer that is not BigQuery's, {} ({status})", beginning(body)), cause }
    }

    /// Whether the same request may go through when it is sent again. One that tells of a failed job may not.
    pub(crate) fn is_transient(&self) -> bool {
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
    pub(crate) fn is_without_effect(&self) -> bool {
        match self {
            // 409: there is such a thing, and an earlier attempt may have made it.
            // 501: the service does not have what is asked for.
            Self::Refused { status, .. } => {
                (400..500).contains(status) && !matches!(status, 408 | 409) || *status == 501
            }
            // Without the whole file there is no job.
            Self::Credentials(..) | Self::File(..) => true,
            Self::NoAnswer(_) | Self::Unreadable { .. } => false,
        }
    }

    /// Whether it is a job that failed, and may go through as a new one.
    pub(crate) fn is_transient_of_jobs(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if TRANSIENT_OF_JOBS.contains(&reason.as_str()))
    }

    /// The same, and soon.
    pub(crate) fn is_transient_job(&self) -> bool {
        self.is_transient_of_jobs() && !self.is_rate_limited()
    }

    /// Whether a table was changed too often within some seconds.
    pub(crate) fn is_rate_limited(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(TOO_OFTEN))
    }

    /// Whether the organisation's policy or a service perimeter refuses it, whatever the account's roles are.
    pub(crate) fn is_forbidden_by_policy(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if POLICY_SIGNS.iter().any(|sign| message.contains(sign)))
    }

    /// What a refused insert of a swap means; `staging` is the table that it reads. Without an answer, the job may be there.
    pub(crate) fn why(&self, by: By, staging: &str) -> Why {
        match self {
            Self::Refused { status: 429, .. } => Why::Transient,
            Self::Refused { reason, message, .. } if self.is_without_effect() => why(reason, message, by, staging),
            Self::Refused { .. } if self.retry_after() > LONGEST_WAIT => Why::Final,
            Self::Refused { .. } | Self::NoAnswer(_) | Self::Unreadable { .. } => Why::Transient,
            Self::Credentials(..) | Self::File(..) => Why::Final,
        }
    }

    /// How long to wait at least before the request is sent again.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Refused { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Whether a statement lost against another that changed the same table at the same time.
    pub(crate) fn is_concurrent_update(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("concurrent update"))
    }

    /// Whether the service answered with this HTTP status.
    pub(crate) fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// `None` where the thing asked for is not there.
    pub(crate) fn none_if_missing<T>(self) -> Result<Option<T>, Self> {
        if self.is_status(404) { Ok(None) } else { Err(self) }
    }

    /// As an error that says what was being done, such as `reading table p.d.t`.
    pub(crate) fn into_error(self, doing: &str) -> Error {
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
            Self::Credentials(cause, Some(file)) => unusable(&file, "Google takes no token from it").cause(cause),
            Self::Credentials(cause, None) => no_credentials(cause),
            Self::File(_, cause) => {
                let kind = match cause.kind() {
                    io::ErrorKind::NotFound => ErrorKind::NotFound,
                    io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                    _ => ErrorKind::Storage,
                };
                let hint = hint::PARQUET_FILE;
                Error::new(kind, message).hint(hint).cause(cause)
            }
        }
    }
}

/// No access token can be had.
pub(crate) fn no_credentials(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Credentials, "there are no usable Google credentials").hint(hint::LOG_IN).cause(cause)
}

/// The key file is of no use. Of its content nothing is told.
pub(crate) fn unusable(key_file: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Credentials,
        format!("cannot use the key file {}: {why}", shown(&key_file.display().to_string())),
    )
    .hint(hint::KEY_FILE)
}

/// Kind and hint where the message tells of a setting.
fn by_setting(message: &str) -> Option<(ErrorKind, &'static str)> {
    SETTINGS.iter().find(|(sign, ..)| message.contains(sign)).map(|(_, kind, hint)| (*kind, *hint))
}

const NO_MESSAGE: &str = "BigQuery gives no message";

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
}

/// The value of a `Retry-After` header, in either of its forms.
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

fn meaning(status: u16, reason: &str) -> (ErrorKind, &'static str) {
    match (status, reason) {
        (401, _) => (ErrorKind::Credentials, hint::LOG_IN),
        (_, "accessNotConfigured") => (ErrorKind::Configuration, hint::ENABLE_API),
        (_, "accessDenied") => (ErrorKind::Permission, hint::GRANT_EDITOR),
        (_, "quotaExceeded") => (ErrorKind::Quota, hint::WAIT_FOR_QUOTA),
        (_, "stopped") => (ErrorKind::Warehouse, hint::CANCELLED),
        (_, "invalid" | "invalidQuery") => (ErrorKind::Warehouse, hint::REPORT_REQUEST),
        (_, "duplicate") | (409, _) => (ErrorKind::Busy, hint::CREATED_MEANWHILE),
        (403, _) if !TRANSIENT.contains(&reason) => (ErrorKind::Permission, hint::CHECK_ROLES),
        (404, _) | (_, "notFound") => (ErrorKind::NotFound, hint::CHECK_NAMES),
        _ => (ErrorKind::Warehouse, hint::RUN_AGAIN),
    }
}

/// Why a swap failed, or was refused when it was inserted.
fn why(reason: &str, message: &str, by: By, staging: &str) -> Why {
    match reason {
        _ if TRANSIENT.contains(&reason) || TRANSIENT_OF_JOBS.contains(&reason) => Why::Transient,
        "notFound" if message.contains(staging) => Why::SourceGone,
        "notFound" if message.contains(NEW_DATASET) => Why::Transient,
        // A copy takes only a table of the very same form, which a query does not mind.
        "invalid" | "notImplemented" | "unsupported" if by == By::Copy => Why::CopyRefused,
        _ => Why::Final,
    }
}

/// Why a swap failed; `staging` is the table that it reads.
pub(crate) fn why_failed(error: &ErrorProto, by: By, staging: &str) -> Why {
    why(&error.reason, &error.message, by, staging)
}

/// Whether a copy is refused since the columns are not the same, which only this month's need be.
pub(crate) fn is_about_columns(message: &str) -> bool {
    message.to_ascii_lowercase().contains("schema")
}

/// What BigQuery says now and then of a dataset or table that was just created (ingestr#643).
const NEW_DATASET: &str = "Not found: Dataset";
const NEW_TABLE: &str = "Not found: Table";

/// Whether a job did not find a dataset or table, which may be there in a moment. A file is another matter.
pub(crate) fn is_not_there_yet(error: &ErrorProto) -> bool {
    error.reason == "notFound" && [NEW_DATASET, NEW_TABLE].iter().any(|sign| error.message.contains(sign))
}

/// Whether a job that ended so may go through under a new id.
pub(crate) fn is_transient_job(error: &ErrorProto) -> bool {
    let reason = error.reason.as_str();
    TRANSIENT.contains(&reason) || TRANSIENT_OF_JOBS.contains(&reason)
}

/// What BigQuery says of a schema that it does not take for a table.
const SCHEMA_REFUSED: [&str; 4] =
    ["has changed type", "Cannot add fields", "Provided Schema does not match", "missing in new schema"];

/// Whether a load job failed since its columns are not those of the table, or the files' types not those of its columns:
/// by way of a staging table they may be loaded all the same.
pub(crate) fn refuses_schema(error: &ErrorProto) -> bool {
    let of_parquet = error.message.contains("Parquet column") && error.message.contains("does not match");
    error.reason == "invalid" && (of_parquet || SCHEMA_REFUSED.iter().any(|sign| error.message.contains(sign)))
}

/// Whether a load failed since Parquet fields are REQUIRED and the schema's are not (googleapis/java-bigquery#13, 2019).
pub(crate) fn refuses_modes(error: &ErrorProto, all: &[ErrorProto]) -> bool {
    says(error, all, &["is not compatible with the file"])
}

/// Whether a load of CSV failed for the text of an amount, as it might for one with an exponent.
pub(crate) fn refuses_amounts(error: &ErrorProto, all: &[ErrorProto]) -> bool {
    says(error, all, &["as BIGNUMERIC", "Invalid BIGNUMERIC"])
}

fn says(error: &ErrorProto, all: &[ErrorProto], signs: &[&str]) -> bool {
    let says = |error: &ErrorProto| signs.iter().any(|sign| error.message.contains(sign));
    says(error) || all.iter().any(says)
}

/// What is said of a REQUIRED column and a NULL, or a query's column that may be one.
const TAKES_NO_NULL: [&str; 3] = ["has changed mode", "Required column value", "Required field"];

/// Whether a job failed since a column of the table takes no NULL.
pub(crate) fn is_about_null(error: &ErrorProto, all: &[ErrorProto]) -> bool {
    says(error, all, &TAKES_NO_NULL)
}

/// A load job's end as an error; `doing` says what it was to load.
pub(crate) fn load_error(doing: &str, job_id: &str, error: &ErrorProto, all: &[ErrorProto]) -> Error {
    let text = or(&error.message, NO_MESSAGE);
    let details = all.iter().filter(|detail| !detail.message.is_empty() && detail.message != text).map(|detail| {
        let message = &detail.message;
        detail.location.as_ref().map_or_else(|| message.clone(), |file| format!("{file}: {message}"))
    });
    let reason = or(&error.reason, "unknown");
    let mut message = format!("{doing} failed (job {job_id}, {reason}): {text}");
    for detail in details.take(ERRORS_SHOWN) {
        message = format!("{message}; {detail}");
    }
    let (kind, hint) = match error.reason.as_str() {
        _ if let Some(of_setting) = by_setting(&text) => of_setting,
        "invalid" if refuses_schema(error) => (ErrorKind::Schema, hint::ANOTHER_TABLE),
        // Of a query that converts values, the reason is `invalidQuery`.
        _ if error.message.contains(NO_VALUE) => (ErrorKind::Data, hint::NAMED_THEN),
        "invalid" => (ErrorKind::Data, hint::FILES_REFUSED),
        "notFound" => (ErrorKind::NotFound, hint::WENT_AWAY),
        "accessDenied" => (ErrorKind::Permission, hint::GRANT_FOR_LOAD),
        reason => meaning(0, reason),
    };
    Error::new(kind, message).hint(hint).job(job_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, reason: &str) -> Failure {
        let body = serde_json::json!({"error": {"code": status, "message": "why", "errors": [{"reason": reason}]}});
        Failure::refused(status, None, body.to_string().as_bytes())
    }

    fn proto(reason: &str, message: &str, location: Option<&str>) -> ErrorProto {
        ErrorProto { reason: reason.to_owned(), message: message.to_owned(), location: location.map(str::to_owned) }
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
    fn a_setting_of_project_or_organisation_is_known_by_its_text_in_requests_and_jobs() {
        let vpc = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc";
        let cmek = "Your administrator requires that you specify an encryption key for queries in this project";
        let constraint = "Operation denied by org policy: [\"constraints/gcp.restrictNonCmekServices\"]";
        let sandbox = "Billing has not been enabled for this project. DML queries are not allowed in the free tier.";
        for (text, kind, hint) in [
            (vpc, ErrorKind::Permission, hint::LET_INTO_THE_PERIMETER),
            ("prohibited by organization's policy", ErrorKind::Permission, hint::ASK_ADMINISTRATOR),
            (cmek, ErrorKind::Configuration, hint::SET_A_DEFAULT_KEY),
            (constraint, ErrorKind::Configuration, hint::SET_A_DEFAULT_KEY),
            (sandbox, ErrorKind::Configuration, hint::LINK_BILLING),
        ] {
            for status in [400, 403, 412] {
                let body = serde_json::json!({"error": {"message": text, "errors": [{"reason": "accessDenied"}]}});
                let error = Failure::refused(status, None, body.to_string().as_bytes()).into_error("loading");
                assert_eq!((error.kind(), error.next_step()), (kind, Some(hint)), "{status} {text}");
            }
            let error = load_error("loading", "j", &proto("accessDenied", text, None), &[]);
            assert_eq!((error.kind(), error.next_step()), (kind, Some(hint)), "{text}");
        }
    }

    #[test]
    fn a_dataset_that_is_not_found_may_be_there_in_a_moment_and_a_file_may_not() {
        for (reason, message, yet) in [
            ("notFound", "Not found: Dataset p:d", true),
            ("notFound", "Not found: Table p:d.finops_staging_202509_0", true),
            ("notFound", "Not found: URI gs://b/a.csv", false),
            ("invalid", "Not found: Dataset p:d", false),
        ] {
            assert_eq!(is_not_there_yet(&proto(reason, message, None)), yet, "{message}");
        }
        let why = |message: &str| why("notFound", message, By::Copy, "finops_staging_0");
        assert_eq!(why("Not found: Dataset p:d"), Why::Transient);
        assert_eq!(why("Not found: Table p:d.finops_staging_0"), Why::SourceGone);
        assert_eq!(why("Not found: Table p:d.t"), Why::Final);
    }

    #[test]
    fn a_copy_that_the_service_does_not_take_may_be_a_query_instead() {
        for (status, reason) in [(400, "invalid"), (501, "notImplemented")] {
            assert_eq!(refused(status, reason).why(By::Copy, "staging"), Why::CopyRefused, "{status} {reason}");
            assert_eq!(refused(status, reason).why(By::Query, "staging"), Why::Final, "{status} {reason}");
        }
    }

    #[test]
    fn a_swap_that_may_be_there_is_looked_for_unless_the_service_asks_to_wait_for_long() {
        let why = |wait| Failure::refused(503, Some(wait), b"").why(By::Copy, "staging");
        assert_eq!((why("2"), why("60"), why("61")), (Why::Transient, Why::Transient, Why::Final));
    }

    #[test]
    fn each_end_of_a_job_has_its_class_and_the_kind_that_a_person_acts_on() {
        for (reason, again, kind, hint) in [
            ("jobBackendError", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("jobInternalError", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("jobRateLimitExceeded", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("tableUnavailable", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("rateLimitExceeded", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("backendError", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("internalError", true, ErrorKind::Warehouse, hint::RUN_AGAIN),
            ("invalid", false, ErrorKind::Data, hint::FILES_REFUSED),
            ("invalidQuery", false, ErrorKind::Warehouse, hint::REPORT_REQUEST),
            ("notFound", false, ErrorKind::NotFound, hint::WENT_AWAY),
            ("accessDenied", false, ErrorKind::Permission, hint::GRANT_FOR_LOAD),
            ("duplicate", false, ErrorKind::Busy, hint::CREATED_MEANWHILE),
            ("stopped", false, ErrorKind::Warehouse, hint::CANCELLED),
            ("quotaExceeded", false, ErrorKind::Quota, hint::WAIT_FOR_QUOTA),
            ("", false, ErrorKind::Warehouse, hint::RUN_AGAIN),
        ] {
            let end = proto(reason, "why", None);
            assert_eq!(is_transient_job(&end), again, "{reason}");
            let error = load_error("loading 2025-09 into p.d.t", "j", &end, &[]);
            assert_eq!(error.kind(), kind, "{reason}");
            assert_eq!(error.next_step(), Some(hint), "{reason}");
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
    fn a_bad_file_is_named_with_what_is_wrong_in_it() {
        let result = proto("invalid", "CSV table encountered too many errors", None);
        let all = [result.clone(), proto("invalid", "Could not parse 'abc'", Some("gs://b/f.csv.gz"))];
        let error = load_error("loading 2025-09 into p.d.t", "j", &result, &all);
        assert_eq!(error.kind(), ErrorKind::Data);
        assert_eq!(
            error.full_message(),
            "loading 2025-09 into p.d.t failed (job j, invalid): CSV table encountered too many errors; \
             gs://b/f.csv.gz: Could not parse 'abc'"
        );
    }

    #[test]
    fn a_value_that_a_query_cannot_convert_is_a_fault_of_the_data() {
        let error = load_error("loading", "j", &proto("invalidQuery", NO_VALUE, None), &[]);
        assert_eq!(error.kind(), ErrorKind::Data);
        assert_eq!(error.next_step(), Some(hint::NAMED_THEN));
    }

    #[test]
    fn a_refused_schema_is_no_fault_of_the_data() {
        for what in ["Field x has changed type from STRING to INTEGER", "Field x is missing in new schema"] {
            let result = proto("invalid", &format!("Provided Schema does not match Table p:d.t. {what}"), None);
            let error = load_error("loading", "j", &result, &[]);
            assert_eq!(error.kind(), ErrorKind::Schema, "{what}");
            assert_eq!(error.next_step(), Some(hint::ANOTHER_TABLE), "{what}");
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
