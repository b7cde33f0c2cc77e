//! What else is wrong with a month: scopes that are missing or unknown, days that are loaded twice, pieces that cross its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{
    decision::{Failure, Month},
    reason::{Note, Reason},
    selection::Selection,
};
use crate::{
    hint,
    model::{
        delivery::Delivery,
        load_record::{LoadedMonth, ScopeRecord},
        manifest::ManifestError,
        period::BillingPeriod,
    },
};

/// The scopes of the month before that the month does not have.
pub(super) fn missing_scopes(deliveries: &[Delivery], before: Option<&LoadedMonth>, month: &Month<'_>) -> Option<Note> {
    let recorded = month.selection.recorded(month.loaded);
    let of_deliveries = deliveries.iter().filter_map(|run| run.manifest.scope.as_deref());
    let found: BTreeSet<&str> = of_deliveries.chain(recorded.iter().map(|record| record.scope.as_str())).collect();
    let of_before: BTreeSet<&str> =
        month.selection.recorded(before).iter().map(|record| record.scope.as_str()).filter(|s| !s.is_empty()).collect();
    let missing: Vec<String> = of_before.difference(&found).map(|scope| (*scope).to_owned()).collect();
    (!missing.is_empty()).then_some(Note::ScopesMissing(missing))
}

/// Fails an export whose settings name a scope that no month has: the name may be misspelt.
pub(super) fn unknown_scopes<'a>(
    deliveries: impl Iterator<Item = &'a Delivery>,
    months: &BTreeMap<BillingPeriod, LoadedMonth>,
    selection: &Selection,
) -> Option<Failure> {
    let mut unknown: BTreeSet<&str> = selection.scopes.iter().map(String::as_str).collect();
    if selection.are_months || unknown.is_empty() {
        return None;
    }
    for run in deliveries {
        // It may be of any scope.
        let scope = run.manifest.scope.as_deref()?;
        unknown.remove(scope);
    }
    let recorded = months.values().filter_map(|month| month.record.scopes.as_ref()).flatten();
    unknown.retain(|scope| !recorded.clone().any(|run| run.scope == **scope));
    let reason = Reason::UnknownScopes(unknown.iter().map(|scope| (*scope).to_owned()).collect());
    (!unknown.is_empty()).then_some(Failure { stale: false, reason, hint: hint::OTHER_SCOPES })
}

/// Fails a usage month that was loaded with days of a neighbouring month, if that month is loaded and has these days, too.
pub(super) fn day_twice(month: &LoadedMonth, beside: &LoadedMonth) -> Option<Failure> {
    let runs =
        |loaded: &LoadedMonth| loaded.record_if_in_table().and_then(|record| record.scopes.clone()).unwrap_or_default();
    let (own, others) = (runs(month), runs(beside));
    let has = |run: &ScopeRecord, day: Date| {
        let range = |other: &ScopeRecord| Some(other.first_day? <= day && day <= other.last_day?);
        others.iter().filter(|other| other.scope == run.scope).any(|other| range(other) == Some(true))
    };
    let (run, day) = own.iter().find_map(|run| Some((run, *run.outside.iter().find(|day| has(run, **day))?)))?;
    let (execution_id, month) = (run.execution_id.clone(), beside.record.billing_period);
    Some(Failure { stale: false, reason: Reason::DayTwice { execution_id, day, month }, hint: hint::DAY_TWICE })
}

/// Fails a month that is delivered in pieces of which one crosses its end.
pub(super) fn crossing_piece(deliveries: &[Delivery], month: &Month<'_>) -> Option<Failure> {
    let period = month.billing_period;
    let crosses = |(uri, error): &(String, ManifestError)| {
        let (scope, ManifestError::Range { from: Some(from), hint, .. }) = error.parts() else { return None };
        let same = |run: &&Delivery| !run.is_empty() && run.manifest.scope.as_deref() == scope;
        let reach = deliveries.iter().filter(same).map(Delivery::reach).max()?;
        let reason = Reason::PieceCrossesMonth { uri: uri.clone(), error: error.clone() };
        (*from > period.first_day() && reach < period.last_day()).then_some(Failure { stale: false, reason, hint })
    };
    month.broken.iter().find_map(crosses)
}
