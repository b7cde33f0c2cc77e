//! A run of one export, from top to bottom: state, discover, plan, schema, replace months, report.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
};

use finops_core::{
    BillingPeriod,
    age::MaxAge,
    export::ExportKind,
    plan::{Rules, plan},
    report::{MonthStatus, PipelineReport},
    schema::{Column, ColumnType, SchemaChange, respell},
    state::Standing,
};
use futures::{FutureExt, StreamExt, future::try_join, stream};
use jiff::Timestamp;
use tracing::{Instrument, Span, info, info_span};

use crate::{
    config::{Export, Months},
    discover::{Discovered, discover, is_unchanged, refuse_other_kinds},
    error::{Error, Kind, Result},
    fetch::Fetched,
    flow::{
        replace::{Replaced, replace_month},
        silence::{check_age, no_manifest},
        table::{check_table, refuse_another_export},
    },
    outcome::{self, not_loaded},
    schema_step::{Ready, read_columns, refuse_columns, refuse_required, table_schema},
    storage::Store,
    warehouse::{Found, LoadColumn, MonthLoad, Target, Warehouse, loaded_months},
};

/// How often a month that other runs keep replacing is looked at again.
const ROUNDS: usize = 3;

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Run {
    /// Names the run in logs and in the state table.
    pub run_id: String,
    /// Which months count.
    pub months: Months,
    /// Rules for the plan.
    pub rules: Rules,
    /// How old the newest delivery may be.
    pub max_age: MaxAge,
    /// Stop after the plan.
    pub dry_run: bool,
}

/// What happens during a run, for whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many months will be replaced.
    Planned(usize),
    /// A month is being replaced.
    Started(BillingPeriod),
    /// A month is done, well or badly.
    Ended(BillingPeriod),
}

/// Runs one export. Every failure is part of the report.
pub async fn run<W: Warehouse>(
    export: &Export,
    store: &Store,
    warehouse: &W,
    run: &Run,
    progress: &dyn Fn(Progress),
) -> PipelineReport {
    let table = warehouse.table_name(&export.table_name());
    let mut report = PipelineReport::new(export.provider.as_str(), export.name.as_deref().unwrap_or_default(), &table);
    let span = info_span!("export", pipeline = report.pipeline, export = export.name);
    let mut wanted: Option<BTreeSet<BillingPeriod>> = None;
    for _ in 0..ROUNDS {
        // Boxed: all that it awaits in one type is too deep for the compiler.
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
    report.months.sort_by_key(|month| std::cmp::Reverse(month.billing_period));
    if !run.dry_run {
        report.status = Some(outcome::status(&report));
    }
    report
}

/// Once through the flow, for all months or those `wanted`; gives the months that another run replaced meanwhile.
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

    // State first, alone: whatever it names was listed before our own listing begins.
    let name = export.table_name();
    let loaded = warehouse.loaded(&name).await?;

    // Discover what was delivered, beside a look at the table.
    let (discovered, found) =
        try_join(discover(store, export, &run.months, &loaded), warehouse.inspect(&name, &loaded)).await?;
    let Discovered { export_name, kind, mut candidates, newest_at, unreadable } = discovered;
    let Some(export_name) = export_name else {
        let months = loaded_months(&loaded, found.as_ref());
        let months: Vec<_> = months.into_iter().filter(|(_, month)| month.rows_in_table > 0).map(|(p, _)| p).collect();
        let none_wanted = !months.is_empty() && !months.iter().any(|month| run.months.contain(*month));
        // Nothing at all is older than any limit.
        if none_wanted && run.max_age.exceeded(Timestamp::UNIX_EPOCH, run.rules.now).is_none() {
            info!("no manifest, and START_DATE and END_DATE leave none of the loaded months: nothing to do");
            return Ok(BTreeSet::new());
        }
        return Err(no_manifest(store, export, &months).await);
    };
    report.export.clone_from(&export_name);
    // Where finops put a delivery, its files' times are finops's own: the step that fetched it says how old it is.
    report.newest_delivery_at = newest_at.filter(|_| export.place.is_none());
    if export.name.is_none() {
        Span::current().record("export", &export_name);
    }
    let target = export.target(&export_name, kind.unwrap_or(ExportKind::Cur).layout());
    let table_name = warehouse.table_name(&name);
    // Where no manifest can be read, nothing is loaded, and it does not matter what the table is.
    let found = found.filter(|_| kind.is_some());
    found.as_ref().map_or(Ok(()), |found| check_table(&target, &table_name, found))?;
    let months = loaded_months(&loaded, found.as_ref());
    refuse_another_export(&target, &table_name, &months)?;

    // Plan.
    refuse_other_kinds(&mut candidates, &months);
    let mut planned = plan(candidates, &months, &run.rules);
    planned.retain(|month| is_wanted(&month.billing_period));

    // Schema: what the files of the months to load hold, and what the table gets for it.
    let (mut reports, mut ready) = read_columns(store, planned).await;
    let unreadable = unreadable.iter().filter(|(period, _)| is_wanted(period));
    reports.extend(unreadable.map(|(period, error)| (*period, outcome::unreadable(*period, error))));
    // Of a month whose manifest went away since the round before, that round's entry stays.
    report.months.retain(|month| !reports.contains_key(&month.billing_period));
    let existing = found.as_ref().map(Found::columns);
    let existing = existing.as_deref();
    respell(existing.unwrap_or_default(), ready.values_mut().map(|month| &mut month.columns));
    let (ready, refusals) = refuse_columns(ready, existing, &target, &mut reports);
    let ready = refuse_required(ready, found.as_ref(), &table_name, &mut reports);
    let (columns, changes) = table_schema(&ready, existing, &target);
    let of = |change: &SchemaChange| (change.column.clone(), change.change);
    let reported: HashSet<_> = report.schema.iter().map(of).collect();
    let news: Vec<_> =
        changes.iter().chain(&refusals).filter(|change| !reported.contains(&of(change))).cloned().collect();
    report.schema.extend(news);
    if run.dry_run {
        report.months.extend(reports.into_values().map(outcome::as_plan));
        return Ok(BTreeSet::new());
    }
    // Files that were replaced while they were read: the month is planned again.
    let mut superseded: BTreeSet<BillingPeriod> =
        reports.values().filter(|month| outcome::is_busy(month)).map(|month| month.billing_period).collect();
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
    progress(Progress::Planned(ready.len()));
    let (target, table, columns, months) = (&target, &table, &columns, &months);
    let replaced: Vec<_> = stream::iter(ready.into_iter().rev())
        .map(|(period, month)| async move {
            progress(Progress::Started(period));
            let previous = months.get(&period);
            let execution_id = &month.delivery.manifest.execution_id;
            let span = info_span!("month", billing_period = %period, execution_id);
            let replaced = replace(store, warehouse, target, table, run, &month, columns, previous.cloned());
            // A fault of ours, or of a library, costs its own month only.
            let replaced = AssertUnwindSafe(replaced.instrument(span)).catch_unwind().await;
            progress(Progress::Ended(period));
            (period, previous.and_then(Standing::visible), replaced.unwrap_or_else(|_| Err(ended_early(period))))
        })
        .buffer_unordered(warehouse.limits().months)
        .collect()
        .await;

    // Report.
    for (period, previous, replaced) in replaced {
        let Some(month) = reports.get_mut(&period) else { continue };
        match replaced {
            Ok(Replaced::Committed(committed)) => outcome::loaded(month, previous, *committed),
            Ok(Replaced::Superseded) => {
                let message = format!("{period} was replaced by other runs, or its files changed, while it was loaded");
                let again = Error::new(Kind::Busy, message).hint("run again when its mirror and other runs are done");
                not_loaded(month, MonthStatus::Failed, &again);
                superseded.insert(period);
            }
            Ok(Replaced::Outreached(until)) => outcome::outreached(month, until),
            Err(error) => {
                not_loaded(month, MonthStatus::Failed, &error);
                superseded.extend(outcome::is_busy(month).then_some(period));
            }
        }
    }
    report.months.extend(reports.into_values());
    Ok(superseded)
}

fn ended_early(period: BillingPeriod) -> Error {
    Error::new(Kind::Warehouse, format!("loading {period} ended early, by a fault of finops"))
        .hint("no month is left half loaded: run again, and report it with the lines above")
}

#[allow(clippy::too_many_arguments, reason = "all that a month is made of, once")]
async fn replace<W: Warehouse>(
    store: &Store,
    warehouse: &W,
    target: &Target,
    table: &W::Table,
    run: &Run,
    month: &Ready,
    table_columns: &[Column],
    previous: Option<Standing>,
) -> Result<Replaced> {
    let delivery = &month.delivery;
    let types: HashMap<&str, ColumnType> = table_columns.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
    let columns = month.columns.columns.iter().map(|column| LoadColumn {
        column: Column {
            name: column.name.clone(),
            column_type: types.get(column.name.as_str()).copied().unwrap_or(ColumnType::String),
        },
        file_name: column.file_name.clone(),
        file_type: column.file_type,
    });
    let layout = &target.layout;
    let in_files = |name: &str| month.columns.columns.iter().any(|column| column.name == name);
    let in_table = |name: &str| types.contains_key(name);
    let cost = layout.cost(in_files).or_else(|| layout.cost(in_table)).unwrap_or(layout.costs[0]);
    let currency = layout.currency(in_files).or_else(|| layout.currency(in_table)).unwrap_or(layout.currencies[0]);
    let is_decimal = |name: &str| types.get(name) == Some(&ColumnType::Decimal);
    let net_cost = layout
        .net_cost
        .filter(|columns| in_files(columns.net) && in_files(columns.line_type) && is_decimal(columns.net));
    let fetched = Fetched::new(store, delivery, warehouse.limits().reads_buckets).await?;
    let load = MonthLoad {
        billing_period: delivery.manifest.billing_period,
        execution_id: delivery.manifest.execution_id.clone(),
        fingerprint: delivery.fingerprint.clone(),
        manifest_uri: delivery.manifest_uri.clone(),
        files: fetched.files().to_vec(),
        bytes: delivery.bytes(),
        format: delivery.manifest.format,
        columns: columns.collect(),
        cost,
        currency,
        net_cost,
        kind: delivery.manifest.kind,
        issued_at: delivery.issued(),
        covers_until: delivery.manifest.until,
        rows: month.columns.rows,
        values: month.columns.values.clone(),
        previous,
        force: run.rules.force,
        run_id: run.run_id.clone(),
    };
    let replaced = replace_month(warehouse, target, table, &load, is_unchanged(store, delivery)).await?;
    if let Replaced::Committed(committed) = &replaced {
        info!(job_id = committed.record.job_id, rows = committed.record.rows, "month replaced");
    }
    Ok(replaced)
}
