//! Which of an export's deliveries count.

use std::collections::BTreeSet;

use super::leave_out::LeaveOut;
use crate::model::{
    load_record::{LoadedMonth, ScopeRecord},
    provider::Provider,
};

/// Which of an export's deliveries count, by its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The scopes, as [`crate::formats::azure::scope::normalized`] writes them; all where it is empty.
    pub scopes: BTreeSet<String>,
    /// Runs to unite with the newest one of their scope, in lower case.
    pub keep_runs: BTreeSet<String>,
    /// Runs and folders to leave out. Discovery does so with deliveries; here it is about what is loaded.
    pub leave_out: LeaveOut,
    /// Each delivery is a whole month: finops wrote it.
    pub are_months: bool,
}

impl Selection {
    pub(super) fn keeps(&self, execution_id: &str) -> bool {
        self.keep_runs.contains(&execution_id.to_lowercase())
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.contains(scope)
    }

    fn leaves_out(&self, run: &ScopeRecord) -> bool {
        let is_id = |entry: &String| entry.eq_ignore_ascii_case(&run.execution_id);
        self.leave_out.entries.iter().any(is_id)
            || self.leave_out.has_folder(Provider::Azure, "", &format!("{}/", run.folder))
    }

    /// The recorded runs of a month that still count: the table has rows of the month, and the settings do not leave them out.
    pub fn recorded<'a>(&self, loaded: Option<&'a LoadedMonth>) -> Vec<&'a ScopeRecord> {
        let scopes = loaded.and_then(LoadedMonth::record_if_in_table).and_then(|record| record.scopes.as_ref());
        let counts = |scope: &&ScopeRecord| self.has_scope(&scope.scope) && !self.leaves_out(scope);
        scopes.into_iter().flatten().filter(counts).collect()
    }
}
