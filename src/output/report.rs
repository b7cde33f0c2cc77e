//! What a run did or would do, export by export and month by month.

use std::collections::HashMap;

use comfy_table::Table;
use finops_core::{
    Costs, hint,
    model::{amount::total, text::strip_control_chars},
    report::run::{Action, MonthReport, MonthResult, MonthStatus, MonthVerb, PipelineReport, Report},
    schema::{ChangeKind, SchemaChange},
};
use indicatif::HumanBytes;
use tracing::info_span;

use super::{costs, counted, error_of, new_table, newest_delivery, print};
use crate::telemetry;

/// Prints a report, or a plan, as tables.
pub fn report(report: &Report, is_plan: bool) {
    for pipeline in &report.pipelines {
        self::pipeline(pipeline, is_plan);
    }
}

/// Prints one export's part of a report, or of a plan.
pub fn pipeline(pipeline: &PipelineReport, is_plan: bool) {
    let label = pipeline.label.as_deref().unwrap_or_default();
    let heading = [pipeline.pipeline.as_str(), label, &pipeline.export, "->", &pipeline.table];
    let heading = heading.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let step = pipeline.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
    print(&strip_control_chars(&format!("{step}{heading}")));
    // Files of other types than the table's are cast on every load: that is for the plan to tell.
    let told = pipeline.schema.iter().filter(|change| is_plan || change.change != ChangeKind::Cast);
    for line in schema(told) {
        print(&strip_control_chars(&line));
    }
    if !pipeline.months.is_empty() {
        print(&months(&pipeline.months, pipeline.verb, is_plan).to_string());
    }
    pipeline.newest_delivery_at.iter().for_each(|newest| newest_delivery(*newest));
    print(&summary(pipeline, is_plan));
}

/// A line for all columns that change alike.
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
        let (files, size) = match month.files {
            0 => (String::new(), String::new()),
            files => (files.to_string(), HumanBytes(month.bytes).to_string()),
        };
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

fn action(action: Action) -> &'static str {
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

/// One line on how an export's run ended, or what is planned.
pub fn summary(pipeline: &PipelineReport, is_plan: bool) -> String {
    if pipeline.months.is_empty() {
        return if pipeline.error.is_some() {
            "failed".to_owned()
        } else {
            "nothing to do: none of the months asked for is there".to_owned()
        };
    }
    if is_plan {
        return plan_summary(pipeline);
    }
    let count = |status| pipeline.months.iter().filter(|month| month.status() == Some(status)).count();
    let parts = [
        (count(MonthStatus::Loaded), pipeline.verb.done(false)),
        (count(MonthStatus::Skipped), "skipped"),
        (count(MonthStatus::Waiting), "waiting"),
        (count(MonthStatus::Refused), "refused"),
        (count(MonthStatus::Failed), "failed"),
    ];
    counted("months", &parts)
}

fn plan_summary(pipeline: &PipelineReport) -> String {
    let count = |action| pipeline.months.iter().filter(|month| month.action == action).count();
    let parts = [
        (count(Action::Load), "to load"),
        (count(Action::Reload), "to reload"),
        (count(Action::Skip), "to skip"),
        (count(Action::Wait), "waiting"),
        (count(Action::Refuse), "refused"),
    ];
    counted("months", &parts)
}

/// Says on stderr what failed and what to do about it.
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

fn results_of(pipeline: &PipelineReport) -> impl Iterator<Item = &MonthResult> {
    pipeline.months.iter().filter_map(|month| month.result.as_ref())
}

fn on_one_line(amounts: &Costs) -> String {
    costs(amounts).replace('\n', ", ")
}

/// Logs in one line how a run ended, where logs are read by programs. It took so many `seconds`.
pub fn end_of_run(report: &Report, seconds: u64) {
    if !telemetry::is_structured() {
        return;
    }
    let months = || report.pipelines.iter().flat_map(|pipeline| &pipeline.months);
    let count = |status| months().filter(|month| month.status() == Some(status)).count() as u64;
    let loaded = count(MonthStatus::Loaded);
    // StagedSettings pass the same rows on, and each tells of them: they are summed up as those of the last step that moved any.
    let moved = |pipeline: &&PipelineReport| results_of(pipeline).any(|result| result.rows > 0);
    let last = report.pipelines.iter().filter(|pipeline| pipeline.step.is_some()).rfind(moved);
    let summed = || report.pipelines.iter().filter(|pipeline| last.is_none_or(|last| last.step == pipeline.step));
    let rows: u64 = summed().flat_map(results_of).map(|result| result.rows).sum();
    let cost = on_one_line(&total(summed().flat_map(results_of).map(|result| &result.cost)));
    let of_export = |pipeline: &PipelineReport| {
        let parts = [pipeline.pipeline.as_str(), pipeline.step.as_deref().unwrap_or_default(), &pipeline.export];
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        format!("{name}: {}", summary(pipeline, false))
    };
    let exports = report.pipelines.iter().map(of_export).collect::<Vec<_>>().join("; ");
    let put = if rows == 0 { String::new() } else { format!("; {rows} rows, {cost}") };
    macro_rules! log {
        ($level:ident, $ended:literal $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                $($name = $value,)*
                loaded,
                skipped = count(MonthStatus::Skipped),
                waiting = count(MonthStatus::Waiting),
                refused = count(MonthStatus::Refused),
                failed = count(MonthStatus::Failed),
                failed_exports = report.pipelines.iter().filter(|pipeline| pipeline.error.is_some()).count() as u64,
                rows,
                cost,
                seconds,
                "run {} after {seconds} s: {exports}{put}",
                $ended
            )
        };
    }
    if report.failed() {
        log!(error, "failed", kind = "run", hint = hint::SEE_LINES_BEFORE);
    } else {
        log!(info, "ended well");
    }
}
