//! How a command ends.

use finops_core::report::run::{Report, ReportedError};

use crate::{error::ErrorKind, settings::Problem};

/// The result of a command; the process's exit code follows from it.
/// Of several, the last in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, nothing to do, or waiting within its time.
    Success,
    /// A month failed, was refused or is stale, or the run failed.
    Failure,
    /// Usage or configuration.
    Usage,
}

impl Exit {
    pub(super) fn after(error: &ReportedError) -> Self {
        if error.kind == ErrorKind::Configuration { Self::Usage } else { Self::Failure }
    }

    pub(super) fn of(report: &Report) -> Self {
        let mut errors = report.pipelines.iter().filter_map(|pipeline| pipeline.error.as_ref());
        if errors.any(|error| Self::after(error) == Self::Usage) {
            Self::Usage
        } else if report.failed() {
            Self::Failure
        } else {
            Self::Success
        }
    }
}

/// Why a command ended before it had anything to report.
#[derive(Debug)]
pub(crate) enum CommandError {
    Problems(Vec<Problem>),
    Error(ReportedError),
}

impl From<Vec<Problem>> for CommandError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl From<crate::error::Error> for CommandError {
    fn from(error: crate::error::Error) -> Self {
        Self::Error(error.reported())
    }
}

impl From<ReportedError> for CommandError {
    fn from(error: ReportedError) -> Self {
        Self::Error(error)
    }
}
