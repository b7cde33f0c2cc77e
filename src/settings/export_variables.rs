//! The variables of an export: `AWS_TABLE_NAME`, or `AWS_PROD_TABLE_NAME` if `AWS_EXPORTS` names `prod`.

use std::collections::BTreeMap;

use finops_core::model::{provider::Provider, shown::shown};

use super::{
    problem::{ENVIRONMENT, Problems},
    registry,
};

/// Whether a variable of the pipeline is set.
pub fn is_configured(provider: Provider, environment: &BTreeMap<String, String>) -> bool {
    registry::of_pipeline(provider).any(|setting| environment.contains_key(&provider.variable(None, setting.name)))
}

/// The providers whose pipelines have a variable. As in `deploy/settings.py`.
pub fn configured(environment: &BTreeMap<String, String>) -> Vec<Provider> {
    Provider::ALL.into_iter().filter(|provider| is_configured(*provider, environment)).collect()
}

/// Whether the pipeline or one of its exports may read the variable.
pub fn is_of_export(provider: Provider, name: &str) -> bool {
    registry::of_pipeline(provider).any(|setting| provider.variable(None, setting.name) == name)
        || export_of(provider, name).is_some()
}

/// The `PROD` of `AWS_PROD_TABLE_NAME`.
fn export_of(provider: Provider, name: &str) -> Option<&str> {
    let rest = name.strip_prefix(&provider.variable(None, ""))?;
    registry::of_export(provider).find_map(|setting| rest.strip_suffix(setting.name)?.strip_suffix('_'))
}

/// The variables of one export.
#[derive(Debug)]
pub struct ExportVariables<'a> {
    /// The provider of the export.
    pub provider: Provider,
    /// Its name in `AWS_EXPORTS`, if that is set.
    pub label: Option<String>,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> ExportVariables<'a> {
    /// One for each export of the pipeline.
    pub fn all(provider: Provider, environment: &'a BTreeMap<String, String>, problems: &mut Problems) -> Vec<Self> {
        let exports = provider.variable(None, "EXPORTS");
        let Some(list) = environment.get(&exports) else { return vec![Self { provider, label: None, environment }] };
        let mut labels: BTreeMap<String, &str> = BTreeMap::new();
        let mut all = Vec::new();
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
            all.push(Self { provider, label: Some(label.to_owned()), environment });
        }
        for name in environment.keys() {
            if export_of(provider, name).is_some_and(|export| !labels.contains_key(export)) {
                problems.add(name, format!("belongs to no export: {exports} is `{}`", shown(list)), ENVIRONMENT);
            }
        }
        all
    }

    /// The export's own variable, such as `AWS_PROD_TABLE_NAME`.
    pub fn own(&self, suffix: &str) -> String {
        self.provider.variable(self.label.as_deref(), suffix)
    }

    /// The value in use, after the variable that has it.
    pub fn get(&self, suffix: &str) -> Option<(String, &'a str)> {
        let found = |name: String| self.environment.get(&name).map(|value| (name, value.as_str()));
        // A location has two forms. An export that sets one form does not inherit the other.
        let other_form: &[&str] = match suffix {
            "SOURCE" => &["GCS_BUCKET", "GCS_PREFIX"],
            "GCS_BUCKET" | "GCS_PREFIX" => &["SOURCE"],
            _ => &[],
        };
        found(self.own(suffix)).or_else(|| {
            let inherits = other_form.iter().all(|other| !self.environment.contains_key(&self.own(other)));
            if inherits { found(self.provider.variable(None, suffix)) } else { None }
        })
    }

    /// The value in use. It is a problem if it does not have the setting's form. `None` also for a setting that the
    /// provider does not have.
    pub fn checked(&self, suffix: &str, problems: &mut Problems) -> Option<&'a str> {
        let setting = registry::of_export(self.provider).find(|setting| setting.name == suffix)?;
        let (name, value) = self.get(suffix)?;
        problems.refuse(&name, setting.problem(value), ENVIRONMENT);
        Some(value)
    }

    /// The value in use, which must be set; empty if it is not.
    pub fn required(&self, suffix: &str, what_it_is: &str, problems: &mut Problems) -> String {
        if let Some(value) = self.checked(suffix, problems) {
            return value.to_owned();
        }
        let (own, shared) = (self.own(suffix), self.provider.variable(None, suffix));
        let neither = if own == shared { String::new() } else { format!(", nor is {shared}") };
        problems.add(&own, format!("is not set{neither}: {what_it_is}"), ENVIRONMENT);
        String::new()
    }

    /// The variable to name if the value is wrong: the one that is set, otherwise the export's own.
    pub fn name(&self, suffix: &str) -> String {
        self.get(suffix).map_or_else(|| self.own(suffix), |(name, _)| name)
    }
}

/// An export's name as it is written in variables.
fn in_variables(label: &str) -> String {
    label.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_belongs_to_one_export_whatever_exports_are_called() {
        for provider in Provider::ALL {
            for one in registry::of_export(provider).map(|setting| setting.name) {
                let mut others = registry::of_export(provider).map(|setting| setting.name);
                assert_eq!(others.find(|other| one.ends_with(&format!("_{other}"))), None, "{one}");
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
        let exports = ExportVariables::all(Provider::Azure, &environment, &mut problems);
        assert_eq!(problems.0, []);
        let found: Vec<(String, &str)> = exports.iter().map(|export| export.get("DATASET").unwrap()).collect();
        let expected = [("AZURE_DATASET", "billing"), ("AZURE_ACTUAL_COST_DATASET", "archive")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
