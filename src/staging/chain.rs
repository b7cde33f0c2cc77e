//! One month through the steps: each step's own plan, as far as no step before it changes what it finds.

use finops_core::{
    BillingPeriod,
    model::load_record::LoadedMonth,
    plan::is_whole,
    report::run::{Action, MonthReport},
};
use serde::Serialize;

/// What a place has of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The delivery that counts.
    Current,
    /// Another one, of that execution id, or other content of the same id.
    Other(String),
    /// Nothing.
    Nothing,
}

/// A month that the provider delivered, or that a step has work with.
#[derive(Clone, Debug, Serialize)]
pub struct MonthSurvey {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery that counts; empty where none can be read.
    pub execution_id: String,
    /// Its data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it cannot be brought further now, if it cannot.
    pub obstacle: Option<String>,
    /// In the staging folder.
    pub staging: Content,
    /// In DuckDB.
    pub duckdb: Content,
    /// In Parquet files.
    pub parquet: Content,
    /// In BigQuery; `None` where it is not configured.
    pub bigquery: Option<Content>,
    /// What each step would do.
    pub steps: StepActions,
    /// Whether a step would fail or refuse it.
    #[serde(skip)]
    pub fails: bool,
}

/// What each step would do with a month; `None` where it would find nothing of it.
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

/// What the steps plan for a month, each from what its source has now, and what the places have of it.
pub(super) struct InPlaces<'a> {
    pub period: BillingPeriod,
    pub extract: Option<&'a MonthReport>,
    pub load: Option<&'a MonthReport>,
    pub write: Option<&'a MonthReport>,
    pub load_remote: Option<&'a MonthReport>,
    /// Whether BigQuery is configured.
    pub has_bigquery: bool,
    pub staging: Option<&'a LoadedMonth>,
    pub duckdb: Option<&'a LoadedMonth>,
    pub parquet: Option<&'a str>,
    pub bigquery: Option<&'a LoadedMonth>,
}

pub(super) fn month(at: &InPlaces<'_>) -> MonthSurvey {
    let [staging, duckdb, bigquery] =
        [at.staging, at.duckdb, at.bigquery].map(|place| place.and_then(LoadedMonth::record_if_in_table));
    let [in_staging, in_duckdb, in_bigquery] =
        [staging, duckdb, bigquery].map(|place| place.map(|record| record.execution_id.as_str()));

    let extract = at.extract.map(|month| month.action);
    let fetches = acts(extract);
    // Files that are missing in the folder are fetched again: what was loaded from them is as it was.
    let recorded = at.staging.map(|standing| &standing.record.fingerprint);
    let brings_new = fetches && at.extract.and_then(|month| month.fingerprint.as_ref()) != recorded;

    let own_load = at.load.map(|month| month.action);
    let load = match own_load {
        _ if brings_new => Some(over(in_duckdb)),
        Some(Action::Wait) if fetches && is_loaded(at.staging, at.duckdb) => Some(Action::Skip),
        Some(Action::Wait) if fetches => Some(over(in_duckdb)),
        own => own,
    };
    // A month whose rows were lost is loaded again from the files that are written already.
    let loaded = at.duckdb.map(|standing| &standing.record.fingerprint);
    let is_new = brings_new || at.load.and_then(|month| month.fingerprint.as_ref()) != loaded;

    let writes_new = acts(load) && is_new;
    let write = if writes_new { Some(over(at.parquet)) } else { at.write.map(|month| month.action) };
    let own = at.load_remote.map(|month| month.action);
    let remote = if acts(write) && at.has_bigquery { Some(over(in_bigquery)) } else { own };

    // A step that gets something new does not do what it plans for what is there now.
    let as_planned = [
        (at.extract, true),
        (at.load, !brings_new && own_load == load),
        (at.write, !writes_new),
        (at.load_remote, !acts(write)),
    ];
    let failure =
        as_planned.into_iter().filter(|(_, is_so)| *is_so).find_map(|(month, _)| month.and_then(|m| m.error.as_ref()));

    let execution_id = at.extract.or(at.load).map(|month| month.execution_id.clone()).unwrap_or_default();
    let staged = staging.filter(|record| record.execution_id == execution_id);
    let (files, bytes) = match at.extract.filter(|month| acts(Some(month.action))) {
        Some(month) => (month.files, month.bytes),
        None => staged.map_or((0, 0), |record| (record.files, record.bytes)),
    };
    // Content that a step replaces under the same id is not current, nor what was made of it.
    let mut replaced = false;
    let mut content = |found: Option<&str>, action| match found {
        Some(found) if found == execution_id => {
            replaced |= acts(action) || action == Some(Action::Wait);
            if replaced { Content::Other(found.to_owned()) } else { Content::Current }
        }
        Some(found) => Content::Other(found.to_owned()),
        None => Content::Nothing,
    };
    let places = [(in_staging, extract), (in_duckdb, load), (at.parquet, write), (in_bigquery, remote)];
    let [staging, duckdb, parquet, bigquery] = places.map(|(found, action)| content(found, action));
    MonthSurvey {
        billing_period: at.period,
        obstacle: not_extracted(at, &staging).or(failure.map(|error| &error.message)).cloned(),
        fails: failure.is_some(),
        execution_id,
        files,
        bytes,
        staging,
        duckdb,
        parquet,
        bigquery: at.has_bigquery.then_some(bigquery),
        steps: StepActions {
            extract_billing: extract,
            load_billing_local: load,
            export_parquet: write,
            load_billing_remote: remote,
        },
    }
}

fn acts(action: Option<Action>) -> bool {
    matches!(action, Some(Action::Load | Action::Reload))
}

/// Whether the table has what was loaded from the folder before files of it went missing.
fn is_loaded(staging: Option<&LoadedMonth>, duckdb: Option<&LoadedMonth>) -> bool {
    let both = staging.zip(duckdb.filter(|loaded| is_whole(loaded)));
    both.is_some_and(|(LoadedMonth { record: staged, .. }, LoadedMonth { record: loaded, .. })| {
        staged.execution_id == loaded.execution_id && loaded.loaded_at > staged.loaded_at
    })
}

/// What is done over what is found.
fn over(found: Option<&str>) -> Action {
    if found.is_some() { Action::Reload } else { Action::Load }
}

/// Why the month stays where the provider delivered it.
fn not_extracted<'a>(at: &InPlaces<'a>, staging: &Content) -> Option<&'a String> {
    let month = at.extract.filter(|month| match month.action {
        Action::Load | Action::Reload => false,
        Action::Skip => *staging != Content::Current,
        Action::Wait | Action::Refuse => true,
    })?;
    Some(month.error.as_ref().map_or(&month.reason, |error| &error.message))
}
