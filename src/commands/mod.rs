//! One file a verb.

mod check;
mod config;
mod exit;
mod init;
mod run;
#[cfg(feature = "duckdb")]
mod staged;
mod status;
mod store;

use std::collections::BTreeMap;

use clap::CommandFactory;
#[cfg(feature = "duckdb")]
use finops_core::model::provider::Provider;

use self::exit::CommandError;
pub use self::exit::Exit;
use crate::{
    cli::{Cli, Command, RunArguments},
    output,
};

/// Carries out the command. `run_id` is the name of a run.
pub async fn execute(cli: Cli, environment: &BTreeMap<String, String>, run_id: String) -> Exit {
    let done = match cli.command {
        Command::Init => init::init().await.map_err(CommandError::from),
        Command::Run(arguments) => run::run(arguments, environment, run_id).await.map_err(CommandError::from),
        Command::Plan(selection) => {
            let arguments = RunArguments { selection, force: false, dry_run: true };
            run::run(arguments, environment, run_id).await.map_err(CommandError::from)
        }
        Command::Status(arguments) => status::status(arguments, environment).await,
        Command::Check(arguments) => check::check(arguments, environment).await,
        #[cfg(feature = "duckdb")]
        Command::Aws(step) => staged::step(Provider::Aws, step, cli.config.as_deref(), environment, run_id).await,
        #[cfg(feature = "duckdb")]
        Command::Azure(step) => staged::step(Provider::Azure, step, cli.config.as_deref(), environment, run_id).await,
        #[cfg(not(feature = "duckdb"))]
        Command::Aws(_) | Command::Azure(_) => {
            Err(crate::error::Error::not_built_in("DuckDB, which the staged pipeline loads into").into())
        }
        Command::Config(arguments) => {
            config::config(&arguments, cli.config.as_deref(), environment).map_err(CommandError::from)
        }
        Command::Completions { shell } => {
            // Not directly to stdout: the generator panics if a reader closes the pipe early.
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
