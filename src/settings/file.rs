//! `config.toml`, for the staged pipeline: flags count before the environment, that before the file, that before defaults.

use std::{collections::BTreeMap, path::Path};

use finops_core::{
    hint,
    model::{
        provider::Provider,
        shown::{Secret, shown},
    },
};
use toml::{Table, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::settings::{Origin, Setting, problem::Problems};

/// Where the file lies unless `--config` names another.
pub const CONFIG_FILE: &str = "config.toml";

/// A value that the staged pipeline can be given.
struct Key {
    name: &'static str,
    default: &'static str,
    secret: bool,
}

const fn key(name: &'static str) -> Key {
    Key { name, default: "", secret: false }
}

/// All of them, in the order in which they are shown.
const KEYS: [Key; 34] = [
    Key { name: "staging_dir", default: "./data/staging", secret: false },
    Key { name: "parquet_dir", default: "./data/exports", secret: false },
    Key { name: "database.duckdb.database_path", default: "./data/finops.duckdb", secret: false },
    Key { name: "database.duckdb.schema", default: "main", secret: false },
    key("database.bigquery.project_id"),
    key("database.bigquery.dataset_id"),
    key("database.bigquery.table_id"),
    key("database.bigquery.staging_dataset"),
    key("database.bigquery.credentials_path"),
    Key { name: "database.bigquery.location", default: "US", secret: false },
    key("aws.bucket"),
    key("aws.prefix"),
    key("aws.source"),
    key("aws.export_name"),
    key("aws.cur_version"),
    key("aws.leave_out"),
    key("aws.null_values"),
    key("aws.aws_access_key_id"),
    Key { name: "aws.aws_secret_access_key", default: "", secret: true },
    Key { name: "aws.aws_session_token", default: "", secret: true },
    key("aws.region"),
    key("aws.endpoint_url"),
    Key { name: "aws.table_id", default: "aws_billing_data", secret: false },
    key("azure.bucket"),
    key("azure.prefix"),
    key("azure.source"),
    key("azure.export_name"),
    key("azure.scopes"),
    key("azure.keep_runs"),
    key("azure.leave_out"),
    key("azure.null_values"),
    Key { name: "azure.table_id", default: "azure_billing_data", secret: false },
    Key { name: "wait_max_hours", default: "48", secret: false },
    key("max_age_hours"),
];

/// What is shown in place of a secret.
const REDACTED: &str = "(set)";

/// All values that are given, with where each comes from.
#[derive(Debug)]
pub struct Values {
    /// Any of them may be a secret, or a URL with one.
    given: BTreeMap<&'static str, (Secret, Origin)>,
    /// The file that was read, if there was one.
    pub file: Option<String>,
}

/// The variable that stands for a key: `FINOPS_AWS_BUCKET` for `aws.bucket`.
fn variable(key: &str) -> String {
    format!("FINOPS_{}", key.replace('.', "_").to_ascii_uppercase())
}

impl Values {
    /// Reads the file, `path` or else `config.toml` where there is one, and puts environment and flags before it.
    ///
    /// # Errors
    /// `Configuration` for a file that is named and cannot be read, or is not TOML.
    pub fn read(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
        flags: &[(&str, Option<&String>)],
        problems: &mut Problems,
    ) -> Result<Self> {
        let (file, table) = table(path)?;
        let mut in_file = BTreeMap::new();
        flatten(&table, "", &mut in_file, problems);
        let mut given = BTreeMap::new();
        for Key { name, .. } in &KEYS {
            let flag = flags.iter().find(|(flag, _)| flag == name).and_then(|(_, value)| *value);
            let value = flag.map(|value| (value.clone(), Origin::Flag));
            let value = value.or_else(|| Some((environment.get(&variable(name))?.clone(), Origin::Environment)));
            let value = value.or_else(|| Some((in_file.remove(*name)?, Origin::File)));
            let value = value.filter(|(value, _)| !value.is_empty());
            given.extend(value.map(|(value, origin)| (*name, (Secret::from(value), origin))));
        }
        let unknown = in_file.into_keys().filter(|name| KEYS.iter().all(|key| key.name != *name));
        for name in unknown {
            problems.add(&name, "is no setting: see config.toml.example", IN_FILE);
        }
        Ok(Self { given, file })
    }

    /// The value that counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        let default = || KEYS.iter().find(|key| key.name == name).map(|key| key.default).filter(|d| !d.is_empty());
        self.given.get(name).map(|(value, _)| value.expose()).or_else(default)
    }

    /// The value that must be there; empty where it is not.
    pub fn require(&self, name: &str, what_it_is: &str, problems: &mut Problems) -> String {
        let value = self.get(name).map(str::to_owned);
        value.unwrap_or_else(|| {
            problems.add(name, format!("is not set ({}): {what_it_is}", variable(name)), EVERYWHERE);
            String::new()
        })
    }

    /// Every value with its origin, secrets aside; none where nothing is said of the staged pipeline.
    pub fn settings(&self) -> Vec<Setting> {
        if self.file.is_none() && self.given.is_empty() {
            return Vec::new();
        }
        let setting = |Key { name, default, secret }: &Key| {
            let (value, origin) = match self.given.get(name) {
                Some((_, origin)) if *secret => (REDACTED.to_owned(), origin.clone()),
                Some((value, origin)) => (shown(value.expose()), origin.clone()),
                None if default.is_empty() => (String::new(), Origin::NotSet),
                None => ((*default).to_owned(), Origin::Default),
            };
            Setting { name: (*name).to_owned(), value, origin }
        };
        KEYS.iter().map(setting).collect()
    }

    /// A key of the provider's section.
    pub fn of(&self, provider: Provider, name: &str) -> Option<&str> {
        self.get(&format!("{}.{name}", provider.as_str()))
    }

    /// Whether the first of two keys of the provider's section is given, and nearer to the command line than the second.
    pub fn is_nearer(&self, provider: Provider, one: &str, other: &str) -> bool {
        let origin = |name| self.given.get(format!("{}.{name}", provider.as_str()).as_str()).map(|(_, origin)| origin);
        origin(one).is_some_and(|one| origin(other).is_none_or(|other| one < other))
    }
}

/// Where values are looked for.
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
        // What the parser says shows the line, and that may be a secret.
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
