//! The schema step: the columns of the files of the months to load, and how the table changes.

use std::collections::{BTreeMap, HashSet};

use finops_core::{
    BillingPeriod,
    files::file_type::FileType,
    formats::dictionary::known_type,
    hint,
    model::{column_type::ColumnType, delivery::Delivery, load_record::EXECUTION_ID, manifest::Manifest},
    plan::{Decision, PlannedMonth},
    report::run::{MonthReport, MonthStatus, MonthVerb},
    schema::{self, ChangeKind, Column, MonthColumns, SchemaChange},
};
use futures::{StreamExt, stream};
use tracing::{Instrument, info_span, warn};

use crate::{
    error::{Error, ErrorKind},
    flow::{
        columns::{BatchColumns, batches},
        export::Export,
        report::{self, not_loaded, planned_report},
    },
    storage::{REQUESTS, Store},
    warehouse::{Found, Target},
};

/// A month to load, with the columns of its files.
pub struct MonthToLoad {
    /// What to load.
    pub delivery: Delivery,
    /// Its files in batches, with their columns.
    pub batches: Vec<BatchColumns>,
}

/// Reports of all planned months, and the months to load with their columns. A month whose files cannot be read is reported
/// as failed. A month whose files have no rows is reported as skipped: it must not replace a loaded one.
pub async fn read_columns(
    store: &Store,
    export: &Export,
    planned: Vec<PlannedMonth>,
) -> (BTreeMap<BillingPeriod, MonthReport>, BTreeMap<BillingPeriod, MonthToLoad>) {
    let mut reports = BTreeMap::new();
    let mut deliveries = Vec::new();
    for month in planned {
        reports.insert(month.billing_period, planned_report(&month, export, MonthVerb::Load));
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
            (batches(store, &delivery).instrument(span).await, delivery)
        })
        .buffer_unordered(REQUESTS)
        .collect()
        .await;
    let mut ready = BTreeMap::new();
    for (columns, delivery) in read {
        let period = delivery.manifest.billing_period;
        let Some(report) = reports.get_mut(&period) else { continue };
        match columns {
            Ok(batches) if batches.is_empty() => {
                warn_of_empty(period, Some(&report.execution_id));
                report::empty(report, delivery.files.len());
            }
            Ok(batches) => {
                if batches.iter().any(|batch| batch.fills_period) {
                    report.note("a usage month: its files have no billing period");
                }
                drop(ready.insert(period, MonthToLoad { delivery, batches }));
            }
            Err(error) => {
                let status = if error.kind() == ErrorKind::Schema { MonthStatus::Refused } else { MonthStatus::Failed };
                not_loaded(report, status, &report::of_delivery(error, export, &delivery));
            }
        }
    }
    (reports, ready)
}

fn warn_of_empty(billing_period: BillingPeriod, execution_id: Option<&str>) {
    warn!(%billing_period, execution_id, "empty delivery");
}

/// The table's columns after it is prepared for the months, and the changes that this needs.
pub fn table_schema(
    ready: &BTreeMap<BillingPeriod, MonthToLoad>,
    existing: Option<&[Column]>,
    target: &Target,
) -> (Vec<Column>, Vec<SchemaChange>) {
    let batches = ready.values().flat_map(|month| &month.batches);
    let months: Vec<MonthColumns> = batches.map(|batch| batch.columns.clone()).collect();
    let delivered = months.iter().flat_map(|month| month.columns.iter().map(|column| column.name.as_str()));
    let there: HashSet<&str> =
        delivered.chain(existing.iter().flat_map(|columns| columns.iter().map(|c| c.name.as_str()))).collect();
    let mut required_columns = target.key_columns.required_columns(|name| there.contains(name)).to_vec();
    required_columns.extend(target.staged.then_some(EXECUTION_ID));
    let wanted = schema::union(&months, &required_columns);
    let mut changes = existing.map(|existing| schema::table_changes(existing, &wanted, &months)).unwrap_or_default();
    let columns = schema::columns_after(existing, &wanted, &changes);
    changes.extend(schema::conversions(&columns, &months));
    (columns, changes)
}

/// Removes the months with a column that does not fit the table. Returns the refused changes, for the report.
pub fn refuse_columns(
    ready: BTreeMap<BillingPeriod, MonthToLoad>,
    existing: Option<&[Column]>,
    target: &Target,
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> (BTreeMap<BillingPeriod, MonthToLoad>, Vec<SchemaChange>) {
    let (_, changes) = table_schema(&ready, existing, target);
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        match (schema::refused(&changes, period), reports.get_mut(&period)) {
            (Some(change), Some(report)) => {
                let message = format!("column {} of {period} cannot be loaded: {}", change.column, change.reason);
                not_loaded(
                    report,
                    MonthStatus::Refused,
                    &Error::new(ErrorKind::Schema, message).hint(hint_for(change)),
                );
            }
            _ => drop(accepted.insert(period, month)),
        }
    }
    let refusals = changes.into_iter().filter(|change| change.change == ChangeKind::Refuse);
    (accepted, refusals.collect())
}

/// Removes the months whose files lack a required column of the table.
pub fn refuse_required(
    ready: BTreeMap<BillingPeriod, MonthToLoad>,
    found: Option<&Found>,
    table: &str,
    reports: &mut BTreeMap<BillingPeriod, MonthReport>,
) -> BTreeMap<BillingPeriod, MonthToLoad> {
    let required: Vec<&str> = found
        .iter()
        .flat_map(|found| &found.columns)
        .filter(|column| column.required)
        .map(|column| column.column.name.as_str())
        .collect();
    let lacks = |month: &MonthToLoad| {
        let of_batch = |batch: &BatchColumns| {
            let names = batch.columns.columns.iter().map(|column| column.name.to_ascii_lowercase());
            let there: HashSet<String> = if required.is_empty() { HashSet::new() } else { names.collect() };
            required.iter().copied().find(|name| !there.contains(&name.to_ascii_lowercase()))
        };
        month.batches.iter().find_map(of_batch)
    };
    let mut accepted = BTreeMap::new();
    for (period, month) in ready {
        let (Some(column), Some(report)) = (lacks(&month), reports.get_mut(&period)) else {
            accepted.insert(period, month);
            continue;
        };
        let message = format!("column {column} of the table {table} takes no NULL, and the files of {period} lack it");
        let hint = hint::take_null(table, column);
        not_loaded(report, MonthStatus::Refused, &Error::new(ErrorKind::Schema, message).hint(hint));
    }
    accepted
}

/// The hint for a refused column.
fn hint_for(change: &SchemaChange) -> &'static str {
    if change.from.as_ref() == Some(&FileType::Other.to_string()) {
        hint::WITHOUT_COLUMN
    } else if known_type(&change.column) == Some(change.to) {
        hint::IS_EXPORT
    } else if change.to == ColumnType::Foreign {
        hint::DROP_COLUMN_OR_ANOTHER_TABLE
    } else {
        hint::ANOTHER_TABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_column_has_the_hint_for_its_cause() {
        let change = |column: &str, from: FileType, to| SchemaChange {
            column: column.to_owned(),
            change: ChangeKind::Refuse,
            from: Some(from.to_string()),
            to,
            billing_periods: Vec::new(),
            reason: String::new(),
        };
        for (column, from, to, hint) in [
            ("a", FileType::Other, ColumnType::String, hint::WITHOUT_COLUMN),
            ("line_item_unblended_cost", FileType::Date, ColumnType::Decimal, hint::IS_EXPORT),
            ("a", FileType::Date, ColumnType::Foreign, hint::DROP_COLUMN_OR_ANOTHER_TABLE),
            ("a", FileType::Date, ColumnType::Decimal, hint::ANOTHER_TABLE),
        ] {
            assert_eq!(hint_for(&change(column, from, to)), hint, "{column} {to}");
        }
    }
}
