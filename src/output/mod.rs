//! What people and programs see. Data goes to stdout, everything else to stderr.

mod progress;
mod report;
mod tables;

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use finops_core::{
    Costs, hint,
    model::{
        shown::without_credentials,
        text::{excerpt, harmless_lines},
    },
    plan::age::issued,
    report::run::ReportedError,
};
use jiff::Timestamp;
use serde::Serialize;

#[cfg(feature = "duckdb")]
pub use self::tables::survey;
pub use self::{
    progress::ProgressBar,
    report::{end_of_run, failures, pipeline, report, summary},
    tables::{checks, failed_checks, settings, status},
};
use crate::{
    error::{Error, ErrorKind},
    settings::Problem,
    telemetry,
};

/// Terminals with fewer columns than this get tables that do not wrap cells.
const NARROWEST: u16 = 80;

/// Prints data. A reader that closes the pipe early (`| head`) is no error; any other failure to write ends the program,
/// since a report that is lost must not look like a success.
fn print(text: &str) {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            let lost = Error::new(ErrorKind::Storage, format!("cannot write to standard output: {cause}"));
            error(&lost.hint(hint::OUTPUT_FULL).reported());
            std::process::exit(1);
        }
        _ => {}
    }
}

/// What is said may hold texts from outside: none of them steers the terminal.
fn print_aside(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless_lines(text));
}

/// Prints bytes as they are.
pub fn raw(bytes: &[u8]) {
    let _ = io::stdout().lock().write_all(bytes);
}

/// Prints a line.
#[cfg(feature = "duckdb")]
pub fn line(text: &str) {
    print(text);
}

/// Prints any value as JSON.
pub fn json<T: Serialize>(value: &T) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(cause) => {
            error(&Error::new(ErrorKind::Storage, format!("cannot write the report as JSON: {cause}")).reported());
        }
    }
}

/// Prints an error of one export, with what the settings call it where they name several.
pub fn error_of(label: Option<&str>, of_export: &ReportedError) {
    let named = |label: &str| format!("{label}: {}", of_export.message);
    let message = label.map_or_else(|| of_export.message.clone(), named);
    error(&ReportedError { message, ..of_export.clone() });
}

/// Prints one error with its hint.
pub fn error(error: &ReportedError) {
    let hint = error.hint.as_deref().unwrap_or_default();
    if telemetry::is_structured() {
        tracing::error!(kind = error.kind.as_str(), hint, "{}", error.message);
        return;
    }
    print_aside(&format!("error: {}", error.message));
    if !hint.is_empty() {
        print_aside(&format!("hint: {hint}"));
    }
}

/// Says that the command line is none of ours, as its parser puts it.
pub fn usage(message: &str) {
    let message = without_credentials(message.trim_end());
    if !telemetry::is_structured() {
        print_aside(&message);
        return;
    }
    error(&ReportedError { kind: ErrorKind::Usage, message, hint: Some(hint::SHOW_HELP.to_owned()) });
}

/// Prints what is wrong with the configuration.
pub fn problems(problems: &[Problem]) {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("  {} {} ({})", problem.name, problem.what, problem.looked_in)).collect();
    let hint = hint::SHOW_CONFIG;
    error(&ReportedError {
        kind: ErrorKind::Configuration,
        message: format!("the configuration has {} problem(s):\n{}", problems.len(), lines.join("\n")),
        hint: Some(hint.to_owned()),
    });
}

/// Says how old the newest delivery is.
fn newest_delivery(newest: Timestamp) {
    print(&format!("newest delivery: {}", issued(newest, Timestamp::now())));
}

fn new_table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    // In a terminal, long cells wrap; in a very narrow one that would make columns of single letters.
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn costs(costs: &Costs) -> String {
    costs.iter().map(|(currency, amount)| format!("{amount} {}", excerpt(currency))).collect::<Vec<_>>().join("\n")
}

fn counted(of: &str, parts: &[(usize, &str)]) -> String {
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{of}: {}", parts.collect::<Vec<_>>().join(", "))
}
