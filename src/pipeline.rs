//! A run of one export, from top to bottom: discover, plan, schema, replace months, report.

use std::collections::{BTreeSet, HashMap};

use finops_core::{
    BillingPeriod,
    export::ExportKind,
    plan::{Rules, plan},
    report::{MonthStatus, PipelineReport},
    schema::{Column, ColumnType, SchemaChange, respell},
    state::Standing,
};
use futures::{StreamExt, stream};
use tracing::{Instrument, Span, info, info_span, warn};

use crate::{
    config::{Export, Months},
    discover::{Discovered, discover, is_unchanged, no_manifest, refuse_other_kinds},
    error::{Error, Kind, Result},
    fetch::Fetched,
    outcome::{self, loaded, not_loaded},
    schema_step::{Ready, read_columns, refuse_columns, table_schema},
    storage::Store,
    warehouse::{Inventory, LoadColumn, MonthLoad, Replaced, Target, Warehouse, another_export, inspect_any},
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
    let table = warehouse.table_name(&export.target("", ExportKind::Cur.layout()));
    let mut report = PipelineReport::new(export.provider.as_str(), export.name.as_deref().unwrap_or_default(), table);
    let span = info_span!("export", pipeline = report.pipeline, export = export.name);
    let mut wanted: Option<BTreeSet<BillingPeriod>> = None;
    for _ in 0..ROUNDS {
        let round = round(export, store, warehouse, run, wanted.as_ref(), &mut report, progress);
        let overtaken = match round.instrument(span.clone()).await {
            Ok(overtaken) => overtaken,
            Err(error) => {
                report.error = Some(error.reported());
                break;
            }
        };
        if overtaken.is_empty() {
            break;
        }
        wanted = Some(overtaken);
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

    // Discover what was delivered, and what stands.
    let discovered = discover(store, export, &run.months).await?;
    let Discovered { export_name, kind, mut candidates, unreadable } = discovered;
    let Some(export_name) = export_name else {
        // Gone from where a table was loaded from, they are missed by nobody.
        if inspect_any(warehouse, export).await?.1.standing.is_empty() {
            return Err(no_manifest(store, export));
        }
        info!(source = %store.uri(&export.prefix), "no manifest found");
        return Ok(BTreeSet::new());
    };
    report.export.clone_from(&export_name);
    if export.name.is_none() {
        Span::current().record("export", &export_name);
    }
    // Where no manifest can be read, nothing is loaded, and it does not matter what stands.
    let target = export.target(&export_name, kind.unwrap_or(ExportKind::Cur).layout());
    let inventory = if kind.is_some() { warehouse.inspect(&target).await? } else { Inventory::default() };
    refuse_another_export(warehouse, &target, &inventory)?;

    // Plan.
    refuse_other_kinds(&mut candidates, &inventory.standing);
    let mut planned = plan(candidates, &inventory.standing, &run.rules);
    planned.retain(|month| is_wanted(&month.billing_period));
    report.months.retain(|month| !is_wanted(&month.billing_period));

    // Schema: what the files of the months to load hold, and what the table gets for it.
    let (mut reports, mut ready) = read_columns(store, planned).await;
    let unreadable = unreadable.iter().filter(|(period, _)| is_wanted(period));
    reports.extend(unreadable.map(|(period, error)| (*period, outcome::unreadable(*period, error))));
    let existing = inventory.columns.as_deref();
    respell(existing.unwrap_or_default(), ready.values_mut().map(|month| &mut month.columns));
    let (ready, refusals) = refuse_columns(ready, existing, &target, &mut reports);
    let (columns, changes) = table_schema(&ready, existing, &target);
    let told = |change: &SchemaChange| {
        report.schema.iter().any(|known| (&known.column, known.change) == (&change.column, change.change))
    };
    let news: Vec<_> = changes.iter().chain(&refusals).filter(|change| !told(change)).cloned().collect();
    report.schema.extend(news);
    if run.dry_run || ready.is_empty() {
        report
            .months
            .extend(reports.into_values().map(|month| if run.dry_run { outcome::as_plan(month) } else { month }));
        return Ok(BTreeSet::new());
    }

    // Replace: load, verify and record each month.
    if let Err(error) = warehouse.prepare(&target, &columns, &changes).await {
        let to_load = reports.values_mut().filter(|month| month.result.is_none());
        to_load.for_each(|month| not_loaded(month, MonthStatus::Failed, &error));
        report.months.extend(reports.into_values());
        return Err(error);
    }
    progress(Progress::Planned(ready.len()));
    let (target, columns, inventory) = (&target, &columns, &inventory);
    let replaced: Vec<_> = stream::iter(ready.into_iter().rev())
        .map(|(period, month)| async move {
            progress(Progress::Started(period));
            let previous = inventory.standing.get(&period);
            let execution_id = &month.delivery.manifest.execution_id;
            let span = info_span!("month", billing_period = %period, execution_id);
            let replaced = replace(store, warehouse, target, run, &month, columns, previous.cloned());
            let replaced = replaced.instrument(span).await;
            progress(Progress::Ended(period));
            (period, previous.and_then(Standing::visible), replaced)
        })
        .buffer_unordered(warehouse.concurrency())
        .collect()
        .await;

    // Report.
    let mut overtaken = BTreeSet::new();
    for (period, previous, replaced) in replaced {
        let Some(month) = reports.get_mut(&period) else { continue };
        match replaced {
            Ok(Replaced::Done(load)) => loaded(month, previous, *load),
            Ok(Replaced::Overtaken) => {
                let message = format!("{period} was replaced by other runs, or its files changed, while it was loaded");
                let again = Error::new(Kind::Busy, message).hint("run again when its mirror and other runs are done");
                not_loaded(month, MonthStatus::Failed, &again);
                overtaken.insert(period);
            }
            Err(error) => not_loaded(month, MonthStatus::Failed, &error),
        }
    }
    report.months.extend(reports.into_values());
    Ok(overtaken)
}

fn refuse_another_export<W: Warehouse>(warehouse: &W, target: &Target, inventory: &Inventory) -> Result<()> {
    // Records of a table that was dropped since bind nobody.
    let held =
        inventory.standing.values().filter(|standing| standing.rows_in_table > 0).map(|standing| &standing.record);
    let mut others = held.filter(|r| r.export_name != target.export_name || r.pipeline != target.pipeline);
    others.next().map_or(Ok(()), |record| Err(another_export(&warehouse.table_name(target), target, record)))
}

async fn replace<W: Warehouse>(
    store: &Store,
    warehouse: &W,
    target: &Target,
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
    let cost = layout.cost(in_files).unwrap_or(layout.costs[0]);
    let currency = layout.currency(in_files).or_else(|| layout.currency(in_table)).unwrap_or(layout.currencies[0]);
    let fetched = Fetched::new(store, delivery, warehouse.reads_buckets()).await?;
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
        rows: month.columns.rows,
        previous,
        force: run.rules.force,
        run_id: run.run_id.clone(),
    };
    let Replaced::Done(done) = warehouse.replace_month(target, &load).await? else {
        return Ok(Replaced::Overtaken);
    };
    match is_unchanged(store, delivery).await {
        Ok(true) => {}
        Ok(false) => return Ok(Replaced::Overtaken),
        Err(error) => {
            warn!(billing_period = %load.billing_period, "not looked at again: {}", error.full_message());
        }
    }
    info!(job_id = done.record.job_id, rows = done.record.rows, "month replaced");
    Ok(Replaced::Done(done))
}
