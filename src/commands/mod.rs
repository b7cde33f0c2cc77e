//! One file a verb.

mod check;
mod config;
mod run;
#[cfg(feature = "duckdb")]
mod staged;
mod status;

use std::collections::BTreeMap;

use clap::CommandFactory;
#[cfg(feature = "duckdb")]
use finops_core::model::provider::Provider;
use finops_core::report::run::{Report, ReportedError};

#[cfg(feature = "s3")]
use crate::storage::S3;
use crate::{
    cli::{Cli, Command},
    error::{ErrorKind, Result},
    flow::export::{Export, Source},
    output,
    settings::Problem,
    storage::{Gcs, Local, S3Options, Store},
};

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to do, or waiting within its time.
    Success,
    /// A month failed, was refused or is stale, or the run failed.
    Failure,
    /// Usage or configuration.
    Usage,
}

impl Exit {
    fn after(error: &ReportedError) -> Self {
        if error.kind == ErrorKind::Configuration { Self::Usage } else { Self::Failure }
    }

    fn of(report: &Report) -> Self {
        let mut errors = report.pipelines.iter().filter_map(|pipeline| pipeline.error.as_ref());
        if errors.any(|error| Self::after(error) == Self::Usage) {
            Self::Usage
        } else if report.failed() {
            Self::Failure
        } else {
            Self::Success
        }
    }
}

/// Why a command ended before it had anything to report.
#[derive(Debug)]
pub(crate) enum CommandError {
    Problems(Vec<Problem>),
    Error(ReportedError),
}

impl From<Vec<Problem>> for CommandError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl From<crate::error::Error> for CommandError {
    fn from(error: crate::error::Error) -> Self {
        Self::Error(error.reported())
    }
}

impl From<ReportedError> for CommandError {
    fn from(error: ReportedError) -> Self {
        Self::Error(error)
    }
}

/// Carries out the command; a run is called `run_id`.
pub async fn execute(cli: Cli, environment: &BTreeMap<String, String>, run_id: String) -> Exit {
    let done = match cli.command {
        Command::Run(arguments) => run::run(arguments, environment, run_id).await.map_err(CommandError::from),
        Command::Plan(selection) => run::plan(selection, environment, run_id).await.map_err(CommandError::from),
        Command::Status(arguments) => status::status(arguments, environment).await,
        Command::Check(arguments) => check::check(arguments, environment).await,
        #[cfg(feature = "duckdb")]
        Command::Aws(step) => staged::step(Provider::Aws, step, cli.config.as_deref(), environment, run_id).await,
        #[cfg(feature = "duckdb")]
        Command::Azure(step) => staged::step(Provider::Azure, step, cli.config.as_deref(), environment, run_id).await,
        #[cfg(not(feature = "duckdb"))]
        Command::Aws(_) | Command::Azure(_) => {
            Err(crate::error::Error::left_out("DuckDB, which the staged pipeline loads into").into())
        }
        Command::Config(arguments) => {
            config::config(&arguments, cli.config.as_deref(), environment).map_err(CommandError::from)
        }
        Command::Completions { shell } => {
            // Not straight to stdout: the generator panics where a reader closes the pipe early.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "finops", &mut script);
            output::raw(&script);
            Ok(Exit::Success)
        }
    };
    match done {
        Ok(exit) => exit,
        Err(CommandError::Problems(problems)) => {
            output::problems(&problems);
            Exit::Usage
        }
        Err(CommandError::Error(error)) => {
            output::error(&error);
            Exit::after(&error)
        }
    }
}

async fn open_store(export: &Export, storage_emulator: Option<&str>, s3: &S3Options) -> Result<Store> {
    Ok(match &export.source {
        Source::Gcs(bucket) => Store::Gcs(Box::new(Gcs::connect(bucket, storage_emulator).await?)),
        #[cfg(feature = "s3")]
        Source::S3(bucket) => Store::S3(Box::new(S3::connect(bucket, s3).await?)),
        #[cfg(not(feature = "s3"))]
        Source::S3(_) => {
            let _ = s3;
            return Err(crate::error::Error::left_out("S3"));
        }
        Source::Local(root) => Store::Local(Local::new(root)),
    })
}
