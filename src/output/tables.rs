//! What is there: settings, what was checked of them, and how far months have come.

use std::collections::BTreeSet;

#[cfg(feature = "duckdb")]
use finops_core::report::run::Action;
use finops_core::{
    formats::azure::scope::excludes,
    model::{
        load_record::{LoadRecord, LoadStatus},
        text::{excerpt, strip_control_chars},
    },
    report::{
        check::{CheckReport, Finding, Status},
        run::TableStatus,
    },
};
#[cfg(feature = "duckdb")]
use indicatif::HumanBytes;

use crate::output::{costs, counted, new_table, newest_delivery, print};
#[cfg(feature = "duckdb")]
use crate::staging::{Content, MonthOverview};
use crate::{
    settings::{Origin, Setting},
    telemetry,
};

/// Prints settings as a table.
pub fn settings(settings: &[Setting]) {
    let mut table = new_table(&["Setting", "Value", "Origin"], &[]);
    for setting in settings {
        let origin = match &setting.origin {
            Origin::Environment => "environment",
            Origin::Flag => "flag",
            Origin::File => "file",
            Origin::Default => "default",
            Origin::NotSet => "not set",
            Origin::Shared(variable) => variable,
        };
        table.add_row([&setting.name, &strip_control_chars(&setting.value), origin]);
    }
    print(&table.to_string());
}

/// Prints how far each delivered month has come; in a plan, what each step would do.
#[cfg(feature = "duckdb")]
pub fn overview(months: &[MonthOverview], is_plan: bool) {
    if months.is_empty() {
        print("no month to show");
        return;
    }
    let mut table = new_table(
        &["Month", "Execution", "Files", "Size", "Staging", "DuckDB", "Parquet", "BigQuery", "Note"],
        &[2, 3],
    );
    for month in months {
        let steps = &month.steps;
        let place = |content: &Content, action: Option<Action>, doing: &str| {
            let has = match content {
                Content::Current => "yes",
                Content::Other(_) => "older",
                Content::Nothing => "no",
            };
            let does = action.filter(|_| is_plan).map(|action| match action {
                Action::Load | Action::Reload => doing,
                Action::Skip => "skip",
                Action::Wait => "wait",
                Action::Refuse => "refuse",
            });
            does.unwrap_or(has).to_owned()
        };
        let (files, size) = match month.files {
            0 => (String::new(), String::new()),
            files => (files.to_string(), HumanBytes(month.bytes).to_string()),
        };
        table.add_row([
            month.billing_period.to_string(),
            excerpt(&month.execution_id),
            files,
            size,
            place(&month.staging, steps.extract_billing, "extract"),
            place(&month.duckdb, steps.load_billing_local, "load"),
            place(&month.parquet, steps.export_parquet, "write"),
            month
                .bigquery
                .as_ref()
                .map_or("not configured".to_owned(), |content| place(content, steps.load_billing_remote, "load")),
            month.obstacle.clone().unwrap_or_default(),
        ]);
    }
    print(&table.to_string());
}

/// Prints what was checked.
pub fn checks(report: &CheckReport) {
    let mut table = new_table(&["Check", "On", "Result", "Found", "What helps"], &[]);
    for finding in &report.checks {
        let result = word(finding.status).to_owned();
        let (check, hint) = (finding.check.as_str().replace('_', " "), finding.hint.clone().unwrap_or_default());
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

/// Logs what is not as it should be, where logs are read by programs: the table holds it for people.
pub fn failed_checks(report: &CheckReport) {
    if !telemetry::is_structured() {
        return;
    }
    for Finding { check, object, status, found, hint } in &report.checks {
        let (kind, hint) = (check.as_str(), hint.as_deref().unwrap_or_default());
        match status {
            Status::Failed => tracing::error!(kind, hint, "check of {object} failed: {found}"),
            Status::Warning => tracing::warn!(kind, hint, "check of {object}: {found}"),
            Status::Ok | Status::NotChecked => {}
        }
    }
}

/// What a loaded month is.
fn loaded(record: &LoadRecord) -> String {
    let runs = record.scopes.as_deref().unwrap_or_default();
    let scopes: BTreeSet<&str> = runs.iter().map(|run| run.scope.as_str()).collect();
    let mut parts = vec!["loaded".to_owned()];
    parts.extend((scopes.len() > 1).then(|| format!("{} scopes", scopes.len())));
    parts.extend((runs.len() > scopes.len()).then(|| format!("{} runs", runs.len())));
    parts.extend(runs.iter().any(|run| run.usage_month).then(|| "usage month".to_owned()));
    parts.join(", ")
}

/// Prints what stands in a table.
pub fn status(status: &TableStatus) {
    let label = status.label.as_ref().map(|label| format!("{label} ")).unwrap_or_default();
    print(&format!("{} {label}{}", status.pipeline, status.table));
    if status.error.is_some() {
        print("unknown");
        return;
    }
    if status.months.is_empty() {
        print("nothing is loaded");
        return;
    }
    let mut table = new_table(&["Month", "Execution", "Rows", "Files", "Cost", "Loaded at", "State"], &[2, 3, 4]);
    for standing in &status.months {
        let record = &standing.record;
        let state = match record.status {
            LoadStatus::Unverified => "unverified: the next run loads it again".to_owned(),
            LoadStatus::Loaded if standing.rows_in_table == record.rows => loaded(record),
            LoadStatus::Loaded if standing.rows_in_table == 0 => {
                "its rows are no longer in the table: the next run loads it again".to_owned()
            }
            LoadStatus::Loaded => {
                format!("the table holds {} rows now: the next run loads it again", standing.rows_in_table)
            }
        };
        table.add_row([
            record.billing_period.to_string(),
            excerpt(&record.execution_id),
            record.rows.to_string(),
            record.files.to_string(),
            costs(&record.cost),
            record.loaded_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            state,
        ]);
    }
    print(&table.to_string());
    let records = status.months.iter().map(|standing| &standing.record);
    let excluded = records.filter_map(|record| {
        let scopes = record.scopes.iter().flatten().map(|scope| scope.scope.as_str());
        excludes(record.kind.as_deref(), scopes)
    });
    for excludes in excluded.collect::<BTreeSet<_>>() {
        print(&format!("what is loaded is no whole bill: {excludes}"));
    }
    status.newest_delivery_at.iter().for_each(|newest| newest_delivery(*newest));
}
