//! What `finops check` found.

use finops_core::report::check::{CheckReport, Status};

use super::layout::new_table;
use crate::output::{streams::print, summary::counted};

pub fn checks(report: &CheckReport) {
    let mut table = new_table(&["Check", "Object", "Result", "Found", "Suggested fix"], &[]);
    for finding in &report.checks {
        let result = word(finding.status).to_owned();
        let (check, hint) = (finding.check.to_string().replace('_', " "), finding.hint.clone().unwrap_or_default());
        table.add_row([check, finding.object.clone(), result, finding.found.clone(), hint]);
    }
    print(&table.to_string());
    let all = [Status::Ok, Status::Warning, Status::Failed, Status::NotChecked];
    print(&counted("checks", &all.map(|status| (report.count(status), word(status)))));
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failed => "failed",
        Status::NotChecked => "not checked",
    }
}
