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
    progress::ProgressBar,
    streams::{error, raw},
    summary::{end_of_run, summary},
};
use self::{json::JsonOutput, table::TableOutput};
use crate::cli::OutputForm;

/// Prints in this form.
pub fn printer(form: OutputForm) -> &'static dyn Output {
    match form {
        OutputForm::Table => &TableOutput,
        OutputForm::Json => &JsonOutput,
    }
}
