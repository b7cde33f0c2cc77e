//! Standard output and standard error.

use std::io::{self, Write};

use finops_core::{hint, model::text::harmless_lines, report::run::ReportedError};

use crate::{
    error::{Error, ErrorKind},
    telemetry,
};

/// Prints data. A reader that closes the pipe early (`| head`) is no error. Any other failure ends the program: a run whose
/// report is lost must not end as a success.
pub fn print(text: &str) {
    raw(format!("{text}\n").as_bytes());
}

/// Prints bytes unchanged, as [`print`] does.
pub fn raw(bytes: &[u8]) {
    match io::stdout().lock().write_all(bytes) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            let lost = Error::new(ErrorKind::Storage, format!("cannot write to standard output: {cause}"));
            error(&lost.hint(hint::OUTPUT_FULL).reported());
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Prints to standard error. The text may contain texts from outside: control characters are removed.
pub(super) fn print_aside(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless_lines(text));
}

/// Prints to standard error and stays on the line, for an answer.
pub fn prompt(text: &str) {
    let _ = write!(io::stderr().lock(), "{}", harmless_lines(text));
}

/// Prints one error with its hint.
pub fn error(error: &ReportedError) {
    let hint = error.hint.as_deref().unwrap_or_default();
    if telemetry::is_structured() {
        tracing::error!(kind = %error.kind, hint, "{}", error.message);
        return;
    }
    print_aside(&format!("error: {}", error.message));
    if !hint.is_empty() {
        print_aside(&format!("hint: {hint}"));
    }
}
