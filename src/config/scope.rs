//! Which variables an export is configured by: `AWS_TABLE_NAME`, and `AWS_PROD_TABLE_NAME` where `AWS_EXPORTS` names
//! `prod`.

use std::collections::BTreeMap;

use super::{ENVIRONMENT, problem::Problems};

/// A pipeline, and how its variables begin.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// `aws` or `azure`.
    pub pipeline: &'static str,
    /// `AWS` or `AZURE`.
    pub prefix: &'static str,
}

/// Amazon Web Services.
pub const AWS: Provider = Provider { pipeline: "aws", prefix: "AWS" };
/// Microsoft Azure.
pub const AZURE: Provider = Provider { pipeline: "azure", prefix: "AZURE" };

/// What the variables of an export end with. None ends with `_` and another one, so that every variable belongs to one
/// export only, whatever exports are called.
pub const SUFFIXES: [&str; 6] = ["SOURCE", "GCS_BUCKET", "GCS_PREFIX", "EXPORT_NAME", "DATASET", "TABLE_NAME"];

impl Provider {
    /// The variable that stands for all exports of the pipeline, such as `AWS_TABLE_NAME`.
    pub fn variable(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.prefix)
    }

    /// Whether anything is said of it.
    pub fn is_configured(&self, environment: &BTreeMap<String, String>) -> bool {
        let is_set = |suffix: &&str| environment.contains_key(&self.variable(suffix));
        SUFFIXES.iter().chain(&["EXPORTS"]).any(is_set)
    }

    /// The `PROD` of `AWS_PROD_TABLE_NAME`.
    fn export_of<'v>(&self, variable: &'v str) -> Option<&'v str> {
        let rest = variable.strip_prefix(self.prefix)?.strip_prefix('_')?;
        SUFFIXES.iter().find_map(|suffix| rest.strip_suffix(suffix)?.strip_suffix('_'))
    }

    /// Whether an export of the pipeline may be configured by the variable.
    pub fn has(&self, variable: &str) -> bool {
        let shared = || SUFFIXES.iter().chain(&["EXPORTS"]).any(|suffix| self.variable(suffix) == variable);
        shared() || self.export_of(variable).is_some()
    }
}

/// The variables of one export.
#[derive(Debug)]
pub struct Scope<'a> {
    /// Whose it is.
    pub provider: &'static Provider,
    /// What `AWS_EXPORTS` calls it, where it is set.
    pub label: Option<String>,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Scope<'a> {
    /// One for each export of the pipeline.
    pub fn all(
        provider: &'static Provider,
        environment: &'a BTreeMap<String, String>,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let variable = provider.variable("EXPORTS");
        let Some(list) = environment.get(&variable) else { return vec![Self { provider, label: None, environment }] };
        let mut labels: BTreeMap<String, &str> = BTreeMap::new();
        let mut scopes = Vec::new();
        for label in list.split(',').map(str::trim) {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if label.is_empty() || !label.chars().all(fits) {
                let what = format!("is `{list}`: names of letters, digits, `_` and `-` were expected, between commas");
                problems.add(&variable, what, ENVIRONMENT);
                return Vec::new();
            }
            if let Some(other) = labels.insert(in_variables(label), label) {
                let begin = provider.variable(&in_variables(label));
                let what = format!("names `{other}` and `{label}`, whose variables both begin with {begin}_");
                problems.add(&variable, what, ENVIRONMENT);
                continue;
            }
            scopes.push(Self { provider, label: Some(label.to_owned()), environment });
        }
        for name in environment.keys() {
            if provider.export_of(name).is_some_and(|export| !labels.contains_key(export)) {
                problems.add(name, format!("belongs to no export: {variable} is `{list}`"), ENVIRONMENT);
            }
        }
        scopes
    }

    /// The export's own variable, such as `AWS_PROD_TABLE_NAME`.
    pub fn own(&self, suffix: &str) -> String {
        match &self.label {
            Some(label) => format!("{}_{}_{suffix}", self.provider.prefix, in_variables(label)),
            None => self.provider.variable(suffix),
        }
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
            if inherits { found(self.provider.variable(suffix)) } else { None }
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
        for one in SUFFIXES {
            assert_eq!(SUFFIXES.iter().find(|other| one.ends_with(&format!("_{other}"))), None, "{one}");
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
        let scopes = Scope::all(&AZURE, &environment, &mut problems);
        assert_eq!(problems.0, []);
        let datasets = scopes.iter().map(|scope| scope.get("DATASET").unwrap());
        let found: Vec<(String, &str)> = datasets.map(|(name, value)| (name, value.as_str())).collect();
        let expected = [("AZURE_DATASET", "billing"), ("AZURE_ACTUAL_COST_DATASET", "archive")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
