//! `finops init`: asks for the settings, and writes them to `.env`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, IsTerminal, Write},
    panic,
    path::Path,
};

use finops_core::{
    hint,
    model::{provider::Provider, shown::without_credentials},
};
use tempfile::NamedTempFile;

use crate::{
    commands::exit::Exit,
    error::{Error, ErrorKind, Result},
    output,
    settings::{CliOverrides, ENV_FILE, env_line, parse, registry},
};

const INTRODUCTION: &str = "\
This asks for the settings of finops and writes them to .env. An empty answer takes the default in [brackets].\n\n";

const FIRST_LINE: &str = "# Settings of finops, from `finops init`. .env.example documents all settings.\n";

const NEXT: &str = "\nNext:\n  finops check    test credentials, export and table; change nothing\n  \
                    finops plan     show what a run would do; change nothing\n";

/// Asks, and writes the file unless there is one.
pub(crate) async fn init() -> Result<Exit> {
    // Reading blocks its thread. A signal must still end the program.
    tokio::task::spawn_blocking(asked_and_written)
        .await
        .unwrap_or_else(|error| panic::resume_unwind(error.into_panic()))
}

fn asked_and_written() -> Result<Exit> {
    let path = Path::new(ENV_FILE);
    if fs::symlink_metadata(path).is_ok() {
        return Err(exists());
    }
    output::prompt(INTRODUCTION);
    let mut dialogue = Dialogue { input: io::stdin().lock(), pipeline: String::new(), settings: Vec::new() };
    dialogue.ask_all()?;
    let lines: Vec<(String, String)> = dialogue
        .settings
        .into_iter()
        .map(|Setting { name, about, value }| (about, env_line(&name, &value).unwrap_or_default()))
        .collect();
    let file: String = lines.iter().map(|(about, line)| ["\n# ", about, "\n", line, "\n"].concat()).collect();
    write(path, &(FIRST_LINE.to_owned() + &file))?;
    let shown: String = lines.iter().map(|(_, line)| ["  ", &without_credentials(line), "\n"].concat()).collect();
    output::raw(format!("{ENV_FILE} is written:\n{shown}{NEXT}").as_bytes());
    Ok(Exit::Success)
}

/// Writes the file, readable by its owner only: whole or not at all, and never over another.
fn write(path: &Path, text: &str) -> Result<()> {
    let unwritable =
        |cause: io::Error| Error::new(ErrorKind::Storage, "cannot write .env").hint(hint::CANNOT_WRITE).cause(cause);
    let mut file = NamedTempFile::new_in(".").map_err(unwritable)?;
    file.write_all(text.as_bytes()).map_err(unwritable)?;
    let written = file.persist_noclobber(path).map_err(|error| error.error);
    written
        .map(drop)
        .map_err(|error| if error.kind() == io::ErrorKind::AlreadyExists { exists() } else { unwritable(error) })
}

fn exists() -> Error {
    Error::new(ErrorKind::Configuration, ".env exists, and was not changed").hint(hint::ENV_FILE_EXISTS)
}

/// A setting with its answer.
struct Setting {
    name: String,
    /// The question, which is the comment in the file too.
    about: String,
    value: String,
}

/// Questions and answers so far.
struct Dialogue<R> {
    input: R,
    /// `aws`, `azure` or `all`.
    pipeline: String,
    settings: Vec<Setting>,
}

impl<R: BufRead> Dialogue<R> {
    fn ask_all(&mut self) -> Result<()> {
        let pipelines = registry::variable("PIPELINE").form;
        let about = format!("The exports to load: one of {}", Provider::PIPELINES.join(", "));
        let answer = self.answer(&about, None, false, |answer| pipelines.problem(&answer.to_lowercase()))?;
        self.pipeline = answer.to_lowercase();
        let duckdb = "The warehouse: duckdb (a file on this machine) or bigquery";
        let warehouse = self.ask("WAREHOUSE", duckdb, Some("duckdb"))?;
        let is_bigquery = warehouse == "bigquery";
        if is_bigquery {
            self.ask("GCP_PROJECT_ID", "The Google Cloud project of the dataset and of the load jobs", None)?;
            let location = "Where BigQuery keeps the data, such as US, EU or europe-west3. It cannot be changed later";
            self.ask("BIGQUERY_LOCATION", location, registry::variable("BIGQUERY_LOCATION").default)?;
        }
        let providers = Provider::ALL.into_iter();
        let wanted: Vec<Provider> =
            providers.filter(|provider| ["all", provider.as_str()].contains(&self.pipeline.as_str())).collect();
        for provider in &wanted {
            self.ask_export(*provider, is_bigquery)?;
        }
        if is_bigquery {
            self.ask_deployment(&wanted)?;
        }
        Ok(())
    }

    fn ask_export(&mut self, provider: Provider, is_bigquery: bool) -> Result<()> {
        let (name, variable) = (provider.as_str(), |suffix| provider.variable(None, suffix));
        let example = |suffix| registry::example(suffix, Some(provider));
        let place =
            if is_bigquery { "gs://bucket/prefix" } else { "a folder, gs://bucket/prefix or s3://bucket/prefix" };
        self.ask(&variable("SOURCE"), &format!("Where the {name} export is: {place}"), None)?;
        let export = format!("The name of the {name} export, or nothing if that place has only one");
        self.ask_optional(&variable("EXPORT_NAME"), &export)?;
        let dataset = if is_bigquery { "dataset" } else { "schema" };
        self.ask(&variable("DATASET"), &format!("The {dataset} of the {name} table"), example("DATASET"))?;
        self.ask(&variable("TABLE_NAME"), &format!("The {name} table"), example("TABLE_NAME"))?;
        Ok(())
    }

    /// What `make deploy` needs. The schedule has a default, and is not asked for.
    fn ask_deployment(&mut self, providers: &[Provider]) -> Result<()> {
        let region = "The region of the Cloud Run job, near the bucket. Only `make deploy` reads it";
        self.ask("GCP_REGION", region, registry::example("GCP_REGION", None))?;
        for provider in providers {
            let schedule = registry::example("SCHEDULE", Some(*provider)).unwrap_or_default();
            self.settings.push(Setting {
                name: provider.variable(None, "SCHEDULE"),
                about: format!("When the {} job runs. Only `make deploy` reads it", provider.as_str()),
                value: schedule.to_owned(),
            });
        }
        Ok(())
    }

    /// Asks for a setting that must have a value.
    fn ask(&mut self, name: &str, about: &str, default: Option<&str>) -> Result<String> {
        let value = self.checked(name, about, default, false)?;
        self.settings.push(Setting { name: name.to_owned(), about: about.to_owned(), value: value.clone() });
        Ok(value)
    }

    fn ask_optional(&mut self, name: &str, about: &str) -> Result<()> {
        let value = self.checked(name, about, None, true)?;
        if !value.is_empty() {
            self.settings.push(Setting { name: name.to_owned(), about: about.to_owned(), value });
        }
        Ok(())
    }

    fn checked(&mut self, name: &str, about: &str, default: Option<&str>, is_optional: bool) -> Result<String> {
        let so_far: BTreeMap<String, String> =
            self.settings.iter().map(|Setting { name, value, .. }| (name.clone(), value.clone())).collect();
        let overrides = CliOverrides { pipeline: Some(self.pipeline.clone()), ..CliOverrides::default() };
        self.answer(about, default, is_optional, |answer| {
            let mut with_answer = so_far.clone();
            with_answer.insert(name.to_owned(), answer.to_owned());
            let problems = parse(&with_answer, &overrides).err().unwrap_or_default();
            let of_run = problems.into_iter().find(|problem| problem.name == name).map(|problem| problem.what);
            of_run
                .or_else(|| registry::of_deployment(name)?.form.problem(answer))
                .or_else(|| env_line(name, answer).err().map(str::to_owned))
        })
    }

    /// Asks until the answer has no problem.
    fn answer(
        &mut self,
        about: &str,
        default: Option<&str>,
        is_optional: bool,
        problem: impl Fn(&str) -> Option<String>,
    ) -> Result<String> {
        loop {
            let brackets = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            output::prompt(&format!("{about}{brackets}: "));
            let line = self.line()?.ok_or_else(|| {
                let message = format!("the answers end before the question `{about}`: nothing was written");
                Error::new(ErrorKind::Configuration, message).hint(hint::ANSWER_EACH)
            })?;
            let answer = match line.trim() {
                "" => default.unwrap_or_default(),
                answer => answer,
            };
            let what = match answer {
                "" if is_optional => None,
                "" => Some("is empty, and there is no default".to_owned()),
                answer => problem(answer),
            };
            match what {
                None => return Ok(answer.to_owned()),
                Some(what) => output::prompt(&format!("  The answer {what}.\n")),
            }
        }
    }

    /// The next line of the input, without its end; `None` after the last.
    fn line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = self.input.read_until(b'\n', &mut line);
        let read = read.map_err(|cause| Error::new(ErrorKind::Storage, "cannot read the answers").cause(cause))?;
        if !io::stdin().is_terminal() {
            // Where a terminal shows the end of the answer.
            output::prompt("\n");
        }
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
    }
}
