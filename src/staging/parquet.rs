//! From DuckDB to Parquet: one file a month, with a manifest beside it, so that the folder is an export.

use std::{collections::BTreeMap, fs, io, path::Path};

use finops_core::{
    BillingPeriod,
    formats::kinds,
    formats::staging::{StagedManifest, parquet_manifest_name, parquet_name},
    hint,
    model::{
        kind::ExportKind,
        load_record::{LoadRecord, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestFile},
        provider::Provider,
    },
    report::run::{Action, Check, MonthReport, MonthResult, MonthStatus, MonthVerb, PipelineReport},
};

use crate::staging::{
    files::{PARTIAL, remove, rename, with_suffix, write_manifest},
    lock,
};
use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        export::{Export, Run},
        report::{self, not_loaded},
        table::{LookedUp, look_up},
    },
    storage::{Hashes, hashes, unreadable},
    warehouse::{Compression, Target, Warehouse, duckdb::DuckDb},
};

/// How months are written.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// Write months again that are written.
    pub overwrite: bool,
    /// Of the pages.
    pub compression: Compression,
}

/// Writes the months of the export's table that are not written yet, or whose delivery is another one now, to `folder`.
/// Every failure is part of the report.
pub async fn export_parquet(
    export: &Export,
    duckdb: &DuckDb,
    folder: &Path,
    run: &Run,
    writing: Writing,
) -> PipelineReport {
    let name = export.name.as_deref().unwrap_or_default();
    let mut report = PipelineReport::new(export.provider.as_str(), name, &folder.display().to_string());
    report.verb = MonthVerb::Write;
    if let Err(error) = export_months(export, duckdb, folder, run, writing, &mut report).await {
        report.error = Some(error.reported());
    }
    if !run.dry_run {
        report.status = Some(report::status(&report));
    }
    report
}

async fn export_months(
    export: &Export,
    duckdb: &DuckDb,
    folder: &Path,
    run: &Run,
    writing: Writing,
    report: &mut PipelineReport,
) -> Result<()> {
    let LookedUp { kind, months, .. } = look_up(duckdb, export).await?;
    let target = export.target(&report.export, kinds::columns(kind).key);
    let _locked = if run.dry_run { None } else { Some(lock::to_write(folder)?) };
    for (period, standing) in months.into_iter().rev() {
        if !run.months.contain(period) || standing.rows_in_table == 0 {
            continue;
        }
        let wanted = manifest(export, kind, &standing);
        let reason = match written(folder, export.provider, period) {
            Some(found) if !writing.overwrite && found.fingerprint == wanted.fingerprint => None,
            Some(_) if writing.overwrite => Some((Action::Reload, "overwriting is asked for".to_owned())),
            Some(found) if found.manifest.execution_id == wanted.manifest.execution_id => {
                Some((Action::Reload, "the delivery's files changed in place".to_owned()))
            }
            Some(found) => Some((Action::Reload, format!("new delivery, in place of {}", found.manifest.execution_id))),
            None => Some((Action::Load, "not written yet".to_owned())),
        };
        let (action, reason) = reason.unwrap_or((Action::Skip, "already written".to_owned()));
        let mut month = MonthReport {
            billing_period: period,
            execution_id: standing.record.execution_id.clone(),
            action,
            reason,
            scopes: Vec::new(),
            files: u64::from(action != Action::Skip),
            bytes: 0,
            result: (action == Action::Skip).then(|| MonthStatus::Skipped.into()),
            error: None,
            fingerprint: None,
        };
        if action != Action::Skip && !run.dry_run {
            match write(duckdb, &target, folder, wanted, &standing, writing).await {
                Ok(bytes) => {
                    month.bytes = bytes;
                    month.result = Some(MonthResult {
                        rows: standing.rows_in_table,
                        cost: standing.record.cost.clone(),
                        verified: vec![Check::Rows],
                        ..MonthStatus::Loaded.into()
                    });
                }
                Err(error) => not_loaded(&mut month, MonthStatus::Failed, &error),
            }
        }
        report.months.push(month);
    }
    Ok(())
}

/// The manifest of the month's file as it should be, but for the file's size.
fn manifest(export: &Export, kind: ExportKind, standing: &LoadedMonth) -> StagedManifest {
    let record = &standing.record;
    let file = ManifestFile { relative_path: parquet_name(export.provider, record.billing_period), bytes: None };
    StagedManifest {
        provider: export.provider,
        manifest_uri: record.manifest_uri.clone(),
        fingerprint: record.fingerprint.clone(),
        listed_at: record.loaded_at,
        written: BTreeMap::new(),
        manifest: Manifest {
            issued_at: Some(record.loaded_at),
            scope: only_scope(record),
            rows: Some(standing.rows_in_table),
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

/// The manifest of the month that lies in the folder, if its file is whole.
pub(super) fn written(folder: &Path, provider: Provider, period: BillingPeriod) -> Option<StagedManifest> {
    let path = folder.join(parquet_manifest_name(provider, period));
    let found: StagedManifest = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let file = found.manifest.files.first()?;
    let size = fs::metadata(folder.join(&file.relative_path)).ok()?.len();
    (file.bytes == Some(size)).then_some(found)
}

/// All of the month's rows must have been written.
fn check_rows(table: &str, period: BillingPeriod, expected: u64, written: u64) -> Result<()> {
    if written == expected {
        return Ok(());
    }
    let message = format!("{period} of {table} has {expected} rows, and {written} were written");
    Err(Error::new(ErrorKind::Verification, message).hint(hint::CHANGED_MEANWHILE))
}

/// Writes the month and its manifest; gives the file's size. Under its name there is always a whole file.
async fn write(
    duckdb: &DuckDb,
    target: &Target,
    folder: &Path,
    mut wanted: StagedManifest,
    standing: &LoadedMonth,
    writing: Writing,
) -> Result<u64> {
    let period = wanted.manifest.billing_period;
    let to = folder.join(parquet_name(wanted.provider, period));
    let manifest = folder.join(parquet_manifest_name(wanted.provider, period));
    let partial = with_suffix(&to, PARTIAL);
    let rows = duckdb.export(target, period, &partial, writing.compression).await?;
    check_rows(&duckdb.table_name(&target.name), period, standing.rows_in_table, rows)?;
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
