//! The documents that finops prints to standard output.

use finops_core::report::{
    check::CheckReport,
    run::{PipelineReport, Report, TableStatus},
};

use crate::settings::Setting;
#[cfg(feature = "duckdb")]
use crate::staging::MonthOverview;

/// A form of output: one method a document.
pub trait Output {
    /// What a run did, or what a run would do if `is_plan`.
    fn report(&self, report: &Report, is_plan: bool);

    /// A step of the staged pipeline, as soon as it ended. [`Self::steps`] follows.
    fn step(&self, report: &PipelineReport);

    /// All steps of the staged pipeline, after the last one. `left_out` names the steps that did not run, and why.
    fn steps(&self, report: &Report, left_out: Option<&str>);

    /// How far each month of the staged pipeline is, or what each step would do if `is_plan`.
    #[cfg(feature = "duckdb")]
    fn overview(&self, months: &[MonthOverview], is_plan: bool);

    /// The months that are loaded in each table.
    fn status(&self, tables: &[TableStatus]);

    /// What `finops check` found.
    fn checks(&self, report: &CheckReport);

    /// All settings.
    fn settings(&self, settings: &[Setting]);
}
