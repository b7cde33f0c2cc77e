//! Pieces of a month: runs of one scope that each cover some of its days, as of rolling and weekly exports and of exports of
//! selected dates. Those that follow each other from the month's first day on, without gap or overlap, are one delivery.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Failure, Rules, one::wait, rank};
use crate::{hint, model::delivery::Delivery};

/// A row may still be added to a day until so long after it (Microsoft: "Understand Cost Management data").
const SETTLES_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What pieces make of a month.
pub(super) struct Tiled {
    /// Those that follow each other, all files of each there.
    pub runs: Vec<Delivery>,
    /// How far they reach, in words.
    pub note: String,
    /// What is wrong with the others.
    pub failure: Option<Failure>,
    /// The next one waits for its files, since then.
    pub waits_since: Option<Timestamp>,
}

/// Whether the first of `ranked` that begins with the month reaches as far as all pieces: they add nothing then.
pub(super) fn are_covered(ranked: &[Delivery]) -> bool {
    let furthest = |piece: bool| {
        let of = ranked.iter().filter(|run| !run.is_empty() && run.manifest.from.is_some() == piece);
        of.map(Delivery::reach).max()
    };
    furthest(true).is_none_or(|of_pieces| furthest(false).is_some_and(|of_whole| of_whole >= of_pieces))
}

/// Lays the pieces among `ranked` one after the other.
pub(super) fn tile(ranked: Vec<Delivery>, rules: &Rules) -> Tiled {
    let first = |run: &Delivery| run.manifest.from.unwrap_or(run.manifest.billing_period.first_day());
    let mut pieces: Vec<Delivery> = Vec::new();
    // Best first: of runs of one range, and of those that begin with the month, one counts.
    for run in ranked {
        let is_older = |other: &Delivery| {
            first(other) == first(&run) && (run.manifest.from.is_none() || other.reach() == run.reach())
        };
        if !pieces.iter().any(is_older) {
            pieces.push(run);
        }
    }
    // What lies within a newer run that begins with the month adds nothing.
    let whole = pieces.iter().find(|run| run.manifest.from.is_none()).map(|run| (run.reach(), run.issued_at()));
    pieces.retain(|run| {
        whole.is_none_or(|(reach, issued)| {
            run.manifest.from.is_none_or(|from| from > reach || run.issued_at() >= issued)
        })
    });
    let ranges: Vec<(Date, Date, Timestamp)> =
        pieces.iter().map(|run| (first(run), run.reach(), run.issued_at())).collect();
    pieces.retain(|run| {
        let within = |(start, end, issued): &(Date, Date, Timestamp)| {
            *start <= first(run) && run.reach() <= *end && *issued > run.issued_at()
        };
        !ranges.iter().any(within)
    });
    pieces.sort_by(|a, b| (first(a), rank(a)).cmp(&(first(b), rank(b))));
    let mut tiled = Tiled { runs: Vec::new(), note: String::new(), failure: None, waits_since: None };
    if let Some((a, b)) = pieces.iter().zip(pieces.iter().skip(1)).find(|(a, b)| first(b) <= a.reach()) {
        let of = |run: &Delivery| format!("{} to {} (run {})", first(run), run.reach(), run.manifest.execution_id);
        let reason = format!("it is delivered in pieces that overlap, such as {} and {}", of(a), of(b));
        tiled.failure = Some(Failure { stale: false, reason, hint: hint::BY_MONTH });
        return tiled;
    }
    let mut next: Option<Date> = pieces.first().map(|run| run.manifest.billing_period.first_day());
    let count = pieces.len();
    for piece in pieces {
        let Some(expected) = next else { break };
        let stale = |since: Timestamp| rules.now.duration_since(since) > rules.wait_max;
        if first(&piece) > expected {
            let until = first(&piece).yesterday().unwrap_or(Date::MIN);
            let reason = format!(
                "it is delivered in pieces, and that of {expected} to {until} is missing: run {} and what follows is left out",
                piece.manifest.execution_id
            );
            let since = piece.delivered_at;
            tiled.failure =
                stale(since).then(|| Failure { stale: true, reason: reason.clone(), hint: hint::MISSING_PIECE });
            tiled.note = reason;
            tiled.waits_since = Some(since);
            break;
        }
        if !piece.missing.is_empty() {
            let (_, waits) = wait(&piece, rules);
            let reason = format!("the piece from {} on is {waits}", first(&piece));
            let since = piece.delivered_at;
            tiled.failure =
                stale(since).then(|| Failure { stale: true, reason: reason.clone(), hint: hint::MIRROR_RUNNING });
            tiled.note = reason;
            tiled.waits_since = Some(since);
            break;
        }
        next = piece.reach().tomorrow().ok();
        tiled.runs.push(piece);
    }
    if let Some(last) = tiled.runs.last() {
        let is_settled = |run: &Delivery| {
            let end = run.reach().to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |day| day.timestamp());
            run.issued_at().duration_since(end) >= SETTLES_AFTER
        };
        let settling = if tiled.runs.iter().all(is_settled) { "" } else { ", settling" };
        let (used, until) = (tiled.runs.len(), last.reach());
        let pieces = format!("{used} of {count} pieces, until {until}{settling}");
        tiled.note = if tiled.note.is_empty() { pieces } else { format!("{pieces}; {}", tiled.note) };
    }
    tiled
}
