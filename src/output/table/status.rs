//! The months that are loaded.

use std::collections::BTreeSet;

use finops_core::{
    Costs,
    formats::azure::scope::excludes,
    model::{
        amount::total,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
        text::strip_control_chars,
    },
    plan::age::minute,
    report::run::TableStatus,
};

use super::{
    figures::{count, count_cell},
    ids::Ids,
    layout::{Cell, Table, numbers, words},
    report::newest_delivery,
    view::{GLUE, Tone, View},
};

/// The months of a table, below their totals.
pub fn status(status: &TableStatus, view: &View) -> String {
    let label = status.label.as_ref().map(|label| format!("{label} ")).unwrap_or_default();
    let heading = strip_control_chars(&format!("{} {label}{}", status.pipeline, status.table));
    if status.error.is_some() {
        return format!("{}\n{}", view.paragraph(&heading, 2), view.paint("unknown", Tone::Bad));
    }
    if status.months.is_empty() {
        return format!("{}\nnothing is loaded", view.paragraph(&heading, 2));
    }
    let records = || status.months.iter().map(|month| &month.record);
    let rows = count(records().map(|record| record.rows).sum(), "row");
    let totals = [count(status.months.len() as u64, "month"), rows].into_iter();
    let totals = totals.chain(view.costs(&total(records().map(|record| &record.cost)))).collect::<Vec<_>>().join(", ");
    let mut drawn = vec![view.paragraph(&format!("{heading}: {totals}"), 2)];

    let columns = [
        words("MONTH"),
        words("STATE"),
        words("DELIVERY"),
        numbers("ROWS"),
        numbers("FILES"),
        numbers("COST"),
        words("LOADED AT"),
    ];
    let mut table = Table::new(&columns, "NOTE", &["FILES", "DELIVERY", "LOADED AT", "ROWS"]);
    let ids = Ids::of(records().map(|record| record.execution_id.as_str()));
    for month in &status.months {
        let record = &month.record;
        let (state, note) = state(month);
        let [cost, _] = view.cost_cells(&record.cost, &Costs::new());
        let at = minute(record.loaded_at);
        table.row(
            [
                Cell::of(&record.billing_period.to_string()),
                state,
                ids.cell(&record.execution_id),
                count_cell(record.rows, "row"),
                count_cell(record.files, "file"),
                cost,
                Cell::said(&at, &format!("at {at}").replace(' ', GLUE)),
            ],
            &note,
        );
    }
    drawn.extend(table.draw(view));
    let excluded = records().filter_map(|record| {
        let scopes = record.scopes.iter().flatten().map(|scope| scope.scope.as_str());
        excludes(record.kind.as_deref(), scopes)
    });
    for excludes in excluded.collect::<BTreeSet<_>>() {
        let line = format!("what is loaded is not the whole bill: {}", strip_control_chars(excludes));
        drawn.push(view.paragraph(&line, 2));
    }
    if let Some(newest) = status.newest_delivery_at {
        drawn.push(newest_delivery(newest, view));
    }
    drawn.join("\n")
}

/// Whether the month counts as loaded, and what to know about it.
fn state(month: &LoadedMonth) -> (Cell, String) {
    let record = &month.record;
    let again =
        |word, found: &str| (Cell::of(word).toned(Tone::Waiting), format!("{found}: the next run loads it again"));
    match record.status {
        LoadStatus::Unverified => again("unverified", "its counts were not those of its delivery"),
        LoadStatus::Loaded if month.rows_in_table == record.rows => {
            (Cell::of("loaded").toned(Tone::Good), parts(record))
        }
        LoadStatus::Loaded if month.rows_in_table == 0 => again("lost", "its rows are no longer in the table"),
        LoadStatus::Loaded => again("changed", &format!("the table has {} now", count(month.rows_in_table, "row"))),
    }
}

/// The parts that a loaded month consists of.
fn parts(record: &LoadRecord) -> String {
    let runs = record.scopes.as_deref().unwrap_or_default();
    let scopes: BTreeSet<&str> = runs.iter().map(|run| run.scope.as_str()).collect();
    let scope_count = (scopes.len() > 1).then(|| count(scopes.len() as u64, "scope"));
    let run_count = (runs.len() > scopes.len()).then(|| count(runs.len() as u64, "run"));
    let of_usage = runs.iter().any(|run| run.usage_month).then(|| "usage month".to_owned());
    [scope_count, run_count, of_usage].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
