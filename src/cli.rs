//! The command line, as types.

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue},
};
use finops_core::model::provider::Provider;

use crate::{telemetry::Verbosity, version::VERSION, warehouse::Compression};

/// Text below the options: examples, then the exit codes. Lines of examples have at most 80 columns; the rest is wrapped.
macro_rules! examples {
    ($examples:literal $(, $more:literal)*) => {
        concat!(
            "Examples:\n", $examples, "\n\n", $($more, "\n\n",)*
            "Exit codes: 0 done, nothing to do, or waiting; 1 failed, or would fail in a plan; \
             2 usage or configuration; 130 and 143 interrupted."
        )
    };
}

/// The same for a step of the staged pipeline.
macro_rules! step_examples {
    ($examples:literal $(, $more:literal)*) => {
        examples!($examples $(, $more)*, "`finops aws` and `finops azure` have the same steps.")
    };
}

/// Loads cloud billing exports into BigQuery or DuckDB, month by month, by manifest.
#[derive(Debug, Parser)]
#[command(name = "finops", version = VERSION.as_str(), about, max_term_width = 110, after_help = examples!(
    "  finops init                          ask for the settings, and write .env
  finops check                         test the settings against the services
  finops plan                          show what a run would do, and why
  finops run                           load what is new, from every export
  finops run aws --start-date 2025-01  load only months from 2025-01 on
  finops run --output json | jq .      print the report for programs",
    "Settings come from the environment and from .env in the working directory. `finops config` shows them. \
     .env.example documents them.",
    "AWS_EXPORTS names several exports, each with its own table: AWS_PROD_TABLE_NAME replaces AWS_TABLE_NAME."
))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The file with the settings of the staged pipeline; default: config.toml, if it exists
    #[arg(long, value_name = "PATH", global = true)]
    pub config: Option<PathBuf>,
    /// Print only warnings and errors beside the result: no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print what finops does, line by line; -vv: in detail. RUST_LOG replaces this
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Cli {
    /// Reads the arguments of the process.
    ///
    /// # Errors
    /// The parser's message, also for `--help` and `--version`.
    pub fn read() -> clap::error::Result<Self> {
        Self::try_parse().map_err(|mut error| {
            // The parser advises to pass an unknown flag as a value. No argument of finops begins with `-`.
            if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
                tips.retain(|tip| !tip.to_string().contains("as a value"));
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
            }
            error
        })
    }

    /// How much to print to stderr.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Detailed,
        }
    }
}

/// The name of a pipeline: a provider, or `all`. Case does not matter.
fn pipeline() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(Provider::PIPELINES).map(|name| name.to_ascii_lowercase())
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for the settings, and write them to .env in the working directory
    #[command(after_help = examples!(
        "  finops init                        answer the questions in a terminal
  printf '%s\\n' aws ... | finops init  answers from a program, one a line",
        "An empty answer takes the default in brackets. A file .env that exists is never changed."
    ))]
    Init,
    /// Load every month whose newest delivery is not loaded yet, each as a whole
    #[command(after_help = examples!(
        "  finops run                           every export that is configured
  finops run aws --start-date 2025-01  only months from 2025-01 on
  finops run --dry-run                 only show what it would do
  finops run --output json | jq .      the report for programs"
    ))]
    Run(RunArguments),
    /// Show what a run would do and why; change nothing
    #[command(after_help = examples!(
        "  finops plan
  finops plan azure --start-date 2025-01 --end-date 2025-03"
    ))]
    Plan(Selection),
    /// Show what is loaded: each month's delivery, rows and cost, for every export
    #[command(after_help = examples!(
        "  finops status
  finops status aws --output json | jq ."
    ))]
    Status(ChosenArguments),
    /// Test the settings against the services: credentials, bucket, export, dataset, permissions; change nothing
    #[command(after_help = examples!(
        "  finops check                         every export that is configured
  finops check --output json | jq '.checks[] | select(.status != \"ok\")'",
        "Each check is ok, a warning, failed or not checked. A warning: a run may succeed, or finops cannot know. \
         Not checked: a check that it needs failed.",
        "BigQuery bills nothing for it. The result is for the account that runs it. To check the account of a job, \
         run it as that job."
    ))]
    Check(ChosenArguments),
    /// The staged pipeline for AWS: from S3 through DuckDB and Parquet files into BigQuery, step by step
    #[command(subcommand)]
    Aws(Step),
    /// The staged pipeline for Azure: from a folder or bucket through DuckDB and Parquet files into BigQuery
    #[command(subcommand)]
    Azure(Step),
    /// Show each setting with its value and origin, and what is wrong with them
    #[command(after_help = examples!(
        "  finops config
  finops config --output json | jq '.[] | select(.origin != \"default\")'"
    ))]
    Config(OutputArguments),
    /// Show finops on invented bills of AWS and Azure, without an account
    #[command(after_help = examples!(
        "  finops demo                    into data/demo
  finops demo --dir /tmp/demo"
    ))]
    Demo {
        /// Its folder, empty or with an earlier demo
        #[arg(long, value_name = "PATH", default_value = "data/demo")]
        dir: PathBuf,
    },
    /// Print a completion script for a shell
    #[command(after_help = examples!(
        "  source <(finops completions bash)                   for this shell
  finops completions fish > ~/.config/fish/completions/finops.fish"
    ))]
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
    /// The pipeline; default: PIPELINE, otherwise all that are configured
    #[arg(value_parser = pipeline(), ignore_case = true)]
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
    #[command(after_help = step_examples!(
        "  finops aws discover-manifests --bucket my-bucket --prefix cur
  finops aws discover-manifests --output json | jq ."
    ))]
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
    #[command(after_help = step_examples!(
        "  finops aws extract-billing --start-date 2025-01 --end-date 2025-03
  finops aws extract-billing --staging-dir /mnt/billing"
    ))]
    ExtractBilling {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// The staging folder, instead of staging_dir
        #[arg(long, value_name = "PATH")]
        staging_dir: Option<String>,
    },
    /// Load staged deliveries into DuckDB, each month as a whole
    #[command(after_help = step_examples!(
        "  finops aws load-billing-local
  finops aws load-billing-local --start-date 2025-01 --end-date 2025-01"
    ))]
    LoadBillingLocal(StepArguments),
    /// Write the months in DuckDB to Parquet files
    #[command(after_help = step_examples!(
        "  finops aws export-parquet --output-dir ./parquet
  finops aws export-parquet --overwrite --compression zstd",
        "Timestamps in the files are in UTC and have no zone, as in DuckDB."
    ))]
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
    #[command(after_help = step_examples!(
        "  finops aws load-billing-remote
  finops aws load-billing-remote --start-date 2025-01 --overwrite"
    ))]
    LoadBillingRemote {
        /// Which months.
        #[command(flatten)]
        step: StepArguments,
        /// Load months again, even if they are loaded
        #[arg(long)]
        overwrite: bool,
    },
    /// Run all steps, one after the other
    #[command(after_help = step_examples!(
        "  finops aws run-pipeline --dry-run
  finops aws run-pipeline --start-date 2025-01"
    ))]
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
    /// The pipeline; default: PIPELINE, otherwise all that are configured
    #[arg(value_parser = pipeline(), ignore_case = true)]
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

impl OutputForm {
    /// The form that the process's arguments ask for, even if they cannot be parsed.
    pub fn asked_for() -> Self {
        let arguments: Vec<_> = std::env::args_os().collect();
        let is_json = arguments.iter().any(|argument| argument == "--output=json")
            || arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
        if is_json { Self::Json } else { Self::Table }
    }
}
