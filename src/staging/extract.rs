//! The step from the provider's store to the staging folder.

use std::path::Path;

use finops_core::{
    BillingPeriod,
    formats::staging::StagedManifest,
    plan::{Decision, PlannedMonth, kinds::keep_one_kind, plan},
    report::run::{MonthResult, MonthStatus, MonthVerb, PipelineReport},
};
use jiff::Timestamp;

use crate::staging::{
    folder::{Folder, remove_others, remove_unfinished, stage, unfinished},
    lock,
};
use crate::{
    error::{Error, Result},
    flow::{
        discover::{Discovered, discover},
        export::{Export, Run},
        report::{self, not_loaded, planned_report},
        silence::{check_age, no_manifest},
    },
    storage::Store,
};

/// What happens during the step, for its progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The number of bytes that will be fetched.
    Planned(u64),
    /// The number of bytes that were fetched since the last event.
    OnBytes(u64),
}

/// Fetches what is new of an export to the staging folder. Every failure is part of the report.
pub async fn extract(
    export: &Export,
    store: &Store,
    root: &Path,
    run: &Run,
    progress: &(dyn Fn(Transfer) + Sync),
) -> PipelineReport {
    let mut report = report::started(export, &root.display().to_string(), MonthVerb::Stage);
    let extracted = extract_months(export, store, root, run, progress, &mut report).await;
    let checked = extracted.and_then(|()| check_age(report.newest_delivery_at, &run.max_age, run.rules.now));
    report.error = checked.err().map(|error| error.reported());
    report::end(&mut report, run.dry_run);
    report
}

async fn extract_months(
    export: &Export,
    store: &Store,
    root: &Path,
    run: &Run,
    progress: &(dyn Fn(Transfer) + Sync),
    report: &mut PipelineReport,
) -> Result<()> {
    // The lock and the folder first, then the listing: so the listing is newer than anything that a run staged.
    let _locked = if run.dry_run { None } else { Some(lock::to_write(root)?) };
    let there = Folder::read(root, export).await?;
    let begun = if run.dry_run { Vec::new() } else { unfinished(root, export).await? };
    let listed_at = Timestamp::now();
    let Some(plan) = plan_months(export, store, &there, run).await? else {
        return Err(no_manifest(store, export, &[]).await);
    };
    report.export.clone_from(&plan.export_name);
    report.newest_delivery_at = plan.newest_at;
    report.months.extend(plan.unreadable.iter().map(|(period, error)| report::unreadable(*period, error)));
    let planned = plan.months;
    let to_fetch = planned.iter().map(|month| match &month.decision {
        Decision::Load(delivery) | Decision::Reload(delivery) => delivery.bytes(),
        _ => 0,
    });
    progress(Transfer::Planned(to_fetch.sum()));
    for planned in planned {
        let mut month = planned_report(&planned, export, MonthVerb::Stage);
        let done = match planned.decision {
            _ if run.dry_run => Ok(()),
            Decision::Load(delivery) | Decision::Reload(delivery) => {
                let manifest = StagedManifest::of(&delivery, export.provider, listed_at);
                let fetched =
                    stage(store, &delivery, root, manifest, &|bytes| progress(Transfer::OnBytes(bytes))).await;
                let done = fetched.and_then(|()| remove_others(&there, &begun, &delivery.manifest));
                done.map(|()| month.result = Some(MonthResult::from(MonthStatus::Loaded)))
            }
            Decision::Skip { .. } => remove_unfinished(&there, &begun, &plan.export_name, month.billing_period),
            Decision::Wait { .. } | Decision::Refuse { .. } => Ok(()),
        };
        if let Err(error) = done {
            not_loaded(&mut month, MonthStatus::Failed, &error);
        }
        report.months.push(month);
    }
    Ok(())
}

/// What to do with each month, newest first.
pub(super) struct Plan {
    pub export_name: String,
    pub months: Vec<PlannedMonth>,
    /// When the newest delivery was issued.
    pub newest_at: Option<Timestamp>,
    /// Months that the store could not read.
    pub unreadable: Vec<(BillingPeriod, Error)>,
}

/// Plans what to fetch to the folder, which now has the deliveries `there`; `None` without a manifest.
pub(super) async fn plan_months(export: &Export, store: &Store, there: &Folder, run: &Run) -> Result<Option<Plan>> {
    let Discovered { export_name, mut candidates, newest_at, unreadable, .. } =
        discover(store, export, &run.months, &there.loaded()).await?;
    let Some(export_name) = export_name else { return Ok(None) };
    let staged = there.months(&export_name);
    keep_one_kind(&mut candidates, &staged, None);
    let months = plan(candidates, &staged, &export.selection(), &run.rules);
    Ok(Some(Plan { export_name, months, newest_at, unreadable }))
}
