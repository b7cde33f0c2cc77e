//! Turns decisions and loads into the report.

use std::cmp::Reverse;

use finops_core::{
    BillingPeriod, hint,
    model::{amount::movement, delivery::Delivery, load_record::LoadRecord, manifest::Manifest},
    plan::{
        Decision, PlannedMonth,
        reason::{Empty, Reason},
    },
    report::{
        reason::{remarks, text, why},
        run::{
            Action, Check, MonthReport, MonthResult, MonthStatus, MonthVerb, PipelineReport, PipelineStatus, ScopeRun,
        },
    },
};

use jiff::civil::Date;

use crate::{
    error::{Error, ErrorKind},
    flow::export::Export,
    warehouse::Committed,
};

/// The report of an export before anything but its settings is known. `place` is where its months go.
pub fn started(export: &Export, place: &str, verb: MonthVerb) -> PipelineReport {
    let name = export.name.as_deref().unwrap_or_default();
    PipelineReport { verb, ..PipelineReport::new(export.provider.as_str(), name, place) }
}

/// Completes the report of an export: newest month first, and how it ended. A plan has not ended.
pub fn end(report: &mut PipelineReport, is_plan: bool) {
    report.months.sort_by_key(|month| Reverse(month.billing_period));
    report.status = (!is_plan).then(|| status(report));
}

/// A month's report as far as the plan goes: months to load have no status yet.
pub fn planned_report(month: &PlannedMonth, export: &Export, verb: MonthVerb) -> MonthReport {
    let (period, why) = (month.billing_period, why(month, verb));
    let error =
        |kind, what: &str, hint: &str| Some(Error::new(kind, format!("{period}: {what}")).hint(hint).reported());
    let without = |hint| export.hint_without(hint, &month.manifest_uri, month.execution_id.as_deref());
    let (action, status, of_month) = match &month.decision {
        Decision::Load(_) => (Action::Load, None, None),
        Decision::Reload(_) => (Action::Reload, None, None),
        Decision::Skip { .. } => (Action::Skip, Some(MonthStatus::Skipped), None),
        Decision::Wait { stale: false } => (Action::Wait, Some(MonthStatus::Waiting), None),
        Decision::Wait { stale: true } => {
            let to_do = month.failure.as_ref().map_or(hint::MIRROR_RUNNING, |failure| failure.hint);
            (Action::Wait, Some(MonthStatus::Failed), error(ErrorKind::Stale, &why, &without(to_do)))
        }
        Decision::Refuse { hint } => {
            (Action::Refuse, Some(MonthStatus::Refused), error(ErrorKind::Manifest, &why, &without(hint)))
        }
    };
    // A part of the month may fail while the rest is loaded.
    let of_part = month.failure.as_ref().and_then(|failure| {
        let kind = if failure.stale { ErrorKind::Stale } else { ErrorKind::Manifest };
        error(kind, &text(&failure.reason, verb), failure.hint)
    });
    let delivery = month.decision.delivery();
    MonthReport {
        billing_period: period,
        execution_id: month.execution_id.clone().unwrap_or_default(),
        action,
        reason: why,
        remarks: remarks(month, verb),
        reason_code: month.reason.code(),
        scopes: delivery.map(scopes).unwrap_or_default(),
        files: delivery.map_or(0, |delivery| delivery.files.len() as u64),
        bytes: delivery.map_or(0, Delivery::bytes),
        result: status.map(MonthResult::from),
        error: of_month.or(of_part),
        fingerprint: delivery.map(|delivery| delivery.fingerprint.clone()),
    }
}

/// The runs of a delivery that have a scope.
fn scopes(delivery: &Delivery) -> Vec<ScopeRun> {
    let of_run = |run: &Manifest| {
        let (scope, execution_id) = (run.scope.clone()?, run.execution_id.clone());
        Some(ScopeRun { scope, execution_id })
    };
    delivery.runs().into_iter().filter_map(|(run, _)| of_run(run)).collect()
}

/// The report of a month that the store could not read.
pub fn unreadable(billing_period: BillingPeriod, error: &Error) -> MonthReport {
    MonthReport {
        billing_period,
        execution_id: String::new(),
        action: Action::Refuse,
        reason: text(&Reason::NotReadable, MonthVerb::Load),
        remarks: Vec::new(),
        reason_code: Reason::NotReadable.code(),
        scopes: Vec::new(),
        files: 0,
        bytes: 0,
        result: Some(MonthStatus::Failed.into()),
        error: Some(error.reported()),
        fingerprint: None,
    }
}

/// Whether the month failed because something changed while it was loaded.
pub fn is_busy(month: &MonthReport) -> bool {
    month.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Busy)
}

/// The same month in a plan, which has no results.
pub fn as_plan(month: MonthReport) -> MonthReport {
    MonthReport { result: None, ..month }
}

/// Completes the report of a month that was loaded.
pub fn loaded(month: &mut MonthReport, previous: Option<&LoadRecord>, load: Committed, notes: &[String]) {
    let previous_cost = previous.map(|record| record.cost.clone()).unwrap_or_default();
    if previous.is_some() {
        let moved = match movement(&previous_cost, &load.record.cost) {
            Some(moved) => format!("{} moved by {moved}", month.billing_period),
            None => "its cost did not move".to_owned(),
        };
        month.reason = format!("{}; {moved}", month.reason);
    }
    for text in notes {
        month.note(text);
    }
    month.files = load.record.files;
    month.bytes = load.record.bytes;
    month.result = Some(MonthResult {
        status: MonthStatus::Loaded,
        rows: load.record.rows,
        bytes_billed: load.bytes_billed,
        verified: vec![Check::Files, Check::Rows],
        cost: load.record.cost,
        previous_cost,
        job_id: load.record.job_id,
    });
}

/// Turns the report of a month to load into that of one that waits for a delivery that covers as many days as the table's.
pub fn outreached(month: &mut MonthReport, until: Date) {
    let reason = Reason::WiderInTable { until };
    month.action = Action::Wait;
    month.result = Some(MonthStatus::Waiting.into());
    month.reason_code = reason.code();
    month.note(&text(&reason, MonthVerb::Load));
}

/// Turns the report of a month to load into that of a month skipped for having no rows.
pub fn empty(month: &mut MonthReport, files: usize) {
    let reason = Reason::EmptyDelivery(Empty::Headers(files));
    month.action = Action::Skip;
    month.result = Some(MonthStatus::Skipped.into());
    month.reason_code = reason.code();
    month.reason = text(&reason, MonthVerb::Load);
    month.remarks = vec![month.reason.clone()];
}

/// The month's error. If the delivery itself is wrong, its hint says how to load the export without it.
pub fn of_delivery(error: Error, export: &Export, delivery: &Delivery) -> Error {
    match (error.kind(), error.next_step()) {
        // A month of several runs has no one delivery to leave out.
        (ErrorKind::Data | ErrorKind::Verification | ErrorKind::Archived, Some(hint))
            if delivery.manifest.runs.is_empty() =>
        {
            let id = Some(delivery.manifest.execution_id.as_str());
            let hint = export.hint_without(hint, &delivery.manifest_uri, id);
            error.hint(hint)
        }
        _ => error,
    }
}

/// Completes the report of a month that could not be loaded.
pub fn not_loaded(month: &mut MonthReport, status: MonthStatus, error: &Error) {
    if status == MonthStatus::Refused {
        month.action = Action::Refuse;
    }
    let job_id = error.job_id().map(str::to_owned);
    month.result = Some(MonthResult { job_id, ..status.into() });
    month.error = Some(error.reported());
}

/// How the export's run ended.
fn status(report: &PipelineReport) -> PipelineStatus {
    let loaded = report.months.iter().any(|month| month.status() == Some(MonthStatus::Loaded));
    match (report.failed(), loaded) {
        (true, _) => PipelineStatus::Failed,
        (false, true) => PipelineStatus::Succeeded,
        (false, false) => PipelineStatus::NothingToDo,
    }
}
