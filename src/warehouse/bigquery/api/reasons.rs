//! What BigQuery's reasons mean here.

use finops_core::hint;

use super::signs;
use crate::{error::ErrorKind, warehouse::sign::Sign};

/// Reasons that go away, of requests.
pub const TRANSIENT: [&str; 4] = ["rateLimitExceeded", "backendError", "internalError", "badGateway"];
/// Reasons that go away, of jobs: the same work goes through as a new job.
pub const TRANSIENT_OF_JOBS: [&str; 4] =
    ["jobBackendError", "jobInternalError", "jobRateLimitExceeded", "tableUnavailable"];
/// What a setting of the project or the organisation refuses, and what helps.
const SETTINGS: [(Sign, ErrorKind, &str); 4] = [
    (signs::NEEDS_KEY, ErrorKind::Configuration, hint::SET_A_DEFAULT_KEY),
    (signs::PERIMETER, ErrorKind::Permission, hint::LET_INTO_THE_PERIMETER),
    (signs::POLICY, ErrorKind::Permission, hint::ASK_ADMINISTRATOR),
    (signs::NO_BILLING, ErrorKind::Configuration, hint::LINK_BILLING),
];

/// The text, or that there is none.
pub fn or_no_message(message: &str) -> &str {
    if message.is_empty() { "BigQuery gives no message" } else { message }
}

/// Kind and hint where the message names a setting.
pub fn by_setting(message: &str) -> Option<(ErrorKind, &'static str)> {
    SETTINGS.iter().find(|(sign, ..)| sign.is_in(message)).map(|(_, kind, hint)| (*kind, *hint))
}

/// Kind and hint of a reason, or of an HTTP status (0 for a job's error).
pub fn meaning(status: u16, reason: &str) -> (ErrorKind, &'static str) {
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
