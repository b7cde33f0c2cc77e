//! A run of one export, from top to bottom: state, discover, plan, schema, replace months, report.

use std::{
    collections::{BTreeSet, HashSet},
    panic::AssertUnwindSafe,
    sync::Mutex,
};

use finops_core::{
    BillingPeriod,
    formats::kinds,
    hint,
    model::{kind::ExportKind, load_record::LoadedMonth},
    plan::{kinds::keep_one_kind, plan},
    report::run::{MonthStatus, MonthVerb, PipelineReport},
    schema::{SchemaChange, unify_case},
};
use futures::{FutureExt, StreamExt, future::try_join, stream};
use jiff::Timestamp;
use tracing::{Instrument, Span, info, info_span};

use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        discover::{Discovered, discover, is_unchanged},
        export::{Export, Run},
        fetch::LocalFiles,
        load::{Round, month_load},
        replace::{Replaced, replace_month},
        report::{self, not_loaded},
        schema::{MonthToLoad, read_columns, refuse_columns, refuse_required, table_schema},
        silence::{check_age, no_manifest},
        table::{Delivered, check_for, refuse_another_export},
    },
    storage::Store,
    warehouse::{Found, Warehouse, loaded_months},
};

/// How often a month is planned, if other runs keep replacing it.
const ROUNDS: usize = 3;

/// What happens during a run, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The bytes of all months that will be loaded.
    Planned(u64),
    /// A month is being loaded; `again` if it replaces a loaded one.
    Started {
        /// The month.
        billing_period: BillingPeriod,
        /// Whether it is loaded already.
        again: bool,
    },
    /// A month of so many bytes ended, loaded or failed.
    Ended(u64),
}

/// Runs one export. Every failure is part of the report.
pub async fn run_export<W: Warehouse>(
    export: &Export,
    store: &Store,
    warehouse: &W,
    run: &Run,
    progress: &dyn Fn(Progress),
) -> PipelineReport {
    let table = warehouse.table_name(&export.table_name());
    let mut report = report::started(export, &table, MonthVerb::Load);
    let span = info_span!("export", pipeline = report.pipeline, export = export.name);
    let mut wanted: Option<BTreeSet<BillingPeriod>> = None;
    for _ in 0..ROUNDS {
        // Boxed: the type of all its futures is too deep for the compiler.
        let round = Box::pin(round(export, store, warehouse, run, wanted.as_ref(), &mut report, progress));
        let superseded = match round.instrument(span.clone()).await {
            Ok(superseded) => superseded,
            Err(error) => {
                report.error = Some(error.reported());
                break;
            }
        };
        if superseded.is_empty() {
            break;
        }
        wanted = Some(superseded);
    }
    if report.error.is_none() {
        report.error =
            check_age(report.newest_delivery_at, &run.max_age, run.rules.now).err().map(|error| error.reported());
    }
    report::end(&mut report, run.dry_run);
    report
}

/// Once through the flow, for all months or those `wanted`. Returns the months that another run replaced at the same time.
async fn round<W: Warehouse>(
    export: &Export,
    store: &Store,
    warehouse: &W,
    run: &Run,
    wanted: Option<&BTreeSet<BillingPeriod>>,
    report: &mut PipelineReport,
    progress: &dyn Fn(Progress),
) -> Result<BTreeSet<BillingPeriod>> {
    let is_wanted = |period: &BillingPeriod| wanted.is_none_or(|wanted| wanted.contains(period));

    // State first, alone: every delivery in it was listed before this run lists.
    let name = export.table_name();
    let loaded = warehouse.loaded(&name).await?;

    // Discover what was delivered. Inspect the table at the same time.
    let (discovered, found) =
        try_join(discover(store, export, &run.months, &loaded), warehouse.inspect(&name, &loaded)).await?;
    let Discovered { export_name, mut candidates, newest_at, unreadable, .. } = discovered;
    let Some(export_name) = export_name else {
        let months = loaded_months(&loaded, found.as_ref());
        let months: Vec<_> = months.into_iter().filter(|(_, month)| month.rows_in_table > 0).map(|(p, _)| p).collect();
        let none_wanted = !months.is_empty() && !months.iter().any(|month| run.months.contain(*month));
        // Nothing at all is older than any limit.
        if none_wanted && run.max_age.exceeded(Timestamp::UNIX_EPOCH, run.rules.now).is_none() {
            info!("there is no manifest, and no loaded month is from START_DATE to END_DATE: nothing to do");
            return Ok(BTreeSet::new());
        }
        return Err(no_manifest(store, export, &months).await);
    };
    report.export.clone_from(&export_name);
    // Of a staged delivery, the times of files are finops's own. The step that fetched it reports its age.
    report.newest_delivery_at = newest_at.filter(|_| export.written_by().is_none());
    if export.name.is_none() {
        Span::current().record("export", &export_name);
    }
    let months = loaded_months(&loaded, found.as_ref());
    let of_columns = found.as_ref().and_then(|found| kinds::of_loaded_table(|column| found.has(column)));
    let kind = keep_one_kind(&mut candidates, &months, of_columns);
    let target = export.target(&export_name, kinds::columns(kind.unwrap_or(ExportKind::Cur)).key);
    let table_name = warehouse.table_name(&name);
    // Without a usable manifest nothing is loaded, so the table does not matter.
    let found = found.filter(|_| kind.is_some());
    if let (Some(found), Some(kind)) = (&found, kind) {
        check_for(Some(&Delivered { export_name: export_name.clone(), kind }), export, &table_name, found)?;
        refuse_another_export(&target, &table_name, &months)?;
    }

    // Plan.
    let mut planned = plan(candidates, &months, &export.selection(), &run.rules);
    planned.retain(|month| is_wanted(&month.billing_period));

    // Schema: the columns of the files, and how the table changes.
    let (mut reports, mut ready) = read_columns(store, export, planned).await;
    let unreadable = unreadable.iter().filter(|(period, _)| is_wanted(period));
    reports.extend(unreadable.map(|(period, error)| (*period, report::unreadable(*period, error))));
    // The entry of the round before remains for a month whose manifest was removed since.
    report.months.retain(|month| !reports.contains_key(&month.billing_period));
    let existing = found.as_ref().map(Found::columns);
    let existing = existing.as_deref();
    let batches = ready.values_mut().flat_map(|month| &mut month.batches);
    unify_case(existing.unwrap_or_default(), batches.map(|batch| &mut batch.columns));
    let (ready, refusals) = refuse_columns(ready, existing, &target, &mut reports);
    let ready = refuse_required(ready, found.as_ref(), &table_name, &mut reports);
    let (columns, changes) = table_schema(&ready, existing, &target);
    let of = |change: &SchemaChange| (change.column.clone(), change.change);
    let reported: HashSet<_> = report.schema.iter().map(of).collect();
    let more: Vec<_> =
        changes.iter().chain(&refusals).filter(|change| !reported.contains(&of(change))).cloned().collect();
    report.schema.extend(more);
    if run.dry_run {
        report.months.extend(reports.into_values().map(report::as_plan));
        return Ok(BTreeSet::new());
    }
    // Files that were replaced while they were read: the month is planned again.
    let mut superseded: BTreeSet<BillingPeriod> =
        reports.values().filter(|month| report::is_busy(month)).map(|month| month.billing_period).collect();
    if ready.is_empty() {
        report.months.extend(reports.into_values());
        return Ok(superseded);
    }

    // Stage, check and swap each month.
    let table = match warehouse.prepare(&target, &columns, &changes).await {
        Ok(table) => table,
        Err(error) => {
            let to_load = reports.values_mut().filter(|month| month.result.is_none());
            to_load.for_each(|month| not_loaded(month, MonthStatus::Failed, &error));
            report.months.extend(reports.into_values());
            return Err(error);
        }
    };
    progress(Progress::Planned(ready.values().map(|month| month.delivery.bytes()).sum()));
    let (target, columns, months) = (&target, &columns, &months);
    let (of_round, table) = (&Round { export, target, run, columns, months, loaded_now: Mutex::default() }, &table);
    let replaced: Vec<_> = stream::iter(ready.into_iter().rev())
        .map(|(period, month)| async move {
            let previous = months.get(&period).and_then(LoadedMonth::record_if_in_table);
            progress(Progress::Started { billing_period: period, again: previous.is_some() });
            let execution_id = &month.delivery.manifest.execution_id;
            let span = info_span!("month", billing_period = %period, execution_id);
            let replaced = replace(of_round, store, warehouse, table, &month);
            // A panic costs its own month only.
            let replaced = AssertUnwindSafe(replaced.instrument(span)).catch_unwind().await;
            progress(Progress::Ended(month.delivery.bytes()));
            let replaced = replaced.unwrap_or_else(|_| Err(ended_early(period)));
            let replaced = replaced.map_err(|error| report::of_delivery(error, export, &month.delivery));
            (period, previous, replaced)
        })
        .buffer_unordered(warehouse.limits().months)
        .collect()
        .await;

    // Report.
    for (period, previous, replaced) in replaced {
        let Some(month) = reports.get_mut(&period) else { continue };
        match replaced {
            Ok(Replaced::Committed(committed, notes)) => report::loaded(month, previous, *committed, &notes),
            Ok(Replaced::Superseded) => {
                let message = format!("{period} was replaced by other runs, or its files changed, while it was loaded");
                let again = Error::new(ErrorKind::Busy, message).hint(hint::SUPERSEDED);
                not_loaded(month, MonthStatus::Failed, &again);
                superseded.insert(period);
            }
            Ok(Replaced::Outreached(until)) => report::outreached(month, until),
            Err(error) => {
                not_loaded(month, MonthStatus::Failed, &error);
                superseded.extend(report::is_busy(month).then_some(period));
            }
        }
    }
    report.months.extend(reports.into_values());
    Ok(superseded)
}

fn ended_early(period: BillingPeriod) -> Error {
    Error::new(ErrorKind::Warehouse, format!("loading {period} ended early, because of an error in finops"))
        .hint(hint::REPORT_LINES)
}

async fn replace<W: Warehouse>(
    round: &Round<'_>,
    store: &Store,
    warehouse: &W,
    table: &W::Table,
    month: &MonthToLoad,
) -> Result<Replaced> {
    let delivery = &month.delivery;
    let fetched = LocalFiles::new(store, delivery, warehouse.limits().reads_buckets).await?;
    let load = month_load(round, month, fetched.files())?;
    let replaced = replace_month(warehouse, round.target, table, &load, is_unchanged(store, delivery)).await?;
    if let Replaced::Committed(committed, _) = &replaced {
        info!(job_id = committed.record.job_id, rows = committed.record.rows, "month replaced");
        let scopes = committed.record.scopes.clone().unwrap_or_default();
        round.loaded_now().insert(load.billing_period, scopes);
    }
    Ok(replaced)
}
