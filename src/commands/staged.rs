//! `finops aws` and `finops azure`: the staged pipeline, step by step or as a whole.

use std::{collections::BTreeMap, io::IsTerminal, path::Path};

use finops_core::{
    export::Provider,
    plan::Rules,
    report::{PipelineReport, Report},
    run_id::run_id,
};
use jiff::Timestamp;

use super::{Exit, Stop, open_store};
use crate::{
    cli::{Output, OutputArguments, Step, StepArguments},
    config::{Export, Problems, Steps, Values},
    error::Result,
    output::{self, ProgressBar},
    pipeline::{self, Run},
    staged::{Writing, export_parquet, extract},
    storage::{Local, S3Options, Store},
    warehouse::{bigquery::BigQuery, duckdb::DuckDb},
};

/// Carries out a step, or all of them.
pub(super) async fn step(
    provider: Provider,
    step: Step,
    file: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<Exit, Stop> {
    let mut problems = Problems::default();
    let values = Values::read(file, environment, &flags(provider, &step), &mut problems)?;
    let steps = Steps { provider, values: &values, problems };
    let staged = Staged { values: &values, environment };
    match step {
        Step::DiscoverManifests(arguments) => staged.discover(steps, &arguments.output).await,
        Step::ExtractBilling(arguments) => staged.extract(steps, &arguments.step).await,
        Step::LoadBillingLocal(arguments) => staged.load_local(steps, &arguments).await,
        Step::ExportParquet(arguments) => {
            let writing = Writing { overwrite: arguments.overwrite, compression: arguments.compression };
            staged.export(steps, &arguments.step, writing).await
        }
        Step::LoadBillingRemote(arguments) => staged.load_remote(steps, &arguments.step, arguments.overwrite).await,
        Step::RunPipeline(arguments) => staged.all(steps, &arguments.step, arguments.dry_run).await,
    }
}

/// The settings that the step's flags stand for.
fn flags(provider: Provider, step: &Step) -> Vec<(&'static str, Option<&String>)> {
    match step {
        Step::DiscoverManifests(arguments) => {
            let name = if provider == Provider::Aws { "aws.export_name" } else { "azure.export_name" };
            let (bucket, prefix) = (arguments.bucket.as_ref(), arguments.prefix.as_ref());
            vec![("aws.bucket", bucket), ("aws.prefix", prefix), (name, arguments.export_name.as_ref())]
        }
        Step::ExtractBilling(arguments) => vec![("staging_dir", arguments.staging_dir.as_ref())],
        Step::ExportParquet(arguments) => vec![("parquet_dir", arguments.output_dir.as_ref())],
        Step::LoadBillingLocal(_) | Step::LoadBillingRemote(_) | Step::RunPipeline(_) => Vec::new(),
    }
}

struct Staged<'a> {
    values: &'a Values,
    environment: &'a BTreeMap<String, String>,
}

impl Staged<'_> {
    fn run(steps: &mut Steps<'_>, arguments: &StepArguments, force: bool, dry_run: bool) -> Run {
        let now = Timestamp::now();
        Run {
            run_id: run_id(now, std::process::id()),
            months: steps.months(arguments.start_date.as_ref(), arguments.end_date.as_ref()),
            rules: Rules { force, now, wait_max: steps.wait_max() },
            dry_run,
        }
    }

    async fn source(&self, export: &Export) -> Result<Store> {
        let of_aws = |name: &str| self.values.get(&format!("aws.{name}")).map(str::to_owned);
        let s3 = S3Options {
            access_key_id: of_aws("aws_access_key_id"),
            secret_access_key: of_aws("aws_secret_access_key"),
            session_token: of_aws("aws_session_token"),
            region: of_aws("region"),
            endpoint_url: of_aws("endpoint_url"),
        };
        open_store(export, self.environment.get("STORAGE_EMULATOR_HOST").map(String::as_str), &s3).await
    }

    async fn extract(&self, mut steps: Steps<'_>, arguments: &StepArguments) -> Result<Exit, Stop> {
        let (export, root, run) =
            (steps.delivered(), steps.staging_dir(), Self::run(&mut steps, arguments, false, false));
        steps.checked()?;
        let store = self.source(&export).await?;
        Ok(report(extract(&export, &store, &root, &run).await, &run, &arguments.output))
    }

    async fn load_local(&self, mut steps: Steps<'_>, arguments: &StepArguments) -> Result<Exit, Stop> {
        let (export, path, run) =
            (steps.staged(), steps.database_path(), Self::run(&mut steps, arguments, false, false));
        let store = Store::Local(Local::new(steps.staging_dir()));
        steps.checked()?;
        let bar = ProgressBar::new(std::io::stderr().is_terminal());
        let loaded = pipeline::run(&export, &store, &DuckDb::open(&path)?, &run, &|progress| bar.show(&progress)).await;
        bar.finish();
        Ok(report(loaded, &run, &arguments.output))
    }

    async fn export(&self, mut steps: Steps<'_>, arguments: &StepArguments, writing: Writing) -> Result<Exit, Stop> {
        let (export, path, folder) = (steps.staged(), steps.database_path(), steps.parquet_dir());
        let run = Self::run(&mut steps, arguments, false, false);
        steps.checked()?;
        let duckdb = DuckDb::open_to_read(&path)?;
        Ok(report(export_parquet(&export, &duckdb, &folder, &run, writing).await, &run, &arguments.output))
    }

    async fn load_remote(&self, mut steps: Steps<'_>, arguments: &StepArguments, force: bool) -> Result<Exit, Stop> {
        let (export, run) = (steps.parquet(), Self::run(&mut steps, arguments, force, false));
        let store = Store::Local(Local::new(steps.parquet_dir()));
        let options = steps.bigquery(self.environment.get("BIGQUERY_EMULATOR_HOST").cloned());
        steps.checked()?;
        let bar = ProgressBar::new(std::io::stderr().is_terminal());
        let loaded =
            pipeline::run(&export, &store, &BigQuery::connect(options)?, &run, &|progress| bar.show(&progress)).await;
        bar.finish();
        Ok(report(loaded, &run, &arguments.output))
    }

    async fn discover(&self, mut steps: Steps<'_>, output: &OutputArguments) -> Result<Exit, Stop> {
        let everything =
            StepArguments { start_date: None, end_date: None, output: OutputArguments { output: output.output } };
        let (export, root, run) =
            (steps.delivered(), steps.staging_dir(), Self::run(&mut steps, &everything, false, true));
        steps.checked()?;
        let store = self.source(&export).await?;
        Ok(report(extract(&export, &store, &root, &run).await, &run, output))
    }

    async fn all(&self, _steps: Steps<'_>, _arguments: &StepArguments, _dry_run: bool) -> Result<Exit, Stop> {
        Ok(Exit::Success)
    }
}

fn report(pipeline: PipelineReport, run: &Run, output: &OutputArguments) -> Exit {
    let report = Report { run_id: run.run_id.clone(), pipelines: vec![pipeline] };
    match output.output {
        Output::Json => output::json(&report),
        Output::Table => output::report(&report, run.dry_run),
    }
    output::failures(&report);
    if report.failed() { Exit::Failure } else { Exit::Success }
}
