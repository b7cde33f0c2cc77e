//! The plan: one decision for each month.

use std::collections::BTreeMap;

use super::{
    decision::{Candidate, Decided, Decision, PlannedMonth, Rules},
    findings::{crossing_piece, day_twice, missing_scopes, unknown_scopes},
    loaded::is_whole,
    one,
    rank::rank,
    reason::{Note, Reason},
    scope::Month,
    scopes,
    selection::Selection,
};
use crate::model::{load_record::LoadedMonth, manifest::ManifestError, period::BillingPeriod, run_id::started_at};

/// Decides on every discovered month, newest month first. A manifest that cannot be used costs its own month only.
///
/// Of several deliveries of a month, the one that covers the most days counts, and of several such the one that was issued
/// last; empty ones come last. If its files are not all there, it waits, and the next one that is complete is loaded meanwhile,
/// unless what is loaded is better. Deliveries of several scopes are one month together, and each scope follows this rule; so
/// do pieces of a month.
pub fn plan(
    candidates: Vec<Candidate>,
    loaded: &BTreeMap<BillingPeriod, LoadedMonth>,
    selection: &Selection,
    rules: &Rules,
) -> Vec<PlannedMonth> {
    let mut months: BTreeMap<BillingPeriod, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        months.entry(candidate.billing_period).or_default().push(candidate);
    }
    let all = months.values().flatten();
    let unknown = unknown_scopes(all.filter_map(|candidate| candidate.delivery.as_ref().ok()), loaded, selection);
    let decide = |(month, candidates)| decide(month, candidates, loaded, selection, rules);
    let mut planned: Vec<PlannedMonth> = months.into_iter().rev().filter_map(decide).collect();
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
    let loaded = months.get(&billing_period);
    let Some(best) = deliveries.first() else { return undelivered(billing_period, &broken, loaded, rules) };

    let (before, after) = (months.get(&billing_period.before()), months.get(&billing_period.after()));
    let crossing = crossing_piece(billing_period, &deliveries, &broken);
    let twice = [before, after].into_iter().flatten().find_map(|beside| day_twice(loaded?, beside));
    let missing = before.and_then(|_| missing_scopes(&deliveries, loaded, before, selection));
    // Of several runs, none is named as the one to leave out.
    let is_plain = scopes::is_plain(&deliveries, &broken, loaded, selection);
    let manifest_uri = if is_plain { best.manifest_uri.clone() } else { String::new() };
    let Decided { execution_id, decision, reason, mut notes, failure } = if is_plain {
        one::decide(&deliveries, loaded, rules)?
    } else {
        scopes::decide(deliveries, &Month { loaded, selection, rules, broken: &broken })
    };
    notes.extend(missing);
    notes.extend(unusable(&broken).map(|(reason, _)| Note::LeftOut(reason)));
    let failure = failure.or(crossing).or(twice);
    Some(PlannedMonth { billing_period, execution_id, manifest_uri, decision, reason, notes, failure })
}

/// A month without a manifest that can be used.
fn undelivered(
    billing_period: BillingPeriod,
    broken: &[(String, ManifestError)],
    loaded: Option<&LoadedMonth>,
    rules: &Rules,
) -> Option<PlannedMonth> {
    let (unusable, (manifest_uri, error)) = unusable(broken)?;
    let (decision, reason) = match loaded_before_archived(broken, loaded).filter(|_| !rules.force) {
        Some(reason) => (Decision::Skip { empty: false }, reason),
        None => (Decision::Refuse { hint: error.hint() }, unusable),
    };
    let (manifest_uri, notes) = (manifest_uri.clone(), Vec::new());
    Some(PlannedMonth { billing_period, execution_id: None, manifest_uri, decision, reason, notes, failure: None })
}

/// Of several such manifests the one of the greatest name, which is the newest where folders are named after times.
fn unusable(broken: &[(String, ManifestError)]) -> Option<(Reason, &(String, ManifestError))> {
    let last = broken.iter().max_by_key(|(manifest_uri, _)| manifest_uri)?;
    let (uri, error, others) = (last.0.clone(), last.1.clone(), broken.len() - 1);
    Some((Reason::ManifestUnusable { uri, error, others }, last))
}

/// Why a month without a readable manifest is unchanged: the table has what was delivered before everything that is there
/// was archived. A copy in an archive keeps its time.
fn loaded_before_archived(broken: &[(String, ManifestError)], loaded: Option<&LoadedMonth>) -> Option<Reason> {
    let record = &loaded.filter(|loaded| is_whole(loaded))?.record;
    let listed_at = started_at(&record.run_id).unwrap_or(record.loaded_at);
    let is_archived = |(_, error): &(String, ManifestError)| matches!(error.parts().1, ManifestError::Archived { .. });
    let does_not_count = |(_, error): &(String, ManifestError)| match error.parts().1 {
        ManifestError::Archived { written } => *written <= listed_at,
        ManifestError::OtherKind { .. } => true,
        _ => false,
    };
    (broken.iter().any(is_archived) && broken.iter().all(does_not_count))
        .then_some(Reason::Archived { loaded_at: record.loaded_at })
}
