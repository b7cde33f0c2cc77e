//! The real program, run with an environment of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use assert_cmd::{Command, cargo::cargo_bin};
use bigquery_emulator::Emulator;
use serde_json::Value;

use crate::support::{
    schemas::assert_described,
    servers::{PROJECT, StorageServer},
};

/// The bucket of the tests' storage servers.
pub const BUCKET: &str = "billing-mirror";
/// The dataset or schema of the table.
pub const DATASET: &str = "billing";
/// The table.
pub const TABLE: &str = "aws_cur";

/// The program with its settings.
#[derive(Clone)]
pub struct Finops {
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

/// How a run of the program ended.
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finops {
    /// From a folder into a DuckDB file.
    pub fn local(source: &Path, database: &Path) -> Self {
        Self::aws()
            .with("WAREHOUSE", "duckdb")
            .with("DUCKDB_PATH", database.to_str().unwrap())
            .with("AWS_SOURCE", source.to_str().unwrap())
    }

    /// From the bucket, below `cur`, into BigQuery.
    pub fn cloud(storage: &StorageServer, bigquery: &Emulator) -> Self {
        Self::aws()
            .with("GCP_PROJECT_ID", PROJECT)
            .with("AWS_GCS_BUCKET", BUCKET)
            .with("AWS_GCS_PREFIX", "cur")
            .with("STORAGE_EMULATOR_HOST", storage.url())
            .with("BIGQUERY_EMULATOR_HOST", &bigquery.url())
    }

    fn aws() -> Self {
        Self::unconfigured().with("PIPELINE", "aws").with("AWS_DATASET", DATASET).with("AWS_TABLE_NAME", TABLE)
    }

    /// Without settings, in a folder of the suite that has no `config.toml`.
    pub fn unconfigured() -> Self {
        Self { environment: BTreeMap::new(), folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")) }
    }

    /// The same with another setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without a setting.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The settings.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The same with another working folder.
    pub fn within(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// Runs to the end. In an async test, the runtime must have several threads. What `--output json` prints must be as in
    /// docs/schema.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(cargo_bin!("finops"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(&self.environment).current_dir(&self.folder).args(arguments);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_described(arguments, &stdout);
        Outcome { code: output.status.code().unwrap(), stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }

    /// Runs `finops run --output json`, which must end with `code`. Returns the report.
    pub fn report(&self, code: i32) -> Value {
        self.report_of(&["run", "--output", "json"], code)
    }

    /// Runs with other arguments that print JSON.
    pub fn report_of(&self, arguments: &[&str], code: i32) -> Value {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, code, "{}\n{}", outcome.stdout, outcome.stderr);
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stdout))
    }

    /// What a command prints on stdout. It must succeed, and print nothing on stderr.
    #[track_caller]
    pub fn prints(&self, arguments: &[&str]) -> String {
        let Outcome { code, stdout, stderr } = self.run(arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        stdout
    }

    /// Starts `finops run`.
    pub fn spawn(&self) -> Child {
        self.start(&["run", "--output", "json"])
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The program, not yet started.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(cargo_bin!("finops"));
        command.env_clear().envs(&self.environment).current_dir(&self.folder).args(arguments).stdout(Stdio::piped());
        command
    }
}

/// A month of a report with one pipeline.
pub fn month<'a>(report: &'a Value, billing_period: &str) -> &'a Value {
    let months = report["pipelines"][0]["months"].as_array().unwrap();
    let found = months.iter().find(|month| month["billing_period"] == billing_period);
    found.unwrap_or_else(|| panic!("no {billing_period} in {report:#}"))
}

/// Each month's value of `key`, newest first.
pub fn each<'a>(report: &'a Value, key: &str) -> Vec<&'a str> {
    let months = report["pipelines"][0]["months"].as_array().unwrap();
    months.iter().map(|month| month[key].as_str().unwrap_or_default()).collect()
}

/// Asserts that `text` has each of `parts`.
#[track_caller]
pub fn assert_names(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
