//! The environment's variables, as text, with their defaults and origins.

use std::collections::BTreeMap;

use finops_core::model::{provider::Provider, shown::shown};
use serde::Deserialize;

use crate::settings::{
    ENVIRONMENT, Problem,
    problem::Problems,
    scope::{ExportVariables, has, suffixes},
};

/// The variables that stand for all pipelines.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Variables {
    pub pipeline: Option<String>,
    pub gcp_project_id: Option<String>,
    pub bigquery_location: Option<String>,
    pub staging_dataset: Option<String>,
    pub warehouse: Option<String>,
    pub duckdb_path: Option<String>,
    pub load_concurrency: Option<String>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub wait_max_hours: Option<String>,
    pub max_age_hours: Option<String>,
    pub storage_emulator_host: Option<String>,
    pub bigquery_emulator_host: Option<String>,
}

impl Variables {
    /// Reads them out of the process's environment. An empty variable counts as one that is not set: that is how
    /// deployments clear one.
    ///
    /// # Errors
    /// What envy says; text always fits, so nothing in practice.
    pub fn read(environment: &BTreeMap<String, String>) -> envy::Result<Self> {
        // envy takes names in any case, the operating system does not.
        let exact = environment.iter().filter(|(name, _)| name.chars().all(|c| !c.is_ascii_lowercase()));
        envy::from_iter(exact.map(|(name, value)| (name.clone(), value.clone())))
    }
}

/// The process's environment, less what is empty.
///
/// # Errors
/// The variables of ours whose value is not text: left out, they would silently mean their default.
pub fn process_environment() -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let (mut environment, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => drop(environment.insert(name, value.trim().to_owned())),
            Err(_) if is_ours(&name) => {
                problems.push(Problem { name, what: "is not UTF-8 text".to_owned(), looked_in: ENVIRONMENT });
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(problems) }
}

fn is_ours(name: &str) -> bool {
    KNOWN.iter().any(|(known, _)| *known == name) || Provider::ALL.into_iter().any(|provider| has(provider, name))
}

/// Where a value comes from, the nearest place first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of that name.
    Environment,
    /// `config.toml`, or the file that `--config` names.
    File,
    /// Not set; the value stands in the documentation.
    Default,
    /// Not set, and there is no default.
    NotSet,
    /// Not set; the value is that of the variable for all exports of the pipeline, which is named.
    #[serde(untagged)]
    Shared(String),
}

/// A variable with its value and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// What counts, without the credentials that a URL carries; empty where nothing is set.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Variables that stand for all pipelines, with their defaults (empty: none).
const KNOWN: &[(&str, &str)] = &[
    ("PIPELINE", ""),
    ("WAREHOUSE", "bigquery"),
    ("GCP_PROJECT_ID", ""),
    ("BIGQUERY_LOCATION", "US"),
    ("STAGING_DATASET", ""),
    ("DUCKDB_PATH", "./data/finops.duckdb"),
    ("START_DATE", ""),
    ("END_DATE", ""),
    // Measured with 39 months and jobs of 3 s: 22.8 s at 8, 15.6 s at 16, 8.0 s at 39. BigQuery allows 50 changes of a
    // table's partitions in 10 s, and two bursts of 24 stay below that.
    ("LOAD_CONCURRENCY", "24"),
    ("WAIT_MAX_HOURS", "48"),
    ("MAX_AGE_HOURS", ""),
    ("STORAGE_EMULATOR_HOST", ""),
    ("BIGQUERY_EMULATOR_HOST", ""),
];

/// The default of a variable.
pub fn default_of(name: &str) -> &'static str {
    KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, default)| default)
}

/// Every variable with its value and origin, for people who wonder what counts.
pub fn settings(environment: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |name: String, default: &str| {
        let set = environment.get(&name);
        let origin = match set {
            Some(_) => Origin::Environment,
            None if default.is_empty() => Origin::NotSet,
            None => Origin::Default,
        };
        Setting { name, value: shown(set.map_or(default, String::as_str)), origin }
    };
    let mut settings: Vec<Setting> = KNOWN.iter().map(|(name, default)| setting((*name).to_owned(), default)).collect();
    for provider in Provider::ALL {
        let shared = ["EXPORTS"]
            .into_iter()
            .chain(suffixes(provider))
            .map(|suffix| setting(provider.variable(None, suffix), ""));
        settings.extend(shared);
        // What is wrong with them is for `parse` to tell.
        let scopes = ExportVariables::all(provider, environment, &mut Problems::default());
        for scope in scopes.iter().filter(|scope| scope.label.is_some()) {
            settings.extend(suffixes(provider).map(|suffix| {
                let name = scope.own(suffix);
                match scope.get(suffix) {
                    Some((from, value)) if from != name => {
                        Setting { name, value: shown(value), origin: Origin::Shared(from) }
                    }
                    _ => setting(name, ""),
                }
            }));
        }
    }
    settings
}
