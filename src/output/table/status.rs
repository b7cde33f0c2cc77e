//! The months that are loaded.

use std::collections::BTreeSet;

use finops_core::{
    formats::azure::scope::excludes,
    model::{
        load_record::{LoadRecord, LoadStatus},
        text::excerpt,
    },
    report::run::TableStatus,
};

use super::layout::{new_table, newest_delivery};
use crate::output::{streams::print, summary::costs};

/// What a loaded month is.
fn loaded(record: &LoadRecord) -> String {
    let runs = record.scopes.as_deref().unwrap_or_default();
    let scopes: BTreeSet<&str> = runs.iter().map(|run| run.scope.as_str()).collect();
    let mut parts = vec!["loaded".to_owned()];
    parts.extend((scopes.len() > 1).then(|| format!("{} scopes", scopes.len())));
    parts.extend((runs.len() > scopes.len()).then(|| format!("{} runs", runs.len())));
    parts.extend(runs.iter().any(|run| run.usage_month).then(|| "usage month".to_owned()));
    parts.join(", ")
}

/// Prints what stands in a table.
pub fn status(status: &TableStatus) {
    let label = status.label.as_ref().map(|label| format!("{label} ")).unwrap_or_default();
    print(&format!("{} {label}{}", status.pipeline, status.table));
    if status.error.is_some() {
        print("unknown");
        return;
    }
    if status.months.is_empty() {
        print("nothing is loaded");
        return;
    }
    let mut table = new_table(&["Month", "Execution", "Rows", "Files", "Cost", "Loaded at", "State"], &[2, 3, 4]);
    for standing in &status.months {
        let record = &standing.record;
        let state = match record.status {
            LoadStatus::Unverified => "unverified: the next run loads it again".to_owned(),
            LoadStatus::Loaded if standing.rows_in_table == record.rows => loaded(record),
            LoadStatus::Loaded if standing.rows_in_table == 0 => {
                "its rows are no longer in the table: the next run loads it again".to_owned()
            }
            LoadStatus::Loaded => {
                format!("the table holds {} rows now: the next run loads it again", standing.rows_in_table)
            }
        };
        table.add_row([
            record.billing_period.to_string(),
            excerpt(&record.execution_id),
            record.rows.to_string(),
            record.files.to_string(),
            costs(&record.cost),
            record.loaded_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            state,
        ]);
    }
    print(&table.to_string());
    let records = status.months.iter().map(|standing| &standing.record);
    let excluded = records.filter_map(|record| {
        let scopes = record.scopes.iter().flatten().map(|scope| scope.scope.as_str());
        excludes(record.kind.as_deref(), scopes)
    });
    for excludes in excluded.collect::<BTreeSet<_>>() {
        print(&format!("what is loaded is no whole bill: {excludes}"));
    }
    status.newest_delivery_at.iter().for_each(|newest| newest_delivery(*newest));
}
