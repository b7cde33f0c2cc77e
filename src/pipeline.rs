//! A run of one export, from top to bottom: discover, plan, schema, replace months, report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use finops_core::{
    BillingPeriod,
    delivery::Delivery,
    plan::{Decision, PlannedMonth, Rules, plan},
    report::{MonthReport, MonthStatus, PipelineReport},
    schema::{self, ChangeKind, Column, ColumnType, MonthColumns, SchemaChange},
    state::LoadRecord,
};
use futures::{StreamExt, stream};
use tracing::{info, warn};

use crate::{
    config::{Export, Months},
    discover::{Discovered, discover},
    error::{Error, Kind, Result},
    fetch::Fetched,
    headers::month_columns,
    outcome::{self, loaded, not_loaded, planned_report},
    storage::Store,
    warehouse::{Inventory, MonthLoad, Replaced, Target, Warehouse, another_export},
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

/// A month to load, with what its files hold.
struct Ready {
    delivery: Delivery,
    columns: MonthColumns,
}

/// Runs one export. Every failure is part of the report.
pub async fn run<W: Warehouse>(
    export: &Export,
    store: &Store,
    warehouse: &W,
    run: &Run,
    progress: &dyn Fn(Progress),
) -> PipelineReport {
    let mut report = PipelineReport {
        pipeline: export.pipeline.to_owned(),
        export: export.name.clone().unwrap_or_default(),
        table: warehouse.table_name(&export.target("")),
        status: None,
        schema: Vec::new(),
        months: Vec::new(),
        error: None,
    };
    let mut wanted: Option<BTreeSet<BillingPeriod>> = None;
    for _ in 0..ROUNDS {
        let overtaken = match round(export, store, warehouse, run, wanted.as_ref(), &mut report, progress).await {
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
    let name = export.name.as_deref();
    let unnamed = export.target(name.unwrap_or_default());

    // Discover what was delivered, and what stands.
    let (discovered, inventory) =
        futures::join!(discover(store, &export.prefix, name, &run.months), warehouse.inspect(&unnamed));
    let (Discovered { export_name, candidates }, inventory) = (discovered?, inventory?);
    let Some(export_name) = export_name else {
        info!(source = %store.uri(&export.prefix), "no manifest found");
        return Ok(BTreeSet::new());
    };
    report.export.clone_from(&export_name);
    let target = export.target(&export_name);
    refuse_another_export(warehouse, &target, &inventory)?;

    // Plan.
    let mut planned = plan(candidates, &inventory.standing, &run.rules);
    planned.retain(|month| is_wanted(&month.billing_period));
    report.months.retain(|month| !is_wanted(&month.billing_period));

    // Schema: what the files of the months to load hold, and what the table gets for it.
    let (mut reports, ready) = read_headers(store, &target, planned).await;
    let wanted_columns = union_of(&ready, &target);
    let existing = inventory.columns.as_deref();
    let changes = existing.map(|existing| schema::changes(existing, &wanted_columns)).unwrap_or_default();
    let ready = refuse_columns(ready, &changes, &mut reports);
    report.schema.extend(changes.iter().filter(|c| !report.schema.contains(c)).cloned().collect::<Vec<_>>());
    if run.dry_run || ready.is_empty() {
        report
            .months
            .extend(reports.into_values().map(|month| if run.dry_run { outcome::as_plan(month) } else { month }));
        return Ok(BTreeSet::new());
    }

    // Replace: load, verify and record each month.
    warehouse.prepare(&target, &wanted_columns, &changes).await?;
    let types = final_types(existing.unwrap_or_default(), &wanted_columns, &changes);
    progress(Progress::Planned(ready.len()));
    let (target, types, inventory) = (&target, &types, &inventory);
    let replaced: Vec<_> = stream::iter(ready.into_iter().rev())
        .map(|(period, month)| async move {
            progress(Progress::Started(period));
            let previous = inventory.standing.get(&period).map(|standing| standing.record.clone());
            let replaced = replace(store, warehouse, target, run, &month, types, previous.clone()).await;
            progress(Progress::Ended(period));
            (period, previous, replaced)
        })
        .buffer_unordered(warehouse.concurrency())
        .collect()
        .await;

    // Report.
    let mut overtaken = BTreeSet::new();
    for (period, previous, replaced) in replaced {
        let Some(month) = reports.get_mut(&period) else { continue };
        match replaced {
            Ok(Replaced::Done(load)) => {
                let (execution_id, rows) = (&load.record.execution_id, load.record.rows);
                info!(run_id = run.run_id, billing_period = %period, execution_id, rows, "month replaced");
                loaded(month, previous.as_ref(), *load);
            }
            Ok(Replaced::Overtaken) => {
                let again =
                    Error::new(Kind::Busy, format!("other runs keep replacing {period}")).hint("run again later");
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

/// Reports of all planned months, and the ones to load with their columns. A month whose files cannot be read is
/// reported as failed, one whose files hold no rows as skipped: it must not replace what stands.
async fn read_headers(
    store: &Store,
    target: &Target,
    planned: Vec<PlannedMonth>,
) -> (BTreeMap<BillingPeriod, MonthReport>, BTreeMap<BillingPeriod, Ready>) {
    let mut reports = BTreeMap::new();
    let mut deliveries = Vec::new();
    for month in planned {
        reports.insert(month.billing_period, planned_report(&month));
        if let Decision::Load(delivery) | Decision::Reload(delivery) = month.decision {
            deliveries.push(delivery);
        }
    }
    let read: Vec<_> = stream::iter(deliveries)
        .map(|delivery| async move { (month_columns(store, target, &delivery).await, delivery) })
        .buffer_unordered(4)
        .collect()
        .await;
    let mut ready = BTreeMap::new();
    for (columns, delivery) in read {
        let period = delivery.manifest.billing_period;
        let Some(report) = reports.get_mut(&period) else { continue };
        match columns {
            Ok(Some(columns)) => drop(ready.insert(period, Ready { delivery, columns })),
            Ok(None) => {
                warn!(billing_period = %period, execution_id = report.execution_id, "empty delivery");
                outcome::empty(report, delivery.files.len());
            }
            Err(error) => not_loaded(report, MonthStatus::Failed, &error),
        }
    }
    (reports, ready)
}

fn union_of(ready: &BTreeMap<BillingPeriod, Ready>, target: &Target) -> Vec<Column> {
    let months: Vec<MonthColumns> = ready.values().map(|month| month.columns.clone()).collect();
    schema::union(&months, &target.layout.pillars())
}

/// Takes out the months that have a column which the table cannot take.
fn refuse_columns(
    ready: BTreeMap<BillingPeriod, Ready>,
    changes: &[SchemaChange],
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> BTreeMap<BillingPeriod, Ready> {
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        let names: Vec<String> = month.columns.columns.iter().map(|(name, _)| name.clone()).collect();
        match (schema::refused(changes, &names), reports.get_mut(&period)) {
            (Some(change), Some(report)) => {
                let message = format!("column {} of {period} cannot be loaded: {}", change.column, change.reason);
                not_loaded(report, MonthStatus::Refused, &Error::new(Kind::Schema, message));
            }
            _ => drop(accepted.insert(period, month)),
        }
    }
    accepted
}

/// The types that the table's columns have once it is prepared.
fn final_types(existing: &[Column], wanted: &[Column], changes: &[SchemaChange]) -> HashMap<String, ColumnType> {
    let mut types: HashMap<String, ColumnType> = HashMap::new();
    for column in wanted.iter().chain(existing) {
        types.insert(column.name.clone(), column.column_type);
    }
    for change in changes.iter().filter(|change| change.change == ChangeKind::Widen) {
        types.insert(change.column.clone(), change.to);
    }
    types
}

async fn replace<W: Warehouse>(
    store: &Store,
    warehouse: &W,
    target: &Target,
    run: &Run,
    month: &Ready,
    types: &HashMap<String, ColumnType>,
    previous: Option<LoadRecord>,
) -> Result<Replaced> {
    let delivery = &month.delivery;
    let columns = month.columns.columns.iter().map(|(name, _)| Column {
        name: name.clone(),
        column_type: types.get(name).copied().unwrap_or(ColumnType::String),
    });
    let fetched = Fetched::new(store, delivery, warehouse.reads_buckets()).await?;
    let load = MonthLoad {
        billing_period: delivery.manifest.billing_period,
        execution_id: delivery.manifest.execution_id.clone(),
        fingerprint: delivery.fingerprint.clone(),
        manifest_uri: delivery.manifest_uri.clone(),
        files: fetched.files().to_vec(),
        bytes: delivery.bytes(),
        columns: columns.collect(),
        previous,
        force: run.rules.force,
        run_id: run.run_id.clone(),
    };
    warehouse.replace_month(target, &load).await
}
