//! One month through the steps. The plan of each step counts, unless an earlier step changes what it finds.

use finops_core::{
    BillingPeriod,
    model::load_record::{LoadRecord, LoadedMonth},
    plan::is_whole,
    report::run::{Action, MonthReport},
};
use serde::Serialize;

/// What the target of a step has of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The delivery that counts.
    Current,
    /// Another one, of this execution id, or other content of the same id.
    Other(String),
    /// Nothing.
    Nothing,
    /// The place cannot be read.
    Unknown,
}

/// A month that the provider delivered, or that a step would change.
#[derive(Clone, Debug, Serialize)]
pub struct MonthOverview {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery that counts; empty if none can be read.
    pub execution_id: String,
    /// Its data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why no step can take it further now.
    pub obstacle: Option<String>,
    /// In the staging folder.
    pub staging: Content,
    /// In DuckDB.
    pub duckdb: Content,
    /// In Parquet files.
    pub parquet: Content,
    /// In BigQuery; `None` if it is not configured.
    pub bigquery: Option<Content>,
    /// What each step would do.
    pub steps: StepActions,
    /// Whether a step would fail or refuse it.
    #[serde(skip)]
    pub fails: bool,
}

/// What each step would do with a month; `None` if it would find nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepActions {
    /// To the staging folder.
    pub extract_billing: Option<Action>,
    /// Into DuckDB.
    pub load_billing_local: Option<Action>,
    /// To Parquet.
    pub export_parquet: Option<Action>,
    /// Into BigQuery.
    pub load_billing_remote: Option<Action>,
}

/// The plan of one step for a month, from what its source has now, and the month as the step's target has it.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub plan: Option<&'a MonthReport>,
    pub place: Option<&'a LoadedMonth>,
    /// Whether the step's target could be read.
    pub is_known: bool,
}

impl Step<'_> {
    fn action(&self) -> Option<Action> {
        self.plan.map(|month| month.action)
    }

    fn found(&self) -> Option<&LoadRecord> {
        self.place.and_then(LoadedMonth::record_if_in_table)
    }

    /// What the step does after the step before it delivered something new.
    fn over(&self) -> Action {
        if self.found().is_some() { Action::Reload } else { Action::Load }
    }

    /// Whether the plan delivers something else than before.
    fn is_new(&self) -> bool {
        let recorded = self.place.map(|place| &place.record.fingerprint);
        self.plan.and_then(|month| month.fingerprint.as_ref()) != recorded
    }
}

/// Chains the steps to the staging folder, into DuckDB, to Parquet files and, if it is configured, into BigQuery.
pub(super) fn month(period: BillingPeriod, steps: [Step<'_>; 4], has_bigquery: bool) -> MonthOverview {
    let [extract, load, write, remote] = steps;
    let fetches = acts(extract.action());
    // If files are only missing in the folder, they are fetched again: the loaded rows do not change.
    let brings_new = fetches && extract.is_new();
    let loads = match load.action() {
        _ if brings_new => Some(load.over()),
        Some(Action::Wait) if fetches && is_loaded(extract.place, load.place) => Some(Action::Skip),
        Some(Action::Wait) if fetches => Some(load.over()),
        own => own,
    };
    // A month whose rows were lost is loaded again, and its written files do not change.
    let writes_new = acts(loads) && (brings_new || load.is_new());
    let writes = if writes_new { Some(write.over()) } else { write.action() };
    let loads_remote = if acts(writes) && has_bigquery { Some(remote.over()) } else { remote.action() };

    // A step that gets something new does not follow its plan, which is for what its source has now.
    let as_planned = [true, !brings_new && load.action() == loads, !writes_new, !acts(writes)];
    let mut planned = steps.iter().zip(as_planned).filter(|(_, is_so)| *is_so);
    let failure = planned.find_map(|(step, _)| step.plan?.error.as_ref());

    let execution_id = extract.plan.or(load.plan).map(|month| month.execution_id.clone()).unwrap_or_default();
    let (files, bytes) = match (extract.plan, extract.found()) {
        (Some(month), _) if fetches => (month.files, month.bytes),
        (_, Some(record)) if record.execution_id == execution_id => (record.files, record.bytes),
        _ => (0, 0),
    };
    // Content that a step replaces under the same id is not current, and neither is what later steps made from it.
    let mut replaced = false;
    let mut content = |step: &Step<'_>, action| match step.found().map(|record| &record.execution_id) {
        Some(found) if *found == execution_id => {
            replaced |= acts(action) || action == Some(Action::Wait);
            if replaced { Content::Other(found.clone()) } else { Content::Current }
        }
        Some(found) => Content::Other(found.clone()),
        None if step.is_known => Content::Nothing,
        None => Content::Unknown,
    };
    let staging = content(&extract, extract.action());
    let (duckdb, parquet, bigquery) = (content(&load, loads), content(&write, writes), content(&remote, loads_remote));
    MonthOverview {
        billing_period: period,
        obstacle: not_extracted(&extract, &staging).or(failure.map(|error| &error.message)).cloned(),
        fails: failure.is_some(),
        execution_id,
        files,
        bytes,
        staging,
        duckdb,
        parquet,
        bigquery: has_bigquery.then_some(bigquery),
        steps: StepActions {
            extract_billing: extract.action(),
            load_billing_local: loads,
            export_parquet: writes,
            load_billing_remote: loads_remote,
        },
    }
}

fn acts(action: Option<Action>) -> bool {
    matches!(action, Some(Action::Load | Action::Reload))
}

/// Whether the table has the rows that were loaded from the folder before its files were missing.
fn is_loaded(staging: Option<&LoadedMonth>, duckdb: Option<&LoadedMonth>) -> bool {
    let both = staging.zip(duckdb.filter(|loaded| is_whole(loaded)));
    both.is_some_and(|(LoadedMonth { record: staged, .. }, LoadedMonth { record: loaded, .. })| {
        staged.execution_id == loaded.execution_id && loaded.loaded_at > staged.loaded_at
    })
}

/// Why the first step does not bring the month to the staging folder.
fn not_extracted<'a>(extract: &Step<'a>, staging: &Content) -> Option<&'a String> {
    let month = extract.plan.filter(|month| match month.action {
        Action::Load | Action::Reload => false,
        Action::Skip => *staging != Content::Current,
        Action::Wait | Action::Refuse => true,
    })?;
    Some(month.error.as_ref().map_or(&month.reason, |error| &error.message))
}
