//! The command line, as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValue};

use crate::{version::VERSION, warehouse::Compression};

const EXAMPLES: &str = "\
Examples:
  finops plan                          what a run would do, and why
  finops run                           load what is new, from every export of the pipeline in PIPELINE
  finops run aws --start-date 2025-01  only months from 2025-01 on
  finops run --output json | jq .      the report for programs

Settings come from the environment; `finops config` shows them, .env.example documents them. AWS_EXPORTS
names several exports, each with its own table: AWS_PROD_TABLE_NAME replaces AWS_TABLE_NAME.
Exit codes: 0 done, nothing to do, or waiting; 1 a month, an export or the run failed, or would in a plan;
2 usage or configuration; 130 and 143 interrupted.";

const CHECK_HELP: &str = "\
Each check is ok, a warning (a run may succeed, or finops cannot know), failed, or not checked, because a check that it
needs failed. It changes nothing, and BigQuery bills nothing. The result is for the account that runs it: to check the
account of a job, run it as that job.

Examples:
  finops check                         every export of the pipeline in PIPELINE
  finops check aws --output json | jq '.checks[] | select(.status != \"ok\")'

Exit codes: 0 all ok, or warnings only; 1 a check failed; 2 usage or configuration.";

/// Loads cloud billing exports into BigQuery or DuckDB, month by month, by manifest.
#[derive(Debug, Parser)]
#[command(name = "finops", version = VERSION.as_str(), about, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The file with the settings of the staged pipeline; default: config.toml, if it exists
    #[arg(long, value_name = "PATH", global = true)]
    pub config: Option<PathBuf>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load every month whose newest delivery is not loaded yet, each as a whole
    Run(RunArguments),
    /// Show what a run would do and why; change nothing
    Plan(Selection),
    /// Show what is loaded: each month's delivery, rows and cost, for every export
    Status(ChosenArguments),
    /// Test the settings against the services: credentials, bucket, export, dataset, permissions; change nothing
    #[command(after_help = CHECK_HELP)]
    Check(ChosenArguments),
    /// The staged pipeline for AWS: S3 to a staging folder, to DuckDB, to Parquet, to BigQuery
    #[command(subcommand)]
    Aws(Step),
    /// The staged pipeline for Azure: from a folder or bucket to a staging folder, to DuckDB, to Parquet, to BigQuery
    #[command(subcommand)]
    Azure(Step),
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
    /// Load complete deliveries again, even if they are loaded
    #[arg(long)]
    pub force: bool,
    /// Stop after the plan, as `finops plan` does
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `plan`, and of `run`.
#[derive(Debug, Args)]
pub struct Selection {
    /// The pipeline; default: PIPELINE
    #[arg(value_name = "aws|azure|all")]
    pub pipeline: Option<String>,
    /// The first month, YYYY-MM; default: START_DATE, or no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub start_date: Option<String>,
    /// The last month, YYYY-MM; default: END_DATE, or no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub end_date: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// The steps of the staged pipeline.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Show what the provider delivered, and which months are staged, loaded and written; change nothing
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws discover-manifests --bucket my-bucket --prefix cur\n  finops aws discover-manifests --output json | jq ."
    )]
    DiscoverManifests {
        /// The S3 bucket, instead of aws.bucket; for Azure gs://BUCKET or s3://BUCKET, instead of azure.bucket
        #[arg(long)]
        bucket: Option<String>,
        /// The folder in it, instead of aws.prefix or azure.prefix
        #[arg(long)]
        prefix: Option<String>,
        /// The export, instead of aws.export_name or azure.export_name
        #[arg(long, value_name = "NAME")]
        export_name: Option<String>,
        /// How to print.
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Download the data files of new deliveries to the staging folder
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws extract-billing --start-date 2025-01 --end-date 2025-03\n  finops aws extract-billing --staging-dir /mnt/billing"
    )]
    ExtractBilling {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// The staging folder, instead of staging_dir
        #[arg(long, value_name = "PATH")]
        staging_dir: Option<String>,
    },
    /// Load staged deliveries into DuckDB, each month as a whole
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws load-billing-local\n  finops aws load-billing-local --start-date 2025-01 --end-date 2025-01"
    )]
    LoadBillingLocal(StepArguments),
    /// Write the months in DuckDB to Parquet files
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws export-parquet --output-dir ./parquet\n  finops aws export-parquet --overwrite --compression zstd"
    )]
    ExportParquet {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// The folder for the files, instead of parquet_dir
        #[arg(long, value_name = "PATH")]
        output_dir: Option<String>,
        /// Write months again, even if they are written
        #[arg(long)]
        overwrite: bool,
        /// The compression of the files
        #[arg(long, value_enum, default_value_t = Compression::Snappy)]
        compression: Compression,
    },
    /// Load the Parquet files into BigQuery, each month as a whole
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws load-billing-remote\n  finops aws load-billing-remote --start-date 2025-01 --overwrite"
    )]
    LoadBillingRemote {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// Load months again, even if they are loaded
        #[arg(long)]
        overwrite: bool,
    },
    /// Run all steps, one after the other
    #[command(
        after_help = "Examples (`finops azure` has the same steps):\n  finops aws run-pipeline --dry-run\n  finops aws run-pipeline --start-date 2025-01"
    )]
    RunPipeline {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// Show what each step would do; change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Arguments that every step has.
#[derive(Debug, Args)]
pub struct StepArguments {
    /// The first month; default: no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub start_date: Option<String>,
    /// The last month; default: no limit
    #[arg(long, value_name = "YYYY-MM")]
    pub end_date: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArguments,
}

impl ValueEnum for Compression {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Snappy, Self::Zstd]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Snappy => PossibleValue::new("snappy").help("Quick to read and write"),
            Self::Zstd => PossibleValue::new("zstd").help("Smaller"),
        })
    }
}

/// Arguments of `status` and of `check`.
#[derive(Debug, Args)]
pub struct ChosenArguments {
    /// The pipeline; default: PIPELINE
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
    #[arg(long, value_enum, default_value_t = OutputForm::Table)]
    pub output: OutputForm,
    /// Show all digits of amounts in tables; JSON always has them
    #[arg(long)]
    pub exact: bool,
}

/// The forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    Table,
    /// For programs.
    Json,
}
