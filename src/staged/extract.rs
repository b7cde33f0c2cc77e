//! From where the provider delivers to the staging folder.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use finops_core::{
    plan::{Decision, PlannedMonth, plan},
    report::{MonthResult, MonthStatus, PipelineReport, Verb},
    staged::StagedManifest,
    state::{LoadRecord, Standing},
};
use jiff::Timestamp;

use super::staging::{Folder, remove_others, stage};
use crate::{
    config::Export,
    discover::{discover, no_manifest, refuse_other_kinds},
    error::{Error, Kind, Result},
    outcome::{self, not_loaded, planned_report},
    pipeline::Run,
    storage::{Store, unwritable},
};

/// What happens meanwhile, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes will be fetched.
    Planned(u64),
    /// So many more are there.
    Got(u64),
}

/// Brings what is new of an export to the staging folder. Every failure is part of the report.
pub async fn extract(
    export: &Export,
    store: &Store,
    root: &Path,
    run: &Run,
    progress: &(dyn Fn(Transfer) + Sync),
) -> PipelineReport {
    let name = export.name.as_deref().unwrap_or_default();
    let mut report = PipelineReport::new(export.provider.as_str(), name, &root.display().to_string());
    report.verb = Verb::Stage;
    if let Err(error) = extract_months(export, store, root, run, progress, &mut report).await {
        report.error = Some(error.reported());
    }
    report.months.sort_by_key(|month| std::cmp::Reverse(month.billing_period));
    if !run.dry_run {
        report.status = Some(outcome::status(&report));
    }
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
    // The folder for itself, and what is there; only then the listing: it is younger than what any run staged.
    let _claimed = if run.dry_run { None } else { Some(claim(root)?) };
    let there = Folder::read(root, export).await?;
    let listed_at = Timestamp::now();
    let discovered = discover(store, export, &run.months, &there.loaded()).await?;
    let Some(export_name) = discovered.export_name else {
        return Err(no_manifest(store, export));
    };
    report.export.clone_from(&export_name);
    report.months.extend(discovered.unreadable.iter().map(|(period, error)| outcome::unreadable(*period, error)));
    let standing = there.months(&export_name);
    let mut candidates = discovered.candidates;
    refuse_other_kinds(&mut candidates, &standing);
    let planned = plan(candidates, &standing, &run.rules);
    let to_fetch = planned.iter().map(|month| match &month.decision {
        Decision::Load(delivery) | Decision::Reload(delivery) => delivery.bytes(),
        _ => 0,
    });
    progress(Transfer::Planned(to_fetch.sum()));
    for mut planned in planned {
        let period = planned.billing_period;
        reword(&mut planned, standing.get(&period));
        let mut month = planned_report(&planned);
        if let Decision::Load(delivery) | Decision::Reload(delivery) = planned.decision
            && !run.dry_run
        {
            let manifest = StagedManifest::of(&delivery, export.provider, listed_at);
            let fetched = stage(store, &delivery, root, &manifest, &|bytes| progress(Transfer::Got(bytes))).await;
            match fetched.and_then(|()| remove_others(&there, &delivery.manifest)) {
                Ok(()) => month.result = Some(MonthResult::from(MonthStatus::Loaded)),
                Err(error) => not_loaded(&mut month, MonthStatus::Failed, &error),
            }
        }
        report.months.push(month);
    }
    Ok(())
}

/// Has the staging folder for this run alone, until what is given is dropped or the process ends: two that write the same
/// file could leave a part of it under its final name.
fn claim(root: &Path) -> Result<File> {
    fs::create_dir_all(root).map_err(|error| unwritable(root, error))?;
    let folder = File::open(root).map_err(|error| unwritable(root, error))?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let message = format!("another run is bringing deliveries to {}", root.display());
            Err(Error::new(Kind::Busy, message).hint("wait for its end, and run again"))
        }
        // Not every network's file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(folder),
    }
}

/// The plan speaks of tables: says the same of a folder.
fn reword(planned: &mut PlannedMonth, standing: Option<&Standing>) {
    let is_same = |record: &LoadRecord| planned.execution_id.as_ref() == Some(&record.execution_id);
    planned.reason = match (&planned.decision, standing) {
        (Decision::Load(_), None) => "not staged yet".to_owned(),
        (Decision::Load(_), Some(_)) => "not all of its files are in the staging folder any more".to_owned(),
        (Decision::Skip { empty: false }, Some(Standing { record, .. })) if is_same(record) => {
            format!("already staged on {}", record.loaded_at.strftime("%Y-%m-%d %H:%M UTC"))
        }
        _ => return,
    };
}
