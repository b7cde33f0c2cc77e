//! One line on a run, for tables and for the log.

use finops_core::{
    Costs, hint,
    model::{amount::total, text::excerpt},
    report::run::{Action, MonthResult, MonthStatus, PipelineReport, Report},
};

use crate::telemetry;

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

pub(super) fn counted(of: &str, parts: &[(usize, &str)]) -> String {
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{of}: {}", parts.collect::<Vec<_>>().join(", "))
}

/// The costs, one currency a line.
pub(super) fn costs(costs: &Costs) -> String {
    costs.iter().map(|(currency, amount)| format!("{amount} {}", excerpt(currency))).collect::<Vec<_>>().join("\n")
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
    // StagedSettings pass the same rows on, and each tells of them: they are summed up as those of the last step that moved any.
    let moved = |pipeline: &&PipelineReport| results_of(pipeline).any(|result| result.rows > 0);
    let last = report.pipelines.iter().filter(|pipeline| pipeline.step.is_some()).rfind(moved);
    let summed = || report.pipelines.iter().filter(|pipeline| last.is_none_or(|last| last.step == pipeline.step));
    let rows: u64 = summed().flat_map(results_of).map(|result| result.rows).sum();
    let cost = costs(&total(summed().flat_map(results_of).map(|result| &result.cost))).replace('\n', ", ");
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
