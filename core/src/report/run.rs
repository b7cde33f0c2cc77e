//! What a run reports. Serialised, these values are the contract of `--output json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{amount::Costs, error_kind::ErrorKind, load_record::LoadedMonth, period::BillingPeriod, shown::shown},
    schema::SchemaChange,
};

/// One run, or one plan.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Counts the changes that a program must know; keys that are added do not count.
    pub schema_version: u32,
    /// Names the run in logs and in the state table.
    pub run_id: String,
    /// One entry an export.
    pub pipelines: Vec<PipelineReport>,
}

/// One export.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PipelineReport {
    /// `aws` or `azure`.
    pub pipeline: String,
    /// What the settings call the export where they name several. For people: programs go by `export` and `table`.
    #[serde(skip)]
    pub label: Option<String>,
    /// What is done with its months. For people.
    #[serde(skip)]
    pub verb: MonthVerb,
    /// The step of the staged pipeline; absent for the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The provider's name of the report; empty where none was found.
    pub export: String,
    /// The table, in the warehouse's full form.
    pub table: String,
    /// Absent in a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PipelineStatus>,
    /// What changes in the table's columns.
    pub schema: Vec<SchemaChange>,
    /// Newest month first.
    pub months: Vec<MonthReport>,
    /// When the newest delivery of all months was issued; `None` if none can be read.
    pub newest_delivery_at: Option<Timestamp>,
    /// Why the export as a whole failed.
    pub error: Option<ReportedError>,
}

impl PipelineReport {
    /// The report of an export before anything but its settings is known.
    pub fn new(pipeline: &str, export: &str, table: &str) -> Self {
        Self { pipeline: pipeline.to_owned(), export: shown(export), table: shown(table), ..Self::default() }
    }

    /// Whether the export or one of its months failed, was refused or is stale.
    pub fn failed(&self) -> bool {
        self.error.is_some() || self.months.iter().any(|month| month.error.is_some())
    }
}

/// What is done with months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonthVerb {
    /// Into a table.
    #[default]
    Load,
    /// To the staging folder.
    Stage,
    /// To Parquet files.
    Write,
}

impl MonthVerb {
    /// What a month is then; `again` if it was so before.
    pub fn done(self, again: bool) -> &'static str {
        match (self, again) {
            (Self::Load, false) => "loaded",
            (Self::Load, true) => "reloaded",
            (Self::Stage, false) => "staged",
            (Self::Stage, true) => "restaged",
            (Self::Write, false) => "written",
            (Self::Write, true) => "rewritten",
        }
    }
}

/// How an export's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineStatus {
    /// Months were loaded, and none failed.
    Succeeded,
    /// A month failed, was refused or is stale, or the export itself failed.
    Failed,
    /// Nothing had to be loaded, or what has to be is waiting within its time.
    NothingToDo,
}

/// What is planned for a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Load a month that is not loaded.
    Load,
    /// Replace the loaded month.
    Reload,
    /// Nothing.
    Skip,
    /// Files are still missing.
    Wait,
    /// The delivery cannot be loaded.
    Refuse,
}

/// How a month ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MonthStatus {
    /// In the table, complete.
    Loaded,
    /// Unchanged.
    Skipped,
    /// Unchanged until its files are there.
    Waiting,
    /// Not loadable.
    Refused,
    /// Something went wrong; the previously loaded month is unchanged.
    Failed,
}

/// A check that a load passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// As many files were read as the manifest lists.
    Files,
    /// The month's rows in the table are those that the load wrote.
    Rows,
}

/// One month.
#[derive(Clone, Debug, Serialize)]
pub struct MonthReport {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery; empty if its manifest could not be read.
    pub execution_id: String,
    /// What was planned.
    pub action: Action,
    /// Why, and what happened.
    pub reason: String,
    /// The parts of the reason, without amounts that its result has: people read those rounded.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// The same as a stable word: [`crate::plan::reason::Reason::code`].
    pub reason_code: &'static str,
    /// Its runs that have a scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<ScopeRun>,
    /// Data files that are loaded, or are to be loaded.
    pub files: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
    /// How it ended; absent in a plan.
    #[serde(flatten)]
    pub result: Option<MonthResult>,
    /// Why it failed or was refused.
    pub error: Option<ReportedError>,
    /// Of the delivery that is to be loaded, for the plan of the next step; no part of the report.
    #[serde(skip)]
    pub fingerprint: Option<String>,
}

/// A run of one scope that is part of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRun {
    /// Such as `/subscriptions/...`, without case.
    pub scope: String,
    /// The run.
    pub execution_id: String,
}

/// The result of a month.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonthResult {
    /// In one word.
    pub status: MonthStatus,
    /// Rows that were loaded.
    pub rows: u64,
    /// Bytes that the warehouse bills for.
    pub bytes_billed: u64,
    /// The checks that the load passed.
    pub verified: Vec<Check>,
    /// The cost that was loaded.
    pub cost: Costs,
    /// The cost that was loaded before; empty if nothing was.
    pub previous_cost: Costs,
    /// The warehouse's job, where it has jobs.
    pub job_id: Option<String>,
}

impl From<MonthStatus> for MonthResult {
    fn from(status: MonthStatus) -> Self {
        let (verified, cost, previous_cost) = Default::default();
        Self { status, rows: 0, bytes_billed: 0, verified, cost, previous_cost, job_id: None }
    }
}

impl MonthReport {
    /// Adds a note to the reason.
    pub fn note(&mut self, note: &str) {
        self.reason = format!("{}; {note}", self.reason);
        self.remarks.push(note.to_owned());
    }

    /// How it ended; `None` in a plan.
    pub fn status(&self) -> Option<MonthStatus> {
        self.result.as_ref().map(|result| result.status)
    }
}

/// What is loaded into one table: the values of `finops status`.
#[derive(Clone, Debug, Serialize)]
pub struct TableStatus {
    /// `aws` or `azure`.
    pub pipeline: String,
    /// What the settings call the export where they name several.
    #[serde(skip)]
    pub label: Option<String>,
    /// The table, in the warehouse's full form.
    pub table: String,
    /// Newest month first.
    pub months: Vec<LoadedMonth>,
    /// When the newest delivery that is loaded was issued, as far as that was recorded.
    pub newest_delivery_at: Option<Timestamp>,
    /// Why it could not be read.
    pub error: Option<ReportedError>,
}

/// An error as programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// A stable word, such as `permission` or `stale`.
    pub kind: ErrorKind,
    /// What failed, on what, expected and found.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Report {
    /// The report of a run.
    pub fn new(run_id: String, pipelines: Vec<PipelineReport>) -> Self {
        Self { schema_version: 1, run_id, pipelines }
    }

    /// Whether something failed, was refused or is stale.
    pub fn failed(&self) -> bool {
        self.pipelines.iter().any(PipelineReport::failed)
    }
}
