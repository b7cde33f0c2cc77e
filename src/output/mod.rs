//! What people and programs read. Data goes to standard output, everything else to standard error.

mod errors;
mod form;
mod json;
mod progress;
mod streams;
mod summary;
mod table;

pub use self::{
    errors::{error_of, failed_checks, failures, problems, usage},
    form::Output,
    progress::ProgressBar,
    streams::{error, prompt, raw},
    summary::{end_of_run, summary},
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
