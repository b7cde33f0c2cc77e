//! `finops run` and `finops plan`.

use std::{collections::BTreeMap, io::IsTerminal};

use finops_core::{
    plan::Rules,
    report::{PipelineReport, Report, ReportedError},
};
use jiff::Timestamp;
use tracing::info;

#[cfg(feature = "duckdb")]
use crate::warehouse::duckdb::DuckDb;
use crate::{
    cli::{Output, RunArguments, Selection},
    commands::{Exit, Stop, open_store},
    config::{Choice, Config, WarehouseConfig, parse},
    error::Kind,
    output::{self, ProgressBar},
    pipeline::{self, Run},
    warehouse::{Warehouse, bigquery::BigQuery},
};

/// Loads what is to be loaded, and reports.
pub(crate) async fn run(arguments: RunArguments, environment: &BTreeMap<String, String>) -> Result<Exit, Stop> {
    go(arguments.selection, arguments.force, arguments.dry_run, environment).await
}

/// Reports what a run would do.
pub(crate) async fn plan(selection: Selection, environment: &BTreeMap<String, String>) -> Result<Exit, Stop> {
    go(selection, false, true, environment).await
}

async fn go(
    selection: Selection,
    force: bool,
    dry_run: bool,
    environment: &BTreeMap<String, String>,
) -> Result<Exit, Stop> {
    let Selection { pipeline, start_date, end_date, output } = selection;
    let config = parse(environment, &Choice { pipeline, start_date, end_date })?;
    let now = Timestamp::now();
    let run = Run {
        run_id: run_id(now),
        months: config.months,
        rules: Rules { force, now, wait_max: config.wait_max },
        dry_run,
    };
    let pipelines = match &config.warehouse {
        WarehouseConfig::BigQuery(options) => {
            let warehouse = BigQuery::connect(options.clone()).await?;
            run_exports(&config, &warehouse, &run).await?
        }
        #[cfg(feature = "duckdb")]
        WarehouseConfig::DuckDb(path) => {
            let warehouse = if dry_run { DuckDb::open_to_read(path)? } else { DuckDb::open(path)? };
            run_exports(&config, &warehouse, &run).await?
        }
        #[cfg(not(feature = "duckdb"))]
        WarehouseConfig::DuckDb(_) => Vec::new(),
    };
    let report = Report { run_id: run.run_id, pipelines };
    match output.output {
        Output::Json => output::json(&report),
        Output::Table => output::report(&report, dry_run),
    }
    output::failures(&report);
    let misconfigured = |error: &ReportedError| error.kind == Kind::Configuration.as_str();
    Ok(if report.pipelines.iter().filter_map(|pipeline| pipeline.error.as_ref()).any(misconfigured) {
        Exit::Usage
    } else if report.failed() {
        Exit::Failure
    } else {
        Exit::Success
    })
}

async fn run_exports<W: Warehouse>(config: &Config, warehouse: &W, run: &Run) -> Result<Vec<PipelineReport>, Stop> {
    let mut reports = Vec::new();
    for export in &config.exports {
        let store = open_store(config, export).await?;
        let bar = ProgressBar::new(std::io::stderr().is_terminal());
        let report = pipeline::run(export, &store, warehouse, run, &|progress| bar.show(&progress)).await;
        bar.finish();
        info!(
            run_id = run.run_id,
            pipeline = report.pipeline,
            export = report.export,
            table = report.table,
            "{}",
            output::summary(&report)
        );
        reports.push(report);
    }
    Ok(reports)
}

/// A name for the run: its time, and something of its own for runs of the same second.
fn run_id(now: Timestamp) -> String {
    let nanos = now.as_nanosecond().to_string();
    let pid = std::process::id().to_string();
    let own = finops_core::delivery::hash([nanos.as_bytes(), b"/", pid.as_bytes()]);
    format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), &own[..6])
}
