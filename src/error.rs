//! The error type: what failed, on which object, and what to do next.

use std::fmt;

pub use finops_core::model::error_kind::ErrorKind;
use finops_core::{hint, model::text::message, report::run::ReportedError};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error with its kind, what failed on which object, and the next step.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    job_id: Option<String>,
    cause: Option<Cause>,
}

/// A result with this error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` names what failed, on which object, expected and found.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, job_id: None, cause: None }
    }

    /// The error for a feature that this build does not have. Settings that need it are refused before.
    pub fn not_built_in(what: &str) -> Self {
        Self::new(ErrorKind::Configuration, format!("this build does not have {what}")).hint(hint::DEFAULT_FEATURES)
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the id of the warehouse's job.
    #[must_use]
    pub fn job(mut self, job_id: impl Into<String>) -> Self {
        self.job_id = Some(job_id.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What failed, with all causes, on one line: texts of services, files and libraries can be anything.
    pub fn full_message(&self) -> String {
        let mut text = self.message.clone();
        let mut cause: Option<&dyn std::error::Error> = self.cause.as_ref().map(|c| &**c as _);
        while let Some(error) = cause {
            let more = error.to_string();
            // Some libraries repeat the text of their own cause.
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        message(&text)
    }

    /// The next step, if one is known.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The id of the warehouse's job, if there was one.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }

    /// The error as a value of reports.
    pub fn reported(&self) -> ReportedError {
        let hint = self.hint.as_deref().map(message);
        ReportedError { kind: self.kind, message: self.full_message(), hint }
    }
}

impl From<Error> for ReportedError {
    fn from(error: Error) -> Self {
        error.reported()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&message(&self.message))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_part_that_is_not_built_in_says_which_build_has_it() {
        assert_eq!(Error::not_built_in("S3").next_step(), Some(hint::DEFAULT_FEATURES));
    }
}
