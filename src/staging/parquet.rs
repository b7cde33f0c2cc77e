//! From DuckDB to Parquet: one file a month, with a manifest beside it, so that the folder is an export.

use std::{collections::BTreeMap, fs, io, path::Path};

use finops_core::{
    BillingPeriod,
    formats::{
        kinds,
        staging::{PARQUET_FORM, StagedManifest, parquet_manifest_name, parquet_name},
    },
    hint,
    model::{
        delivery::Delivery,
        kind::ExportKind,
        load_record::{LoadRecord, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestFile},
        provider::Provider,
    },
    plan::{Candidate, Decision, Rules, Selection, plan, reason::Reason},
    report::run::{Check, MonthResult, MonthStatus, MonthVerb, PipelineReport},
};

use crate::staging::{
    files::{PARTIAL, remove, rename, with_suffix, write_manifest},
    folder::record,
    lock,
};
use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        export::{Export, Run},
        report::{self, not_loaded, planned_report},
        table::{LookedUp, look_up},
    },
    storage::{Hashes, hashes, unreadable},
    warehouse::{Compression, Target, Warehouse, duckdb::DuckDb},
};

/// How months are written.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// Write months that are written again.
    pub overwrite: bool,
    /// Of the pages.
    pub compression: Compression,
}

/// Writes the months of the export's table to `folder`, as [`plan`] decides. Every failure is part of the report; `None` if the
/// table has no month.
pub async fn export_parquet(
    export: &Export,
    duckdb: &DuckDb,
    folder: &Path,
    run: &Run,
    writing: Writing,
) -> Option<PipelineReport> {
    let mut report = report::started(export, &folder.display().to_string(), MonthVerb::Write);
    match export_months(export, duckdb, folder, run, writing, &mut report).await {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => report.error = Some(error.reported()),
    }
    report::end(&mut report, run.dry_run);
    Some(report)
}

/// Returns whether the table has any month.
async fn export_months(
    export: &Export,
    duckdb: &DuckDb,
    folder: &Path,
    run: &Run,
    writing: Writing,
    report: &mut PipelineReport,
) -> Result<bool> {
    let LookedUp { kind, mut months, .. } = look_up(duckdb, export).await?;
    let target = export.target(&report.export, kinds::columns(kind).key);
    months.retain(|_, loaded| loaded.rows_in_table > 0);
    if months.is_empty() {
        return Ok(false);
    }
    let _locked = if run.dry_run { None } else { Some(lock::to_write(folder)?) };
    // Without a name in the settings, the table has it.
    if report.export.is_empty()
        && let Some(loaded) = months.values().next()
    {
        report.export.clone_from(&loaded.record.export_name);
    }
    months.retain(|period, _| run.months.contain(*period));
    let of_table = |loaded: &LoadedMonth| candidate(manifest(export, kind, loaded));
    let candidates = months.values().map(of_table).collect();
    let written = written(folder, export.provider, months.keys().copied());
    let selection = Selection { are_months: true, ..Selection::default() };
    let rules = Rules { force: writing.overwrite, ..run.rules };
    for mut planned in plan(candidates, &written, &selection, &rules) {
        let period = planned.billing_period;
        let has_older_form = || found(folder, export.provider, period).is_some_and(|found| found.form < PARQUET_FORM);
        if let Reason::AlreadyLoaded { .. } = planned.reason
            && let Some(Ok(delivery)) = months.get(&period).map(|loaded| of_table(loaded).delivery)
            && has_older_form()
        {
            (planned.decision, planned.reason) = (Decision::Reload(delivery), Reason::OlderForm);
        }
        let mut month = planned_report(&planned, export, MonthVerb::Write);
        month.files = u64::from(planned.decision.delivery().is_some());
        month.scopes = Vec::new();
        let to_write = months.get(&planned.billing_period).filter(|_| month.files > 0 && !run.dry_run);
        if let Some(loaded) = to_write {
            match write(duckdb, &target, folder, manifest(export, kind, loaded), loaded, writing).await {
                Ok(bytes) => {
                    month.bytes = bytes;
                    month.result = Some(MonthResult {
                        rows: loaded.rows_in_table,
                        cost: loaded.record.cost.clone(),
                        verified: vec![Check::Rows],
                        ..MonthStatus::Loaded.into()
                    });
                }
                Err(error) => not_loaded(&mut month, MonthStatus::Failed, &error),
            }
        }
        report.months.push(month);
    }
    Ok(true)
}

/// The month of the table as a delivery, which the plan compares with what is written.
fn candidate(wanted: StagedManifest) -> Candidate {
    let StagedManifest { manifest_uri, fingerprint, listed_at, manifest, .. } = wanted;
    let (billing_period, uri) = (manifest.billing_period, manifest_uri.clone());
    let (files, missing, of_another_size) = (Vec::new(), Vec::new(), 0);
    let delivered_at = listed_at;
    let origin = None;
    let delivery =
        Delivery { manifest, manifest_uri, origin, delivered_at, files, missing, of_another_size, fingerprint };
    Candidate { billing_period, manifest_uri: uri, delivery: Ok(delivery) }
}

/// The manifest of the month's file, except for the file's size.
fn manifest(export: &Export, kind: ExportKind, loaded: &LoadedMonth) -> StagedManifest {
    let record = &loaded.record;
    let file = ManifestFile { relative_path: parquet_name(export.provider, record.billing_period), bytes: None };
    StagedManifest {
        provider: export.provider,
        manifest_uri: record.manifest_uri.clone(),
        fingerprint: record.fingerprint.clone(),
        listed_at: record.loaded_at,
        written: BTreeMap::new(),
        form: PARQUET_FORM,
        manifest: Manifest {
            issued_at: Some(record.loaded_at),
            scope: only_scope(record),
            rows: Some(loaded.rows_in_table),
            files: vec![file],
            ..Manifest::new(
                kind,
                record.export_name.clone(),
                record.billing_period,
                record.execution_id.clone(),
                FileFormat::Parquet,
            )
        },
    }
}

/// The scope of the month's rows, where it is one.
fn only_scope(record: &LoadRecord) -> Option<String> {
    let mut scopes = record.scopes.iter().flatten().map(|scope| &scope.scope);
    let first = scopes.next().filter(|scope| !scope.is_empty())?;
    scopes.all(|scope| scope == first).then(|| first.clone())
}

/// The months whose file is whole in the folder, for the plan.
pub(super) fn written(
    folder: &Path,
    provider: Provider,
    periods: impl Iterator<Item = BillingPeriod>,
) -> BTreeMap<BillingPeriod, LoadedMonth> {
    let month = |period| {
        let found = found(folder, provider, period)?;
        let file = found.manifest.files.first()?;
        let size = fs::metadata(folder.join(&file.relative_path)).ok()?.len();
        // The file has all scopes of its month. Its manifest names one only if there is no other, so they cannot be compared.
        let record = LoadRecord { scopes: None, ..record(folder, &found) };
        let loaded = LoadedMonth { record, rows_in_table: 1 };
        (file.bytes == Some(size)).then_some((period, loaded))
    };
    periods.filter_map(month).collect()
}

/// The manifest of the month's file.
fn found(folder: &Path, provider: Provider, period: BillingPeriod) -> Option<StagedManifest> {
    serde_json::from_slice(&fs::read(folder.join(parquet_manifest_name(provider, period))).ok()?).ok()
}

/// All of the month's rows must have been written.
fn check_rows(table: &str, period: BillingPeriod, expected: u64, written: u64) -> Result<()> {
    if written == expected {
        return Ok(());
    }
    let message = format!("{period} of {table} has {expected} rows, and {written} were written");
    Err(Error::new(ErrorKind::Verification, message).hint(hint::CHANGED_MEANWHILE))
}

/// Writes the month and its manifest; returns the file's size. A file of the final name is always whole.
async fn write(
    duckdb: &DuckDb,
    target: &Target,
    folder: &Path,
    mut wanted: StagedManifest,
    loaded: &LoadedMonth,
    writing: Writing,
) -> Result<u64> {
    let period = wanted.manifest.billing_period;
    let to = folder.join(parquet_name(wanted.provider, period));
    let manifest = folder.join(parquet_manifest_name(wanted.provider, period));
    let partial = with_suffix(&to, PARTIAL);
    let rows = duckdb.export(target, period, &partial, writing.compression).await?;
    check_rows(&duckdb.table_name(&target.name), period, loaded.rows_in_table, rows)?;
    let Some(Hashes { written, .. }) = hashes(partial.clone()).await? else {
        return Err(unreadable(&partial, io::ErrorKind::NotFound.into()));
    };
    let bytes = written.bytes;
    wanted.manifest.files[0].bytes = Some(bytes);
    wanted.written.insert(wanted.manifest.files[0].relative_path.clone(), written);
    remove(&manifest)?;
    rename(&partial, &to)?;
    write_manifest(&manifest, &wanted)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_that_changed_during_its_export_is_refused() {
        let period = "2025-09".parse().unwrap();
        assert!(check_rows("main.t", period, 2, 2).is_ok());
        let error = check_rows("main.t", period, 2, 1).unwrap_err();
        assert_eq!((error.kind(), error.next_step()), (ErrorKind::Verification, Some(hint::CHANGED_MEANWHILE)));
    }
}
