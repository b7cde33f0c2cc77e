//! The variables in the environment.

use std::collections::BTreeMap;

use finops_core::model::provider::Provider;

use super::{
    export_variables::{ExportVariables, is_of_export},
    problem::{ENVIRONMENT, Problem, Problems},
    registry,
    setting::{Origin, Setting},
    values::Named,
};

/// The file with settings in the working directory.
pub const ENV_FILE: &str = ".env";

/// The variables that a run reads for all pipelines.
pub struct Variables<'a>(pub &'a BTreeMap<String, String>);

impl<'a> Variables<'a> {
    /// The value in use.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(String::as_str).or(registry::variable(name).default)
    }

    /// The value of the flag, otherwise that of the variable, after the name of the one that has it.
    pub(super) fn unless_flag(&self, flag: (&'static str, Option<&'a str>), name: &'static str) -> Option<Named<'a>> {
        let given = flag.1.map(|value| (flag.0, value));
        given.or_else(|| Some((name, self.get(name)?)))
    }

    /// The value in use. It is a problem if it does not have the setting's form.
    pub fn checked(&self, name: &str, problems: &mut Problems) -> Option<&'a str> {
        let value = self.get(name)?;
        problems.refuse(name, registry::variable(name).form.problem(value), ENVIRONMENT);
        Some(value)
    }
}

/// The process's environment, without empty variables: deployments set a variable to nothing to clear it.
///
/// # Errors
/// The settings that are not UTF-8: if they were ignored, finops would use the default.
pub fn process_environment() -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let (mut environment, mut problems) = (BTreeMap::new(), Problems::default());
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => drop(environment.insert(name, value.trim().to_owned())),
            Err(_) if is_setting(&name) => problems.add(&name, "is not UTF-8 text", ENVIRONMENT),
            Err(_) => {}
        }
    }
    problems.none().map(|()| environment)
}

fn is_setting(name: &str) -> bool {
    registry::of_run().any(|setting| setting.name == name)
        || Provider::ALL.into_iter().any(|provider| is_of_export(provider, name))
}

/// Every variable with its value and origin.
pub fn settings(environment: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |name: String, default| {
        let given = environment.get(&name).map(|value| (value.as_str(), Origin::Environment));
        Setting::new(name, given, default)
    };
    let mut settings: Vec<Setting> =
        registry::of_run().map(|definition| setting(definition.name.to_owned(), definition.default)).collect();
    for provider in Provider::ALL {
        settings.extend(
            registry::of_pipeline(provider).map(|shared| setting(shared.variable(Some(provider)), shared.default)),
        );
        // `parse` reports their problems.
        let exports = ExportVariables::all(provider, environment, &mut Problems::default());
        for export in exports.iter().filter(|export| export.label.is_some()) {
            settings.extend(registry::of_export(provider).map(|definition| {
                let own = export.own(definition.name);
                let given = export.get(definition.name).map(|(from, value)| {
                    let origin = if from == own { Origin::Environment } else { Origin::Shared(from) };
                    (value, origin)
                });
                Setting::new(own, given, definition.default)
            }));
        }
    }
    settings
}
