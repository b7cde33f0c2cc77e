//! What a run is configured to do: the environment, checked as a whole.

mod environment;
mod exports;
mod file;
mod parse;
mod problem;
mod scope;
mod staged;

use std::{ops::RangeInclusive, path::PathBuf};

pub use environment::{Origin, Setting, process_environment, settings};
pub use file::{CONFIG_FILE, Values};
use finops_core::{
    BillingPeriod, age::MaxAge, azure::scope::normalized, export::Provider, leave_out::LeaveOut, plan::Selection,
    shown::shown, staged::Place, state::TableLayout,
};
use jiff::SignedDuration;
pub use parse::{Choice, parse};
pub use problem::{Problem, Problems};
pub use staged::Steps;

use crate::warehouse::{NoValue, TableName, Target, bigquery};

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The exports to load, in the order of their pipelines.
    pub exports: Vec<Export>,
    /// Where to.
    pub warehouse: WarehouseConfig,
    /// `STORAGE_EMULATOR_HOST`.
    pub storage_emulator: Option<String>,
    /// Which months count.
    pub months: Months,
    /// How long a month may wait for its files.
    pub wait_max: SignedDuration,
    /// How old an export's newest delivery may be.
    pub max_age: MaxAge,
}

impl Config {
    /// `aws` or `azure`, or `all` where there are exports of both.
    pub fn pipeline(&self) -> &'static str {
        let mut providers = self.exports.iter().map(|export| export.provider);
        match providers.next() {
            Some(first) if providers.all(|provider| provider == first) => first.as_str(),
            _ => "all",
        }
    }
}

/// The warehouse and what it needs.
#[derive(Clone, Debug)]
pub enum WarehouseConfig {
    /// BigQuery.
    BigQuery(bigquery::Options),
    /// A DuckDB database file.
    DuckDb(PathBuf),
}

/// Where an export lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Google Cloud Storage bucket.
    Gcs(String),
    /// An S3 bucket.
    S3(String),
    /// A local folder.
    Local(PathBuf),
}

impl Source {
    /// The source that `gs://bucket/prefix`, `s3://bucket/prefix` or a folder's path names, and the prefix in it.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right.
    fn read(text: &str) -> Result<(Self, String), String> {
        match text.split_once("://") {
            Some((scheme @ ("gs" | "s3"), path)) => {
                let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
                if bucket.is_empty() || bucket.contains([':', '?', '@']) {
                    return Err(format!("is `{}`: {scheme}://bucket/prefix was expected", shown(text)));
                }
                let of_bucket = if scheme == "s3" { Self::S3 } else { Self::Gcs };
                Ok((of_bucket(bucket.to_owned()), prefix.to_owned()))
            }
            Some(_) => Err(format!(
                "is `{}`: gs://bucket/prefix, s3://bucket/prefix or a local folder was expected",
                shown(text)
            )),
            None if shown(text) != text => Err(format!(
                "is `{}`: gs://bucket/prefix, s3://bucket/prefix or a local folder was expected",
                shown(text)
            )),
            None => Ok((Self::Local(PathBuf::from(text)), String::new())),
        }
    }
}

/// The two forms of AWS's Cost and Usage Report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurVersion {
    /// The legacy report.
    V1,
    /// A data export.
    V2,
}

impl CurVersion {
    /// The version that the setting's text names.
    ///
    /// # Errors
    /// What was expected instead.
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            other => Err(format!("is `{}`: v1 or v2 was expected", shown(other))),
        }
    }
}

/// What the settings say of an export beside its place and its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Which of AWS's Cost and Usage Reports it must be.
    pub cur_version: Option<CurVersion>,
    /// Azure: the scopes that count, as paths such as `/subscriptions/1`; all where it is empty.
    pub scopes: Vec<String>,
    /// Azure: runs that are united with the newest run of their scope, for the days that it lacks.
    pub keep_runs: Vec<String>,
    /// Deliveries that do not count.
    pub leave_out: LeaveOut,
    /// Texts that mean "no value" in columns of amounts and dates.
    pub null_values: Vec<String>,
}

impl ExportOptions {
    /// Whether the settings unite the run with the newest one of its scope.
    pub fn keeps(&self, execution_id: &str) -> bool {
        self.keep_runs.iter().any(|kept| kept.eq_ignore_ascii_case(execution_id))
    }
}

/// The parts of a list such as `a, b`.
///
/// # Errors
/// What was expected instead.
fn list(text: &str) -> Result<Vec<String>, String> {
    let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
    if parts.iter().all(|part| !part.is_empty()) {
        return Ok(parts);
    }
    Err(format!("is `{}`: values between commas were expected, none of them empty", shown(text)))
}

/// The parts of a list of Azure's scopes.
///
/// # Errors
/// What was expected instead.
fn scopes(text: &str) -> Result<Vec<String>, String> {
    let scopes = list(text)?;
    match scopes.iter().find(|scope| !scope.starts_with('/') || normalized(scope).is_none()) {
        None => Ok(scopes),
        Some(scope) => Err(format!("names `{}`: a path such as /subscriptions/... was expected", shown(scope))),
    }
}

/// One export and its table.
#[derive(Clone, Debug)]
pub struct Export {
    /// Who delivers it.
    pub provider: Provider,
    /// Where finops itself put it; `None` where it lies as its provider delivers it.
    pub place: Option<Place>,
    /// What of it counts, and how it is read.
    pub options: ExportOptions,
    /// What `AWS_EXPORTS` calls it, where that is set.
    pub label: Option<String>,
    /// The provider's name of it, where one is configured.
    pub name: Option<String>,
    /// The bucket or folder.
    pub source: Source,
    /// Below it; without a `/` at either end.
    pub prefix: String,
    /// BigQuery dataset, or DuckDB schema.
    pub dataset: String,
    /// The table.
    pub table: String,
}

impl Export {
    /// Which of its deliveries count.
    pub fn selection(&self) -> Selection {
        let ExportOptions { scopes, keep_runs, leave_out, .. } = &self.options;
        Selection {
            scopes: scopes.iter().filter_map(|scope| normalized(scope)).collect(),
            keep_runs: keep_runs.iter().map(|run| run.to_lowercase()).collect(),
            leave_out: leave_out.clone(),
            are_months: self.place.is_some(),
        }
    }

    /// The variable that names it.
    pub fn name_variable(&self) -> String {
        self.variable("EXPORT_NAME")
    }

    /// Its variable that ends so.
    pub fn variable(&self, suffix: &str) -> String {
        scope::variable(self.provider, self.label.as_deref(), suffix)
    }

    /// `hint`, and how to load the export without this delivery.
    pub fn hint_without(&self, hint: &str, manifest_uri: &str, execution_id: Option<&str>) -> String {
        self.options.leave_out.hint(hint, self.provider, manifest_uri, execution_id)
    }

    /// The export's table, once it is known what stands there.
    pub fn target(&self, export_name: &str, layout: TableLayout) -> Target {
        Target {
            pipeline: self.provider.as_str(),
            export_name: export_name.to_owned(),
            name: self.table_name(),
            layout,
            staged: self.place.is_some(),
        }
    }

    /// What means "no value" in its files.
    pub fn no_value(&self) -> NoValue {
        let setting = match self.place {
            Some(_) => format!("{}.null_values", self.provider.as_str()),
            None => scope::variable(self.provider, self.label.as_deref(), "NULL_VALUES"),
        };
        NoValue { texts: self.options.null_values.clone(), setting }
    }

    /// The table's name.
    pub fn table_name(&self) -> TableName {
        TableName { dataset: self.dataset.clone(), table: self.table.clone() }
    }
}

/// The months from `START_DATE` to `END_DATE`, both included; open where one is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Months {
    /// The first.
    pub start: Option<BillingPeriod>,
    /// The last.
    pub end: Option<BillingPeriod>,
}

impl Months {
    /// From the texts of the first and the last, which are called so where they were `looked_in`.
    fn read(
        [start, end]: [Option<&String>; 2],
        [start_name, end_name]: [&str; 2],
        looked_in: &'static str,
        problems: &mut Problems,
    ) -> Self {
        let mut month = |text: Option<&String>, name: &str| {
            text?.parse().map_err(|error| problems.add(name, format!("{error}"), looked_in)).ok()
        };
        let months = Self { start: month(start, start_name), end: month(end, end_name) };
        if let (Some(start), Some(end)) = (months.start, months.end)
            && start > end
        {
            problems.add(end_name, format!("is {end}, before {start_name}, {start}"), looked_in);
        }
        months
    }

    /// Whether the month is among them.
    pub fn contain(&self, period: BillingPeriod) -> bool {
        self.start.is_none_or(|start| start <= period) && self.end.is_none_or(|end| period <= end)
    }
}

/// Where most values are looked for.
const ENVIRONMENT: &str = "looked in: environment";

/// Where the values are looked for that a command line may give.
const FLAG_OR_ENVIRONMENT: &str = "looked in: command line, environment";

/// How many months may be replaced at once.
const LOAD_CONCURRENCY: RangeInclusive<usize> = 1..=100;

/// How many hours a month may wait for its files.
const WAIT_MAX_HOURS: RangeInclusive<i64> = 0..=100_000;

/// How many hours old the newest delivery may be. Not 0, which would fail every run, and may be meant as "no limit".
const MAX_AGE_HOURS: RangeInclusive<i64> = 1..=100_000;

/// The hours in a text.
///
/// # Errors
/// What was expected instead.
fn hours(text: &str, range: &RangeInclusive<i64>) -> Result<SignedDuration, String> {
    let hours = text.parse().ok().filter(|hours| range.contains(hours));
    hours.map(SignedDuration::from_hours).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("is `{}`: a whole number of hours from {least} to {most} was expected", shown(text))
    })
}
