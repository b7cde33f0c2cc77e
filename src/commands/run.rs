//! `finops run` and `finops plan`.

use std::{collections::BTreeMap, time::Instant};

use finops_core::{
    plan::Rules,
    report::run::{MonthVerb, PipelineReport, Report},
};
use jiff::Timestamp;
use tracing::{Span, info};

use crate::{
    cli::{RunArguments, Selection},
    commands::{exit::Exit, store::open_store},
    error::{Error, Result},
    flow::{
        export::{Export, Run},
        report::{end, started},
        run::run_export,
    },
    output::{self, ProgressBar},
    settings::{CliOverrides, Config, Problem, parse},
    storage::S3Options,
    warehouse::{
        Warehouse,
        open::{Access, Task},
    },
};

/// Loads the months that are due, or plans what a run would do, and reports.
pub(crate) async fn run(
    arguments: RunArguments,
    environment: &BTreeMap<String, String>,
    run_id: String,
) -> Result<Exit, Vec<Problem>> {
    let started = Instant::now();
    let RunArguments { selection: Selection { pipeline, start_date, end_date, output }, force, dry_run } = arguments;
    let config = parse(environment, &CliOverrides { pipeline, start_date, end_date })?;
    Span::current().record("pipeline", config.pipeline());
    output::unread(&config.unread);
    let now = Timestamp::now();
    let rules = Rules { force, now, wait_max: config.wait_max };
    let run = Run { run_id, months: config.months, rules, max_age: config.max_age, dry_run };
    let access = if dry_run { Access::Read } else { Access::Load };
    let pipelines = match config.warehouse.open(access, Exports { config: &config, run: &run }).await {
        Ok(pipelines) => pipelines,
        // No export could start: the report has the error for each.
        Err(error) => config.exports.iter().map(|export| not_started(&config, export, &run, &error)).collect(),
    };
    let report = Report::new(run.run_id, pipelines);
    output::printer(&output).report(&report, dry_run);
    output::failures(&report);
    if !dry_run {
        output::end_of_run(&report, started.elapsed().as_secs());
    }
    Ok(Exit::of(&report))
}

/// The configured exports, one after the other.
struct Exports<'a> {
    config: &'a Config,
    run: &'a Run,
}

impl Task for Exports<'_> {
    type Output = Vec<PipelineReport>;

    async fn with<W: Warehouse>(self, warehouse: &W) -> Vec<PipelineReport> {
        let Self { config, run } = self;
        let mut reports = Vec::new();
        for export in &config.exports {
            let report = match open_store(export, config.storage_emulator.as_deref(), &S3Options::default()).await {
                Ok(store) => {
                    let bar = ProgressBar::start();
                    let mut report = run_export(export, &store, warehouse, run, &|progress| bar.show(&progress)).await;
                    report.label.clone_from(&export.label);
                    bar.finish();
                    report
                }
                Err(error) => not_started(config, export, run, &error),
            };
            let PipelineReport { pipeline, export, table, .. } = &report;
            info!(pipeline, export, table, "{}", output::summary(&report, run.dry_run));
            reports.push(report);
        }
        reports
    }
}

/// The report of an export that could not start, because its bucket or warehouse could not be opened.
fn not_started(config: &Config, export: &Export, run: &Run, error: &Error) -> PipelineReport {
    let table = config.warehouse.table_name(&export.table_name());
    let mut report = started(export, &table, MonthVerb::Load);
    report.label.clone_from(&export.label);
    report.error = Some(error.reported());
    end(&mut report, run.dry_run);
    report
}
