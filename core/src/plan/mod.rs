//! What to do with each month, and why. Pure: deliveries and state in, decisions out.

pub mod age;
pub mod kinds;
pub mod leave_out;
mod one;
mod pieces;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    model::{
        delivery::Delivery,
        load_record::{LoadStatus, LoadedMonth, ScopeRecord},
        manifest::ManifestError,
        period::BillingPeriod,
        provider::Provider,
        run_id::started_at,
        text::message,
    },
    plan::leave_out::LeaveOut,
};

/// A month as it was discovered.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The month that the manifest's folder names.
    pub billing_period: BillingPeriod,
    /// Where the manifest lies.
    pub manifest_uri: String,
    /// The delivery, or why its manifest cannot be used.
    pub delivery: Result<Delivery, ManifestError>,
}

/// What a run may do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Load complete deliveries again although they are loaded.
    pub force: bool,
    /// The time of the run.
    pub now: Timestamp,
    /// How long a month may wait: for files that are missing before that counts as a failure, and for files to be
    /// replaced before it is loaded with those that were not.
    pub wait_max: SignedDuration,
}

/// Which of an export's deliveries count, as its settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The scopes, as [`crate::formats::azure::scope::normalized`] writes them; all where it is empty.
    pub scopes: BTreeSet<String>,
    /// Runs to unite with the newest one of their scope, in lower case.
    pub keep_runs: BTreeSet<String>,
    /// Runs and folders to leave out; discovery leaves them out, so that here only what is loaded counts.
    pub leave_out: LeaveOut,
    /// Each delivery is a whole month: finops put it where it was found.
    pub are_months: bool,
}

impl Selection {
    fn keeps(&self, execution_id: &str) -> bool {
        self.keep_runs.contains(&execution_id.to_lowercase())
    }

    fn has_scope(&self, scope: &str) -> bool {
        self.scopes.is_empty() || self.scopes.contains(scope)
    }

    fn leaves_out(&self, run: &ScopeRecord) -> bool {
        let is_id = |entry: &String| entry.eq_ignore_ascii_case(&run.execution_id);
        self.leave_out.entries.iter().any(is_id)
            || self.leave_out.has_folder(Provider::Azure, "", &format!("{}/", run.folder))
    }
}

/// What to do with a month.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Load it: nothing of it is loaded.
    Load(Delivery),
    /// Load it in place of what is loaded.
    Reload(Delivery),
    /// Leave it as it is.
    Skip {
        /// Because nothing was delivered.
        empty: bool,
    },
    /// Listed files are not there yet, or still those of the delivery before; `stale` where files have been missing for too
    /// long.
    Wait {
        /// It waits longer than allowed.
        stale: bool,
    },
    /// The delivery cannot be loaded.
    Refuse {
        /// What to do about it.
        hint: &'static str,
    },
}

/// What fails a month although the rest of it is loaded, or stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// It waits longer than allowed; else it cannot be loaded.
    pub stale: bool,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// A month with its decision.
#[derive(Clone, Debug)]
pub struct PlannedMonth {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id, where its manifest could be read.
    pub execution_id: Option<String>,
    /// Where its manifest lies; of several runs that of the newest.
    pub manifest_uri: String,
    /// What to do.
    pub decision: Decision,
    /// Why, for people.
    pub reason: String,
    /// What is wrong with a part of it.
    pub failure: Option<Failure>,
}

/// A decision and what it is about.
struct Decided {
    execution_id: Option<String>,
    decision: Decision,
    reason: String,
    failure: Option<Failure>,
}

impl Decided {
    fn new(execution_id: &str, decision: Decision, reason: String) -> Self {
        Self { execution_id: Some(execution_id.to_owned()), decision, reason, failure: None }
    }
}

/// Decides on every discovered month, newest month first. A manifest that cannot be used costs its own month only.
///
/// Of several deliveries of a month, one that reaches further goes before one that reaches less far, and then the one that
/// the provider made last; empty ones come last. A delivery whose files are not all there waits, and the next one that is
/// complete is loaded meanwhile, unless what is loaded is better than that. Deliveries of several scopes are one month
/// together, each scope's as said; so are pieces of a month.
pub fn plan(
    candidates: Vec<Candidate>,
    standing: &BTreeMap<BillingPeriod, LoadedMonth>,
    selection: &Selection,
    rules: &Rules,
) -> Vec<PlannedMonth> {
    let mut months: BTreeMap<BillingPeriod, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        months.entry(candidate.billing_period).or_default().push(candidate);
    }
    let all = months.values().flatten();
    let unknown = scopes::unknown(all.filter_map(|candidate| candidate.delivery.as_ref().ok()), standing, selection);
    let newest_first = months.into_iter().rev();
    let decide = |(month, candidates)| decide(month, candidates, standing, selection, rules);
    // Reasons name manifests, and a folder on this machine may have any name.
    let worded = newest_first.filter_map(decide).map(|month| PlannedMonth { reason: message(&month.reason), ..month });
    let mut planned: Vec<PlannedMonth> = worded.collect();
    if let Some(newest) = planned.first_mut() {
        newest.failure = newest.failure.take().or(unknown);
    }
    planned
}

/// `None` without candidates.
fn decide(
    billing_period: BillingPeriod,
    candidates: Vec<Candidate>,
    months: &BTreeMap<BillingPeriod, LoadedMonth>,
    selection: &Selection,
    rules: &Rules,
) -> Option<PlannedMonth> {
    let (mut deliveries, mut broken) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match candidate.delivery {
            Ok(delivery) => deliveries.push(delivery),
            Err(error) => broken.push((candidate.manifest_uri, error)),
        }
    }
    deliveries.sort_by(|a, b| rank(b).cmp(&rank(a)));
    let standing = months.get(&billing_period);
    let crossing = crossing(billing_period, &deliveries, &broken);
    let doubled = months_beside(billing_period, months).find_map(|other| scopes::doubled(standing?, other));
    // Of several runs, none is named as the one to leave out.
    let is_plain = scopes::is_plain(&deliveries, &broken, standing, selection);
    let best = deliveries.first().filter(|_| is_plain);
    let manifest_uri = best.map(|best| best.manifest_uri.clone()).unwrap_or_default();
    let missing =
        months.get(&billing_period.before()).and_then(|last| scopes::missing(&deliveries, standing, last, selection));
    let deliveries_are_none = deliveries.is_empty();
    let decided = if deliveries_are_none {
        None
    } else if is_plain {
        one::decide(&deliveries, standing, rules)
    } else {
        let month = scopes::Month { standing, selection, rules, broken: &broken };
        Some(scopes::decide(deliveries, &month))
    };
    let archived = loaded_before_archived(&broken, standing).filter(|_| deliveries_are_none && !rules.force);
    let unusable = unusable(&broken);
    if let (Some(reason), Some(Unusable { manifest_uri, .. })) = (archived, &unusable) {
        let (decision, manifest_uri) = (Decision::Skip { empty: false }, manifest_uri.clone());
        return Some(PlannedMonth {
            billing_period,
            execution_id: None,
            manifest_uri,
            decision,
            reason,
            failure: None,
        });
    }
    let Some(Decided { execution_id, decision, mut reason, failure }) = decided else {
        return unusable.map(|Unusable { reason, hint, manifest_uri }| PlannedMonth {
            billing_period,
            execution_id: None,
            manifest_uri,
            decision: Decision::Refuse { hint },
            reason,
            failure: None,
        });
    };
    let failure = failure.or(crossing).or(doubled);
    reason.extend(missing.map(|missing| format!("; missing, and in the month before: {missing}")));
    reason.extend(unusable.map(|broken| format!("; left out: {}", broken.reason)));
    Some(PlannedMonth { billing_period, execution_id, manifest_uri, decision, reason, failure })
}

/// What fails a month that is delivered in pieces of which one reaches over its end.
fn crossing(period: BillingPeriod, deliveries: &[Delivery], broken: &[(String, ManifestError)]) -> Option<Failure> {
    let crosses = |(uri, error): &(String, ManifestError)| {
        let (scope, ManifestError::Range { from: Some(from), hint, .. }) = error.parts() else { return None };
        let same = |run: &&Delivery| !run.is_empty() && run.manifest.scope.as_deref() == scope;
        let reach = deliveries.iter().filter(same).map(Delivery::reach).max()?;
        let reason = format!("it is delivered in pieces, and one reaches beyond it: manifest {uri}: {error}");
        (*from > period.first_day() && reach < period.last_day()).then_some(Failure { stale: false, reason, hint })
    };
    broken.iter().find_map(crosses)
}

fn months_beside(
    period: BillingPeriod,
    months: &BTreeMap<BillingPeriod, LoadedMonth>,
) -> impl Iterator<Item = &LoadedMonth> {
    [period.before(), period.after()].into_iter().filter_map(|month| months.get(&month))
}

/// What is wrong with manifests that cannot be used, and what to do about it.
struct Unusable {
    reason: String,
    hint: &'static str,
    manifest_uri: String,
}

/// Of several such manifests the one of the greatest name, which is the newest where folders are named after times.
fn unusable(broken: &[(String, ManifestError)]) -> Option<Unusable> {
    let (manifest_uri, error) = broken.iter().max_by_key(|(manifest_uri, _)| manifest_uri)?;
    let others = match broken.len() - 1 {
        0 => String::new(),
        others => format!(" (and {others} more that cannot be used)"),
    };
    let (reason, manifest_uri) = (format!("manifest {manifest_uri}: {error}{others}"), manifest_uri.clone());
    Some(Unusable { reason, hint: error.hint(), manifest_uri })
}

/// Why a month without a readable manifest stays as it is: the table has what was delivered before all that is there was
/// archived. A copy in an archive keeps its time.
fn loaded_before_archived(broken: &[(String, ManifestError)], standing: Option<&LoadedMonth>) -> Option<String> {
    let record = &standing.filter(|standing| is_whole(standing))?.record;
    let looked_at = started_at(&record.run_id).unwrap_or(record.loaded_at);
    let is_archived = |(_, error): &(String, ManifestError)| matches!(error.parts().1, ManifestError::Archived { .. });
    let does_not_count = |(_, error): &(String, ManifestError)| match error.parts().1 {
        ManifestError::Archived { written } => *written <= looked_at,
        ManifestError::OtherKind { .. } => true,
        _ => false,
    };
    (broken.iter().any(is_archived) && broken.iter().all(does_not_count))
        .then(|| format!("already loaded on {}; its delivery was archived since", minute(record.loaded_at)))
}

/// Which of a month's deliveries should stand: the greatest. Whether its files are there has no say.
pub fn rank(delivery: &Delivery) -> (bool, Date, Timestamp, &str) {
    (!delivery.is_empty(), delivery.reach(), delivery.issued_at(), &delivery.manifest_uri)
}

/// Whether the table has what was loaded.
pub fn is_whole(standing: &LoadedMonth) -> bool {
    standing.record.status == LoadStatus::Loaded && standing.record.rows == standing.rows_in_table
}

/// What is recorded of a month's scopes, as far as it still counts: the table has rows of the month, and the settings have not
/// set it aside.
pub fn recorded<'a>(standing: Option<&'a LoadedMonth>, selection: &Selection) -> Vec<&'a ScopeRecord> {
    let of_standing = standing.and_then(LoadedMonth::record_if_in_table).and_then(|record| record.scopes.as_ref());
    let counts = |scope: &&ScopeRecord| selection.has_scope(&scope.scope) && !selection.leaves_out(scope);
    of_standing.into_iter().flatten().filter(counts).collect()
}

fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The first of `names`.
fn shown<T: AsRef<str>>(names: &[T]) -> String {
    let named = names.iter().take(3).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{named}, ...") } else { named }
}
