//! What failed, on standard error or in the log.

use finops_core::{
    hint,
    model::shown::without_credentials,
    report::{
        check::{CheckReport, Finding, Status},
        run::{MonthReport, PipelineReport, Report, ReportedError},
    },
};
use tracing::info_span;

use super::streams::{error, print_aside};
use crate::{
    error::ErrorKind,
    settings::{ENV_FILE, Problem},
    telemetry,
};

/// Prints an error of one export, with the label that the settings give it if they name several.
pub fn error_of(label: Option<&str>, of_export: &ReportedError) {
    let named = |label: &str| format!("{label}: {}", of_export.message);
    let message = label.map_or_else(|| of_export.message.clone(), named);
    error(&ReportedError { message, ..of_export.clone() });
}

/// Prints the command line parser's message, and returns it.
pub fn usage(message: &str) -> ReportedError {
    let message = without_credentials(message.trim_end());
    let reported = ReportedError { kind: ErrorKind::Usage, message, hint: Some(hint::SHOW_HELP.to_owned()) };
    if telemetry::is_structured() {
        error(&reported);
    } else {
        print_aside(&reported.message);
    }
    reported
}

/// Prints what is wrong with the configuration, and returns the error without the single problems.
pub fn problems(problems: &[Problem]) -> ReportedError {
    let (count, s) = (problems.len(), if problems.len() == 1 { "" } else { "s" });
    let message = format!("the configuration has {count} problem{s}");
    let lines: Vec<String> = problems.iter().map(line).collect();
    let of_file = problems.iter().all(|problem| problem.name == ENV_FILE);
    let hint = Some(if of_file { hint::CORRECT_LINES } else { hint::SHOW_CONFIG }.to_owned());
    let reported = ReportedError { kind: ErrorKind::Configuration, message, hint };
    error(&ReportedError { message: format!("{}:\n{}", reported.message, lines.join("\n")), ..reported.clone() });
    reported
}

fn line(Problem { name, what, looked_in }: &Problem) -> String {
    let is_searched = |place: &&str| *place != ENV_FILE || !telemetry::is_structured();
    let places: Vec<&str> = looked_in.iter().copied().filter(is_searched).collect();
    format!("  {name} {what} (looked in: {})", places.join(", "))
}

/// Warns of variables that may be misspelt.
pub fn unread(variables: &[Problem]) {
    for Problem { name, what, .. } in variables {
        tracing::warn!("{name} {what}");
    }
}

/// Prints what failed and what to do next.
pub fn failures(report: &Report) {
    for pipeline in &report.pipelines {
        let PipelineReport { pipeline: name, export, label, .. } = pipeline;
        let _export = info_span!("export", pipeline = name, export).entered();
        let label = label.as_deref();
        pipeline.error.iter().for_each(|error| error_of(label, error));
        for month in &pipeline.months {
            let MonthReport { billing_period, execution_id, .. } = month;
            let job_id = month.result.as_ref().and_then(|result| result.job_id.as_deref());
            let _month = info_span!("month", %billing_period, execution_id, job_id).entered();
            // Where a whole export fails, its months fail for the same reason: once is enough.
            let of_month = month.error.iter().filter(|error| pipeline.error.as_ref() != Some(*error));
            of_month.for_each(|error| error_of(label, error));
        }
    }
}

/// Logs checks that failed or warn, if the log is structured: people read them in the table.
pub fn failed_checks(report: &CheckReport) {
    if !telemetry::is_structured() {
        return;
    }
    for Finding { check, object, status, found, hint } in &report.checks {
        let (kind, hint) = (check.to_string(), hint.as_deref().unwrap_or_default());
        match status {
            Status::Failed => tracing::error!(kind, hint, "check of {object} failed: {found}"),
            Status::Warning => tracing::warn!(kind, hint, "check of {object}: {found}"),
            Status::Ok | Status::NotChecked => {}
        }
    }
}
