//! A month that one delivery is to be: the newest one that reaches furthest.

use super::{
    decision::{Decision, Month, PlannedMonth, Rules},
    loaded::{damage, is_whole, reaches_less},
    reason::{Empty, LeftOut, Note, Reason},
    waiting::{files_not_yet_overwritten, missing_files},
};
use crate::model::{
    delivery::Delivery,
    load_record::{LoadRecord, LoadedMonth},
};

/// Decides on the first of `ranked` that can be loaded; `None` where there is none.
pub(super) fn decide(ranked: &[Delivery], month: &Month<'_>) -> Option<PlannedMonth> {
    let &Month { billing_period, loaded, rules, .. } = month;
    let best = ranked.first()?;
    let decided = |delivery: &Delivery, (decision, reason), note: Option<Note>| PlannedMonth {
        execution_id: Some(delivery.manifest.execution_id.clone()),
        manifest_uri: best.manifest_uri.clone(),
        notes: note.into_iter().collect(),
        ..PlannedMonth::new(billing_period, decision, reason)
    };
    if let Some(fallback) = fallback_delivery(ranked, loaded) {
        let decision = decide_on(fallback, loaded, rules);
        if decision.0.delivery().is_some() {
            return Some(decided(fallback, decision, Some(Note::Part(incomplete(best, rules)))));
        }
    }
    Some(decided(best, decide_on(best, loaded, rules), ignored_newer_delivery(best, ranked)))
}

/// A run that waits for its files while another one is loaded.
pub(super) fn incomplete(run: &Delivery, rules: &Rules) -> Reason {
    Reason::RunIncomplete { execution_id: run.manifest.execution_id.clone(), missing: missing_files(run, rules) }
}

/// What can be loaded while the first of `ranked` waits for its files, if that is better than what is loaded.
fn fallback_delivery<'a>(ranked: &'a [Delivery], loaded: Option<&LoadedMonth>) -> Option<&'a Delivery> {
    let at =
        ranked.iter().position(|delivery| !delivery.is_empty() && delivery.missing.is_empty()).filter(|at| *at > 0)?;
    let fallback = &ranked[at];
    let Some(loaded) = loaded.filter(|loaded| loaded.rows_in_table > 0 || is_whole(loaded)) else {
        return Some(fallback);
    };
    let record = &loaded.record;
    let known = ranked.iter().position(|delivery| delivery.manifest.execution_id == record.execution_id);
    let better = if let Some(known) = known {
        at <= known
    } else {
        // Its manifest is gone: the record has its last day and its time of issue.
        let is_newer = fallback.issued_at() > record.issued_at.unwrap_or(record.loaded_at);
        !is_whole(loaded) || (is_newer && reaches_less(fallback, record).is_none())
    };
    better.then_some(fallback)
}

/// A delivery that is newer than `best`, but does not count.
pub(super) fn ignored_newer_delivery(best: &Delivery, deliveries: &[Delivery]) -> Option<Note> {
    let newest = deliveries.iter().max_by_key(|delivery| delivery.issued_at())?;
    let execution_id = &newest.manifest.execution_id;
    if newest.issued_at() <= best.issued_at() || *execution_id == best.manifest.execution_id {
        return None;
    }
    let why = if newest.is_empty() {
        LeftOut::Empty
    } else {
        LeftOut::Ends { until: newest.manifest.covers_until, not: best.manifest.covers_until }
    };
    Some(Note::NewerLeftOut { execution_id: execution_id.clone(), why })
}

fn decide_on(delivery: &Delivery, loaded: Option<&LoadedMonth>, rules: &Rules) -> (Decision, Reason) {
    let empty = |why| (Decision::Skip { empty: true }, Reason::EmptyDelivery(why));
    let skip = |reason| (Decision::Skip { empty: false }, reason);
    if delivery.manifest.files.is_empty() {
        return empty(Empty::NoFiles);
    }
    if delivery.manifest.rows == Some(0) {
        return empty(Empty::NoRows);
    }
    let whole = loaded.filter(|loaded| is_whole(loaded)).map(|loaded| &loaded.record);
    if let Some(record) = whole.filter(|_| !rules.force)
        && record.fingerprint != delivery.fingerprint
        && let Some((covers_until, loaded_until)) = reaches_less(delivery, record)
    {
        // The manifest of the fuller one is gone; otherwise it would rank first.
        return skip(Reason::Narrower {
            execution_id: delivery.manifest.execution_id.clone(),
            covers_until,
            loaded: record.execution_id.clone(),
            loaded_until,
        });
    }
    if !delivery.missing.is_empty() {
        return match whole {
            // If only some of the files are gone, nobody removed the delivery: its other files are still to come.
            Some(record) if is_gone(delivery) && record.execution_id == delivery.manifest.execution_id => {
                skip(Reason::FilesGone)
            }
            _ => (
                Decision::Wait { stale: rules.is_overdue(delivery.delivered_at) },
                Reason::FilesMissing(missing_files(delivery, rules)),
            ),
        };
    }
    match (loaded, whole) {
        (None, _) => (Decision::Load(delivery.clone()), Reason::NotLoaded),
        (Some(loaded), None) if loaded.rows_in_table == 0 => (Decision::Load(delivery.clone()), damage(loaded)),
        (Some(loaded), None) => (Decision::Reload(delivery.clone()), damage(loaded)),
        (_, Some(_)) if rules.force => (Decision::Reload(delivery.clone()), Reason::ReloadForced),
        (_, Some(record)) if record.fingerprint == delivery.fingerprint => {
            skip(Reason::AlreadyLoaded { loaded_at: record.loaded_at })
        }
        (_, Some(record)) => replace(delivery, record, rules),
    }
}

/// Whether none of its files exists, not even with another size.
fn is_gone(delivery: &Delivery) -> bool {
    delivery.files.is_empty() && delivery.of_another_size == 0
}

/// A complete delivery replaces the loaded one, unless a mirror may still be replacing its files.
fn replace(delivery: &Delivery, record: &LoadRecord, rules: &Rules) -> (Decision, Reason) {
    let unchanged = match files_not_yet_overwritten(delivery, record) {
        Some(left) if !rules.is_overdue(left.since) => {
            return (Decision::Wait { stale: false }, left.reason(None, rules));
        }
        left => left.map(|left| left.unchanged),
    };
    let reason = if record.execution_id == delivery.manifest.execution_id {
        Reason::ChangedInPlace { unchanged }
    } else {
        Reason::NewDelivery { replaces: record.execution_id.clone(), unchanged }
    };
    (Decision::Reload(delivery.clone()), reason)
}
