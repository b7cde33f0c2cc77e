//! Why a swap failed or was refused, for the protocol.

use finops_core::numbered::{By, Why};

use crate::warehouse::bigquery::api::{
    failure::{Failure, LONGEST_WAIT},
    model::ErrorProto,
    reasons::{TRANSIENT, TRANSIENT_OF_JOBS},
    signs,
};

/// Why the insert of a swap was refused; `staging` is the table that it reads. Without an answer, there may be a job.
pub fn why_refused(failure: &Failure, by: By, staging: &str) -> Why {
    match failure {
        Failure::Refused { status: 429, .. } => Why::Transient,
        Failure::Refused { reason, message, .. } if failure.is_without_effect() => why(reason, message, by, staging),
        Failure::Refused { .. } if failure.retry_after() > LONGEST_WAIT => Why::Final,
        Failure::Refused { .. } | Failure::NoAnswer(_) | Failure::Unreadable { .. } => Why::Transient,
        Failure::Credentials(..) | Failure::File(..) => Why::Final,
    }
}

/// Why a swap failed; `staging` is the table that it reads.
pub fn why_failed(error: &ErrorProto, by: By, staging: &str) -> Why {
    why(&error.reason, &error.message, by, staging)
}

fn why(reason: &str, message: &str, by: By, staging: &str) -> Why {
    match reason {
        _ if TRANSIENT.contains(&reason) || TRANSIENT_OF_JOBS.contains(&reason) => Why::Transient,
        "notFound" if message.contains(staging) => Why::SourceGone,
        "notFound" if signs::NO_DATASET.is_in(message) => Why::Transient,
        // A copy needs an identical table; a query does not.
        "invalid" | "notImplemented" | "unsupported" if by == By::Copy => Why::CopyRefused,
        _ => Why::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, reason: &str) -> Failure {
        let body = serde_json::json!({"error": {"code": status, "message": "why", "errors": [{"reason": reason}]}});
        Failure::refused(status, None, body.to_string().as_bytes())
    }

    #[test]
    fn a_staging_table_that_is_gone_ends_the_swap_and_a_dataset_that_is_not_found_does_not() {
        let why = |message: &str| why("notFound", message, By::Copy, "finops_staging_0");
        assert_eq!(why("Not found: Dataset p:d"), Why::Transient);
        assert_eq!(why("Not found: Table p:d.finops_staging_0"), Why::SourceGone);
        assert_eq!(why("Not found: Table p:d.t"), Why::Final);
    }

    #[test]
    fn a_copy_that_the_service_does_not_take_may_be_a_query_instead() {
        for (status, reason) in [(400, "invalid"), (501, "notImplemented")] {
            assert_eq!(
                why_refused(&refused(status, reason), By::Copy, "staging"),
                Why::CopyRefused,
                "{status} {reason}"
            );
            assert_eq!(why_refused(&refused(status, reason), By::Query, "staging"), Why::Final, "{status} {reason}");
        }
    }

    #[test]
    fn a_swap_that_may_be_there_is_looked_for_unless_the_service_asks_to_wait_for_long() {
        let why = |wait| why_refused(&Failure::refused(503, Some(wait), b""), By::Copy, "staging");
        assert_eq!((why("2"), why("60"), why("61")), (Why::Transient, Why::Transient, Why::Final));
    }
}
