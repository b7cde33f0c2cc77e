//! Tables, for people. Drawing them is pure: text from a report and a [`View`].

mod checks;
mod demo;
mod figures;
mod ids;
mod layout;
#[cfg(feature = "duckdb")]
mod overview;
mod report;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod view;

use std::cell::Cell;

use finops_core::report::{
    check::CheckReport,
    run::{PipelineReport, Report, TableStatus},
};

pub use self::demo::{bill, heading};
use self::view::View;
use super::{form::Output, streams::print};
use crate::settings::Setting;
#[cfg(feature = "duckdb")]
use crate::staging::MonthOverview;

/// Plain columns, or a list in a narrow terminal.
pub(super) struct TableOutput {
    view: View,
    /// Whether something was printed: an empty line follows.
    printed: Cell<bool>,
}

impl TableOutput {
    /// On standard output. `exact` shows all digits of amounts.
    pub(super) fn new(exact: bool) -> Self {
        Self { view: View::of_stdout(exact), printed: Cell::new(false) }
    }

    /// Prints documents with an empty line between them.
    fn print(&self, documents: impl IntoIterator<Item = String>) {
        for document in documents {
            let before = if self.printed.replace(true) { "\n" } else { "" };
            print(&format!("{before}{document}"));
        }
    }
}

impl Output for TableOutput {
    fn report(&self, report: &Report, is_plan: bool) {
        self.print(report.pipelines.iter().map(|pipeline| report::pipeline(pipeline, is_plan, &self.view)));
    }

    fn step(&self, report: &PipelineReport) {
        self.print([report::pipeline(report, false, &self.view)]);
    }

    fn steps(&self, _: &Report, left_out: Option<&str>) {
        self.print(left_out.map(|left_out| self.view.paragraph(left_out, 2)));
    }

    #[cfg(feature = "duckdb")]
    fn overview(&self, months: &[MonthOverview], is_plan: bool) {
        self.print([overview::overview(months, is_plan, &self.view)]);
    }

    fn status(&self, tables: &[TableStatus]) {
        self.print(tables.iter().map(|table| status::status(table, &self.view)));
    }

    fn checks(&self, report: &CheckReport) {
        self.print([checks::checks(report, &self.view)]);
    }

    fn settings(&self, settings: &[Setting]) {
        self.print([settings::settings(settings, &self.view)]);
    }
}
