//! What people and programs read. Data goes to standard output, everything else to standard error.

mod errors;
mod form;
mod json;
mod progress;
mod streams;
mod summary;
mod table;

pub use self::{
    errors::{error_of, failed_checks, failures, problems, unread, usage},
    form::Output,
    json::no_report,
    progress::ProgressBar,
    streams::{error, print, prompt, raw},
    summary::{end_of_run, summary},
    table::{bill, heading},
};
use self::{json::JsonOutput, table::TableOutput};
use crate::cli::{OutputArguments, OutputForm};

/// Prints in the form that is asked for.
pub fn printer(arguments: &OutputArguments) -> Box<dyn Output> {
    match arguments.output {
        OutputForm::Table => Box::new(TableOutput::new(arguments.exact)),
        OutputForm::Json => Box::new(JsonOutput),
    }
}
