//! What one scope gives to a month: its best run that is complete, or the pieces that follow each other.

use jiff::{Timestamp, civil::Date};

use super::{
    decision::{Choice, Failure, Month, Rules},
    one::{ignored_newer_delivery, incomplete},
    pieces,
    reason::{Empty, Found, LeftOut, LostRun, Note, Reason},
};
use crate::{
    hint,
    model::{delivery::Delivery, load_record::ScopeRecord, manifest::ManifestError},
};

/// A scope with its runs, best first, and what is loaded of it.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub runs: Vec<Delivery>,
    pub recorded: Vec<&'a ScopeRecord>,
    /// A manifest of it that cannot be used.
    pub broken: Option<&'a (String, ManifestError)>,
}

/// The best that is complete, unless that is less than what is loaded of the scope.
pub(super) fn choose(name: &str, scope: Scope<'_>, month: &Month<'_>) -> Choice {
    let Scope { runs, recorded, broken } = scope;
    let lost =
        |execution_id: &str, found| LostRun { scope: name.to_owned(), execution_id: execution_id.to_owned(), found };
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
    let mut choice = if in_pieces { pieces::tile(others, month.rules) } else { best(others, month.rules) };
    let is_loaded = |run: &Delivery| loaded.iter().any(|record| record.execution_id == run.manifest.execution_id);
    // --force may load less, but it never removes what cannot be loaded again.
    let are_there = all.iter().filter(|run| is_loaded(run) && run.missing.is_empty()).count() == loaded.len();
    let is_forced = month.rules.force && !choice.runs.is_empty() && (!in_pieces || are_there);
    if !is_forced && let Some((newest, found)) = less_than_loaded(&choice.runs, &loaded) {
        choice.runs = all.into_iter().filter(|run| is_loaded(run) && run.missing.is_empty()).collect();
        if choice.runs.len() < loaded.len() {
            choice.runs.clear();
            choice.lost = (rows > 0).then(|| lost(newest, found));
        }
    }
    for mut run in kept {
        if choice.runs.is_empty() || choice.runs.iter().any(|r| r.manifest.execution_id == run.manifest.execution_id) {
            continue;
        }
        if !run.missing.is_empty() {
            choice.notes = vec![Note::KeptRunWaits(run.manifest.execution_id)];
            choice.waits = true;
            choice.runs.clear();
        } else if !run.is_empty() {
            run.manifest.kept = true;
            choice.runs.push(run);
        }
    }
    let not_kept = loaded
        .iter()
        .find(|record| record.kept && !choice.runs.iter().any(|run| run.manifest.execution_id == record.execution_id));
    let is_explained = choice.waits || choice.failure.is_some();
    if let (Some((uri, error)), true, false) = (broken, choice.runs.is_empty(), is_explained) {
        let reason = Reason::ManifestUnusable { uri: uri.clone(), error: error.clone(), others: 0 };
        choice.failure = Some(Failure { stale: false, reason, hint: error.hint() });
    }
    if let (Some(record), false) = (not_kept, choice.runs.is_empty()) {
        choice.runs.clear();
        choice.lost = Some(lost(&record.execution_id, Found::NotKept));
    }
    choice
}

/// The best run that is complete.
fn best(ranked: Vec<Delivery>, rules: &Rules) -> Choice {
    let (mut ranked, pieces): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|run| run.manifest.from.is_none());
    let Some(first) = ranked.first() else { return Choice::default() };
    if first.is_empty() {
        let notes = vec![Note::Part(Reason::EmptyDelivery(Empty::Runs))];
        return Choice { notes, ..Choice::default() };
    }
    let newer_piece = pieces.iter().max_by_key(|run| run.issued_at()).and_then(|run| {
        let from = run.manifest.from.filter(|_| run.issued_at() > first.issued_at())?;
        let execution_id = run.manifest.execution_id.clone();
        Some(Note::NewerLeftOut { execution_id, why: LeftOut::Begins(from) })
    });
    let left_out = ignored_newer_delivery(first, &ranked).into_iter().chain(newer_piece).collect();
    let at = ranked.iter().position(|run| !run.is_empty() && run.missing.is_empty());
    if at == Some(0) {
        return Choice { notes: left_out, runs: vec![ranked.swap_remove(0)], ..Choice::default() };
    }
    let reason = incomplete(first, rules);
    let stale = rules.is_overdue(first.delivered_at);
    let failure = stale.then(|| Failure { stale, reason: reason.clone(), hint: hint::MIRROR_RUNNING });
    let runs: Vec<Delivery> = at.map(|at| ranked.swap_remove(at)).into_iter().collect();
    Choice { waits: runs.is_empty(), notes: vec![Note::Part(reason)], runs, failure, lost: None }
}

/// The newest loaded run of a scope, if `runs` are less than what is loaded.
fn less_than_loaded<'a>(runs: &[Delivery], loaded: &[&'a ScopeRecord]) -> Option<(&'a str, Found)> {
    let own = || loaded.iter().copied().filter(|record| !record.kept);
    let newest = own().max_by_key(|record| record.issued_at)?;
    let is_there = runs.iter().any(|run| run.manifest.execution_id == newest.execution_id);
    let loaded_until: Option<Date> = own().filter_map(|record| record.covers_until.or(record.last_day)).max();
    let reach = runs.iter().map(Delivery::reach).max();
    let issued: Option<Timestamp> = runs.iter().map(Delivery::issued_at).max();
    let found = match (reach.zip(issued), loaded_until) {
        (None, _) => Found::Nothing,
        (Some((until, _)), Some(loaded_until)) if until < loaded_until => Found::Narrower { loaded_until, until },
        // One that reaches further counts whenever it was issued.
        (Some((until, issued)), _)
            if !is_there
                && loaded_until.is_none_or(|loaded_until| until == loaded_until)
                && newest.issued_at.is_some_and(|of_loaded| issued < of_loaded) =>
        {
            Found::Older
        }
        _ => return None,
    };
    Some((&newest.execution_id, found))
}
