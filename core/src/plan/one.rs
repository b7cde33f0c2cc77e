//! A month that one delivery is to be: the newest one that reaches furthest.

use jiff::{Timestamp, civil::Date};

use super::{Decided, Decision, Rules, is_whole, minute, shown};
use crate::model::{
    delivery::Delivery,
    load_record::{LoadRecord, LoadStatus, LoadedMonth},
    run_id::started_at,
};

/// Decides on the first of `ranked` that can be loaded; `None` where there is none.
pub(super) fn decide(ranked: &[Delivery], standing: Option<&LoadedMonth>, rules: &Rules) -> Option<Decided> {
    let best = ranked.first()?;
    if let Some(fallback_delivery) = fallback_delivery(ranked, standing) {
        let (decision, reason) = decide_on(fallback_delivery.clone(), standing, rules);
        if matches!(decision, Decision::Load(_) | Decision::Reload(_)) {
            let (_, waits) = wait(best, rules);
            let reason = format!("{reason}; {} is still {waits}", best.manifest.execution_id);
            return Some(Decided::new(&fallback_delivery.manifest.execution_id, decision, reason));
        }
    }
    let (decision, mut reason) = decide_on(best.clone(), standing, rules);
    reason.extend(ignored_newer_delivery(best, ranked));
    Some(Decided::new(&best.manifest.execution_id, decision, reason))
}

/// What can be loaded while the first of `ranked` waits for its files, if that improves on what stands.
fn fallback_delivery<'a>(ranked: &'a [Delivery], standing: Option<&LoadedMonth>) -> Option<&'a Delivery> {
    let at =
        ranked.iter().position(|delivery| !delivery.is_empty() && delivery.missing.is_empty()).filter(|at| *at > 0)?;
    let fallback_delivery = &ranked[at];
    let Some(standing) = standing.filter(|standing| standing.rows_in_table > 0 || is_whole(standing)) else {
        return Some(fallback_delivery);
    };
    let record = &standing.record;
    let known = ranked.iter().position(|delivery| delivery.manifest.execution_id == record.execution_id);
    let better = if let Some(known) = known {
        at <= known
    } else {
        // Its manifest is gone: the record knows how far it reached and when it was issued.
        let is_newer = fallback_delivery.issued_at() > record.issued_at.unwrap_or(record.loaded_at);
        !is_whole(standing) || (is_newer && !reaches_less(fallback_delivery, record))
    };
    better.then_some(fallback_delivery)
}

/// What is to be said of a delivery that is newer than `best` and still not the one that counts.
pub(super) fn ignored_newer_delivery(best: &Delivery, deliveries: &[Delivery]) -> Option<String> {
    let newest = deliveries.iter().max_by_key(|delivery| delivery.issued_at())?;
    let (id, until) = (&newest.manifest.execution_id, newest.manifest.covers_until);
    if newest.issued_at() <= best.issued_at() || *id == best.manifest.execution_id {
        return None;
    }
    let why = match until {
        _ if newest.is_empty() => "is empty".to_owned(),
        Some(until) => format!("ends with {until}"),
        None => "does not tell its last day".to_owned(),
    };
    let than =
        best.manifest.covers_until.filter(|_| !newest.is_empty()).map(|day| format!(", not {day}")).unwrap_or_default();
    Some(format!("; the newer {id} is left out: it {why}{than}"))
}

fn decide_on(delivery: Delivery, standing: Option<&LoadedMonth>, rules: &Rules) -> (Decision, String) {
    if delivery.manifest.files.is_empty() {
        return (Decision::Skip { empty: true }, "empty delivery: its manifest lists no files".to_owned());
    }
    if delivery.manifest.rows == Some(0) {
        return (Decision::Skip { empty: true }, "empty delivery: its manifest counts no rows".to_owned());
    }
    let whole = standing.filter(|standing| is_whole(standing));
    if let Some(LoadedMonth { record, .. }) = whole.filter(|_| !rules.force)
        && record.fingerprint != delivery.fingerprint
        && reaches_less(&delivery, record)
    {
        return (Decision::Skip { empty: false }, narrower(&delivery, record));
    }
    if !delivery.missing.is_empty() {
        return match whole {
            // Some gone and some there is no tidying up, but a delivery in flight.
            Some(s) if is_gone(&delivery) && s.record.execution_id == delivery.manifest.execution_id => {
                (Decision::Skip { empty: false }, "already loaded; its source files are no longer there".to_owned())
            }
            _ => wait(&delivery, rules),
        };
    }
    let Some(standing) = standing else {
        return (Decision::Load(delivery), "not loaded yet".to_owned());
    };
    let record = &standing.record;
    if let Some(whole) = whole {
        if !rules.force {
            return if whole.record.fingerprint == delivery.fingerprint {
                (Decision::Skip { empty: false }, format!("already loaded on {}", minute(record.loaded_at)))
            } else {
                replace(delivery, record, rules)
            };
        }
        return (Decision::Reload(delivery), "reload asked for".to_owned());
    }
    let reason = damage(standing);
    if standing.rows_in_table == 0 { (Decision::Load(delivery), reason) } else { (Decision::Reload(delivery), reason) }
}

/// How the table differs from what was loaded.
pub(super) fn damage(standing: &LoadedMonth) -> String {
    let record = &standing.record;
    match record.status {
        LoadStatus::Unverified => "its last load did not verify".to_owned(),
        // The table may be another one of that name, with rows that no load recorded.
        LoadStatus::Loaded if standing.rows_in_table == 0 => {
            format!("the {} rows that were loaded are no longer in the table", record.rows)
        }
        LoadStatus::Loaded => {
            format!("the table holds {} of the {} rows that were loaded", standing.rows_in_table, record.rows)
        }
    }
}

/// Why a delivery that reaches less far is left out. The fuller one's manifest is gone, or it would rank first.
fn narrower(delivery: &Delivery, record: &LoadRecord) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let (id, until, covered) =
        (&delivery.manifest.execution_id, day(delivery.manifest.covers_until), day(record.covers_until));
    format!(
        "{} is loaded and covers the month until {covered}; {id} ends with {until} and is left out",
        record.execution_id
    )
}

/// Whether the delivery ends before the one that was loaded does, as far as both days are known.
fn reaches_less(delivery: &Delivery, record: &LoadRecord) -> bool {
    delivery.manifest.covers_until.zip(record.covers_until).is_some_and(|(until, covered)| until < covered)
}

/// Whether none of its files is there, not even in another size.
fn is_gone(delivery: &Delivery) -> bool {
    delivery.files.is_empty() && delivery.of_another_size == 0
}

/// A delivery that is complete goes in place of what `record` tells of, unless a mirror may still be at work on it.
fn replace(delivery: Delivery, record: &LoadRecord, rules: &Rules) -> (Decision, String) {
    let reason = if record.execution_id == delivery.manifest.execution_id {
        "its files changed in place".to_owned()
    } else {
        format!("new delivery, in place of {}", record.execution_id)
    };
    let Some(NotYetOverwritten { tails, since }) = files_not_yet_overwritten(&delivery, record) else {
        return (Decision::Reload(delivery), reason);
    };
    let (left, of, loaded) = (tails.len(), delivery.files.len(), minute(record.loaded_at));
    let unchanged = format!("{}, unchanged since the load of {loaded}", shown(&tails));
    if rules.now.duration_since(since) > rules.wait_max {
        return (Decision::Reload(delivery), format!("{reason}, but for {left} of {of} files: {unchanged}"));
    }
    let until = since.saturating_add(rules.wait_max).unwrap_or(Timestamp::MAX);
    let reason = format!(
        "waiting for {left} of {of} files to be replaced: {unchanged}; if they are not, the month is loaded as it is after {}",
        minute(until)
    );
    (Decision::Wait { stale: false }, reason)
}

/// What is still as it was when another delivery began to take its place.
pub(super) struct NotYetOverwritten<'a> {
    pub tails: Vec<&'a str>,
    /// From when on it is waited for.
    pub since: Timestamp,
}

/// Whether the files lie beside a manifest, in another folder than those that were loaded: none of them was loaded, whatever
/// its time is.
fn lies_elsewhere(delivery: &Delivery, record: &LoadRecord) -> bool {
    let folder = |path: &str| path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
    let own = folder(&delivery.manifest_uri);
    own != folder(&record.manifest_uri) && delivery.files.iter().all(|file| own.ends_with(&folder(&file.key)))
}

/// The files of a complete delivery that are still those that `record` tells of, as far as the times of files that are
/// overwritten tell: `None` where all were written anew since, or none was, as with a mirror that keeps the times.
pub(super) fn files_not_yet_overwritten<'a>(
    delivery: &'a Delivery,
    record: &LoadRecord,
) -> Option<NotYetOverwritten<'a>> {
    if !delivery.manifest.overwrites_previous || lies_elsewhere(delivery, record) {
        return None;
    }
    // The run listed the files after it began; what was replaced between that and the record's time is new.
    let looked_at = started_at(&record.run_id).map_or(record.loaded_at, |began| began.min(record.loaded_at));
    let last_change = delivery.files.iter().map(|file| file.updated).fold(delivery.delivered_at, Timestamp::max);
    // Nothing is missing, so files and tails are in the same order.
    let files = delivery.files.iter().zip(&delivery.manifest.files);
    let tails: Vec<&str> =
        files.filter(|(file, _)| file.updated < looked_at).map(|(_, f)| f.relative_path.as_str()).collect();
    // Where the manifest tells sizes, files that did not change may well be the new delivery's, and the month must not wait
    // for as long as deliveries follow each other.
    let sizes_agree = delivery.files.iter().zip(&delivery.manifest.files).all(|(file, f)| f.bytes == Some(file.bytes));
    let since = if sizes_agree { looked_at } else { last_change };
    (last_change >= looked_at && !tails.is_empty()).then_some(NotYetOverwritten { tails, since })
}

pub(super) fn wait(delivery: &Delivery, rules: &Rules) -> (Decision, String) {
    let missing = &delivery.missing;
    let hours = rules.now.duration_since(delivery.delivered_at).as_hours();
    let stale = rules.now.duration_since(delivery.delivered_at) > rules.wait_max;
    let there = match delivery.of_another_size {
        0 => String::new(),
        count => format!(" ({count} there in another size)"),
    };
    let (left, of) = (missing.len(), delivery.manifest.files.len());
    (Decision::Wait { stale }, format!("waiting for {left} of {of} files{there} for {hours} h: {}", shown(missing)))
}
