//! What to do with each month, and why. Pure: deliveries and state in, decisions out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    delivery::Delivery,
    manifest::ManifestError,
    period::BillingPeriod,
    run_id::began,
    state::{LoadRecord, LoadStatus, Standing},
    text::message,
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

/// What to do with a month.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Load it: nothing of it stands.
    Load(Delivery),
    /// Load it in place of what stands.
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

/// A month with its decision.
#[derive(Clone, Debug)]
pub struct PlannedMonth {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id, where its manifest could be read.
    pub execution_id: Option<String>,
    /// What to do.
    pub decision: Decision,
    /// Why, for people.
    pub reason: String,
}

/// Decides on every discovered month, newest month first. A manifest that cannot be used costs its own month only.
///
/// Of several deliveries of a month, one that reaches further goes before one that reaches less far, and then the one that
/// the provider made last; empty ones come last. A delivery whose files are not all there waits, and the next one that is
/// complete is loaded meanwhile, unless what stands is better than that.
pub fn plan(
    candidates: Vec<Candidate>,
    standing: &BTreeMap<BillingPeriod, Standing>,
    rules: &Rules,
) -> Vec<PlannedMonth> {
    let mut months: BTreeMap<BillingPeriod, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        months.entry(candidate.billing_period).or_default().push(candidate);
    }
    let newest_first = months.into_iter().rev();
    let decide = |(month, candidates)| decide(month, candidates, standing.get(&month), rules);
    // Reasons name manifests, and a folder on this machine may have any name.
    newest_first.filter_map(decide).map(|month| PlannedMonth { reason: message(&month.reason), ..month }).collect()
}

/// `None` without candidates.
fn decide(
    billing_period: BillingPeriod,
    candidates: Vec<Candidate>,
    standing: Option<&Standing>,
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
    let unusable = unusable(&broken);
    let Some(best) = deliveries.first() else {
        if let Some(reason) = loaded_before_archived(&broken, standing).filter(|_| !rules.force) {
            let decision = Decision::Skip { empty: false };
            return Some(PlannedMonth { billing_period, execution_id: None, decision, reason });
        }
        return unusable.map(|(reason, hint)| PlannedMonth {
            billing_period,
            execution_id: None,
            decision: Decision::Refuse { hint },
            reason,
        });
    };
    let planned = |delivery: &Delivery, (decision, mut reason): (Decision, String)| {
        reason.extend(unusable.as_ref().map(|(broken, _)| format!("; left out: {broken}")));
        let execution_id = Some(delivery.manifest.execution_id.clone());
        PlannedMonth { billing_period, execution_id, decision, reason }
    };
    if let Some(stand_in) = stand_in(&deliveries, standing) {
        let (decision, reason) = weigh(stand_in.clone(), standing, rules);
        if matches!(decision, Decision::Load(_) | Decision::Reload(_)) {
            let (_, waits) = wait(best, rules);
            let reason = format!("{reason}; {} is still {waits}", best.manifest.execution_id);
            return Some(planned(stand_in, (decision, reason)));
        }
    }
    let (decision, mut reason) = weigh(best.clone(), standing, rules);
    reason.extend(passed_over(best, &deliveries));
    Some(planned(best, (decision, reason)))
}

/// What is wrong with the manifests that cannot be used, and what to do about it. One stands for all: that of the greatest
/// name, which is the newest where folders are named after times.
fn unusable(broken: &[(String, ManifestError)]) -> Option<(String, &'static str)> {
    let (manifest_uri, error) = broken.iter().max_by_key(|(manifest_uri, _)| manifest_uri)?;
    let others = match broken.len() - 1 {
        0 => String::new(),
        others => format!(" (and {others} more that cannot be used)"),
    };
    Some((format!("manifest {manifest_uri}: {error}{others}"), error.hint()))
}

/// Why a month without a readable manifest stays as it is: the table has what was delivered before all that is there was
/// archived. A copy in an archive keeps its time.
fn loaded_before_archived(broken: &[(String, ManifestError)], standing: Option<&Standing>) -> Option<String> {
    let record = &standing.filter(|standing| is_whole(standing))?.record;
    let looked_at = began(&record.run_id).unwrap_or(record.loaded_at);
    let is_archived = |(_, error): &(String, ManifestError)| matches!(error, ManifestError::Archived { .. });
    let does_not_count = |(_, error): &(String, ManifestError)| match error {
        ManifestError::Archived { written } => *written <= looked_at,
        ManifestError::OtherKind { .. } => true,
        _ => false,
    };
    (broken.iter().any(is_archived) && broken.iter().all(does_not_count))
        .then(|| format!("already loaded on {}; its delivery was archived since", minute(record.loaded_at)))
}

/// Which of a month's deliveries should stand: the greatest. Whether its files are there has no say.
pub fn rank(delivery: &Delivery) -> (bool, Option<Date>, Timestamp, &str) {
    (!delivery.is_empty(), delivery.manifest.until, delivery.issued(), &delivery.manifest_uri)
}

/// What can be loaded while the first of `ranked` waits for its files, if that improves on what stands.
fn stand_in<'a>(ranked: &'a [Delivery], standing: Option<&Standing>) -> Option<&'a Delivery> {
    let at =
        ranked.iter().position(|delivery| !delivery.is_empty() && delivery.missing.is_empty()).filter(|at| *at > 0)?;
    let stand_in = &ranked[at];
    let Some(standing) = standing.filter(|standing| standing.rows_in_table > 0 || is_whole(standing)) else {
        return Some(stand_in);
    };
    let record = &standing.record;
    let known = ranked.iter().position(|delivery| delivery.manifest.execution_id == record.execution_id);
    let better = if let Some(known) = known {
        at <= known
    } else {
        // Its manifest is gone: the record knows how far it reached and when it was issued.
        let is_newer = stand_in.issued() > record.issued_at.unwrap_or(record.loaded_at);
        !is_whole(standing) || (is_newer && !reaches_less(stand_in, record))
    };
    better.then_some(stand_in)
}

/// What is to be said of a delivery that is newer than `best` and still not the one that counts.
fn passed_over(best: &Delivery, deliveries: &[Delivery]) -> Option<String> {
    let newest = deliveries.iter().max_by_key(|delivery| delivery.issued())?;
    let (id, until) = (&newest.manifest.execution_id, newest.manifest.until);
    if newest.issued() <= best.issued() || *id == best.manifest.execution_id {
        return None;
    }
    let why = match until {
        _ if newest.is_empty() => "is empty".to_owned(),
        Some(until) => format!("ends with {until}"),
        None => "does not tell its last day".to_owned(),
    };
    let than = best.manifest.until.filter(|_| !newest.is_empty()).map(|day| format!(", not {day}")).unwrap_or_default();
    Some(format!("; the newer {id} is left out: it {why}{than}"))
}

/// Whether the table has what was loaded.
pub fn is_whole(standing: &Standing) -> bool {
    standing.record.status == LoadStatus::Loaded && standing.record.rows == standing.rows_in_table
}

fn weigh(delivery: Delivery, standing: Option<&Standing>, rules: &Rules) -> (Decision, String) {
    if delivery.manifest.files.is_empty() {
        return (Decision::Skip { empty: true }, "empty delivery: its manifest lists no files".to_owned());
    }
    if delivery.manifest.rows == Some(0) {
        return (Decision::Skip { empty: true }, "empty delivery: its manifest counts no rows".to_owned());
    }
    let whole = standing.filter(|standing| is_whole(standing));
    if let Some(Standing { record, .. }) = whole.filter(|_| !rules.force)
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
    let reason = match record.status {
        LoadStatus::Unverified => "its last load did not verify".to_owned(),
        // The table may be another one of that name, with rows that no load recorded.
        LoadStatus::Loaded if standing.rows_in_table == 0 => {
            format!("the {} rows that were loaded are no longer in the table", record.rows)
        }
        LoadStatus::Loaded => {
            format!("the table holds {} of the {} rows that were loaded", standing.rows_in_table, record.rows)
        }
    };
    if standing.rows_in_table == 0 { (Decision::Load(delivery), reason) } else { (Decision::Reload(delivery), reason) }
}

/// Why a delivery that reaches less far is left out. The fuller one's manifest is gone, or it would rank first.
fn narrower(delivery: &Delivery, record: &LoadRecord) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let (id, until, covered) =
        (&delivery.manifest.execution_id, day(delivery.manifest.until), day(record.covers_until));
    format!(
        "{} is loaded and covers the month until {covered}; {id} ends with {until} and is left out",
        record.execution_id
    )
}

/// Whether the delivery ends before the one that was loaded does, as far as both days are known.
fn reaches_less(delivery: &Delivery, record: &LoadRecord) -> bool {
    delivery.manifest.until.zip(record.covers_until).is_some_and(|(until, covered)| until < covered)
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
    let Some(Unreplaced { tails, since }) = unreplaced(&delivery, record) else {
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
struct Unreplaced<'a> {
    tails: Vec<&'a str>,
    /// From when on it is waited for.
    since: Timestamp,
}

/// The files of a complete delivery that are still those that `record` tells of, as far as the times of files that are
/// overwritten tell: `None` where all were written anew since, or none was, as with a mirror that keeps the times.
fn unreplaced<'a>(delivery: &'a Delivery, record: &LoadRecord) -> Option<Unreplaced<'a>> {
    if !delivery.manifest.in_place {
        return None;
    }
    // The run listed the files after it began; what was replaced between that and the record's time is new.
    let looked_at = began(&record.run_id).map_or(record.loaded_at, |began| began.min(record.loaded_at));
    let last_change = delivery.files.iter().map(|file| file.updated).fold(delivery.delivered_at, Timestamp::max);
    // Nothing is missing, so files and tails are in the same order.
    let files = delivery.files.iter().zip(&delivery.manifest.files);
    let tails: Vec<&str> = files.filter(|(file, _)| file.updated < looked_at).map(|(_, f)| f.tail.as_str()).collect();
    // Where the manifest tells sizes, files that did not change may well be the new delivery's, and the month must not wait
    // for as long as deliveries follow each other.
    let sizes_agree = delivery.manifest.files.iter().all(|file| file.bytes.is_some());
    let since = if sizes_agree { looked_at } else { last_change };
    (last_change >= looked_at && !tails.is_empty()).then_some(Unreplaced { tails, since })
}

fn minute(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The first of `names`.
fn shown<T: AsRef<str>>(names: &[T]) -> String {
    let named = names.iter().take(3).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{named}, ...") } else { named }
}

fn wait(delivery: &Delivery, rules: &Rules) -> (Decision, String) {
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
