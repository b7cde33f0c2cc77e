//! The plan's reasons in words.

use std::{
    fmt::{self, Display, Formatter},
    iter,
};

use super::run::MonthVerb;
use crate::{
    formats::azure::scope::listed,
    model::text::{excerpt, message},
    plan::{
        PlannedMonth,
        age::minute,
        reason::{Empty, Found, LeftOut, LostRun, MissingFiles, Note, Piece, Reason, Unchanged},
    },
};

/// How many files a text names.
const NAMED: usize = 3;

/// Why a month has its decision, and its notes. On one line and bounded: names of files and folders can have any characters.
pub fn why(month: &PlannedMonth, verb: MonthVerb) -> String {
    message(&remarks(month, verb).join("; "))
}

/// The reason of a month's decision, and each note.
pub fn remarks(month: &PlannedMonth, verb: MonthVerb) -> Vec<String> {
    let notes = month.notes.iter().map(ToString::to_string);
    iter::once(text(&month.reason, verb)).chain(notes).map(|text| message(&text)).collect()
}

/// The reason in words. Months are loaded into a table, staged in a folder, or written to Parquet files.
pub fn text(reason: &Reason, verb: MonthVerb) -> String {
    let done = verb.done(false);
    match reason {
        Reason::NotLoaded => format!("not {done} yet"),
        Reason::AlreadyLoaded { .. } if verb == MonthVerb::Write => format!("already {done}"),
        Reason::AlreadyLoaded { loaded_at } => format!("already {done} on {}", minute(*loaded_at)),
        Reason::FilesGone => format!("already {done}; its source files are no longer there"),
        Reason::Archived { loaded_at } => {
            format!("already {done} on {}; its delivery was archived since", minute(*loaded_at))
        }
        Reason::RunsGone(lost) => format!("already {done}; {}", joined(lost)),
        Reason::Narrower { execution_id, covers_until, loaded, loaded_until } => {
            format!(
                "{loaded} is {done} and covers the month until {loaded_until}; {execution_id} ends with {covers_until} and is left \
                 out"
            )
        }
        Reason::RowsLost { .. } if verb == MonthVerb::Stage => {
            "not all of its files are in the staging folder any more".to_owned()
        }
        // The table may be another one of that name, with rows that no load recorded.
        Reason::RowsLost { loaded, in_table: 0 } => {
            format!("the {loaded} rows that were loaded are no longer in the table")
        }
        Reason::RowsLost { loaded, in_table } => {
            format!("the table has {in_table} of the {loaded} rows that were loaded")
        }
        Reason::ReloadForced if verb == MonthVerb::Write => "overwriting is asked for".to_owned(),
        Reason::Unverified => "its last load did not verify".to_owned(),
        Reason::NewDelivery { replaces, unchanged } => {
            format!("new delivery, in place of {replaces}{}", except(unchanged.as_ref()))
        }
        Reason::ChangedInPlace { unchanged } => {
            format!("its files changed in place{}", except(unchanged.as_ref()))
        }
        Reason::ReloadForced => "reload asked for".to_owned(),
        Reason::OlderForm => "its file has timestamps with a zone, as older versions wrote them".to_owned(),
        Reason::EmptyDelivery(empty) => format!("empty delivery{empty}"),
        Reason::FilesMissing(missing) => missing.to_string(),
        Reason::FilesNotReplaced { run, unchanged, load_after } => {
            let (left, of, after) = (unchanged.files.len(), unchanged.of, minute(*load_after));
            let run = run.as_ref().map(|run| format!(" of run {run}")).unwrap_or_default();
            format!(
                "waiting for {left} of {of} files{run} to be replaced: {unchanged}; if they are not, the month is \
                     loaded with them after {after}"
            )
        }
        Reason::RunIncomplete { execution_id, missing } => format!("{execution_id} is still {missing}"),
        Reason::NothingComplete => "nothing of it is complete".to_owned(),
        Reason::ScopeGone(lost) => {
            format!("waiting for a scope that is loaded, since the month would be less without it: {}", joined(lost))
        }
        Reason::WiderInTable { until } => format!(
            "waiting for a delivery that reaches to {until}, as the one does that an interrupted run left in the table \
                 (--force loads this one)"
        ),
        Reason::NotReadable => "its manifest or the list of its files cannot be read".to_owned(),
        Reason::ManifestUnusable { uri, error, others: 0 } => format!("manifest {uri}: {error}"),
        Reason::ManifestUnusable { uri, error, others } => {
            format!("manifest {uri}: {error} (and {others} more that cannot be used)")
        }
        Reason::RunWithoutScope { execution_id, scopes } => {
            let (run, scopes) = (excerpt(execution_id), named(scopes));
            format!("the manifest of run {run} has no scope, and there are runs of several: {scopes}")
        }
        Reason::NoScopeCounts(scopes) => format!("none of its scopes counts: {}", named(scopes)),
        Reason::ScopesConflict(why) => format!("{why}: their rows cannot be added up"),
        Reason::PieceCrossesMonth { uri, error } => {
            format!("it is delivered in pieces, and one reaches beyond it: manifest {uri}: {error}")
        }
        Reason::PiecesOverlap([a, b]) => {
            format!("it is delivered in pieces that overlap, such as {a} and {b}")
        }
        Reason::PieceMissing { from, until, next } => format!(
            "it is delivered in pieces, and that of {from} to {until} is missing: run {next} and what follows is left out"
        ),
        Reason::PieceIncomplete { from, missing } => format!("the piece from {from} on is {missing}"),
        Reason::UnknownScopes(scopes) => {
            format!("AZURE_SCOPES names scopes that no delivery has: {}", named(scopes))
        }
        Reason::DayTwice { execution_id, day, month } => format!(
            "run {} has rows of {day}, and {month}, which has that day too, is loaded: they may be there twice",
            excerpt(execution_id)
        ),
    }
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerLeftOut { execution_id, why } => write!(f, "the newer {execution_id} is left out: it {why}"),
            Self::Scopes { used, all, old } => {
                let late = if old.is_empty() {
                    String::new()
                } else {
                    format!(", {} older than 36 h: {}", old.len(), named(old))
                };
                write!(f, "{used} of {all} scopes{late}")
            }
            Self::OfScope(scope, notes) => {
                let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
                write!(f, "{}: {}", excerpt(scope), notes.join("; "))
            }
            Self::MoreScopes(more) => write!(f, "and {more} more scopes"),
            Self::ScopesLeftOut(scopes) => write!(f, "AZURE_SCOPES leaves out {}", named(scopes)),
            Self::ScopesMissing(scopes) => write!(f, "missing, and in the month before: {}", named(scopes)),
            Self::KeptRunWaits(run) => write!(f, "run {run}, which AZURE_KEEP_RUNS names, waits for its files"),
            Self::Pieces { used, all, until, settling } => {
                let settling = if *settling { ", settling" } else { "" };
                write!(f, "{used} of {all} pieces, until {until}{settling}")
            }
            Self::Part(reason) => f.write_str(&text(reason, MonthVerb::Load)),
            Self::LeftOut(reason) => write!(f, "left out: {}", text(reason, MonthVerb::Load)),
        }
    }
}

impl Display for LeftOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self::Ends { until, not } = self else {
            return match self {
                Self::Begins(day) => write!(f, "begins with {day}"),
                _ => f.write_str("is empty"),
            };
        };
        match until {
            Some(until) => write!(f, "ends with {until}")?,
            None => f.write_str("has no last day in its manifest")?,
        }
        not.map_or(Ok(()), |day| write!(f, ", not {day}"))
    }
}

impl Display for Empty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFiles => f.write_str(": its manifest lists no files"),
            Self::NoRows => f.write_str(": its manifest counts no rows"),
            Self::Runs => Ok(()),
            Self::Headers(files) => write!(f, ": its {files} files have headers and no rows"),
        }
    }
}

impl Display for MissingFiles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { files, of, of_another_size, hours } = self;
        let there = match of_another_size {
            0 => String::new(),
            count => format!(" ({count} there in another size)"),
        };
        write!(f, "waiting for {} of {of} files{there} for {hours} h: {}", files.len(), first(files))
    }
}

impl Display for Unchanged {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, unchanged since the load of {}", first(&self.files), minute(self.loaded_at))
    }
}

impl Display for LostRun {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { scope, execution_id: run, found } = self;
        if !scope.is_empty() {
            write!(f, "{}: ", excerpt(scope))?;
        }
        match found {
            Found::Nothing => write!(f, "the files of run {run}, which is loaded, are not there any more"),
            Found::Narrower { loaded_until, until } => {
                write!(f, "run {run}, which is loaded, reaches to {loaded_until}, and what is there to {until}")
            }
            Found::Older => write!(f, "run {run}, which is loaded, is newer than what is there"),
            Found::NotKept => write!(f, "run {run}, which AZURE_KEEP_RUNS names, is not there any more"),
        }
    }
}

impl Display for Piece {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} (run {})", self.from, self.until, self.execution_id)
    }
}

fn except(unchanged: Option<&Unchanged>) -> String {
    unchanged.map(|u| format!(", except {} of {} files: {u}", u.files.len(), u.of)).unwrap_or_default()
}

fn joined(lost: &[LostRun]) -> String {
    lost.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn named(scopes: &[String]) -> String {
    listed(scopes.iter().map(String::as_str))
}

fn first(files: &[String]) -> String {
    let named = files.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if files.len() > NAMED { format!("{named}, ...") } else { named }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::{Timestamp, civil::Date};

    use super::*;
    use crate::model::manifest::ManifestError;

    /// One of each.
    fn all() -> Vec<Reason> {
        let (execution_id, at, date) = ("run".to_owned(), Timestamp::UNIX_EPOCH, Date::constant(2025, 9, 5));
        let files = vec!["1.csv".to_owned()];
        let missing = MissingFiles { files: files.clone(), of: 2, of_another_size: 0, hours: 3 };
        let unchanged = Unchanged { files, of: 2, loaded_at: at };
        let lost = vec![LostRun { scope: String::new(), execution_id: execution_id.clone(), found: Found::Nothing }];
        let (uri, error) = ("gs://b/m".to_owned(), ManifestError::Malformed("no JSON".to_owned()));
        let piece = Piece { from: date, until: date, execution_id: execution_id.clone() };
        let scopes = vec!["/subscriptions/1".to_owned()];
        vec![
            Reason::NotLoaded,
            Reason::RowsLost { loaded: 5, in_table: 4 },
            Reason::Unverified,
            Reason::NewDelivery { replaces: execution_id.clone(), unchanged: None },
            Reason::ChangedInPlace { unchanged: Some(unchanged.clone()) },
            Reason::ReloadForced,
            Reason::OlderForm,
            Reason::AlreadyLoaded { loaded_at: at },
            Reason::FilesGone,
            Reason::Archived { loaded_at: at },
            Reason::RunsGone(lost.clone()),
            Reason::Narrower {
                execution_id: execution_id.clone(),
                covers_until: date,
                loaded: execution_id.clone(),
                loaded_until: date,
            },
            Reason::EmptyDelivery(Empty::NoFiles),
            Reason::FilesMissing(missing.clone()),
            Reason::FilesNotReplaced { run: Some(execution_id.clone()), unchanged, load_after: at },
            Reason::RunIncomplete { execution_id: execution_id.clone(), missing: missing.clone() },
            Reason::NothingComplete,
            Reason::ScopeGone(lost),
            Reason::WiderInTable { until: date },
            Reason::NotReadable,
            Reason::ManifestUnusable { uri: uri.clone(), error: error.clone(), others: 1 },
            Reason::RunWithoutScope { execution_id: execution_id.clone(), scopes: scopes.clone() },
            Reason::NoScopeCounts(scopes.clone()),
            Reason::ScopesConflict("management groups may contain each other".to_owned()),
            Reason::PieceCrossesMonth { uri, error },
            Reason::PiecesOverlap([piece.clone(), piece]),
            Reason::PieceMissing { from: date, until: date, next: execution_id.clone() },
            Reason::PieceIncomplete { from: date, missing },
            Reason::UnknownScopes(scopes),
            Reason::DayTwice { execution_id, day: date, month: "2025-10".parse().unwrap() },
        ]
    }

    #[test]
    fn every_reason_has_a_code_of_its_own_and_a_text() {
        let all = all();
        let codes: BTreeSet<&str> = all.iter().map(Reason::code).collect();
        let texts: BTreeSet<String> = all.iter().map(|reason| text(reason, MonthVerb::Load)).collect();
        assert_eq!((codes.len(), texts.len()), (all.len(), all.len()));
        let is_word = |code: &&str| code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(codes.iter().all(is_word) && texts.iter().all(|text| !text.is_empty()), "{codes:?} {texts:?}");
        let declared = include_str!("../plan/reason.rs").lines().filter(|line| line.contains("=> \"")).count();
        assert_eq!(all.len(), declared, "a reason is missing in this test");
    }

    #[test]
    fn the_codes_that_a_month_may_have_are_in_the_documentation() {
        // These are only reasons of failures and notes: a month's own reason is another one.
        let parts = [
            "run_incomplete",
            "piece_crosses_month",
            "piece_missing",
            "piece_incomplete",
            "unknown_scopes",
            "day_twice",
        ];
        let of_months: BTreeSet<&str> = all().iter().map(Reason::code).filter(|code| !parts.contains(code)).collect();
        let documented: BTreeSet<&str> = include_str!("../../../docs/json.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(code, _)| code)
            .filter(|code| *code != "reason_code")
            .collect();
        assert_eq!(documented, of_months);
    }

    #[test]
    fn a_month_is_loaded_staged_or_written() {
        let text =
            |reason: &Reason| [MonthVerb::Load, MonthVerb::Stage, MonthVerb::Write].map(|verb| text(reason, verb));
        assert_eq!(text(&Reason::NotLoaded), ["not loaded yet", "not staged yet", "not written yet"]);
        let already = "on 1970-01-01 00:00 UTC";
        assert_eq!(
            text(&Reason::AlreadyLoaded { loaded_at: Timestamp::UNIX_EPOCH }),
            [format!("already loaded {already}"), format!("already staged {already}"), "already written".to_owned()]
        );
        let lost = text(&Reason::RowsLost { loaded: 1, in_table: 0 });
        assert_eq!(lost[0], "the 1 rows that were loaded are no longer in the table");
        assert_eq!(lost[1], "not all of its files are in the staging folder any more");
        assert_eq!(text(&Reason::ReloadForced), ["reload asked for", "reload asked for", "overwriting is asked for"]);
    }
}
