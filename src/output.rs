//! What people and programs see. Data goes to stdout, everything else to stderr.

use std::{
    io::{self, Write},
    time::Duration,
};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use finops_core::{
    Costs,
    amount::total,
    check::{CheckReport, Finding, Status},
    report::{Action, MonthReport, MonthResult, MonthStatus, PipelineReport, Report, ReportedError, TableStatus, Verb},
    schema::{ChangeKind, SchemaChange},
    state::LoadStatus,
    text::{harmless, harmless_lines, short},
};
use indicatif::{HumanBytes, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tracing::info_span;

#[cfg(feature = "duckdb")]
use crate::staged::{Held, MonthSurvey};
use crate::{
    config::{Origin, Problem, Setting},
    error::{Error, Kind},
    pipeline::Progress,
    staged::Transfer,
    telemetry,
    warehouse::bigquery::Uploaded,
};

/// Terminals with fewer columns than this get tables that do not wrap cells.
const NARROWEST: u16 = 80;

/// Prints data. A reader that closes the pipe early (`| head`) is no error; any other failure to write ends the program,
/// since a report that is lost must not look like a success.
fn print(text: &str) {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            let lost = Error::new(Kind::Storage, format!("cannot write to standard output: {cause}"));
            error(&lost.hint("give it a place with room; `finops status` shows what is loaded").reported());
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
            error(&Error::new(Kind::Storage, format!("cannot write the report as JSON: {cause}")).reported());
        }
    }
}

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
    print(&harmless(&format!("{step}{heading}")));
    // Files of other types than the table's are cast on every load: that is for the plan to tell.
    let told = pipeline.schema.iter().filter(|change| is_plan || change.change != ChangeKind::Cast);
    for line in schema(told) {
        print(&harmless(&line));
    }
    if !pipeline.months.is_empty() {
        print(&months(&pipeline.months, pipeline.verb, is_plan).to_string());
    }
    print(&summary(pipeline, is_plan));
}

/// A line for all columns that change alike.
fn schema<'a>(changes: impl Iterator<Item = &'a SchemaChange>) -> Vec<String> {
    let alike = |a: &SchemaChange, b: &SchemaChange| {
        (a.change, &a.from, a.to, &a.billing_periods) == (b.change, &b.from, b.to, &b.billing_periods)
    };
    let mut groups: Vec<Vec<&SchemaChange>> = Vec::new();
    for change in changes {
        match groups.iter_mut().find(|group| alike(group[0], change)) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
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

fn months(months: &[MonthReport], verb: Verb, is_plan: bool) -> Table {
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
        let why = harmless_lines(month.error.as_ref().map_or(&month.reason, |error| &error.message));
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

fn action(action: Action) -> &'static str {
    match action {
        Action::Load => "load",
        Action::Reload => "reload",
        Action::Skip => "skip",
        Action::Wait => "wait",
        Action::Refuse => "refuse",
    }
}

fn result(month: &MonthReport, verb: Verb) -> &'static str {
    match month.status() {
        Some(MonthStatus::Loaded) => verb.done(month.action == Action::Reload),
        Some(MonthStatus::Skipped) => "skipped",
        Some(MonthStatus::Waiting) => "waiting",
        Some(MonthStatus::Refused) => "refused",
        Some(MonthStatus::Failed) => "failed",
        None => action(month.action),
    }
}

fn costs(costs: &Costs) -> String {
    costs.iter().map(|(currency, amount)| format!("{amount} {}", short(currency))).collect::<Vec<_>>().join("\n")
}

fn on_one_line(amounts: &Costs) -> String {
    costs(amounts).replace('\n', ", ")
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

fn counted(of: &str, parts: &[(usize, &str)]) -> String {
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{of}: {}", parts.collect::<Vec<_>>().join(", "))
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

/// Logs in one line how a run ended, where logs are read by programs. It took so many `seconds`.
pub fn end_of_run(report: &Report, seconds: u64) {
    if !telemetry::is_structured() {
        return;
    }
    let months = || report.pipelines.iter().flat_map(|pipeline| &pipeline.months);
    let count = |status| months().filter(|month| month.status() == Some(status)).count() as u64;
    let loaded = count(MonthStatus::Loaded);
    // Steps pass the same rows on, and each tells of them: they are summed up as those of the last step that moved any.
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
        ($level:ident, $ended:literal $(, $name:ident = $value:literal)*) => {
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
        log!(
            error,
            "failed",
            kind = "run",
            hint = "the lines before this one with severity ERROR say what failed, and what to do"
        );
    } else {
        log!(info, "ended well");
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
        tracing::error!(kind = error.kind, hint, "{}", error.message);
        return;
    }
    print_aside(&format!("error: {}", error.message));
    if !hint.is_empty() {
        print_aside(&format!("hint: {hint}"));
    }
}

/// Logs that the command line is none of ours, as its parser says.
pub fn usage(message: &str) {
    let (kind, message) = ("usage".to_owned(), message.trim_end().to_owned());
    error(&ReportedError { kind, message, hint: Some("`finops --help` shows what there is".to_owned()) });
}

/// Prints what is wrong with the configuration.
pub fn problems(problems: &[Problem]) {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("  {} {} ({})", problem.name, problem.what, problem.looked_in)).collect();
    let hint = "`finops config` shows what counts; .env.example and config.toml.example document every setting";
    error(&ReportedError {
        kind: "configuration".to_owned(),
        message: format!("the configuration has {} problem(s):\n{}", problems.len(), lines.join("\n")),
        hint: Some(hint.to_owned()),
    });
}

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
        table.add_row([&setting.name, &setting.value, origin]);
    }
    print(&table.to_string());
}

/// Prints how far each delivered month has come; in a plan, what each step would do.
#[cfg(feature = "duckdb")]
pub fn survey(months: &[MonthSurvey], is_plan: bool) {
    if months.is_empty() {
        print("no manifest found");
        return;
    }
    let mut table = new_table(
        &["Month", "Execution", "Files", "Size", "Staging", "DuckDB", "Parquet", "BigQuery", "Note"],
        &[2, 3],
    );
    for month in months {
        let place = |held: &Held, doing: &str| match held {
            Held::Current => if is_plan { "skip" } else { "yes" }.to_owned(),
            _ if is_plan && month.obstacle.is_none() => doing.to_owned(),
            Held::Other(_) => "older".to_owned(),
            Held::Nothing => "no".to_owned(),
        };
        let (files, size) = match month.files {
            0 => (String::new(), String::new()),
            files => (files.to_string(), HumanBytes(month.bytes).to_string()),
        };
        table.add_row([
            month.billing_period.to_string(),
            harmless_lines(&month.execution_id),
            files,
            size,
            place(&month.staging, "extract"),
            place(&month.duckdb, "load"),
            place(&month.parquet, "write"),
            month.bigquery.as_ref().map_or("not configured".to_owned(), |held| place(held, "load")),
            harmless_lines(month.obstacle.as_deref().unwrap_or_default()),
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
            LoadStatus::Loaded if standing.rows_in_table == record.rows => "loaded".to_owned(),
            LoadStatus::Loaded => {
                format!("the table holds {} rows now: the next run loads it again", standing.rows_in_table)
            }
        };
        table.add_row([
            record.billing_period.to_string(),
            harmless_lines(&record.execution_id),
            record.rows.to_string(),
            record.files.to_string(),
            costs(&record.cost),
            record.loaded_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            state,
        ]);
    }
    print(&table.to_string());
}

/// A bar on stderr, or nothing.
#[derive(Clone, Debug)]
pub struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// A bar that is drawn if `visible`.
    pub fn new(visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = indicatif::ProgressBar::with_draw_target(None, target);
        bar.set_message("looking for manifests");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows what happened.
    pub fn show(&self, progress: &Progress) {
        match progress {
            Progress::Planned(months) => {
                self.0.set_length(*months as u64);
                // The template is ours: a mistake in it leaves the plain style.
                if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} months  {elapsed}  {msg}") {
                    self.0.set_style(style);
                }
            }
            Progress::Started(period) => self.0.set_message(format!("replacing {period}")),
            Progress::Ended(_) => self.0.inc(1),
        }
    }

    /// Shows how much was fetched.
    pub fn show_bytes(&self, transfer: Transfer) {
        match transfer {
            Transfer::Planned(bytes) => {
                self.0.set_length(bytes);
                self.0.set_message("");
                let template = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    self.0.set_style(style);
                }
            }
            Transfer::Got(bytes) => self.0.inc(bytes),
        }
    }

    /// Shows how much of a file was sent.
    pub fn show_uploaded(&self, uploaded: Uploaded) {
        let Uploaded { bytes, of } = uploaded;
        self.0.set_message(format!("{} of {} sent", HumanBytes(bytes), HumanBytes(of)));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
