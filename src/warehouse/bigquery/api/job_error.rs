//! Why a job failed, and what that means here.

use finops_core::hint;

use super::{
    model::ErrorProto,
    reasons::{TRANSIENT, TRANSIENT_OF_JOBS, by_setting, meaning, or_no_message},
    signs,
};
use crate::{
    error::{Error, ErrorKind},
    warehouse::sign::Sign,
};

/// How many of a job's errors a message shows.
const ERRORS_SHOWN: usize = 3;

/// Whether a job did not find a dataset or table: a new one may be missing for seconds. A missing file stays missing.
pub fn is_not_there_yet(error: &ErrorProto) -> bool {
    error.reason == "notFound" && signs::NO_TABLE.is_in(&error.message)
}

/// Whether the job may succeed under a new id.
pub fn is_transient_job(error: &ErrorProto) -> bool {
    let reason = error.reason.as_str();
    TRANSIENT.contains(&reason) || TRANSIENT_OF_JOBS.contains(&reason)
}

/// Whether a load job failed because its columns are not those of the table, or the files' types not those of its columns.
/// Such files can be loaded through a raw table.
pub fn refuses_schema(error: &ErrorProto) -> bool {
    error.reason == "invalid"
        && (signs::OTHER_COLUMNS.is_in(&error.message)
            || signs::PARQUET_COLUMN.is_in(&error.message) && signs::MISMATCH.is_in(&error.message))
}

/// Whether the job's error, or one of its details, reports the case.
pub fn reports(error: &ErrorProto, all: &[ErrorProto], sign: Sign) -> bool {
    sign.is_in(&error.message) || all.iter().any(|error| sign.is_in(&error.message))
}

/// The error for a failed job; `doing` is what it did.
pub fn load_error(doing: &str, job_id: &str, error: &ErrorProto, all: &[ErrorProto]) -> Error {
    let text = or_no_message(&error.message);
    let details = all.iter().filter(|detail| !detail.message.is_empty() && detail.message != text).map(|detail| {
        let message = &detail.message;
        detail.location.as_ref().map_or_else(|| message.clone(), |file| format!("{file}: {message}"))
    });
    let reason = if error.reason.is_empty() { "unknown" } else { error.reason.as_str() };
    let mut message = format!("{doing} failed (job {job_id}, {reason}): {text}");
    for detail in details.take(ERRORS_SHOWN) {
        message = format!("{message}; {detail}");
    }
    let (kind, hint) = match error.reason.as_str() {
        _ if let Some(of_setting) = by_setting(text) => of_setting,
        "invalid" if refuses_schema(error) => (ErrorKind::Schema, hint::ANOTHER_TABLE),
        // Of a query that converts values, the reason is `invalidQuery`.
        _ if signs::NO_VALUE.is_in(&error.message) => (ErrorKind::Data, hint::NAMED_THEN),
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
    use crate::warehouse::{bigquery::api::failure::Failure, sql::NO_VALUE};

    fn proto(reason: &str, message: &str, location: Option<&str>) -> ErrorProto {
        ErrorProto { reason: reason.to_owned(), message: message.to_owned(), location: location.map(str::to_owned) }
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
    fn a_dataset_that_is_not_found_may_be_there_in_a_moment_and_a_file_may_not() {
        for (reason, message, yet) in [
            ("notFound", "Not found: Dataset p:d", true),
            ("notFound", "Not found: Table p:d.finops_staging_202509_0", true),
            ("notFound", "Not found: URI gs://b/a.csv", false),
            ("invalid", "Not found: Dataset p:d", false),
        ] {
            assert_eq!(is_not_there_yet(&proto(reason, message, None)), yet, "{message}");
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
}
