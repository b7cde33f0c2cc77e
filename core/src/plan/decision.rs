//! What is decided on a month, and from what.

use jiff::{SignedDuration, Timestamp};

use super::{
    reason::{LostRun, Note, Reason},
    selection::Selection,
};
use crate::model::{delivery::Delivery, load_record::LoadedMonth, manifest::ManifestError, period::BillingPeriod};

/// A month as it was discovered.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The month that the manifest's folder names.
    pub billing_period: BillingPeriod,
    /// Where the manifest is.
    pub manifest_uri: String,
    /// The delivery, or why its manifest cannot be used.
    pub delivery: Result<Delivery, ManifestError>,
}

/// What a run may do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Load complete deliveries again, even if they are loaded.
    pub force: bool,
    /// The time of the run.
    pub now: Timestamp,
    /// How long a month may wait: for missing files before that counts as a failure, and for files to be replaced before
    /// it is loaded with those that were not.
    pub wait_max: SignedDuration,
}

impl Rules {
    /// Whether something that is waited for since then is overdue.
    pub(super) fn is_overdue(&self, since: Timestamp) -> bool {
        self.now.duration_since(since) > self.wait_max
    }
}

/// A month, and what its decision depends on, except its deliveries.
pub(super) struct Month<'a> {
    pub billing_period: BillingPeriod,
    pub loaded: Option<&'a LoadedMonth>,
    pub selection: &'a Selection,
    pub rules: &'a Rules,
    /// Manifests that cannot be used.
    pub broken: &'a [(String, ManifestError)],
}

/// What a scope gives to the month.
#[derive(Default)]
pub(super) struct Choice {
    pub runs: Vec<Delivery>,
    pub notes: Vec<Note>,
    /// It is loaded and cannot be loaded again, and nothing better was found.
    pub lost: Option<LostRun>,
    /// Nothing of it is loaded, and it waits.
    pub waits: bool,
    pub failure: Option<Failure>,
}

/// What to do with a month.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Load it: nothing of it is loaded.
    Load(Delivery),
    /// Replace what is loaded.
    Reload(Delivery),
    /// Leave it unchanged.
    Skip {
        /// Because nothing was delivered.
        empty: bool,
    },
    /// Files are missing, or still those of the delivery before.
    Wait {
        /// Files have been missing for longer than allowed.
        stale: bool,
    },
    /// The delivery cannot be loaded.
    Refuse {
        /// What to do about it.
        hint: &'static str,
    },
}

impl Decision {
    /// The delivery that is to be loaded.
    pub fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::Load(delivery) | Self::Reload(delivery) => Some(delivery),
            _ => None,
        }
    }
}

/// What fails a month although the rest of it is loaded or unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether it waits longer than allowed; otherwise it cannot be loaded.
    pub stale: bool,
    /// What is wrong.
    pub reason: Reason,
    /// What to do about it.
    pub hint: &'static str,
}

/// A month with its decision.
#[derive(Clone, Debug)]
pub struct PlannedMonth {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id, if its manifest could be read.
    pub execution_id: Option<String>,
    /// Where its manifest is; empty if the month has several runs.
    pub manifest_uri: String,
    /// What to do.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// What a report adds to the reason.
    pub notes: Vec<Note>,
    /// What is wrong with a part of it.
    pub failure: Option<Failure>,
}

impl PlannedMonth {
    /// A month with its decision only.
    pub(super) fn new(billing_period: BillingPeriod, decision: Decision, reason: Reason) -> Self {
        let (execution_id, manifest_uri, notes, failure) = Default::default();
        Self { billing_period, execution_id, manifest_uri, decision, reason, notes, failure }
    }
}
