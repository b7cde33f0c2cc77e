//! `config.toml`, for the staged pipeline. A flag replaces a variable, a variable the file's value, and that the default.

use std::{collections::BTreeMap, path::Path};

use finops_core::{
    hint,
    model::{
        provider::Provider,
        shown::{Secret, shown},
    },
};
use toml::{Table, Value};

use super::{
    definition::Definition,
    problem::Problems,
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

#[derive(Debug)]
struct Entry {
    key: String,
    definition: &'static Definition,
    /// Any value may be a secret, or a URL with one.
    given: Option<(Secret, Origin)>,
}

/// The variable of a key: `FINOPS_AWS_BUCKET` for `aws.bucket`.
fn variable(key: &str) -> String {
    format!("FINOPS_{}", key.replace('.', "_").to_ascii_uppercase())
}

impl Values {
    /// Reads the file: `path`, or otherwise `config.toml` if it exists. Flags and the environment replace its values.
    ///
    /// # Errors
    /// `Configuration` if the file cannot be read, or is not TOML.
    pub fn read(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
        flags: &[(String, Option<&String>)],
        problems: &mut Problems,
    ) -> Result<Self> {
        let (file, table) = table(path)?;
        let mut in_file = BTreeMap::new();
        flatten(&table, "", &mut in_file, problems);
        let entry = |(key, definition): (String, &'static Definition)| {
            let flag = flags.iter().find(|(flag, _)| *flag == key).and_then(|(_, value)| *value);
            let of_file = in_file.remove(&key);
            let given = flag.map(|value| (value.clone(), Origin::Flag));
            let given = given.or_else(|| Some((environment.get(&variable(&key))?.clone(), Origin::Environment)));
            let given = given.or_else(|| Some((of_file?, Origin::File))).filter(|(value, _)| !value.is_empty());
            Entry { key, definition, given: given.map(|(value, origin)| (Secret::from(value), origin)) }
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

    /// The value in use. It is a problem if it does not have the setting's form.
    pub fn checked(&self, key: &str, problems: &mut Problems) -> Option<&str> {
        let value = self.get(key)?;
        problems.refuse(key, self.entry(key)?.definition.form.problem(value), EVERYWHERE);
        Some(value)
    }

    /// The value in use, which must be set; empty if it is not.
    pub fn required(&self, key: &str, what_it_is: &str, problems: &mut Problems) -> String {
        self.checked(key, problems).map(str::to_owned).unwrap_or_else(|| {
            problems.add(key, format!("is not set ({}): {what_it_is}", variable(key)), EVERYWHERE);
            String::new()
        })
    }

    /// Every setting with its value and origin, without secrets; none if no setting of the staged pipeline is given.
    pub fn settings(&self) -> Vec<Setting> {
        if self.file.is_none() && self.entries.iter().all(|entry| entry.given.is_none()) {
            return Vec::new();
        }
        let setting = |Entry { key, definition, given }: &Entry| {
            let shown = |value| if definition.is_secret { REDACTED } else { value };
            let given = given.as_ref().map(|(value, origin)| (shown(value.expose()), origin.clone()));
            Setting::new(key.clone(), given, definition.default)
        };
        self.entries.iter().map(setting).collect()
    }

    /// A key of the provider's section.
    pub fn of(&self, provider: Provider, name: &str) -> Option<&str> {
        self.get(&format!("{}.{name}", provider.as_str()))
    }

    /// Whether the first of two keys of the provider's section is given, and nearer to the command line than the second.
    pub fn is_nearer(&self, provider: Provider, one: &str, other: &str) -> bool {
        let origin = |name| Some(&self.entry(&format!("{}.{name}", provider.as_str()))?.given.as_ref()?.1);
        origin(one).is_some_and(|one| origin(other).is_none_or(|other| one < other))
    }
}

/// The places of the values.
pub(super) const EVERYWHERE: &str = "looked in: command line, environment, config.toml";
const IN_FILE: &str = "looked in: config.toml";

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
            Value::Integer(number) => drop(into.insert(name, number.to_string())),
            _ => problems.add(&name, "is no text", IN_FILE),
        }
    }
}
