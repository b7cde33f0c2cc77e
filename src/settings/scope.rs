//! Which variables an export is configured by: `AWS_TABLE_NAME`, and `AWS_PROD_TABLE_NAME` where `AWS_EXPORTS` names
//! `prod`.

use std::collections::BTreeMap;

use finops_core::model::{provider::Provider, shown::shown};

use crate::settings::{ENVIRONMENT, problem::Problems};

/// What the variables of an export end with. None ends with `_` and another one, so that every variable belongs to one
/// export only, whatever exports are called.
const SUFFIXES: [&str; 8] =
    ["SOURCE", "GCS_BUCKET", "GCS_PREFIX", "EXPORT_NAME", "DATASET", "TABLE_NAME", "LEAVE_OUT", "NULL_VALUES"];
const OF_AWS: [&str; 1] = ["CUR_VERSION"];
const OF_AZURE: [&str; 2] = ["SCOPES", "KEEP_RUNS"];

/// What the variables of the provider's exports end with.
pub fn suffixes(provider: Provider) -> impl Iterator<Item = &'static str> {
    let own: &'static [&str] = match provider {
        Provider::Aws => &OF_AWS,
        Provider::Azure => &OF_AZURE,
    };
    SUFFIXES.iter().chain(own).copied()
}

/// The variables that stand for all exports of a pipeline.
fn shared_variables(provider: Provider) -> impl Iterator<Item = String> {
    suffixes(provider).chain(["EXPORTS"]).map(move |suffix| provider.variable(None, suffix))
}

/// Whether anything is said of the pipeline.
pub fn is_configured(provider: Provider, environment: &BTreeMap<String, String>) -> bool {
    shared_variables(provider).any(|name| environment.contains_key(&name))
}

/// Whether an export of the pipeline may be configured by the variable.
pub fn has(provider: Provider, name: &str) -> bool {
    shared_variables(provider).any(|shared| shared == name) || export_of(provider, name).is_some()
}

/// The `PROD` of `AWS_PROD_TABLE_NAME`.
fn export_of(provider: Provider, name: &str) -> Option<&str> {
    let rest = name.strip_prefix(&provider.variable(None, ""))?;
    suffixes(provider).find_map(|suffix| rest.strip_suffix(suffix)?.strip_suffix('_'))
}

/// The variables of one export.
#[derive(Debug)]
pub struct ExportVariables<'a> {
    /// Whose it is.
    pub provider: Provider,
    /// What `AWS_EXPORTS` calls it, where it is set.
    pub label: Option<String>,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> ExportVariables<'a> {
    /// One for each export of the pipeline.
    pub fn all(provider: Provider, environment: &'a BTreeMap<String, String>, problems: &mut Problems) -> Vec<Self> {
        let exports = provider.variable(None, "EXPORTS");
        let Some(list) = environment.get(&exports) else { return vec![Self { provider, label: None, environment }] };
        let mut labels: BTreeMap<String, &str> = BTreeMap::new();
        let mut scopes = Vec::new();
        for label in list.split(',').map(str::trim) {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if label.is_empty() || !label.chars().all(fits) {
                let what = format!(
                    "is `{}`: names of letters, digits, `_` and `-` were expected, between commas",
                    shown(list)
                );
                problems.add(&exports, what, ENVIRONMENT);
                return Vec::new();
            }
            if let Some(other) = labels.insert(in_variables(label), label) {
                let begin = provider.variable(None, &in_variables(label));
                let what = format!("names `{other}` and `{label}`, whose variables both begin with {begin}_");
                problems.add(&exports, what, ENVIRONMENT);
                continue;
            }
            scopes.push(Self { provider, label: Some(label.to_owned()), environment });
        }
        for name in environment.keys() {
            if export_of(provider, name).is_some_and(|export| !labels.contains_key(export)) {
                problems.add(name, format!("belongs to no export: {exports} is `{}`", shown(list)), ENVIRONMENT);
            }
        }
        scopes
    }

    /// The export's own variable, such as `AWS_PROD_TABLE_NAME`.
    pub fn own(&self, suffix: &str) -> String {
        self.provider.variable(self.label.as_deref(), suffix)
    }

    /// The value that counts, after the variable that gives it.
    pub fn get(&self, suffix: &str) -> Option<(String, &'a String)> {
        let found = |name: String| self.environment.get(&name).map(|value| (name, value));
        // A place is said in one of two forms, and an export's own is not mixed with the other form that it would inherit.
        let instead: &[&str] = match suffix {
            "SOURCE" => &["GCS_BUCKET", "GCS_PREFIX"],
            "GCS_BUCKET" | "GCS_PREFIX" => &["SOURCE"],
            _ => &[],
        };
        found(self.own(suffix)).or_else(|| {
            let inherits = instead.iter().all(|other| !self.environment.contains_key(&self.own(other)));
            if inherits { found(self.provider.variable(None, suffix)) } else { None }
        })
    }

    /// The variable to name where something is wrong with the value: the one that is set, else the export's own.
    pub fn name(&self, suffix: &str) -> String {
        self.get(suffix).map_or_else(|| self.own(suffix), |(name, _)| name)
    }
}

/// An export's name as variables write it.
fn in_variables(label: &str) -> String {
    label.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_belongs_to_one_export_whatever_exports_are_called() {
        for provider in Provider::ALL {
            for one in suffixes(provider) {
                assert_eq!(suffixes(provider).find(|other| one.ends_with(&format!("_{other}"))), None, "{one}");
            }
        }
    }

    #[test]
    fn azure_has_the_same_variables() {
        let environment: BTreeMap<String, String> = [
            ("AZURE_EXPORTS", "focus,actual-cost"),
            ("AZURE_DATASET", "billing"),
            ("AZURE_ACTUAL_COST_DATASET", "archive"),
            ("AWS_FOCUS_DATASET", "of aws"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut problems = Problems::default();
        let scopes = ExportVariables::all(Provider::Azure, &environment, &mut problems);
        assert_eq!(problems.0, []);
        let datasets = scopes.iter().map(|scope| scope.get("DATASET").unwrap());
        let found: Vec<(String, &str)> = datasets.map(|(name, value)| (name, value.as_str())).collect();
        let expected = [("AZURE_DATASET", "billing"), ("AZURE_ACTUAL_COST_DATASET", "archive")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
