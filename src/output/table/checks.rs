//! What `finops check` found.

use finops_core::{
    model::text::strip_control_chars,
    report::check::{CheckReport, Finding, Status},
};

use super::view::{Tone, View};
use crate::output::summary::counted;

/// The widest word, and two spaces.
const INDENT: usize = 13;

/// A list: the result of each check, and how to fix what failed.
pub fn checks(report: &CheckReport, view: &View) -> String {
    let mut drawn = Vec::new();
    for Finding { check, object, status, found, hint } in &report.checks {
        let (word, tone) = word(*status);
        let name = check.to_string().replace('_', " ");
        // Such as `dataset my-project.billing`, of the check `dataset`.
        let name = if object.starts_with(&name) { String::new() } else { format!("{name} ") };
        let found = strip_control_chars(&format!("{name}{object}: {found}"));
        let spaces = " ".repeat(INDENT.saturating_sub(word.len()));
        drawn.push(format!("{}{spaces}{}", view.paint(word, tone), view.paragraph(&found, INDENT)));
        for hint in hint.iter().map(|hint| strip_control_chars(hint)) {
            drawn.push(format!("   -> {}", view.paragraph(&hint, 6)));
        }
    }
    let all = [Status::Ok, Status::Warning, Status::Failed, Status::NotChecked];
    let summary = counted("checks", &all.map(|status| (report.count(status), word(status).0)));
    drawn.push(view.paragraph(&summary, 2));
    drawn.join("\n")
}

fn word(status: Status) -> (&'static str, Tone) {
    match status {
        Status::Ok => ("ok", Tone::Good),
        Status::Warning => ("warning", Tone::Waiting),
        Status::Failed => ("failed", Tone::Bad),
        Status::NotChecked => ("not checked", Tone::Plain),
    }
}
