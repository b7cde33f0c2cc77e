//! The plan: one decision for each month.

use std::collections::BTreeMap;

use super::{
    decision::{Candidate, Decision, Month, PlannedMonth, Rules},
    findings::{crossing_piece, day_twice, missing_scopes, unknown_scopes},
    loaded::is_whole,
    one,
    rank::rank,
    reason::{Note, Reason},
    scopes,
    selection::Selection,
};
use crate::model::{load_record::LoadedMonth, manifest::ManifestError, period::BillingPeriod, run_id::started_at};

/// Decides on every discovered month, newest month first. A manifest that cannot be used costs its own month only.
///
/// Of several deliveries of a month, the one that covers the most days counts, then the newest; empty ones come last. If some of
/// its files are missing, it waits. Meanwhile the next complete delivery is loaded, unless the loaded one is better. Deliveries
/// of several scopes together are one month, and each scope follows this rule. The same is true for pieces of a month.
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
    let month = Month { billing_period, loaded: months.get(&billing_period), selection, rules, broken: &broken };
    if deliveries.is_empty() {
        return undelivered(&month);
    }
    let (before, after) = (months.get(&billing_period.before()), months.get(&billing_period.after()));
    let crossing = crossing_piece(&deliveries, &month);
    let twice = [before, after].into_iter().flatten().find_map(|beside| day_twice(month.loaded?, beside));
    let missing = missing_scopes(&deliveries, before, &month);
    let mut planned = if scopes::is_plain(&deliveries, &month) {
        one::decide(&deliveries, &month)?
    } else {
        scopes::decide(deliveries, &month)
    };
    planned.notes.extend(missing);
    planned.notes.extend(unusable(&broken).map(|(reason, _)| Note::LeftOut(reason)));
    planned.failure = planned.failure.or(crossing).or(twice);
    Some(planned)
}

/// A month without a manifest that can be used.
fn undelivered(month: &Month<'_>) -> Option<PlannedMonth> {
    let (unusable, (manifest_uri, error)) = unusable(month.broken)?;
    let (decision, reason) = match loaded_before_archived(month).filter(|_| !month.rules.force) {
        Some(reason) => (Decision::Skip { empty: false }, reason),
        None => (Decision::Refuse { hint: error.hint() }, unusable),
    };
    let manifest_uri = manifest_uri.clone();
    Some(PlannedMonth { manifest_uri, ..PlannedMonth::new(month.billing_period, decision, reason) })
}

/// Of several such manifests the one with the greatest name: it is the newest if folders are named after times.
fn unusable(broken: &[(String, ManifestError)]) -> Option<(Reason, &(String, ManifestError))> {
    let last = broken.iter().max_by_key(|(manifest_uri, _)| manifest_uri)?;
    let (uri, error, others) = (last.0.clone(), last.1.clone(), broken.len() - 1);
    Some((Reason::ManifestUnusable { uri, error, others }, last))
}

/// Why a month without a readable manifest is unchanged: the table has a delivery that was loaded before all manifests were
/// archived. A copy in an archive keeps its time.
fn loaded_before_archived(month: &Month<'_>) -> Option<Reason> {
    let record = &month.loaded.filter(|loaded| is_whole(loaded))?.record;
    let listed_at = started_at(&record.run_id).unwrap_or(record.loaded_at);
    let is_archived = |(_, error): &(String, ManifestError)| matches!(error.parts().1, ManifestError::Archived { .. });
    let does_not_count = |(_, error): &(String, ManifestError)| match error.parts().1 {
        ManifestError::Archived { written } => *written <= listed_at,
        ManifestError::OtherKind { .. } => true,
        _ => false,
    };
    (month.broken.iter().any(is_archived) && month.broken.iter().all(does_not_count))
        .then_some(Reason::Archived { loaded_at: record.loaded_at })
}
