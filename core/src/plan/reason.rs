//! Why a month is loaded, left unchanged, waits or is refused. Values only: [`crate::report::reason`] puts them into words.

use jiff::{Timestamp, civil::Date};

use crate::model::manifest::ManifestError;

/// Why a month has its decision, or what is wrong with a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of the month is loaded.
    NotLoaded,
    /// The table does not have the rows that were loaded.
    RowsLost {
        /// Rows that were loaded.
        loaded: u64,
        /// Rows that the table has now.
        in_table: u64,
    },
    /// The last load was recorded as unverified.
    Unverified,
    /// Another delivery is loaded.
    NewDelivery {
        /// The execution id of the loaded one.
        replaces: String,
        /// Files that did not change since, although they were waited for.
        unchanged: Option<Unchanged>,
    },
    /// The loaded delivery has other files now.
    ChangedInPlace {
        /// Files that did not change since, although they were waited for.
        unchanged: Option<Unchanged>,
    },
    /// The run was asked to load it again.
    ReloadForced,
    /// An older version wrote its Parquet file in another form.
    OlderForm,
    /// The delivery is loaded.
    AlreadyLoaded {
        /// When it was loaded.
        loaded_at: Timestamp,
    },
    /// The delivery is loaded, and its files are gone.
    FilesGone,
    /// The month is loaded, and its manifests were archived since.
    Archived {
        /// When it was loaded.
        loaded_at: Timestamp,
    },
    /// The month is loaded, and runs of it are gone.
    RunsGone(Vec<LostRun>),
    /// A delivery that covers more days is loaded, and its manifest is gone.
    Narrower {
        /// The delivery.
        execution_id: String,
        /// Its last day.
        covers_until: Date,
        /// The loaded one.
        loaded: String,
        /// The last day of that one.
        loaded_until: Date,
    },
    /// The delivery has no rows.
    EmptyDelivery(Empty),
    /// Listed files are missing.
    FilesMissing(MissingFiles),
    /// Files may still be those of the delivery before.
    FilesNotReplaced {
        /// Their run, if the month has several.
        run: Option<String>,
        /// The files.
        unchanged: Unchanged,
        /// When the month is loaded without waiting any longer.
        load_after: Timestamp,
    },
    /// Files of a run are missing.
    RunIncomplete {
        /// The run.
        execution_id: String,
        /// The files.
        missing: MissingFiles,
    },
    /// Each of the month's runs waits for files.
    NothingComplete,
    /// A loaded scope cannot be loaded again: without it, the month would have fewer rows than the loaded one.
    ScopeGone(Vec<LostRun>),
    /// An interrupted run put a delivery into the table that covers more days, and it cannot be loaded now.
    WiderInTable {
        /// The last day that it covers.
        until: Date,
    },
    /// The store does not give the manifest, or the list of its files.
    NotReadable,
    /// A manifest cannot be used.
    ManifestUnusable {
        /// Where it is.
        uri: String,
        /// Why.
        error: ManifestError,
        /// How many others cannot be used either.
        others: usize,
    },
    /// A run names no scope, and there are runs of several.
    RunWithoutScope {
        /// The run.
        execution_id: String,
        /// The scopes.
        scopes: Vec<String>,
    },
    /// The settings leave out all scopes that are there.
    NoScopeCounts(Vec<String>),
    /// Scopes may have rows in common.
    ScopesConflict(String),
    /// A piece of the month begins in it and ends after it.
    PieceCrossesMonth {
        /// Where its manifest is.
        uri: String,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// Two pieces have days in common.
    PiecesOverlap([Piece; 2]),
    /// No piece has these days.
    PieceMissing {
        /// The first of them.
        from: Date,
        /// The last of them.
        until: Date,
        /// The run that follows, and is left out.
        next: String,
    },
    /// Files of a piece are missing.
    PieceIncomplete {
        /// Its first day.
        from: Date,
        /// The files.
        missing: MissingFiles,
    },
    /// The settings name scopes of which nothing was found.
    UnknownScopes(Vec<String>),
    /// A run has rows of a day that another loaded month also has.
    DayTwice {
        /// The run.
        execution_id: String,
        /// The day.
        day: Date,
        /// The other month.
        month: crate::BillingPeriod,
    },
}

/// What a report adds to the reason of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A newer delivery does not count.
    NewerLeftOut {
        /// The delivery.
        execution_id: String,
        /// Why.
        why: LeftOut,
    },
    /// How many of its scopes the month has.
    Scopes {
        /// The number of scopes that the month has.
        used: usize,
        /// The number of scopes that were found.
        all: usize,
        /// The scopes whose run is much older than the newest.
        old: Vec<String>,
    },
    /// The notes on one of several scopes.
    OfScope(String, Vec<Note>),
    /// The number of further scopes with notes, which are not named.
    MoreScopes(usize),
    /// The settings leave out these scopes.
    ScopesLeftOut(Vec<String>),
    /// The month before has these scopes, and this one does not.
    ScopesMissing(Vec<String>),
    /// A run that the settings unite with the newest one waits for its files.
    KeptRunWaits(String),
    /// How far the pieces of a month reach.
    Pieces {
        /// The number of pieces that the month has.
        used: usize,
        /// The number of pieces that were found.
        all: usize,
        /// The last day that they cover.
        until: Date,
        /// The provider may still add rows to these days.
        settling: bool,
    },
    /// Why a part of the month is not loaded.
    Part(Reason),
    /// A manifest that cannot be used is left out.
    LeftOut(Reason),
}

/// Why a newer delivery does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It has no rows.
    Empty,
    /// It covers fewer days, as far as they are known.
    Ends {
        /// Its last day.
        until: Option<Date>,
        /// The last day of the one that counts.
        not: Option<Date>,
    },
    /// It begins after the month.
    Begins(Date),
}

/// How a delivery is known to be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Its manifest lists no files.
    NoFiles,
    /// Its manifest counts no rows.
    NoRows,
    /// Each of its runs is empty.
    Runs,
    /// Its files have headers and no rows. The number of files.
    Headers(usize),
}

/// Files that a manifest lists and that do not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFiles {
    /// Their paths below the export's folder.
    pub files: Vec<String>,
    /// The number of files that the manifest lists.
    pub of: usize,
    /// The number of missing files that exist with another size.
    pub of_another_size: usize,
    /// Hours since the manifest was written.
    pub hours: i64,
}

/// Files of a delivery that are as old as those of the delivery before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchanged {
    /// Their paths below the export's folder.
    pub files: Vec<String>,
    /// The number of files of the delivery.
    pub of: usize,
    /// When the delivery before was loaded.
    pub loaded_at: Timestamp,
}

/// A run that is loaded and cannot be loaded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRun {
    /// Empty where it is not known.
    pub scope: String,
    /// The run.
    pub execution_id: String,
    /// What was found of its scope.
    pub found: Found,
}

/// What was found of the scope of a run that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Runs that cover fewer days.
    Narrower {
        /// The last day of the loaded runs.
        loaded_until: Date,
        /// The last day of the runs that were found.
        until: Date,
    },
    /// An older run.
    Older,
    /// Not the run itself, which the settings name.
    NotKept,
}

/// A run that covers a part of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
    /// The run.
    pub execution_id: String,
}

impl Reason {
    /// A stable word for programs: `reason_code` in JSON reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLoaded => "not_loaded",
            Self::RowsLost { .. } => "rows_lost",
            Self::Unverified => "unverified",
            Self::NewDelivery { .. } => "new_delivery",
            Self::ChangedInPlace { .. } => "changed_in_place",
            Self::ReloadForced => "reload_forced",
            Self::OlderForm => "older_form",
            Self::AlreadyLoaded { .. } => "already_loaded",
            Self::FilesGone => "files_gone",
            Self::Archived { .. } => "archived",
            Self::RunsGone(_) => "runs_gone",
            Self::Narrower { .. } => "narrower",
            Self::EmptyDelivery(_) => "empty_delivery",
            Self::FilesMissing(_) => "files_missing",
            Self::FilesNotReplaced { .. } => "files_not_replaced",
            Self::RunIncomplete { .. } => "run_incomplete",
            Self::NothingComplete => "nothing_complete",
            Self::ScopeGone(_) => "scope_gone",
            Self::WiderInTable { .. } => "wider_in_table",
            Self::NotReadable => "not_readable",
            Self::ManifestUnusable { .. } => "manifest_unusable",
            Self::RunWithoutScope { .. } => "run_without_scope",
            Self::NoScopeCounts(_) => "no_scope_counts",
            Self::ScopesConflict(_) => "scopes_conflict",
            Self::PieceCrossesMonth { .. } => "piece_crosses_month",
            Self::PiecesOverlap(_) => "pieces_overlap",
            Self::PieceMissing { .. } => "piece_missing",
            Self::PieceIncomplete { .. } => "piece_incomplete",
            Self::UnknownScopes(_) => "unknown_scopes",
            Self::DayTwice { .. } => "day_twice",
        }
    }
}
