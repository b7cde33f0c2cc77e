//! Tables, for people.

mod checks;
mod layout;
#[cfg(feature = "duckdb")]
mod overview;
mod report;
mod settings;
mod status;

use finops_core::report::{
    check::CheckReport,
    run::{PipelineReport, Report, ReportedError, TableStatus},
};

use super::{form::Output, streams::print};
use crate::settings::{Problem, Setting};
#[cfg(feature = "duckdb")]
use crate::staging::MonthOverview;

/// Markdown tables, which also read well as plain text.
pub(super) struct TableOutput;

impl Output for TableOutput {
    fn report(&self, report: &Report, is_plan: bool) {
        report.pipelines.iter().for_each(|pipeline| report::pipeline(pipeline, is_plan));
    }

    fn step(&self, report: &PipelineReport) {
        report::pipeline(report, false);
    }

    fn steps(&self, _: &Report, left_out: Option<&str>) {
        if let Some(left_out) = left_out {
            print(left_out);
        }
    }

    #[cfg(feature = "duckdb")]
    fn overview(&self, months: &[MonthOverview], is_plan: bool) {
        overview::overview(months, is_plan);
    }

    fn status(&self, tables: &[TableStatus]) {
        tables.iter().for_each(status::status);
    }

    fn checks(&self, report: &CheckReport) {
        checks::checks(report);
    }

    fn error(&self, _: &ReportedError, _: &[Problem]) {}

    fn settings(&self, settings: &[Setting]) {
        settings::settings(settings);
    }
}
