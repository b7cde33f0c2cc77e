//! One file a verb.

mod check;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod exit;
mod init;
mod run;
#[cfg(feature = "duckdb")]
mod staged;
mod status;
mod store;

use clap::CommandFactory;
#[cfg(feature = "demo")]
use clap::Parser;
#[cfg(feature = "duckdb")]
use finops_core::model::provider::Provider;
#[cfg(feature = "demo")]
use finops_core::model::run_id::run_id as run_id_of;
#[cfg(feature = "demo")]
use jiff::Timestamp;

use self::exit::CommandError;
pub use self::exit::Exit;
use crate::{
    cli::{Cli, Command, OutputForm, RunArguments},
    output,
    settings::{Environment, Problem},
};

/// Carries out the command. `run_id` is the name of a run.
pub async fn execute(
    cli: Cli,
    environment: Result<Environment, Vec<Problem>>,
    form: OutputForm,
    run_id: String,
) -> Exit {
    let (error, problems) = match command(cli, environment, run_id).await {
        Ok(exit) => return exit,
        Err(CommandError::Problems(problems)) => (output::problems(&problems), problems),
        Err(CommandError::Error(error)) => {
            output::error(&error);
            (error, Vec::new())
        }
    };
    output::no_report(form, &error, &problems);
    Exit::after(&error)
}

async fn command(
    cli: Cli,
    environment: Result<Environment, Vec<Problem>>,
    run_id: String,
) -> Result<Exit, CommandError> {
    match cli.command {
        Command::Run(arguments) => run::run(arguments, &*environment?, run_id).await.map_err(CommandError::from),
        Command::Plan(selection) => {
            let arguments = RunArguments { selection, force: false, dry_run: true };
            run::run(arguments, &*environment?, run_id).await.map_err(CommandError::from)
        }
        Command::Status(arguments) => status::status(arguments, &*environment?).await,
        Command::Check(arguments) => check::check(arguments, &*environment?).await,
        #[cfg(feature = "duckdb")]
        Command::Aws(step) => staged::step(Provider::Aws, step, cli.config.as_deref(), &environment?, run_id).await,
        #[cfg(feature = "duckdb")]
        Command::Azure(step) => staged::step(Provider::Azure, step, cli.config.as_deref(), &environment?, run_id).await,
        #[cfg(not(feature = "duckdb"))]
        Command::Aws(_) | Command::Azure(_) => {
            Err(crate::error::Error::not_built_in("DuckDB, which the staged pipeline loads into").into())
        }
        Command::Config(arguments) => {
            config::config(&arguments, cli.config.as_deref(), &environment?).map_err(CommandError::from)
        }
        Command::Init => Ok(init::init().await?),
        #[cfg(feature = "demo")]
        Command::Demo { dir } => {
            let execute = async |command: &str, settings: Environment| {
                let cli = Cli::parse_from(["finops", command]);
                let run_id = run_id_of(Timestamp::now(), std::process::id());
                Box::pin(execute(cli, Ok(settings), OutputForm::Table, run_id)).await
            };
            demo::demo(&dir, execute).await
        }
        #[cfg(not(feature = "demo"))]
        Command::Demo { .. } => Err(crate::error::Error::not_built_in("the demo").into()),
        Command::Completions { shell } => {
            // Not directly to stdout: the generator panics if a reader closes the pipe early.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "finops", &mut script);
            output::raw(&script);
            Ok(Exit::Success)
        }
    }
}
