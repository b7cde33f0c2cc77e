//! A run of one export, from top to bottom: discover, plan, schema, replace months, report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use finops_core::{
    BillingPeriod,
    delivery::Delivery,
    plan::{Decision, PlannedMonth, Rules, plan},
    report::{MonthReport, MonthStatus, PipelineReport},
    schema::{self, ChangeKind, Column, ColumnType, MonthColumns, SchemaChange},
    state::Standing,
};
use futures::{StreamExt, stream};
use tracing::{info, warn};

use crate::{
    config::{Export, Months},
    discover::{Discovered, discover, is_unchanged},
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
    let table = warehouse.table_name(&export.target(""));
    let mut report = PipelineReport::new(export.pipeline, export.name.as_deref().unwrap_or_default(), table);
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
    let (Discovered { export_name, candidates, unreadable }, inventory) = (discovered?, inventory?);
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
    let unreadable = unreadable.iter().filter(|(period, _)| is_wanted(period));
    reports.extend(unreadable.map(|(period, error)| (*period, outcome::unreadable(*period, error))));
    let existing = inventory.columns.as_deref();
    let ready = refuse_columns(ready, existing, &target, &mut reports);
    let (wanted_columns, changes) = table_schema(&ready, existing, &target);
    report.schema.extend(changes.iter().filter(|c| !report.schema.contains(c)).cloned().collect::<Vec<_>>());
    if run.dry_run || ready.is_empty() {
        report
            .months
            .extend(reports.into_values().map(|month| if run.dry_run { outcome::as_plan(month) } else { month }));
        return Ok(BTreeSet::new());
    }

    // Replace: load, verify and record each month.
    if let Err(error) = warehouse.prepare(&target, &wanted_columns, &changes).await {
        let to_load = reports.values_mut().filter(|month| month.result.is_none());
        to_load.for_each(|month| not_loaded(month, MonthStatus::Failed, &error));
        report.months.extend(reports.into_values());
        return Err(error);
    }
    let types = final_types(existing.unwrap_or_default(), &wanted_columns, &changes);
    progress(Progress::Planned(ready.len()));
    let (target, types, inventory) = (&target, &types, &inventory);
    let replaced: Vec<_> = stream::iter(ready.into_iter().rev())
        .map(|(period, month)| async move {
            progress(Progress::Started(period));
            let previous = inventory.standing.get(&period);
            let replaced = replace(store, warehouse, target, run, &month, types, previous.cloned()).await;
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
            Ok(Replaced::Done(load)) => {
                let (execution_id, rows) = (&load.record.execution_id, load.record.rows);
                info!(run_id = run.run_id, billing_period = %period, execution_id, rows, "month replaced");
                loaded(month, previous, *load);
            }
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

/// The columns that the table needs for the months, and what that changes in it.
fn table_schema(
    ready: &BTreeMap<BillingPeriod, Ready>,
    existing: Option<&[Column]>,
    target: &Target,
) -> (Vec<Column>, Vec<SchemaChange>) {
    let months: Vec<MonthColumns> = ready.values().map(|month| month.columns.clone()).collect();
    let wanted = schema::union(&months, &target.layout.pillars());
    let changes = existing.map(|existing| schema::changes(existing, &wanted)).unwrap_or_default();
    (wanted, changes)
}

/// Takes out the months that have a column which the table cannot take.
fn refuse_columns(
    ready: BTreeMap<BillingPeriod, Ready>,
    existing: Option<&[Column]>,
    target: &Target,
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> BTreeMap<BillingPeriod, Ready> {
    let (_, changes) = table_schema(&ready, existing, target);
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        let names: Vec<String> = month.columns.columns.iter().map(|(name, _)| name.clone()).collect();
        match (schema::refused(&changes, &names), reports.get_mut(&period)) {
            (Some(change), Some(report)) => {
                let message = format!("column {} of {period} cannot be loaded: {}", change.column, change.reason);
                let hint = "or choose another table name: the first run loads all months there";
                not_loaded(report, MonthStatus::Refused, &Error::new(Kind::Schema, message).hint(hint));
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
    previous: Option<Standing>,
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
    let replaced = warehouse.replace_month(target, &load).await?;
    match is_unchanged(store, delivery).await {
        Ok(true) => Ok(replaced),
        Ok(false) => Ok(Replaced::Overtaken),
        Err(error) => {
            warn!(billing_period = %load.billing_period, "not looked at again: {}", error.full_message());
            Ok(replaced)
        }
    }
}
