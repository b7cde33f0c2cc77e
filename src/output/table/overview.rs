//! How far each month of the staged pipeline is.

use finops_core::{model::text::strip_control_chars, report::run::Action};

use super::{
    figures::{count, count_cell, files, size_cell},
    ids::Ids,
    layout::{Cell, Table, numbers, words},
    report::action,
    view::{GLUE, Tone, View},
};
use crate::staging::{Content, MonthOverview};

/// A row for each delivered month. In a plan: what each step would do, with the months that no step changes in one line.
pub fn overview(months: &[MonthOverview], is_plan: bool, view: &View) -> String {
    if months.is_empty() {
        return "no month to show".to_owned();
    }
    let columns = [
        words("MONTH"),
        words("DELIVERY"),
        numbers("FILES"),
        numbers("SIZE"),
        words("STAGING"),
        words("DUCKDB"),
        words("PARQUET"),
        words("BIGQUERY"),
    ];
    let mut table = Table::new(&columns, "NOTE", &["SIZE", "FILES", "DELIVERY"]);
    let ids = Ids::of(months.iter().map(|month| month.execution_id.as_str()));
    let (unchanged, shown): (Vec<_>, Vec<_>) = months.iter().partition(|month| is_plan && is_unchanged(month));
    for month in &shown {
        let steps = &month.steps;
        let planned = |planned: Option<Action>| planned.filter(|_| is_plan);
        table.row(
            [
                Cell::of(&month.billing_period.to_string()),
                ids.cell(&month.execution_id),
                count_cell(month.files, "file"),
                size_cell(month.files, month.bytes),
                place("staging", Some(&month.staging), planned(steps.extract_billing), "extract"),
                place("DuckDB", Some(&month.duckdb), planned(steps.load_billing_local), "load"),
                place("Parquet", Some(&month.parquet), planned(steps.export_parquet), "write"),
                place("BigQuery", month.bigquery.as_ref(), planned(steps.load_billing_remote), "load"),
            ],
            &strip_control_chars(month.obstacle.as_deref().unwrap_or_default()),
        );
    }
    let mut drawn = table.draw(view);
    drawn.extend(view.unchanged(unchanged.len()));
    if shown.len() > 1 {
        let mut totals = vec![count(shown.len() as u64, "month")];
        totals.extend(files(shown.iter().map(|month| (month.files, month.bytes))));
        drawn.push(view.paragraph(&format!("total: {}", totals.join(", ")), 2));
    }
    drawn.join("\n")
}

fn is_unchanged(month: &MonthOverview) -> bool {
    let steps = &month.steps;
    let all = [steps.extract_billing, steps.load_billing_local, steps.export_parquet, steps.load_billing_remote];
    all.iter().flatten().all(|action| *action == Action::Skip) && month.obstacle.is_none() && !month.fails
}

/// What a place has of the month, or what a step would do for it.
fn place(name: &str, content: Option<&Content>, planned: Option<Action>, doing: &str) -> Cell {
    let (word, tone) = match (content, planned) {
        (None, _) => ("not configured", Tone::Plain),
        (Some(_), Some(Action::Load | Action::Reload)) => (doing, Tone::Good),
        (Some(_), Some(other)) => action(other),
        (Some(Content::Current), None) => ("yes", Tone::Good),
        (Some(Content::Other(_)), None) => ("older", Tone::Waiting),
        (Some(Content::Nothing), None) => ("no", Tone::Plain),
        (Some(Content::Unknown), None) => ("unknown", Tone::Bad),
    };
    Cell::said(word, &format!("{name}: {word}").replace(' ', GLUE)).toned(tone)
}
