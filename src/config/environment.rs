//! The environment's variables, as text, with their defaults and origins.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ENVIRONMENT, Problem};

/// The variables of one pipeline, without their prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PipelineVariables {
    pub gcs_bucket: Option<String>,
    pub gcs_prefix: Option<String>,
    pub export_name: Option<String>,
    pub dataset: Option<String>,
    pub table_name: Option<String>,
    pub source: Option<String>,
    pub exports: Option<String>,
}

/// The variables that stand for all pipelines.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Variables {
    pub pipeline: Option<String>,
    pub gcp_project_id: Option<String>,
    pub bigquery_location: Option<String>,
    pub warehouse: Option<String>,
    pub duckdb_path: Option<String>,
    pub load_concurrency: Option<String>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub wait_max_hours: Option<String>,
    pub storage_emulator_host: Option<String>,
    pub bigquery_emulator_host: Option<String>,
    #[serde(skip)]
    pub aws: PipelineVariables,
    #[serde(skip)]
    pub azure: PipelineVariables,
}

impl Variables {
    /// Reads them out of the process's environment. An empty variable counts as one that is not set: that is how
    /// deployments clear one.
    ///
    /// # Errors
    /// What envy says; text always fits, so nothing in practice.
    pub fn read(environment: &BTreeMap<String, String>) -> envy::Result<Self> {
        // envy takes names in any case, the operating system does not.
        let upper = |name: &String| name.chars().all(|c| !c.is_ascii_lowercase());
        let exact = || environment.iter().filter(|(name, _)| upper(name));
        let all = || exact().map(|(name, value)| (name.clone(), value.clone()));
        let mut variables: Self = envy::from_iter(all())?;
        variables.aws = envy::prefixed("AWS_").from_iter(all())?;
        variables.azure = envy::prefixed("AZURE_").from_iter(all())?;
        Ok(variables)
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
            Err(_) if KNOWN.iter().any(|(known, _)| *known == name) => {
                problems.push(Problem { name, what: "is not UTF-8 text".to_owned(), looked_in: ENVIRONMENT });
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(problems) }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A variable of that name.
    Environment,
    /// Not set; the value stands in the documentation.
    Default,
    /// Not set, and there is no default.
    NotSet,
}

/// A variable with its value and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What counts; empty where nothing is set.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Variables that the program reads, with their defaults (empty: none).
const KNOWN: &[(&str, &str)] = &[
    ("PIPELINE", ""),
    ("WAREHOUSE", "bigquery"),
    ("GCP_PROJECT_ID", ""),
    ("BIGQUERY_LOCATION", "US"),
    ("DUCKDB_PATH", "./data/finops.duckdb"),
    ("AWS_SOURCE", ""),
    ("AWS_GCS_BUCKET", ""),
    ("AWS_GCS_PREFIX", ""),
    ("AWS_EXPORT_NAME", ""),
    ("AWS_DATASET", ""),
    ("AWS_TABLE_NAME", ""),
    ("START_DATE", ""),
    ("END_DATE", ""),
    ("LOAD_CONCURRENCY", "8"),
    ("WAIT_MAX_HOURS", "48"),
    ("STORAGE_EMULATOR_HOST", ""),
    ("BIGQUERY_EMULATOR_HOST", ""),
];

/// The default of a variable.
pub fn default_of(name: &str) -> &'static str {
    KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, default)| default)
}

/// Every variable with its value and origin, for people who wonder what counts.
pub fn settings(environment: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |&(name, default): &(&'static str, &'static str)| match environment.get(name) {
        Some(value) => Setting { name, value: value.clone(), origin: Origin::Environment },
        None if default.is_empty() => Setting { name, value: String::new(), origin: Origin::NotSet },
        None => Setting { name, value: default.to_owned(), origin: Origin::Default },
    };
    KNOWN.iter().map(setting).collect()
}
