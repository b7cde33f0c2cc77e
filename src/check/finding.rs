//! Findings that several checks share.

use finops_core::{
    hint,
    report::check::{Check, Finding, clock},
};
use jiff::SignedDuration;

use crate::error::{Error, Result};

/// What a check needs that is not made because of them.
pub const CREDENTIALS: &str = "the credentials";

/// The finding for an error.
pub fn failed(check: Check, object: &str, error: &Error) -> Finding {
    Finding::failed(check, object, &error.full_message(), error.next_step())
}

/// What the service's clock tells.
pub fn clock_finding(service: &str, ahead: Option<SignedDuration>) -> Finding {
    let unknown = || {
        let hint = hint::CLOCK_UNKNOWN;
        Finding::warning(Check::Clock, service, "not known: the service does not tell its time", hint)
    };
    ahead.map_or_else(unknown, |ahead| clock(service, ahead))
}

/// What lacks of the permissions that are needed on an object, which `role` gives; `None` where the server does not tell.
pub fn permissions(object: &str, missing: Result<Option<Vec<&'static str>>>, role: &str) -> Finding {
    match missing {
        Ok(Some(missing)) if missing.is_empty() => Finding::ok(Check::Permissions, object, "all that is needed"),
        Ok(Some(missing)) => {
            let hint = hint::give_role(role);
            Finding::failed(Check::Permissions, object, &format!("lacks {}", missing.join(", ")), Some(&hint))
        }
        Ok(None) => {
            let hint = hint::look_for_role(role);
            Finding::warning(Check::Permissions, object, "not known: this server does not tell permissions", &hint)
        }
        Err(error) => failed(Check::Permissions, object, &error),
    }
}
