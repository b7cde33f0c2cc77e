//! A month that deliveries of several scopes are together, or several runs of one. Each scope's best run counts; one that
//! waits or is broken does not hold the others, and keeps the run that is loaded. What is loaded of a scope is never lost: a
//! month without it is not loaded in its place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    Decided, Decision, Failure, Rules, Selection, is_whole, minute,
    one::{damage, files_not_yet_overwritten, ignored_newer_delivery, wait},
    pieces::{self, Tiled},
    recorded,
};
use crate::{
    formats::azure::scope::{conflict, listed},
    hint,
    model::{
        delivery::Delivery,
        load_record::{LoadRecord, LoadedMonth, ScopeRecord},
        manifest::ManifestError,
        period::BillingPeriod,
        text::excerpt,
    },
};

/// A scope's run that is older than the newest one by more than this is named.
const OLD_AFTER: SignedDuration = SignedDuration::from_hours(36);

/// What a month's decision goes by, beside its deliveries.
pub(super) struct Month<'a> {
    pub standing: Option<&'a LoadedMonth>,
    pub selection: &'a Selection,
    pub rules: &'a Rules,
    /// Manifests that cannot be used.
    pub broken: &'a [(String, ManifestError)],
}

/// Whether the month is one run of one scope, as most are.
pub(super) fn is_plain(
    deliveries: &[Delivery],
    broken: &[(String, ManifestError)],
    standing: Option<&LoadedMonth>,
    selection: &Selection,
) -> bool {
    if selection.are_months {
        return true;
    }
    let recorded = recorded(standing, selection);
    let scopes: BTreeSet<&str> = deliveries.iter().filter_map(|run| run.manifest.scope.as_deref()).collect();
    let of_broken = broken.iter().filter_map(|(_, error)| error.parts().0);
    let scopes: BTreeSet<&str> = scopes.into_iter().chain(of_broken).collect();
    let of_record: BTreeSet<&str> =
        recorded.iter().map(|scope| scope.scope.as_str()).filter(|s| !s.is_empty()).collect();
    let is_special = |run: &Delivery| run.manifest.from.is_some() || selection.keeps(&run.manifest.execution_id);
    scopes.union(&of_record).count() < 2
        && recorded.len() < 2
        && scopes.iter().all(|scope| selection.has_scope(scope))
        && !deliveries.iter().any(is_special)
}

/// The scopes of the month before of which the month has nothing.
pub(super) fn missing(
    deliveries: &[Delivery],
    standing: Option<&LoadedMonth>,
    last: &LoadedMonth,
    selection: &Selection,
) -> Option<String> {
    let of_last: BTreeSet<&str> = recorded(Some(last), selection).iter().map(|record| record.scope.as_str()).collect();
    let of_month = deliveries.iter().filter_map(|run| run.manifest.scope.as_deref());
    let recorded = recorded(standing, selection);
    let there: BTreeSet<&str> = of_month.chain(recorded.iter().map(|record| record.scope.as_str())).collect();
    let missing: Vec<&str> = of_last.into_iter().filter(|scope| !scope.is_empty() && !there.contains(scope)).collect();
    (!missing.is_empty()).then(|| listed(missing.into_iter()))
}

/// A scope with its runs, best first, and what is loaded of it.
#[derive(Default)]
struct Scope<'a> {
    runs: Vec<Delivery>,
    recorded: Vec<&'a ScopeRecord>,
    /// A manifest of it that cannot be used.
    broken: Option<&'a (String, ManifestError)>,
}

/// A month's scopes, and those that settings leave out, in words.
type Scopes<'a> = (BTreeMap<String, Scope<'a>>, Option<String>);

/// What a scope gives to the month.
#[derive(Default)]
struct Choice {
    runs: Vec<Delivery>,
    /// What is to be said of it.
    note: Option<String>,
    /// What is loaded of it cannot be loaded again, and nothing better is there.
    gone: Option<String>,
    /// Nothing of it is loaded, and it waits.
    waits: bool,
    failure: Option<Failure>,
}

/// Decides on a month of `ranked`, of which there is at least one.
pub(super) fn decide(ranked: Vec<Delivery>, month: &Month<'_>) -> Decided {
    let refuse = |reason: String, hint| Decided {
        execution_id: None,
        decision: Decision::Refuse { hint },
        reason,
        failure: None,
    };
    let loaded_at = month.standing.map(|standing| standing.record.loaded_at);
    let first_new = ranked.iter().map(|run| run.delivered_at).filter(|at| Some(*at) > loaded_at).min();
    let (scopes, set_aside) = match by_scope(ranked, month) {
        Ok(scopes) => scopes,
        Err((reason, hint)) => return refuse(reason, hint),
    };
    let names: BTreeSet<&str> = scopes.keys().map(String::as_str).filter(|name| !name.is_empty()).collect();
    if let Some(conflict) = conflict(&names, !month.selection.scopes.is_empty()) {
        return refuse(format!("{conflict}: their rows cannot be added up"), hint::NAME_SCOPES);
    }
    let names: BTreeSet<String> = scopes.keys().cloned().collect();
    let mut choices: Vec<(String, Choice)> = scopes
        .into_iter()
        .map(|(name, scope)| {
            let choice = choose(scope, month);
            (name, choice)
        })
        .collect();
    let runs: Vec<Delivery> = choices.iter_mut().flat_map(|(_, choice)| std::mem::take(&mut choice.runs)).collect();
    let mut said = said(&names, &runs, &choices);
    said.extend(set_aside.map(|scopes| format!("AZURE_SCOPES leaves out {scopes}")));
    let said = said.join("; ");
    let failure = choices.iter().find_map(|(_, choice)| choice.failure.clone());
    let waits = choices.iter().any(|(_, choice)| choice.waits);
    let gone = choices.iter().filter_map(|(scope, choice)| Some((scope, choice.gone.as_ref()?)));
    let gone: Vec<String> = gone
        .map(|(scope, gone)| if scope.is_empty() { gone.clone() } else { format!("{}: {gone}", excerpt(scope)) })
        .collect();
    // From the first delivery on that could have replaced what is loaded.
    let newest = newest_of_new(&runs, month).map(|newest| first_new.map_or(newest, |first| first.min(newest)));
    let decided = |united: Option<&Delivery>, decision, reason: String| Decided {
        execution_id: united.map(|united| united.manifest.execution_id.clone()),
        decision,
        reason: if said.is_empty() { reason } else { format!("{reason}; {said}") },
        failure: failure.clone(),
    };
    let Some(united) = Delivery::united(runs) else {
        return match (failure.as_ref(), gone.is_empty()) {
            (Some(Failure { stale: false, hint, reason }), _) => refuse(reason.clone(), *hint),
            (_, true) if !waits => decided(None, Decision::Skip { empty: true }, "empty delivery".to_owned()),
            (failure, true) => {
                decided(None, Decision::Wait { stale: failure.is_some() }, "nothing of it is complete".to_owned())
            }
            (_, false) => {
                decided(None, Decision::Skip { empty: false }, format!("already loaded; {}", gone.join("; ")))
            }
        };
    };
    if !gone.is_empty() {
        return without(&gone, newest, &united, month, decided);
    }
    let whole = month.standing.filter(|standing| is_whole(standing));
    match (month.standing, whole) {
        (None, _) => decided(Some(&united), Decision::Load(united.clone()), "not loaded yet".to_owned()),
        (Some(standing), None) => {
            let decision = if standing.rows_in_table == 0 { Decision::Load } else { Decision::Reload };
            decided(Some(&united), decision(united.clone()), damage(standing))
        }
        (_, Some(LoadedMonth { record, .. })) => {
            if record.fingerprint == united.fingerprint && !month.rules.force {
                let reason = format!("already loaded on {}", minute(record.loaded_at));
                return decided(Some(&united), Decision::Skip { empty: false }, reason);
            }
            if let Some(reason) = still_replaced(&united, record, month.rules) {
                return decided(Some(&united), Decision::Wait { stale: false }, reason);
            }
            let reason = if month.rules.force {
                "reload asked for".to_owned()
            } else {
                format!("new delivery, in place of {}", record.execution_id)
            };
            decided(Some(&united), Decision::Reload(united.clone()), reason)
        }
    }
}

/// The month's scopes; or why they cannot be told apart.
/// Gives those that settings leave out, too.
fn by_scope<'a>(ranked: Vec<Delivery>, month: &Month<'a>) -> Result<Scopes<'a>, (String, &'static str)> {
    let recorded = recorded(month.standing, month.selection);
    let told = |run: &Delivery| run.manifest.scope.clone();
    let mut named: BTreeSet<String> = ranked.iter().filter_map(told).collect();
    named.extend(recorded.iter().map(|scope| scope.scope.clone()).filter(|scope| !scope.is_empty()));
    let found = listed(named.iter().map(String::as_str));
    // Older APIs do not tell the scope: it is the one that there is.
    let only = if named.len() < 2 { named.iter().next().cloned() } else { None };
    let broken: Vec<(&str, &(String, ManifestError))> =
        month.broken.iter().filter_map(|broken| Some((broken.1.parts().0?, broken))).collect();
    named.extend(broken.iter().map(|(scope, _)| (*scope).to_owned()));
    let set_aside: Vec<String> = named.iter().filter(|scope| !month.selection.has_scope(scope)).cloned().collect();
    let set_aside = (!set_aside.is_empty()).then(|| listed(set_aside.iter().map(String::as_str)));
    named.retain(|scope| month.selection.has_scope(scope));
    let mut scopes: BTreeMap<String, Scope<'a>> = BTreeMap::new();
    for run in ranked {
        match told(&run).or(only.clone()) {
            Some(scope) if named.contains(&scope) => scopes.entry(scope).or_default().runs.push(run),
            Some(_) => {}
            None if named.is_empty() => scopes.entry(String::new()).or_default().runs.push(run),
            None => {
                let reason = format!(
                    "run {} does not tell its scope, and there are runs of several: {found}",
                    excerpt(&run.manifest.execution_id)
                );
                return Err((reason, hint::RUN_WITHOUT_SCOPE));
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
        return Err((format!("none of its scopes counts: {found}"), hint::OTHER_SCOPES));
    }
    Ok((scopes, set_aside))
}

/// What a scope gives: the best that is complete, unless that is less than what is loaded of it.
fn choose(scope: Scope<'_>, month: &Month<'_>) -> Choice {
    let Scope { runs, recorded, broken } = scope;
    let rows: u64 = recorded.iter().map(|record| record.rows).sum();
    let (mut kept, mut others): (Vec<_>, Vec<_>) =
        runs.into_iter().partition(|run| month.selection.keeps(&run.manifest.execution_id));
    if others.iter().all(Delivery::is_empty)
        && let Some(best) = kept.iter().position(|run| !run.is_empty())
    {
        others.push(kept.remove(best));
    }
    let loaded: Vec<&ScopeRecord> =
        recorded.iter().copied().filter(|record| !record.kept || month.selection.keeps(&record.execution_id)).collect();
    let in_pieces = others.iter().any(|run| run.manifest.from.is_some()) && !pieces::are_covered(&others);
    let all = if in_pieces { others.clone() } else { Vec::new() };
    let mut choice = if in_pieces { tiled(others, month) } else { best(others, month.rules) };
    let is_loaded = |run: &Delivery| loaded.iter().any(|record| record.execution_id == run.manifest.execution_id);
    // What is asked for with --force may be less, but it never takes away what cannot be loaded again.
    let are_there = all.iter().filter(|run| is_loaded(run) && run.missing.is_empty()).count() == loaded.len();
    let is_forced = month.rules.force && !choice.runs.is_empty() && (!in_pieces || are_there);
    if !is_forced && let Some(less) = less_than_loaded(&choice.runs, &loaded) {
        choice.runs = all.into_iter().filter(|run| is_loaded(run) && run.missing.is_empty()).collect();
        if choice.runs.len() < loaded.len() {
            choice.runs.clear();
            choice.gone = (rows > 0).then_some(less);
        }
    }
    for mut run in kept {
        if choice.runs.is_empty() || choice.runs.iter().any(|r| r.manifest.execution_id == run.manifest.execution_id) {
            continue;
        }
        if !run.missing.is_empty() {
            let id = &run.manifest.execution_id;
            choice.note = Some(format!("run {id}, which AZURE_KEEP_RUNS names, waits for its files"));
            choice.waits = true;
            choice.runs.clear();
        } else if !run.is_empty() {
            run.manifest.kept = true;
            choice.runs.push(run);
        }
    }
    let lost = loaded
        .iter()
        .find(|record| record.kept && !choice.runs.iter().any(|run| run.manifest.execution_id == record.execution_id));
    let is_explained = choice.waits || choice.failure.is_some();
    if let (Some((uri, error)), true, false) = (broken, choice.runs.is_empty(), is_explained) {
        let reason = format!("manifest {uri}: {error}");
        choice.failure = Some(Failure { stale: false, reason, hint: error.hint() });
    }
    if let (Some(lost), false) = (lost, choice.runs.is_empty()) {
        choice.runs.clear();
        choice.gone = Some(format!("run {}, which AZURE_KEEP_RUNS names, is not there any more", lost.execution_id));
    }
    choice
}

/// The best run that is complete.
fn best(ranked: Vec<Delivery>, rules: &Rules) -> Choice {
    let (mut ranked, pieces): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|run| run.manifest.from.is_none());
    let Some(first) = ranked.first() else { return Choice::default() };
    let ignored_newer_delivery =
        ignored_newer_delivery(first, &ranked).map(|why| why.trim_start_matches("; ").to_owned());
    let of_piece = |run: &Delivery| {
        let first = run.manifest.from.filter(|_| run.issued_at() > ranked[0].issued_at())?;
        Some(format!("the newer {} is left out: it begins with {first}", run.manifest.execution_id))
    };
    let left_out = pieces.iter().max_by_key(|run| run.issued_at()).and_then(of_piece);
    let ignored_newer_delivery: Vec<String> = ignored_newer_delivery.into_iter().chain(left_out).collect();
    let ignored_newer_delivery = (!ignored_newer_delivery.is_empty()).then(|| ignored_newer_delivery.join("; "));
    let at = ranked.iter().position(|run| !run.is_empty() && run.missing.is_empty());
    if first.is_empty() {
        return Choice { note: Some("empty delivery".to_owned()), ..Choice::default() };
    }
    let (decision, waits) = wait(first, rules);
    let waiting = format!("{} is still {waits}", first.manifest.execution_id);
    let stale = matches!(decision, Decision::Wait { stale: true });
    let failure = stale.then(|| Failure { stale: true, reason: waiting.clone(), hint: hint::MIRROR_RUNNING });
    match at {
        Some(0) => Choice { note: ignored_newer_delivery, runs: vec![ranked.swap_remove(0)], ..Choice::default() },
        Some(at) => Choice { note: Some(waiting), runs: vec![ranked.swap_remove(at)], failure, ..Choice::default() },
        None => Choice { note: Some(waiting), waits: true, failure, ..Choice::default() },
    }
}

/// The pieces that follow each other.
fn tiled(ranked: Vec<Delivery>, month: &Month<'_>) -> Choice {
    let Tiled { runs, note, failure, waits_since } = pieces::tile(ranked, month.rules);
    let waits = runs.is_empty() && waits_since.is_some();
    Choice { runs, note: (!note.is_empty()).then_some(note), waits, failure, ..Choice::default() }
}

/// Why the runs are less than what is loaded of their scope, if they are.
fn less_than_loaded(runs: &[Delivery], loaded: &[&ScopeRecord]) -> Option<String> {
    let of_newest = || loaded.iter().copied().filter(|record| !record.kept);
    let newest = of_newest().max_by_key(|record| record.issued_at)?;
    let is_there = runs.iter().any(|run| run.manifest.execution_id == newest.execution_id);
    let covered: Option<Date> = of_newest().filter_map(|record| record.covers_until.or(record.last_day)).max();
    let reach = runs.iter().map(Delivery::reach).max();
    let issued: Option<Timestamp> = runs.iter().map(Delivery::issued_at).max();
    let id = &newest.execution_id;
    match (reach, issued) {
        (None, _) | (_, None) => Some(format!("the files of run {id}, which is loaded, are not there any more")),
        (Some(reach), _) if covered.is_some_and(|covered| reach < covered) => {
            Some(format!("run {id}, which is loaded, reaches to {}, and what is there to {reach}", covered?))
        }
        // One that reaches further counts whenever it was made.
        (Some(reach), Some(issued))
            if !is_there
                && covered.is_none_or(|covered| reach == covered)
                && newest.issued_at.is_some_and(|of_loaded| issued < of_loaded) =>
        {
            Some(format!("run {id}, which is loaded, is newer than what is there"))
        }
        _ => None,
    }
}

/// When the newest run was delivered that is not loaded yet.
fn newest_of_new(runs: &[Delivery], month: &Month<'_>) -> Option<Timestamp> {
    let recorded = recorded(month.standing, month.selection);
    let is_new = |run: &&Delivery| !recorded.iter().any(|record| record.execution_id == run.manifest.execution_id);
    runs.iter().filter(is_new).map(|run| run.delivered_at).max()
}

/// A month of which some scopes cannot be loaded again: it stays as it is, and waits for them where others are new.
fn without(
    gone: &[String],
    newest: Option<Timestamp>,
    united: &Delivery,
    month: &Month<'_>,
    decided: impl Fn(Option<&Delivery>, Decision, String) -> Decided,
) -> Decided {
    let gone = gone.join("; ");
    let is_damaged = month.standing.is_some_and(|standing| !is_whole(standing));
    let Some(since) = newest.or(is_damaged.then_some(united.delivered_at)) else {
        return decided(Some(united), Decision::Skip { empty: false }, format!("already loaded; {gone}"));
    };
    let stale = month.rules.now.duration_since(since) > month.rules.wait_max;
    let reason = format!("waiting for a scope that is loaded, since the month would be less without it: {gone}");
    let mut waits = decided(Some(united), Decision::Wait { stale }, reason.clone());
    if stale {
        waits.failure = Some(Failure { stale, reason, hint: hint::FILES_OF_SCOPE_GONE });
    }
    waits
}

/// Why to wait for files that a mirror may be replacing.
fn still_replaced(united: &Delivery, record: &LoadRecord, rules: &Rules) -> Option<String> {
    let scopes = record.scopes.iter().flatten();
    let loaded: BTreeSet<&str> = scopes.map(|scope| scope.execution_id.as_str()).collect();
    for (manifest, files) in united.runs().into_iter().filter(|(run, _)| loaded.contains(run.execution_id.as_str())) {
        let run = Delivery { manifest: manifest.clone(), files: files.to_vec(), ..united.clone() };
        // Where it lies is where it was loaded from: the run is the same.
        let of_run = LoadRecord { manifest_uri: united.manifest_uri.clone(), ..record.clone() };
        if let Some(left) = files_not_yet_overwritten(&run, &of_run)
            && rules.now.duration_since(left.since) <= rules.wait_max
        {
            let (left, of) = (left.tails.len(), files.len());
            return Some(format!("waiting for {left} of {of} files of run {} to be replaced", manifest.execution_id));
        }
    }
    None
}

/// What is to be said of the month's scopes.
fn said(names: &BTreeSet<String>, runs: &[Delivery], choices: &[(String, Choice)]) -> Vec<String> {
    let mut parts = Vec::new();
    let of_several = names.len() > 1;
    if of_several {
        let used: BTreeSet<&Option<String>> = runs.iter().map(|run| &run.manifest.scope).collect();
        let newest = runs.iter().map(Delivery::issued_at).max();
        let is_old = |run: &&Delivery| newest.is_some_and(|newest| newest.duration_since(run.issued_at()) > OLD_AFTER);
        let old: BTreeSet<&str> = runs.iter().filter(is_old).filter_map(|run| run.manifest.scope.as_deref()).collect();
        let (used, all, late) = (used.len(), names.len(), old.len());
        let late = (late > 0).then(|| format!(", {late} older than 36 h: {}", listed(old.into_iter())));
        parts.push(format!("{used} of {all} scopes{}", late.unwrap_or_default()));
    }
    let noted = choices.iter().filter_map(|(name, choice)| Some((name, choice.note.as_ref()?)));
    let note = |(name, note): (&String, &String)| {
        if of_several { format!("{}: {note}", excerpt(name)) } else { note.clone() }
    };
    let notes: Vec<String> = noted.map(note).collect();
    let more = notes.len().saturating_sub(3);
    parts.extend(notes.into_iter().take(3));
    if more > 0 {
        parts.push(format!("and {more} more scopes"));
    }
    parts
}

/// What fails an export whose settings name a scope of which nothing is there, in any month: a name may be misspelt.
pub(super) fn unknown<'a>(
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
    let reason = format!("AZURE_SCOPES names scopes of which nothing is there: {}", listed(unknown.iter().copied()));
    (!unknown.is_empty()).then_some(Failure { stale: false, reason, hint: hint::OTHER_SCOPES })
}

/// What fails a usage month that is loaded with days of the month beside it, once that month is there and has these days.
pub(super) fn doubled(month: &LoadedMonth, beside: &LoadedMonth) -> Option<Failure> {
    let runs = |standing: &'_ LoadedMonth| {
        standing.record_if_in_table().and_then(|record| record.scopes.clone()).unwrap_or_default()
    };
    let (own, others) = (runs(month), runs(beside));
    let has = |run: &ScopeRecord, day: Date| {
        let range = |other: &ScopeRecord| Some(other.first_day? <= day && day <= other.last_day?);
        others.iter().filter(|other| other.scope == run.scope).any(|other| range(other) == Some(true))
    };
    let (run, day) = own.iter().find_map(|run| Some((run, *run.outside.iter().find(|day| has(run, **day))?)))?;
    let (id, period) = (excerpt(&run.execution_id), beside.record.billing_period);
    let reason =
        format!("run {id} has rows of {day}, and {period}, which has that day too, is loaded: they may be there twice");
    Some(Failure { stale: false, reason, hint: hint::DAY_TWICE })
}
