//! The schema step: what the files of the months to load hold, and what the table gets for it.

use std::collections::{BTreeMap, HashSet};

use finops_core::{
    BillingPeriod,
    delivery::Delivery,
    manifest::Manifest,
    plan::{Decision, PlannedMonth},
    report::{MonthReport, MonthStatus},
    schema::{self, ChangeKind, Column, ColumnType, FileType, MonthColumns, SchemaChange, known_type},
    state::EXECUTION_ID,
};
use futures::{StreamExt, stream};
use tracing::{Instrument, info_span, warn};

use crate::{
    columns::month_columns,
    error::{Error, Kind},
    outcome::{self, not_loaded, planned_report},
    storage::{REQUESTS, Store},
    warehouse::{Found, Target},
};

/// A month to load, with what its files hold.
pub struct Ready {
    /// What to load.
    pub delivery: Delivery,
    /// The files' columns.
    pub columns: MonthColumns,
}

/// Reports of all planned months, and the ones to load with their columns. A month whose files cannot be read is
/// reported as failed, one whose files hold no rows as skipped: it must not replace what stands.
pub async fn read_columns(
    store: &Store,
    planned: Vec<PlannedMonth>,
) -> (BTreeMap<BillingPeriod, MonthReport>, BTreeMap<BillingPeriod, Ready>) {
    let mut reports = BTreeMap::new();
    let mut deliveries = Vec::new();
    for month in planned {
        reports.insert(month.billing_period, planned_report(&month));
        match month.decision {
            Decision::Load(delivery) | Decision::Reload(delivery) => deliveries.push(delivery),
            Decision::Skip { empty: true } => warn_of_empty(month.billing_period, month.execution_id.as_deref()),
            _ => {}
        }
    }
    let read: Vec<_> = stream::iter(deliveries)
        .map(|delivery| async move {
            let Manifest { billing_period, execution_id, .. } = &delivery.manifest;
            let span = info_span!("month", %billing_period, execution_id);
            (month_columns(store, &delivery).instrument(span).await, delivery)
        })
        .buffer_unordered(REQUESTS)
        .collect()
        .await;
    let mut ready = BTreeMap::new();
    for (columns, delivery) in read {
        let period = delivery.manifest.billing_period;
        let Some(report) = reports.get_mut(&period) else { continue };
        match columns {
            Ok(Some(columns)) => drop(ready.insert(period, Ready { delivery, columns })),
            Ok(None) => {
                warn_of_empty(period, Some(&report.execution_id));
                outcome::empty(report, delivery.files.len());
            }
            Err(error) if error.kind() == Kind::Schema => not_loaded(report, MonthStatus::Refused, &error),
            Err(error) => not_loaded(report, MonthStatus::Failed, &error),
        }
    }
    (reports, ready)
}

fn warn_of_empty(billing_period: BillingPeriod, execution_id: Option<&str>) {
    warn!(%billing_period, execution_id, "empty delivery");
}

/// What the table's columns are once it is prepared for the months, and what changes for it.
pub fn table_schema(
    ready: &BTreeMap<BillingPeriod, Ready>,
    existing: Option<&[Column]>,
    target: &Target,
) -> (Vec<Column>, Vec<SchemaChange>) {
    let months: Vec<MonthColumns> = ready.values().map(|month| month.columns.clone()).collect();
    let delivered = months.iter().flat_map(|month| month.columns.iter().map(|column| column.name.as_str()));
    let there: HashSet<&str> =
        delivered.chain(existing.iter().flat_map(|columns| columns.iter().map(|c| c.name.as_str()))).collect();
    let mut pillars = target.layout.pillars(|name| there.contains(name)).to_vec();
    pillars.extend(target.staged.then_some(EXECUTION_ID));
    let wanted = schema::union(&months, &pillars);
    let mut changes = existing.map(|existing| schema::additions(existing, &wanted, &months)).unwrap_or_default();
    let columns = schema::prepared(existing, &wanted, &changes);
    changes.extend(schema::castings(&columns, &months));
    (columns, changes)
}

/// Takes out the months that have a column which the table cannot take; gives what refuses them, for the report.
pub fn refuse_columns(
    ready: BTreeMap<BillingPeriod, Ready>,
    existing: Option<&[Column]>,
    target: &Target,
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> (BTreeMap<BillingPeriod, Ready>, Vec<SchemaChange>) {
    let (_, changes) = table_schema(&ready, existing, target);
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        match (schema::refused(&changes, period), reports.get_mut(&period)) {
            (Some(change), Some(report)) => {
                let message = format!("column {} of {period} cannot be loaded: {}", change.column, change.reason);
                not_loaded(report, MonthStatus::Refused, &Error::new(Kind::Schema, message).hint(way_out(change)));
            }
            _ => drop(accepted.insert(period, month)),
        }
    }
    let refusals = changes.into_iter().filter(|change| change.change == ChangeKind::Refuse);
    (accepted, refusals.collect())
}

/// Takes out the months whose files lack a column of the table that takes no NULL.
pub fn refuse_required(
    ready: BTreeMap<BillingPeriod, Ready>,
    found: Option<&Found>,
    table: &str,
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> BTreeMap<BillingPeriod, Ready> {
    let required: Vec<&str> = found
        .iter()
        .flat_map(|found| &found.columns)
        .filter(|column| column.required)
        .map(|column| column.column.name.as_str())
        .collect();
    let lacks = |month: &Ready| {
        let names = month.columns.columns.iter().map(|column| column.name.to_ascii_lowercase());
        let there: HashSet<String> = if required.is_empty() { HashSet::new() } else { names.collect() };
        required.iter().copied().find(|name| !there.contains(&name.to_ascii_lowercase()))
    };
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        let (Some(column), Some(report)) = (lacks(&month), reports.get_mut(&period)) else {
            accepted.insert(period, month);
            continue;
        };
        let message = format!("column {column} of the table {table} takes no NULL, and the files of {period} lack it");
        let way_out = format!("let it take NULL: ALTER TABLE `{table}` ALTER COLUMN {column} DROP NOT NULL");
        not_loaded(report, MonthStatus::Refused, &Error::new(Kind::Schema, message).hint(way_out));
    }
    accepted
}

/// What helps against a column that is refused.
fn way_out(change: &SchemaChange) -> &'static str {
    if change.from.as_ref() == Some(&FileType::Other.to_string()) {
        "have the report delivered without that column, or as CSV"
    } else if known_type(&change.column) == Some(change.to) {
        "is this a billing export, as its provider wrote it?"
    } else if change.to == ColumnType::Foreign {
        "drop or rename that column of the table, or choose another table name: the first run loads all months there"
    } else {
        "choose another table name: the first run loads all months there"
    }
}
