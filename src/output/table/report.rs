//! What a run did or would do, export by export and month by month.

use std::collections::HashMap;

use comfy_table::Table;
use finops_core::{
    model::text::strip_control_chars,
    report::run::{Action, MonthReport, MonthStatus, MonthVerb, PipelineReport},
    schema::{ChangeKind, SchemaChange},
};

use super::layout::{files_and_size, new_table, newest_delivery};
use crate::output::{
    streams::print,
    summary::{costs, summary},
};

/// Prints one export's part of a report, or of a plan.
pub fn pipeline(pipeline: &PipelineReport, is_plan: bool) {
    let label = pipeline.label.as_deref().unwrap_or_default();
    let heading = [pipeline.pipeline.as_str(), label, &pipeline.export, "->", &pipeline.table];
    let heading = heading.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let step = pipeline.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
    print(&strip_control_chars(&format!("{step}{heading}")));
    // Files whose types differ from the table's are cast on every load: only a plan shows it.
    let shown = pipeline.schema.iter().filter(|change| is_plan || change.change != ChangeKind::Cast);
    for line in schema(shown) {
        print(&strip_control_chars(&line));
    }
    if !pipeline.months.is_empty() {
        print(&months(&pipeline.months, pipeline.verb, is_plan).to_string());
    }
    pipeline.newest_delivery_at.iter().for_each(|newest| newest_delivery(*newest));
    print(&summary(pipeline, is_plan));
}

/// One line for all columns with the same change.
fn schema<'a>(changes: impl Iterator<Item = &'a SchemaChange>) -> Vec<String> {
    let mut groups: Vec<Vec<&SchemaChange>> = Vec::new();
    let mut known = HashMap::new();
    for change in changes {
        let alike = (change.change, &change.from, change.to, &change.billing_periods);
        let at = *known.entry(alike).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(change);
    }
    let line = |group: Vec<&SchemaChange>| {
        let first = group[0];
        let kind = format!("{:?}", first.change).to_lowercase();
        let from = first.from.as_ref().map(|from| format!("{from} to ")).unwrap_or_default();
        let names = some_of(group.iter().map(|change| change.column.clone()), 6);
        let count = if group.len() == 1 { "1 column".to_owned() } else { format!("{} columns", group.len()) };
        let months = match first.billing_periods.as_slice() {
            [] => String::new(),
            months => format!(" in {}", some_of(months.iter().map(ToString::to_string), 3)),
        };
        format!("  {kind} {count} ({from}{}){months}, as {}: {names}", first.to, first.reason)
    };
    groups.into_iter().map(line).collect()
}

/// The first `most` of some names, and how many more there are.
fn some_of(names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown = names.take(most).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn months(months: &[MonthReport], verb: MonthVerb, is_plan: bool) -> Table {
    let mut table = if is_plan {
        new_table(&["Month", "Action", "Files", "Size", "Why"], &[2, 3])
    } else {
        new_table(&["Month", "Result", "Rows", "Files", "Size", "Cost", "Why"], &[2, 3, 4, 5])
    };
    for month in months {
        let [files, size] = files_and_size(month.files, month.bytes);
        let why = strip_control_chars(month.error.as_ref().map_or(&month.reason, |error| &error.message));
        let period = month.billing_period.to_string();
        if is_plan {
            table.add_row([period, action(month.action).to_owned(), files, size, why]);
        } else {
            let loaded = month.result.as_ref().filter(|result| result.status == MonthStatus::Loaded);
            let rows =
                loaded.filter(|loaded| loaded.rows > 0).map(|loaded| loaded.rows.to_string()).unwrap_or_default();
            let cost = loaded.map(|loaded| costs(&loaded.cost)).unwrap_or_default();
            table.add_row([period, result(month, verb).to_owned(), rows, files, size, cost, why]);
        }
    }
    table
}

/// A plan's word for what a run would do with a month.
pub fn action(action: Action) -> &'static str {
    match action {
        Action::Load => "load",
        Action::Reload => "reload",
        Action::Skip => "skip",
        Action::Wait => "wait",
        Action::Refuse => "refuse",
    }
}

fn result(month: &MonthReport, verb: MonthVerb) -> &'static str {
    match month.status() {
        Some(MonthStatus::Loaded) => verb.done(month.action == Action::Reload),
        Some(MonthStatus::Skipped) => "skipped",
        Some(MonthStatus::Waiting) => "waiting",
        Some(MonthStatus::Refused) => "refused",
        Some(MonthStatus::Failed) => "failed",
        None => action(month.action),
    }
}
