//! Findings that several checks share.

use finops_core::{
    hint,
    report::check::{Check, Finding, clock},
};
use jiff::SignedDuration;

use super::google_account;
use crate::error::{Error, Result};

/// What a check that is left out needs.
pub const CREDENTIALS: &str = "the credentials";

/// The finding for an error.
pub fn failed(check: Check, object: &str, error: &Error) -> Finding {
    Finding::failed(check, object, &error.full_message(), error.next_step())
}

/// Whether finops can sign in to a service of Google.
pub fn signed_in(service: &str, result: Result<()>) -> Finding {
    match result {
        Ok(()) => Finding::ok(Check::Credentials, service, &google_account::described()),
        Err(error) => failed(Check::Credentials, service, &error),
    }
}

/// Whether this machine's clock agrees with the service's.
pub fn clock_finding(service: &str, ahead: Option<SignedDuration>) -> Finding {
    let unknown = "not known: the answer of the service has no time";
    ahead.map_or_else(
        || Finding::warning(Check::Clock, service, unknown, hint::CLOCK_UNKNOWN),
        |ahead| clock(service, ahead),
    )
}

/// Whether permissions are missing on an object, all of which `role` has; `None` if the server does not know.
pub fn permissions(object: &str, missing: Result<Option<Vec<&'static str>>>, role: &str) -> Finding {
    match missing {
        Ok(Some(missing)) if missing.is_empty() => Finding::ok(Check::Permissions, object, "all that is needed"),
        Ok(Some(missing)) => {
            let hint = hint::give_role(role);
            Finding::failed(Check::Permissions, object, &format!("lacks {}", missing.join(", ")), Some(&hint))
        }
        Ok(None) => {
            let hint = hint::look_for_role(role);
            Finding::warning(Check::Permissions, object, "not known: this server cannot list permissions", &hint)
        }
        Err(error) => failed(Check::Permissions, object, &error),
    }
}
