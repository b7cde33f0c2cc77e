//! Pieces of a month: runs of one scope that each cover some of its days, from rolling and weekly exports and exports of
//! selected dates. Pieces that follow each other from the month's first day, without gap or overlap, are one delivery.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    decision::{Choice, Failure, Rules},
    rank::rank,
    reason::{Note, Piece, Reason},
    waiting::missing_files,
};
use crate::{hint, model::delivery::Delivery};

/// For how long after a day rows may still be added to it (Microsoft: "Understand Cost Management data").
const SETTLES_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Whether the best run that begins with the month reaches as far as all pieces: then they add nothing.
pub(super) fn are_covered(ranked: &[Delivery]) -> bool {
    let furthest = |piece: bool| {
        let of = ranked.iter().filter(|run| !run.is_empty() && run.manifest.from.is_some() == piece);
        of.map(Delivery::reach).max()
    };
    furthest(true).is_none_or(|of_pieces| furthest(false).is_some_and(|of_whole| of_whole >= of_pieces))
}

/// Joins the pieces among `ranked` that have all their files, from the month's first day on. The notes say how far they reach,
/// and what the next one lacks.
pub(super) fn tile(ranked: Vec<Delivery>, rules: &Rules) -> Choice {
    let first = |run: &Delivery| run.manifest.from.unwrap_or(run.manifest.billing_period.first_day());
    let mut pieces: Vec<Delivery> = Vec::new();
    // `ranked` has the best first. Of the runs of one range, and of the runs that begin with the month, only one counts.
    for run in ranked {
        let is_older = |other: &Delivery| {
            first(other) == first(&run) && (run.manifest.from.is_none() || other.reach() == run.reach())
        };
        if !pieces.iter().any(is_older) {
            pieces.push(run);
        }
    }
    // A piece within a newer run that begins with the month adds nothing.
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
    let mut tiled = Choice::default();
    if let Some((a, b)) = pieces.iter().zip(pieces.iter().skip(1)).find(|(a, b)| first(b) <= a.reach()) {
        let piece = |run: &Delivery| Piece {
            from: first(run),
            until: run.reach(),
            execution_id: run.manifest.execution_id.clone(),
        };
        let reason = Reason::PiecesOverlap([piece(a), piece(b)]);
        tiled.failure = Some(Failure { stale: false, reason, hint: hint::BY_MONTH });
        return tiled;
    }
    let mut next: Option<Date> = pieces.first().map(|run| run.manifest.billing_period.first_day());
    let all = pieces.len();
    for piece in pieces {
        let Some(expected) = next else { break };
        let from = first(&piece);
        let (reason, hint) = if from > expected {
            let (until, next) = (from.yesterday().unwrap_or(Date::MIN), piece.manifest.execution_id.clone());
            (Reason::PieceMissing { from: expected, until, next }, hint::MISSING_PIECE)
        } else if piece.missing.is_empty() {
            next = piece.reach().tomorrow().ok();
            tiled.runs.push(piece);
            continue;
        } else {
            (Reason::PieceIncomplete { from, missing: missing_files(&piece, rules) }, hint::MIRROR_RUNNING)
        };
        let stale = rules.is_overdue(piece.delivered_at);
        tiled.failure = stale.then(|| Failure { stale, reason: reason.clone(), hint });
        tiled.notes.push(Note::Part(reason));
        tiled.waits = tiled.runs.is_empty();
        break;
    }
    if let Some(last) = tiled.runs.last() {
        let is_settled = |run: &Delivery| {
            let end = run.reach().to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |day| day.timestamp());
            run.issued_at().duration_since(end) >= SETTLES_AFTER
        };
        let settling = !tiled.runs.iter().all(is_settled);
        tiled.notes.insert(0, Note::Pieces { used: tiled.runs.len(), all, until: last.reach(), settling });
    }
    tiled
}
