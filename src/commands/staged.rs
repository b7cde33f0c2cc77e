//! `finops aws` and `finops azure`: the staged pipeline, step by step or as a whole.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use finops_core::{
    formats::staging::{EXPORT_PARQUET, EXTRACT_BILLING},
    hint,
    model::provider::Provider,
    plan::Rules,
    report::run::{MonthReport, MonthStatus, MonthVerb, PipelineReport, PipelineStatus, Report, ReportedError},
};
use jiff::Timestamp;
use tracing::Span;

use super::{
    exit::{CommandError, Exit},
    store::open_store,
};
use crate::{
    cli::{OutputArguments, Step},
    error::{Error, ErrorKind, Result},
    flow::{
        export::{Export, Run},
        report::started,
        run::run_export,
        silence::check_age,
    },
    output::{self, ProgressBar},
    settings::{Environment, Flag, Problem, Problems, StagedSettings, Values, unread},
    staging::{Overview, Places, Writing, export_parquet, extract, lock_to_read, overview},
    storage::{Local, S3Options, Store},
    warehouse::{
        Compression, Warehouse,
        bigquery::{self, BigQuery},
        duckdb::DuckDb,
    },
};

/// The step that loads the staging folder into DuckDB.
const LOAD_BILLING_LOCAL: &str = "load-billing-local";

/// Runs a step, or all of them.
pub(super) async fn step(
    provider: Provider,
    step: Step,
    file: Option<&Path>,
    environment: &Environment,
    run_id: String,
) -> Result<Exit, CommandError> {
    Span::current().record("pipeline", provider.as_str());
    let mut problems = Problems::default();
    let values = Values::read(file, environment, &flags(provider, &step), &mut problems)?;
    let settings = StagedSettings { provider, values: &values, problems };
    let (dates, output) = common(&step);
    let unread = unread(environment);
    let mut staged = Staged::new(settings, &step, dates, environment, &unread, run_id)?;
    output::unread(&unread);
    let writing = Writing { overwrite: false, compression: Compression::Snappy };
    let reports = match &step {
        Step::DiscoverManifests { .. } => {
            let Overview { months, errors, .. } = staged.overview(writing).await?;
            output::printer(output).overview(&months, false);
            return Ok(exit_after(&errors));
        }
        Step::ExtractBilling { .. } => vec![staged.extract().await],
        Step::LoadBillingLocal(_) => vec![staged.load_local().await],
        Step::ExportParquet { overwrite, compression, .. } => {
            let writing = Writing { overwrite: *overwrite, compression: *compression };
            let exported = staged.export(writing).await;
            vec![exported.unwrap_or_else(|| staged.nothing_loaded())]
        }
        Step::LoadBillingRemote { overwrite, .. } => {
            staged.run.rules.force = *overwrite;
            staged.load_remote().await.into_iter().collect()
        }
        Step::RunPipeline { dry_run: true, .. } => {
            let Overview { months, newest_delivery_at, errors } = staged.overview(writing).await?;
            output::printer(output).overview(&months, true);
            let exit = exit_after(&errors);
            check_age(newest_delivery_at, &staged.run.max_age, staged.run.rules.now)?;
            return Ok(if months.iter().any(|month| month.fails) { exit.max(Exit::Failure) } else { exit });
        }
        Step::RunPipeline { .. } => return Ok(staged.run_all(writing, output).await),
    };
    let report = Report::new(staged.run.run_id.clone(), reports);
    output::printer(output).report(&report, false);
    Ok(staged.finish(&report))
}

/// Prints what could not be read, once each, and returns how the program ends.
fn exit_after(errors: &[ReportedError]) -> Exit {
    errors.iter().for_each(output::error);
    errors.iter().map(Exit::after).max().unwrap_or(Exit::Success)
}

/// The dates and the form of output.
fn common(step: &Step) -> ([Option<&str>; 2], &OutputArguments) {
    match step {
        Step::DiscoverManifests { output, .. } => ([None; 2], output),
        Step::LoadBillingLocal(step)
        | Step::ExtractBilling { step, .. }
        | Step::ExportParquet { step, .. }
        | Step::LoadBillingRemote { step, .. }
        | Step::RunPipeline { step, .. } => ([step.start_date.as_deref(), step.end_date.as_deref()], &step.output),
    }
}

/// The settings that the step's flags replace.
fn flags(provider: Provider, step: &Step) -> Vec<Flag<'_>> {
    match step {
        Step::DiscoverManifests { bucket, prefix, export_name, .. } => [
            ("--bucket", "bucket", bucket),
            ("--prefix", "prefix", prefix),
            ("--export-name", "export_name", export_name),
        ]
        .map(|(name, key, value)| Flag::new(name, format!("{}.{key}", provider.as_str()), value))
        .into(),
        Step::ExtractBilling { staging_dir, .. } => vec![Flag::new("--staging-dir", "staging_dir", staging_dir)],
        Step::ExportParquet { output_dir, .. } => vec![Flag::new("--output-dir", "parquet_dir", output_dir)],
        Step::LoadBillingLocal(_) | Step::LoadBillingRemote { .. } | Step::RunPipeline { .. } => Vec::new(),
    }
}

/// Copies the rows and cost of each month from the step that counted them, load-billing-local, to the step that staged it.
fn count_staged(steps: &mut [PipelineReport]) {
    let [staged, loaded, ..] = steps else { return };
    for month in &mut staged.months {
        let is_same = |loaded: &&MonthReport| {
            (loaded.billing_period, &loaded.execution_id) == (month.billing_period, &month.execution_id)
        };
        let result = loaded.months.iter().find(is_same).and_then(|loaded| loaded.result.as_ref());
        let counted = result.filter(|result| result.status == MonthStatus::Loaded);
        if let Some((staged, counted)) = month.result.as_mut().zip(counted)
            && staged.status == MonthStatus::Loaded
        {
            staged.rows = counted.rows;
            staged.cost.clone_from(&counted.cost);
        }
    }
}

/// The staged pipeline of a provider, with its settings checked.
struct Staged {
    run: Run,
    delivered: Option<Export>,
    local: Export,
    remote: Option<(Export, bigquery::Options)>,
    staging_dir: PathBuf,
    parquet_dir: PathBuf,
    database_path: PathBuf,
    s3: S3Options,
    storage_emulator: Option<String>,
    started: Instant,
}

impl Staged {
    fn new(
        mut settings: StagedSettings<'_>,
        step: &Step,
        dates: [Option<&str>; 2],
        environment: &Environment,
        unread: &[Problem],
        run_id: String,
    ) -> Result<Self, CommandError> {
        let now = Timestamp::now();
        let (with_source, with_bigquery) = match step {
            Step::DiscoverManifests { .. } | Step::RunPipeline { .. } => (true, settings.names_bigquery()),
            Step::ExtractBilling { .. } => (true, false),
            Step::LoadBillingLocal(_) | Step::ExportParquet { .. } => (false, false),
            Step::LoadBillingRemote { .. } => (false, true),
        };
        let emulator = environment.get("BIGQUERY_EMULATOR_HOST").cloned();
        let months = settings.months(dates);
        let staged = Self {
            run: Run {
                run_id,
                months,
                rules: Rules { force: false, now, wait_max: settings.wait_max() },
                max_age: settings.max_age(&months),
                dry_run: false,
            },
            delivered: with_source.then(|| settings.delivered()),
            local: settings.staged(),
            remote: with_bigquery.then(|| (settings.parquet(), settings.bigquery(emulator))),
            staging_dir: settings.path("staging_dir"),
            parquet_dir: settings.path("parquet_dir"),
            database_path: settings.path("database.duckdb.database_path"),
            s3: settings.s3(),
            storage_emulator: environment.get("STORAGE_EMULATOR_HOST").cloned(),
            started: Instant::now(),
        };
        settings.problems.none_beside(unread)?;
        Ok(staged)
    }

    async fn source(&self) -> Result<Option<(&Export, Store)>> {
        let Some(export) = &self.delivered else { return Ok(None) };
        Ok(Some((export, open_store(export, self.storage_emulator.as_deref(), &self.s3).await?)))
    }

    async fn overview(&self, writing: Writing) -> Result<Overview, ReportedError> {
        let Some((delivered, store)) = self.source().await? else {
            return Ok(Overview { months: Vec::new(), newest_delivery_at: None, errors: Vec::new() });
        };
        let places = Places {
            delivered,
            store: &store,
            staging: &self.staging_dir,
            staged: &self.local,
            duckdb: DuckDb::open_to_read(&self.database_path),
            parquet: &self.parquet_dir,
            bigquery: self.remote.as_ref().map(|(export, options)| (export, BigQuery::connect(options.clone()))),
        };
        overview(places, &self.run, writing).await
    }

    /// All steps, until one fails as a whole: the next ones need its result.
    async fn run_all(&self, writing: Writing, output: &OutputArguments) -> Exit {
        let output = output::printer(output);
        let mut pipelines = Vec::new();
        // People see the result of a step before the next one starts.
        let mut done = |report: PipelineReport| {
            output.step(&report);
            // Deliveries that are too old fail the run, but no month.
            let goes_on = report.error.as_ref().is_none_or(|error| error.kind == ErrorKind::Stale);
            pipelines.push(report);
            goes_on
        };
        let mut goes_on = done(self.extract().await) && done(self.load_local().await);
        // Nothing is loaded after a first delivery without rows, for example.
        let exported = if goes_on { self.export(writing).await } else { None };
        let has_months = exported.is_some();
        goes_on = goes_on && exported.is_none_or(&mut done);
        if goes_on
            && has_months
            && let Some(report) = self.load_remote().await
        {
            done(report);
        }
        count_staged(&mut pipelines);
        let report = Report::new(self.run.run_id.clone(), pipelines);
        let skipped = match &self.remote {
            _ if !goes_on => Some("the steps after that were skipped"),
            _ if !has_months => Some("the steps after that were skipped, because nothing is loaded"),
            None => Some("load-billing-remote: skipped, because database.bigquery is not configured"),
            Some(_) => None,
        };
        output.steps(&report, skipped);
        self.finish(&report)
    }

    async fn extract(&self) -> PipelineReport {
        let into = self.staging_dir.display().to_string();
        let done = match self.source().await {
            Ok(Some((export, store))) => {
                let bar = ProgressBar::start();
                let show = |transfer| bar.show_bytes(transfer);
                let report = extract(export, &store, &self.staging_dir, &self.run, &show).await;
                bar.finish();
                Ok(report)
            }
            Ok(None) => Ok(PipelineReport::new(self.local.provider.as_str(), "", &into)),
            Err(error) => Err(error),
        };
        self.report(EXTRACT_BILLING, &into, done)
    }

    async fn load_local(&self) -> PipelineReport {
        let open = || DuckDb::open(&self.database_path);
        let done = self.load(&self.local, &self.staging_dir, EXTRACT_BILLING, &ProgressBar::start(), open).await;
        self.report(LOAD_BILLING_LOCAL, &self.local_table(), done)
    }

    /// `None` if nothing is loaded yet.
    async fn export(&self, writing: Writing) -> Option<PipelineReport> {
        let done = match DuckDb::open_to_read(&self.database_path) {
            Ok(duckdb) => Ok(export_parquet(&self.local, &duckdb, &self.parquet_dir, &self.run, writing).await?),
            Err(error) => Err(error),
        };
        Some(self.report(EXPORT_PARQUET, &self.parquet_dir.display().to_string(), done))
    }

    /// The report of an export without loaded months.
    fn nothing_loaded(&self) -> PipelineReport {
        let message = format!("nothing is loaded yet in {} of {}", self.local_table(), self.database_path.display());
        let (provider, before) = (self.local.provider.as_str(), LOAD_BILLING_LOCAL);
        let error = Error::new(ErrorKind::NotFound, message).hint(hint::run_step(provider, before));
        self.report(EXPORT_PARQUET, &self.parquet_dir.display().to_string(), Err(error))
    }

    fn local_table(&self) -> String {
        format!("{}.{}", self.local.dataset, self.local.table)
    }

    /// `None` if BigQuery is not configured.
    async fn load_remote(&self) -> Option<PipelineReport> {
        let (export, options) = self.remote.as_ref()?;
        let bar = ProgressBar::start();
        let shown = bar.clone();
        let open = || Ok(BigQuery::connect(options.clone())?.showing(move |uploaded| shown.show_uploaded(uploaded)));
        let done = self.load(export, &self.parquet_dir, EXPORT_PARQUET, &bar, open).await;
        let into = format!("{}.{}.{}", options.project, export.dataset, export.table);
        Some(self.report("load-billing-remote", &into, done))
    }

    /// The report of a step, also of one that could not start.
    fn report(&self, step: &str, into: &str, done: Result<PipelineReport>) -> PipelineReport {
        let mut report = done.unwrap_or_else(|error| PipelineReport {
            status: Some(PipelineStatus::Failed),
            error: Some(error.reported()),
            ..started(&self.local, into, MonthVerb::Load)
        });
        report.step = Some(step.to_owned());
        report
    }

    /// Loads from a folder that the step `before` fills.
    async fn load<W: Warehouse>(
        &self,
        export: &Export,
        folder: &Path,
        before: &str,
        bar: &ProgressBar,
        open: impl FnOnce() -> Result<W>,
    ) -> Result<PipelineReport> {
        if !folder.exists() {
            let message = format!("there is no folder {}", folder.display());
            let hint = hint::run_step(export.provider.as_str(), before);
            return Err(Error::new(ErrorKind::NotFound, message).hint(hint));
        }
        let _locked = lock_to_read(folder)?;
        let store = Store::Local(Local::new(folder));
        let report = run_export(export, &store, &open()?, &self.run, &|progress| bar.show(&progress)).await;
        bar.finish();
        Ok(report)
    }

    /// Prints what goes beside the report, and returns how the program ends.
    fn finish(&self, report: &Report) -> Exit {
        output::failures(report);
        output::end_of_run(report, self.started.elapsed().as_secs());
        Exit::of(report)
    }
}
