//! A month of several scopes, or of several runs of one scope. Each scope's best run counts. A scope that waits or is broken does
//! not delay the others, and keeps its loaded run. A loaded scope is never lost: a month without it does not replace the loaded
//! one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::{Choice, Decision, Failure, Month, PlannedMonth},
    loaded::{damage, is_whole},
    reason::{Empty, LostRun, Note, Reason},
    scope::{Scope, choose},
    waiting::files_not_yet_overwritten,
};
use crate::{
    formats::azure::scope::conflict,
    hint,
    model::{delivery::Delivery, load_record::LoadRecord, manifest::ManifestError},
};

/// A scope's run that is older than the newest one by more than this is named.
const OLD_AFTER: SignedDuration = SignedDuration::from_hours(36);

/// How many scopes are named with their notes.
const NOTED: usize = 3;

/// Whether the month is one run of one scope, like most months.
pub(super) fn is_plain(deliveries: &[Delivery], month: &Month<'_>) -> bool {
    let selection = month.selection;
    if selection.are_months {
        return true;
    }
    let recorded = selection.recorded(month.loaded);
    let of_deliveries = deliveries.iter().filter_map(|run| run.manifest.scope.as_deref());
    let of_broken = month.broken.iter().filter_map(|(_, error)| error.parts().0);
    let scopes: BTreeSet<&str> = of_deliveries.chain(of_broken).collect();
    let of_record: BTreeSet<&str> =
        recorded.iter().map(|scope| scope.scope.as_str()).filter(|s| !s.is_empty()).collect();
    let is_special = |run: &Delivery| run.manifest.from.is_some() || selection.keeps(&run.manifest.execution_id);
    scopes.union(&of_record).count() < 2
        && recorded.len() < 2
        && scopes.iter().all(|scope| selection.has_scope(scope))
        && !deliveries.iter().any(is_special)
}

/// Decides on a month of `ranked`, which has at least one delivery.
pub(super) fn decide(ranked: Vec<Delivery>, month: &Month<'_>) -> PlannedMonth {
    // Of several runs, none is named as the one to leave out.
    let planned = |decision, reason| PlannedMonth::new(month.billing_period, decision, reason);
    let loaded_at = month.loaded.map(|loaded| loaded.record.loaded_at);
    let first_new = ranked.iter().map(|run| run.delivered_at).filter(|at| Some(*at) > loaded_at).min();
    let (scopes, left_out) = match by_scope(ranked, month) {
        Ok(scopes) => scopes,
        Err((reason, hint)) => return planned(Decision::Refuse { hint }, reason),
    };
    let names: BTreeSet<&str> = scopes.keys().map(String::as_str).filter(|name| !name.is_empty()).collect();
    if let Some(conflict) = conflict(&names, !month.selection.scopes.is_empty()) {
        return planned(Decision::Refuse { hint: hint::NAME_SCOPES }, Reason::ScopesConflict(conflict));
    }
    let choose = |(name, scope): (String, Scope<'_>)| {
        let choice = choose(&name, scope, month);
        (name, choice)
    };
    let mut choices: Vec<(String, Choice)> = scopes.into_iter().map(choose).collect();
    let runs: Vec<Delivery> = choices.iter_mut().flat_map(|(_, choice)| std::mem::take(&mut choice.runs)).collect();
    let lost: Vec<LostRun> = choices.iter_mut().filter_map(|(_, choice)| choice.lost.take()).collect();
    let waits = choices.iter().any(|(_, choice)| choice.waits);
    let mut failure = choices.iter().find_map(|(_, choice)| choice.failure.clone());
    let mut notes = notes(&runs, choices);
    notes.extend((!left_out.is_empty()).then_some(Note::ScopesLeftOut(left_out)));
    // Counted from the first delivery that could have replaced the loaded one.
    let newest = newest_of_new(&runs, month).map(|newest| first_new.map_or(newest, |first| first.min(newest)));
    let Some(united) = Delivery::united(runs) else {
        let (decision, reason) = match (&failure, lost.is_empty()) {
            (Some(Failure { stale: false, reason, hint }), _) => {
                return planned(Decision::Refuse { hint }, reason.clone());
            }
            (_, false) => (Decision::Skip { empty: false }, Reason::RunsGone(lost)),
            (_, true) if !waits => (Decision::Skip { empty: true }, Reason::EmptyDelivery(Empty::Runs)),
            (failure, true) => (Decision::Wait { stale: failure.is_some() }, Reason::NothingComplete),
        };
        return PlannedMonth { notes, failure, ..planned(decision, reason) };
    };
    let (decision, reason) =
        if lost.is_empty() { decide_on(&united, month) } else { without(lost, newest, &united, month) };
    if let Decision::Wait { stale: true } = decision {
        failure = Some(Failure { stale: true, reason: reason.clone(), hint: hint::FILES_OF_SCOPE_GONE });
    }
    PlannedMonth { execution_id: Some(united.manifest.execution_id), notes, failure, ..planned(decision, reason) }
}

/// Decides on a month whose scopes were all found.
fn decide_on(united: &Delivery, month: &Month<'_>) -> (Decision, Reason) {
    let Some(loaded) = month.loaded else { return (Decision::Load(united.clone()), Reason::NotLoaded) };
    let record = &loaded.record;
    if !is_whole(loaded) {
        let decision = if loaded.rows_in_table == 0 { Decision::Load } else { Decision::Reload };
        return (decision(united.clone()), damage(loaded));
    }
    if record.fingerprint == united.fingerprint && !month.rules.force {
        return (Decision::Skip { empty: false }, Reason::AlreadyLoaded { loaded_at: record.loaded_at });
    }
    if let Some(reason) = still_replaced(united, record, month) {
        return (Decision::Wait { stale: false }, reason);
    }
    let reason = if month.rules.force {
        Reason::ReloadForced
    } else {
        Reason::NewDelivery { replaces: record.execution_id.clone(), unchanged: None }
    };
    (Decision::Reload(united.clone()), reason)
}

/// A month's scopes by name, and those that the settings leave out.
type Scopes<'a> = (BTreeMap<String, Scope<'a>>, Vec<String>);

/// The month's scopes; or why they cannot be distinguished, and what to do about it.
fn by_scope<'a>(ranked: Vec<Delivery>, month: &Month<'a>) -> Result<Scopes<'a>, (Reason, &'static str)> {
    let recorded = month.selection.recorded(month.loaded);
    let scope_of = |run: &Delivery| run.manifest.scope.clone();
    let mut named: BTreeSet<String> = ranked.iter().filter_map(scope_of).collect();
    named.extend(recorded.iter().map(|scope| scope.scope.clone()).filter(|scope| !scope.is_empty()));
    let found: Vec<String> = named.iter().cloned().collect();
    // Manifests of older APIs have no scope: it is the only one that was found.
    let only = if let [only] = found.as_slice() { Some(only.clone()) } else { None };
    let broken: Vec<(&str, &(String, ManifestError))> =
        month.broken.iter().filter_map(|broken| Some((broken.1.parts().0?, broken))).collect();
    named.extend(broken.iter().map(|(scope, _)| (*scope).to_owned()));
    let (named, left_out): (BTreeSet<String>, BTreeSet<String>) =
        named.into_iter().partition(|scope| month.selection.has_scope(scope));
    let mut scopes: BTreeMap<String, Scope<'a>> = BTreeMap::new();
    for run in ranked {
        match scope_of(&run).or(only.clone()) {
            Some(scope) if named.contains(&scope) => scopes.entry(scope).or_default().runs.push(run),
            Some(_) => {}
            None if named.is_empty() => scopes.entry(String::new()).or_default().runs.push(run),
            None => {
                let execution_id = run.manifest.execution_id;
                return Err((Reason::RunWithoutScope { execution_id, scopes: found }, hint::RUN_WITHOUT_SCOPE));
            }
        }
    }
    for record in recorded {
        let scope = if record.scope.is_empty() { only.clone().unwrap_or_default() } else { record.scope.clone() };
        scopes.entry(scope).or_default().recorded.push(record);
    }
    for (scope, broken) in broken.into_iter().filter(|(scope, _)| named.contains(*scope)) {
        scopes.entry(scope.to_owned()).or_default().broken = Some(broken);
    }
    if scopes.is_empty() {
        return Err((Reason::NoScopeCounts(found), hint::OTHER_SCOPES));
    }
    Ok((scopes, left_out.into_iter().collect()))
}

/// When the newest run that is not loaded yet was delivered.
fn newest_of_new(runs: &[Delivery], month: &Month<'_>) -> Option<Timestamp> {
    let recorded = month.selection.recorded(month.loaded);
    let is_new = |run: &&Delivery| !recorded.iter().any(|record| record.execution_id == run.manifest.execution_id);
    runs.iter().filter(is_new).map(|run| run.delivered_at).max()
}

/// If some scopes cannot be loaded again, the month is unchanged. If other scopes are new, it waits.
fn without(lost: Vec<LostRun>, newest: Option<Timestamp>, united: &Delivery, month: &Month<'_>) -> (Decision, Reason) {
    let is_damaged = month.loaded.is_some_and(|loaded| !is_whole(loaded));
    match newest.or(is_damaged.then_some(united.delivered_at)) {
        None => (Decision::Skip { empty: false }, Reason::RunsGone(lost)),
        Some(since) => (Decision::Wait { stale: month.rules.is_overdue(since) }, Reason::ScopeGone(lost)),
    }
}

/// Why to wait for files that a mirror may be replacing.
fn still_replaced(united: &Delivery, record: &LoadRecord, month: &Month<'_>) -> Option<Reason> {
    let scopes = record.scopes.iter().flatten();
    let loaded: BTreeSet<&str> = scopes.map(|scope| scope.execution_id.as_str()).collect();
    for (manifest, files) in united.runs().into_iter().filter(|(run, _)| loaded.contains(run.execution_id.as_str())) {
        let run = Delivery { manifest: manifest.clone(), files: files.to_vec(), ..united.clone() };
        // The run is the same, so it was loaded from the same place.
        let of_run = LoadRecord { manifest_uri: united.manifest_uri.clone(), ..record.clone() };
        if let Some(left) = files_not_yet_overwritten(&run, &of_run)
            && !month.rules.is_overdue(left.since)
        {
            return Some(left.reason(Some(manifest.execution_id.clone()), month.rules));
        }
    }
    None
}

/// The notes on the month's scopes.
fn notes(runs: &[Delivery], choices: Vec<(String, Choice)>) -> Vec<Note> {
    if choices.len() < 2 {
        return choices.into_iter().flat_map(|(_, choice)| choice.notes).collect();
    }
    let used: BTreeSet<&Option<String>> = runs.iter().map(|run| &run.manifest.scope).collect();
    let newest = runs.iter().map(Delivery::issued_at).max();
    let is_old = |run: &&Delivery| newest.is_some_and(|newest| newest.duration_since(run.issued_at()) > OLD_AFTER);
    let old: BTreeSet<String> = runs.iter().filter(is_old).filter_map(|run| run.manifest.scope.clone()).collect();
    let mut notes = vec![Note::Scopes { used: used.len(), all: choices.len(), old: old.into_iter().collect() }];
    let noted = choices.into_iter().filter(|(_, choice)| !choice.notes.is_empty());
    let mut noted: Vec<Note> = noted.map(|(name, choice)| Note::OfScope(name, choice.notes)).collect();
    let more = noted.split_off(noted.len().min(NOTED)).len();
    notes.extend(noted);
    notes.extend((more > 0).then_some(Note::MoreScopes(more)));
    notes
}
