//! JSON, for programs.

use finops_core::report::{
    check::CheckReport,
    run::{PipelineReport, Report, ReportedError, TableStatus},
};
use serde::Serialize;

use super::{
    form::Output,
    streams::{error, print},
};
#[cfg(feature = "duckdb")]
use crate::staging::MonthOverview;
use crate::{
    cli::OutputForm,
    error::{Error, ErrorKind},
    settings::{Problem, Setting},
};

/// Each document as one JSON value.
pub(super) struct JsonOutput;

impl Output for JsonOutput {
    fn report(&self, report: &Report, _: bool) {
        json(report);
    }

    fn step(&self, _: &PipelineReport) {}

    fn steps(&self, report: &Report, _: Option<&str>) {
        json(report);
    }

    #[cfg(feature = "duckdb")]
    fn overview(&self, months: &[MonthOverview], _: bool) {
        json(&months);
    }

    fn status(&self, tables: &[TableStatus]) {
        json(&tables);
    }

    fn checks(&self, report: &CheckReport) {
        json(report);
    }

    fn settings(&self, settings: &[Setting]) {
        json(&settings);
    }
}

/// Prints why a command has no report, if programs read the output.
pub fn no_report(form: OutputForm, error: &ReportedError, problems: &[Problem]) {
    if form == OutputForm::Json {
        json(&NoReport { schema_version: 1, error: Failure { error, problems } });
    }
}

/// The document of a command that ended before its report.
#[derive(Serialize)]
struct NoReport<'a> {
    schema_version: u32,
    error: Failure<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(flatten)]
    error: &'a ReportedError,
    problems: &'a [Problem],
}

fn json<T: Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(cause) => {
            error(&Error::new(ErrorKind::Storage, format!("cannot write the report as JSON: {cause}")).reported());
        }
    }
}
