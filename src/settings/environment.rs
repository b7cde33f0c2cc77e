//! The variables in the environment.

use std::collections::BTreeMap;

use finops_core::model::provider::Provider;
use serde::Deserialize;

use super::{
    export_variables::{ExportVariables, is_of_export},
    problem::{ENVIRONMENT, Problem, Problems},
    registry,
    setting::{Origin, Setting},
};

/// The variables that a run reads for all pipelines: each one of the registry, or its default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variables {
    pub pipeline: Option<String>,
    pub warehouse: String,
    pub gcp_project_id: Option<String>,
    pub bigquery_location: String,
    pub staging_dataset: Option<String>,
    pub duckdb_path: String,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub load_concurrency: String,
    pub wait_max_hours: String,
    pub max_age_hours: Option<String>,
    pub storage_emulator_host: Option<String>,
    pub bigquery_emulator_host: Option<String>,
}

impl Variables {
    /// Reads them from the environment.
    pub fn read(environment: &BTreeMap<String, String>) -> Self {
        let given = registry::of_run().filter_map(|setting| {
            let default = Some(setting.default).filter(|default| !default.is_empty());
            let value = environment.get(setting.name).map(String::as_str).or(default)?;
            Some((setting.name.to_owned(), value.to_owned()))
        });
        envy::from_iter(given).expect("each variable of a run has a field, and each default is text")
    }
}

/// The process's environment, without empty variables: deployments set a variable to nothing to clear it.
///
/// # Errors
/// The settings that are not UTF-8: if they were ignored, finops would use the default.
pub fn process_environment() -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let (mut environment, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => drop(environment.insert(name, value.trim().to_owned())),
            Err(_) if is_setting(&name) => {
                problems.push(Problem { name, what: "is not UTF-8 text".to_owned(), looked_in: ENVIRONMENT });
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(problems) }
}

fn is_setting(name: &str) -> bool {
    registry::of_run().any(|setting| setting.name == name)
        || Provider::ALL.into_iter().any(|provider| is_of_export(provider, name))
}

/// Every variable with its value and origin.
pub fn settings(environment: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |name: String, default: &str| {
        let given = environment.get(&name).map(|value| (value.as_str(), Origin::Environment));
        Setting::new(name, given, default)
    };
    let mut settings: Vec<Setting> =
        registry::of_run().map(|definition| setting(definition.name.to_owned(), definition.default)).collect();
    for provider in Provider::ALL {
        settings
            .extend(registry::of_pipeline(provider).map(|shared| setting(provider.variable(None, shared.name), "")));
        // `parse` reports their problems.
        let exports = ExportVariables::all(provider, environment, &mut Problems::default());
        for export in exports.iter().filter(|export| export.label.is_some()) {
            settings.extend(registry::of_export(provider).map(|definition| {
                let own = export.own(definition.name);
                let given = export.get(definition.name).map(|(from, value)| {
                    let origin = if from == own { Origin::Environment } else { Origin::Shared(from) };
                    (value, origin)
                });
                Setting::new(own, given, "")
            }));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_a_run_has_a_field_and_every_field_a_variable() {
        let all = registry::of_run().map(|setting| (setting.name.to_owned(), "x".to_owned())).collect();
        let variables = format!("{:?}", Variables::read(&all));
        assert!(!variables.contains("None"), "{variables}");
    }
}
