//! What a run did or would do, export by export and month by month.

use std::collections::HashMap;

use finops_core::{
    model::{amount::total, text::strip_control_chars},
    plan::age::issued,
    report::run::{Action, MonthReport, MonthStatus, MonthVerb, PipelineReport},
    schema::{ChangeKind, SchemaChange},
};

use super::{
    figures::{count, count_cell, files, size_cell},
    ids::Ids,
    layout::{Cell, Table, numbers, words},
    view::{GLUE, Tone, View},
};
use crate::output::summary::summary;

/// Codes of reasons for which a month has nothing to do, now or ever.
const UNCHANGED: [&str; 3] = ["already_loaded", "files_gone", "archived"];

/// One export's part of a report, or of a plan.
pub fn pipeline(pipeline: &PipelineReport, is_plan: bool, view: &View) -> String {
    let label = pipeline.label.as_deref().unwrap_or_default();
    let heading = [pipeline.pipeline.as_str(), label, &pipeline.export, "->", &pipeline.table];
    let heading = heading.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let step = pipeline.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
    let mut drawn = vec![view.paragraph(&strip_control_chars(&format!("{step}{heading}")), 2)];
    // Files whose types differ from the table's are cast on every load: only a plan shows it.
    let shown = pipeline.schema.iter().filter(|change| is_plan || change.change != ChangeKind::Cast);
    for line in schema(shown) {
        drawn.push(format!("  {}", view.paragraph(&strip_control_chars(&line), 4)));
    }
    drawn.extend(months(pipeline, is_plan, view));
    if let Some(newest) = pipeline.newest_delivery_at {
        drawn.push(newest_delivery(newest, view));
    }
    drawn.join("\n")
}

/// How old the newest delivery is.
pub fn newest_delivery(newest: jiff::Timestamp, view: &View) -> String {
    view.paragraph(&format!("newest delivery: {}", issued(newest, view.now)), 2)
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
        let months = match first.billing_periods.as_slice() {
            [] => String::new(),
            months => format!(" in {}", some_of(months.iter().map(ToString::to_string), 3)),
        };
        let count = count(group.len() as u64, "column");
        format!("{kind} {count} ({from}{}){months}, as {}: {names}", first.to, first.reason)
    };
    groups.into_iter().map(line).collect()
}

/// The first `most` of some names, and how many more there are.
fn some_of(names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown = names.take(most).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// The months with something to do or to know, how many are unchanged, and totals.
fn months(pipeline: &PipelineReport, is_plan: bool, view: &View) -> Vec<String> {
    if pipeline.months.is_empty() {
        let tone = if pipeline.error.is_some() { Tone::Bad } else { Tone::Plain };
        return vec![view.paint(&view.paragraph(&summary(pipeline, is_plan), 2), tone)];
    }
    let (unchanged, shown): (Vec<_>, Vec<_>) = pipeline.months.iter().partition(|month| is_unchanged(month));
    let ids = Ids::of(pipeline.months.iter().map(|month| month.execution_id.as_str()));
    let result = if is_plan { "ACTION" } else { "RESULT" };
    let columns = [
        words("MONTH"),
        words(result),
        words("DELIVERY"),
        numbers("ROWS"),
        numbers("FILES"),
        numbers("SIZE"),
        numbers("COST"),
        numbers("CHANGE"),
    ];
    let mut table = Table::new(&columns, "WHY", &["DELIVERY", "FILES", "SIZE", "ROWS"]);
    for month in &shown {
        let loaded = month.result.as_ref().filter(|result| result.status == MonthStatus::Loaded);
        let [cost, change] =
            loaded.map(|loaded| view.cost_cells(&loaded.cost, &loaded.previous_cost)).unwrap_or_default();
        let (word, tone) = result_of(month, pipeline.verb);
        table.row(
            [
                Cell::of(&month.billing_period.to_string()),
                Cell::of(word).toned(tone),
                ids.cell(&month.execution_id),
                count_cell(loaded.map_or(0, |loaded| loaded.rows), "row"),
                count_cell(month.files, "file"),
                size_cell(month.files, month.bytes),
                cost,
                change,
            ],
            &ids.shorten(&why(month)),
        );
    }
    let mut drawn = table.draw(view);
    drawn.extend(view.unchanged(unchanged.len()));
    if shown.len() > 1 {
        drawn.push(view.paragraph(&totals(&shown, pipeline.verb, is_plan, view), 2));
    }
    drawn
}

/// Whether a month has nothing to do, and there is nothing to know about it.
fn is_unchanged(month: &MonthReport) -> bool {
    let is_plain = month.remarks.len() == 1 && UNCHANGED.contains(&month.reason_code);
    month.action == Action::Skip && month.error.is_none() && is_plain
}

/// Why, for people. An error is printed below the table, once.
fn why(month: &MonthReport) -> String {
    let failed = matches!(month.status(), Some(MonthStatus::Failed | MonthStatus::Refused))
        || (month.status().is_none() && month.error.is_some() && matches!(month.action, Action::Refuse | Action::Wait));
    // `loaded` says that it was not loaded before.
    let is_said = month.reason_code == "not_loaded" && month.status() == Some(MonthStatus::Loaded);
    let remarks = month.remarks.iter().skip(usize::from(is_said)).filter(|_| !failed).cloned();
    let error = month.error.as_ref().map(|error| format!("{}: see the error below", error.kind).replace('_', " "));
    remarks.chain(error).collect::<Vec<_>>().join("; ")
}

fn totals(shown: &[&MonthReport], verb: MonthVerb, is_plan: bool, view: &View) -> String {
    let mut words: Vec<(&str, Tone)> = shown.iter().map(|month| result_of(month, verb)).collect();
    words.sort_by_key(|(_, tone)| *tone);
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for (word, _) in words {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let to = if is_plan { "to " } else { "" };
    let counted = counts.into_iter().map(|(word, count)| format!("{count} {to}{word}").replace(' ', GLUE));
    let mut parts: Vec<String> = counted.collect();
    let results = || shown.iter().filter_map(|month| month.result.as_ref());
    let rows = results().map(|result| result.rows).sum();
    parts.extend((rows > 0).then(|| count(rows, "row")));
    if is_plan {
        parts.extend(files(shown.iter().map(|month| (month.files, month.bytes))));
    }
    parts.extend(view.costs(&total(results().map(|result| &result.cost))));
    format!("total: {}", parts.join(", "))
}

/// What a run would do with a month.
pub fn action(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Load => ("load", Tone::Good),
        Action::Reload => ("reload", Tone::Good),
        Action::Skip => ("skip", Tone::Plain),
        Action::Wait => ("wait", Tone::Waiting),
        Action::Refuse => ("refuse", Tone::Bad),
    }
}

/// How a month ended, or what is planned.
fn result_of(month: &MonthReport, verb: MonthVerb) -> (&'static str, Tone) {
    match month.status() {
        Some(MonthStatus::Loaded) => (verb.done(month.action == Action::Reload), Tone::Good),
        Some(MonthStatus::Skipped) => ("skipped", Tone::Plain),
        Some(MonthStatus::Waiting) => ("waiting", Tone::Waiting),
        Some(MonthStatus::Refused) => ("refused", Tone::Bad),
        Some(MonthStatus::Failed) => ("failed", Tone::Bad),
        None => action(month.action),
    }
}
