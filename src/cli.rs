//! The command line, as types.

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  finops plan                          what a run would do, and why
  finops run                           load what is new, of every export of the pipeline that PIPELINE names
  finops run aws --start-date 2025-01  only months from 2025-01 on
  finops run --output json | jq .      the report for programs

Settings come from the environment; `finops config` shows them, .env.example documents them. AWS_EXPORTS
names several exports, each with a table of its own: AWS_PROD_TABLE_NAME counts before AWS_TABLE_NAME.
Exit codes: 0 done, nothing to do, or waiting; 1 a month, an export or the run failed; 2 usage or configuration.";

/// Loads cloud billing exports into BigQuery or DuckDB, month by month, by manifest.
#[derive(Debug, Parser)]
#[command(name = "finops", version, about, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load every month whose newest delivery is not loaded yet, each as a whole
    Run(RunArguments),
    /// Show what a run would do and why; change nothing
    Plan(Selection),
    /// Show what is loaded: each month's delivery, rows and cost, for every export
    Status(StatusArguments),
    /// Show each setting with its value and origin, and what is wrong with them
    Config(OutputArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Which months.
    #[command(flatten)]
    pub selection: Selection,
    /// Load complete deliveries again although they are loaded
    #[arg(long)]
    pub force: bool,
    /// Stop after the plan, as `finops plan` does
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `plan`, and of `run`.
#[derive(Debug, Args)]
pub struct Selection {
    /// Which pipeline; without it, PIPELINE decides
    #[arg(value_name = "aws|azure|all")]
    pub pipeline: Option<String>,
    /// The first month, YYYY-MM; without it, START_DATE, else no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub start_date: Option<String>,
    /// The last month, YYYY-MM; without it, END_DATE, else no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub end_date: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which pipeline; without it, PIPELINE decides
    #[arg(value_name = "aws|azure|all")]
    pub pipeline: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// How to print.
#[derive(Debug, Args)]
pub struct OutputArguments {
    /// A table for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// The two forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}
