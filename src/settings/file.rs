//! `config.toml`, for the staged pipeline. A flag replaces a variable, a variable the file's value, and that the default.

use std::{collections::BTreeMap, path::Path};

use finops_core::{
    hint,
    model::shown::{Secret, shown},
};
use toml::{Table, Value};

use super::{
    definition::Definition,
    environment::Environment,
    form::Form,
    problem::{ENV_FILE, Places, Problems},
    registry,
    setting::{Origin, Setting},
};
use crate::error::{Error, ErrorKind, Result};

/// The file, unless `--config` names another.
pub const CONFIG_FILE: &str = "config.toml";

/// Shown instead of a secret.
const REDACTED: &str = "(set)";

/// The settings of the staged pipeline, with their values.
#[derive(Debug)]
pub struct Values {
    entries: Vec<Entry>,
    /// The file that was read, if there was one.
    pub file: Option<String>,
}

/// A flag that replaces a setting of the file.
#[derive(Debug)]
pub struct Flag<'a> {
    name: &'static str,
    key: String,
    value: Option<&'a str>,
}

impl<'a> Flag<'a> {
    /// The flag `name`, such as `--bucket`, for the setting `key`.
    pub fn new(name: &'static str, key: impl Into<String>, value: &'a Option<String>) -> Self {
        Self { name, key: key.into(), value: value.as_deref() }
    }
}

#[derive(Debug)]
struct Entry {
    key: String,
    definition: &'static Definition,
    flag: Option<&'static str>,
    /// Any value may be a secret, or a URL with one.
    given: Option<(Secret, Origin)>,
}

impl Entry {
    /// What people change to set it there: the flag, the variable or the key.
    fn name_in(&self, origin: &Origin) -> String {
        match (origin, self.flag) {
            (Origin::Flag, Some(flag)) => flag.to_owned(),
            (Origin::Environment | Origin::EnvFile, _) => variable(&self.key),
            _ => self.key.clone(),
        }
    }
}

/// The variable of a key: `FINOPS_AWS_BUCKET` for `aws.bucket`.
pub fn variable(key: &str) -> String {
    format!("FINOPS_{}", key.replace('.', "_").to_ascii_uppercase())
}

impl Values {
    /// Reads the file: `path`, or otherwise `config.toml` if it exists. Flags and the environment replace its values.
    ///
    /// # Errors
    /// `Configuration` if the file cannot be read, or is not TOML.
    pub fn read(
        path: Option<&Path>,
        environment: &Environment,
        flags: &[Flag<'_>],
        problems: &mut Problems,
    ) -> Result<Self> {
        let (file, table) = table(path)?;
        let mut in_file = BTreeMap::new();
        flatten(&table, "", &mut in_file, problems);
        let entry = |(key, definition): (String, &'static Definition)| {
            let flag = flags.iter().find(|flag| flag.key == key);
            let of_file = in_file.remove(&key);
            let given = flag.and_then(|flag| flag.value).map(|value| (value.to_owned(), Origin::Flag));
            let of_variable = || environment.given(&variable(&key)).map(|(value, origin)| (value.to_owned(), origin));
            let given = given.or_else(of_variable);
            let given = given.or_else(|| Some((of_file?, Origin::File))).filter(|(value, _)| !value.is_empty());
            let given = given.map(|(value, origin)| (Secret::from(value), origin));
            Entry { key, definition, flag: flag.map(|flag| flag.name), given }
        };
        let entries = registry::keys().map(entry).collect();
        for unknown in in_file.into_keys() {
            problems.add(&unknown, "is no setting: see config.toml.example", IN_FILE);
        }
        Ok(Self { entries, file })
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value in use.
    pub fn get(&self, key: &str) -> Option<&str> {
        let Entry { given, definition, .. } = self.entry(key)?;
        given.as_ref().map(|(value, _)| value.expose()).or(definition.default)
    }

    /// The flag, the variable or the key that has the value.
    pub fn name(&self, key: &str) -> String {
        self.name_beside(key, key)
    }

    /// The flag, the variable or the key, as `other` is given.
    pub fn name_beside(&self, key: &str, other: &str) -> String {
        let origin = self.entry(other).and_then(|entry| entry.given.as_ref()).map_or(&Origin::NotSet, |given| &given.1);
        self.entry(key).map_or_else(|| key.to_owned(), |entry| entry.name_in(origin))
    }

    /// The value in use. It is a problem if it does not have the setting's form.
    pub fn checked(&self, key: &str, problems: &mut Problems) -> Option<&str> {
        let value = self.get(key)?;
        problems.refuse(&self.name(key), self.entry(key)?.definition.problem(value), EVERYWHERE);
        Some(value)
    }

    /// The value in use, which must be set; empty if it is not.
    pub fn required(&self, key: &str, what_it_is: &str, problems: &mut Problems) -> String {
        self.checked(key, problems).map(str::to_owned).unwrap_or_else(|| {
            let flag = self.entry(key).and_then(|entry| entry.flag).map(|flag| format!(", {flag}")).unwrap_or_default();
            problems.add(key, format!("is not set ({}{flag}): {what_it_is}", variable(key)), EVERYWHERE);
            String::new()
        })
    }

    /// Every setting with its value and origin, without secrets; none if no setting of the staged pipeline is given.
    pub fn settings(&self) -> Vec<Setting> {
        if self.file.is_none() && self.entries.iter().all(|entry| entry.given.is_none()) {
            return Vec::new();
        }
        let setting = |Entry { key, definition, given, .. }: &Entry| {
            let shown = |value| if definition.is_secret { REDACTED } else { value };
            let given = given.as_ref().map(|(value, origin)| (shown(value.expose()), origin.clone()));
            Setting::new(key.clone(), given, definition.default)
        };
        self.entries.iter().map(setting).collect()
    }

    /// Whether the first of two keys is given, and nearer to the command line than the second.
    pub fn is_nearer(&self, one: &str, other: &str) -> bool {
        let origin = |key| Some(&self.entry(key)?.given.as_ref()?.1);
        origin(one).is_some_and(|one| origin(other).is_none_or(|other| one < other))
    }
}

/// The places of the values.
pub(super) const EVERYWHERE: Places = &["command line", "environment", ENV_FILE, CONFIG_FILE];
const IN_FILE: Places = &[CONFIG_FILE];

fn table(path: Option<&Path>) -> Result<(Option<String>, Table)> {
    let named = path.unwrap_or(Path::new(CONFIG_FILE));
    let file = shown(&named.display().to_string());
    let text = match std::fs::read_to_string(named) {
        Ok(text) => text,
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((None, Table::new()));
        }
        Err(error) => {
            return Err(Error::new(ErrorKind::Configuration, format!("cannot read {file}"))
                .hint(hint::COPY_CONFIG)
                .cause(error));
        }
    };
    let table = text.parse::<Table>().map_err(|error| {
        // The parser's own message shows the line, which may be a secret.
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
        Error::new(ErrorKind::Configuration, format!("{file}{place} is not TOML: {}", error.message()))
            .hint(hint::COMPARE_CONFIG)
    })?;
    Ok((Some(file), table))
}

/// The file's values by their full keys.
fn flatten(table: &Table, above: &str, into: &mut BTreeMap<String, String>, problems: &mut Problems) {
    for (name, value) in table {
        let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Table(table) => flatten(table, &name, into, problems),
            Value::String(text) => drop(into.insert(name, text.clone())),
            Value::Integer(number) if is_number(&name) => drop(into.insert(name, number.to_string())),
            _ => problems.add(&name, "is not a text: put the value in quotes", IN_FILE),
        }
    }
}

fn is_number(key: &str) -> bool {
    registry::keys().any(|(of, setting)| of == key && matches!(setting.form, Form::Number(..) | Form::Hours(..)))
}
