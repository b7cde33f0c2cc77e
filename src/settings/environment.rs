//! The variables in the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    ops::Deref,
};

use finops_core::model::provider::Provider;

use super::{
    dotenv,
    export_variables::{ExportVariables, is_of_export},
    others::CLOUDS_IN_FILE,
    problem::{ENV_FILE, ENVIRONMENT, Problem, Problems},
    registry,
    setting::{Origin, Setting},
    values::Named,
};

/// The variables by name: those of the process, and those of `.env` that the process does not have.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    of_file: BTreeSet<String>,
}

impl Deref for Environment {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.variables
    }
}

impl<const COUNT: usize> From<[(&str, &str); COUNT]> for Environment {
    fn from(variables: [(&str, &str); COUNT]) -> Self {
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { variables, of_file: BTreeSet::new() }
    }
}

impl Environment {
    /// The variable's value, and where it comes from.
    pub(super) fn given(&self, name: &str) -> Option<(&str, Origin)> {
        let origin = if self.of_file.contains(name) { Origin::EnvFile } else { Origin::Environment };
        Some((self.variables.get(name)?, origin))
    }

    /// The variables of `.env` for the clouds' libraries, which read the process's environment.
    pub fn for_libraries(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_file = self.variables.iter().filter(|(name, _)| self.of_file.contains(*name));
        of_file.map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| CLOUDS_IN_FILE.contains(name))
    }
}

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
        problems.refuse(name, registry::variable(name).problem(value), ENVIRONMENT);
        Some(value)
    }
}

/// The process's environment, and `.env` of the working directory if `reads_file`; without empty variables: deployments set
/// a variable to nothing to clear it.
///
/// # Errors
/// The settings that are not UTF-8: if they were ignored, finops would use the default. What is wrong with `.env`.
pub fn process_environment(reads_file: bool) -> Result<Environment, Vec<Problem>> {
    let (mut environment, mut problems) = (Environment::default(), Problems::default());
    if reads_file {
        let (values, wrong) =
            env_file().unwrap_or_else(|error| (BTreeMap::new(), vec![format!("cannot be read: {error}")]));
        for what in wrong.into_iter().take(MOST_LINES) {
            problems.add(ENV_FILE, what, &[ENV_FILE]);
        }
        for (name, value) in values {
            if std::env::var_os(&name).is_none() && !value.trim().is_empty() {
                environment.variables.insert(name.clone(), value.trim().to_owned());
                environment.of_file.insert(name);
            }
        }
    }
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => drop(environment.variables.insert(name, value.trim().to_owned())),
            Err(_) if is_setting(&name) => problems.add(&name, "is not UTF-8 text", ENVIRONMENT),
            Err(_) => {}
        }
    }
    problems.none().map(|()| environment)
}

/// The bytes that `.env` may have.
const LARGEST: u64 = 1 << 20;

/// The lines of `.env` that are reported at once.
const MOST_LINES: usize = 20;

/// The values of `.env`, and the problems with its lines; nothing if there is none.
fn env_file() -> io::Result<(BTreeMap<String, String>, Vec<String>)> {
    let mut data = Vec::new();
    match File::open(ENV_FILE).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut data)) {
        Ok(_) if data.len() as u64 > LARGEST => Err(io::Error::other("it has more than 1 MiB")),
        Ok(_) => Ok(dotenv::read(&data)),
        // In a folder that is closed to this account, nobody can say whether there is one.
        Err(_) if fs::symlink_metadata(ENV_FILE).is_err() => Ok(Default::default()),
        // A common name for a virtual environment of Python.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(Default::default()),
        Err(error) => Err(error),
    }
}

fn is_setting(name: &str) -> bool {
    registry::of_run().any(|setting| setting.name == name)
        || Provider::ALL.into_iter().any(|provider| is_of_export(provider, name))
}

/// Every variable with its value and origin.
pub fn settings(environment: &Environment) -> Vec<Setting> {
    let setting = |name: String, default| {
        let given = environment.given(&name);
        Setting::new(name.clone(), given, default)
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
                let given = export.get(definition.name).and_then(|(from, _)| {
                    let (value, origin) = environment.given(&from)?;
                    Some((value, if from == own { origin } else { Origin::Shared(from) }))
                });
                Setting::new(own, given, definition.default)
            }));
        }
    }
    settings
}
