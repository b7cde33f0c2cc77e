//! From decisions and loads to the report.

use finops_core::{
    BillingPeriod, hint,
    model::{amount::movement, delivery::Delivery, load_record::LoadRecord, manifest::Manifest},
    plan::{Decision, PlannedMonth},
    report::run::{Action, Check, MonthReport, MonthResult, MonthStatus, PipelineReport, PipelineStatus, ScopeRun},
};

use jiff::civil::Date;

use crate::{
    error::{Error, ErrorKind},
    flow::export::Export,
    warehouse::Committed,
};

/// A month's report as far as the plan goes: months to load have no status yet.
pub fn planned_report(month: &PlannedMonth, export: &Export) -> MonthReport {
    let without = |hint| export.hint_without(hint, &month.manifest_uri, month.execution_id.as_deref());
    let (action, status, error) = match &month.decision {
        Decision::Load(_) => (Action::Load, None, None),
        Decision::Reload(_) => (Action::Reload, None, None),
        Decision::Skip { .. } => (Action::Skip, Some(MonthStatus::Skipped), None),
        Decision::Wait { stale: false } => (Action::Wait, Some(MonthStatus::Waiting), None),
        Decision::Wait { stale: true } => {
            let to_do = month.failure.as_ref().map_or(hint::MIRROR_RUNNING, |failure| failure.hint);
            let stale = Error::new(ErrorKind::Stale, format!("{}: {}", month.billing_period, month.reason))
                .hint(without(to_do));
            (Action::Wait, Some(MonthStatus::Failed), Some(stale.reported()))
        }
        Decision::Refuse { hint: to_do } => {
            let refused = Error::new(ErrorKind::Manifest, format!("{}: {}", month.billing_period, month.reason))
                .hint(without(to_do));
            (Action::Refuse, Some(MonthStatus::Refused), Some(refused.reported()))
        }
    };
    // A part of the month may be wrong while the rest is as it should be.
    let of_part = month.failure.as_ref().map(|failure| {
        let kind = if failure.stale { ErrorKind::Stale } else { ErrorKind::Manifest };
        Error::new(kind, format!("{}: {}", month.billing_period, failure.reason)).hint(failure.hint).reported()
    });
    let error = error.or(of_part);
    let delivery = match &month.decision {
        Decision::Load(delivery) | Decision::Reload(delivery) => Some(delivery),
        _ => None,
    };
    MonthReport {
        billing_period: month.billing_period,
        execution_id: month.execution_id.clone().unwrap_or_default(),
        action,
        reason: month.reason.clone(),
        scopes: delivery.map(scopes).unwrap_or_default(),
        files: delivery.map_or(0, |delivery| delivery.files.len() as u64),
        bytes: delivery.map_or(0, Delivery::bytes),
        result: status.map(MonthResult::from),
        error,
        fingerprint: delivery.map(|delivery| delivery.fingerprint.clone()),
    }
}

/// The runs of a delivery, as far as their scopes are told.
fn scopes(delivery: &Delivery) -> Vec<ScopeRun> {
    let of_run = |run: &Manifest| {
        let (scope, execution_id) = (run.scope.clone()?, run.execution_id.clone());
        Some(ScopeRun { scope, execution_id })
    };
    delivery.runs().into_iter().filter_map(|(run, _)| of_run(run)).collect()
}

/// The report of a month of which the store would not tell.
pub fn unreadable(billing_period: BillingPeriod, error: &Error) -> MonthReport {
    MonthReport {
        billing_period,
        execution_id: String::new(),
        action: Action::Refuse,
        reason: "its manifest or the list of its files cannot be read".to_owned(),
        scopes: Vec::new(),
        files: 0,
        bytes: 0,
        result: Some(MonthStatus::Failed.into()),
        error: Some(error.reported()),
        fingerprint: None,
    }
}

/// Whether the month failed for something that changed while it was worked on.
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
        let moved = movement(&previous_cost, &load.record.cost);
        month.reason = match moved {
            Some(moved) => format!("{}; {} moved by {moved}", month.reason, month.billing_period),
            None => format!("{}; its cost did not move", month.reason),
        };
    }
    for note in notes {
        month.reason = format!("{}; {note}", month.reason);
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

/// Turns the report of a month to load into that of one which waits for a delivery that reaches as far as the table's.
pub fn outreached(month: &mut MonthReport, until: Date) {
    month.action = Action::Wait;
    month.result = Some(MonthStatus::Waiting.into());
    month.reason = format!(
        "{}; waiting for a delivery that reaches to {until}, as the one does that an interrupted run left in the table \
         (--force loads this one)",
        month.reason
    );
}

/// Turns the report of a month to load into that of a month skipped for having no rows.
pub fn empty(month: &mut MonthReport, files: usize) {
    month.action = Action::Skip;
    month.result = Some(MonthStatus::Skipped.into());
    month.reason = format!("empty delivery: its {files} files hold headers and no rows");
}

/// The error of a month with, where the fault is in the delivery itself, the way to go on without it.
pub fn of_delivery(error: Error, export: &Export, delivery: &Delivery) -> Error {
    match (error.kind(), error.next_step()) {
        // Of several runs, nobody knows which is to be left out.
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
pub fn status(report: &PipelineReport) -> PipelineStatus {
    let loaded = report.months.iter().any(|month| month.status() == Some(MonthStatus::Loaded));
    match (report.failed(), loaded) {
        (true, _) => PipelineStatus::Failed,
        (false, true) => PipelineStatus::Succeeded,
        (false, false) => PipelineStatus::NothingToDo,
    }
}
