//! How far each month of the staged pipeline is.

use finops_core::{model::text::excerpt, report::run::Action};
use indicatif::HumanBytes;

use super::layout::new_table;
use crate::{
    output::streams::print,
    staging::{Content, MonthOverview},
};

/// A row for each delivered month; in a plan, what each step would do.
pub fn overview(months: &[MonthOverview], is_plan: bool) {
    if months.is_empty() {
        print("no month to show");
        return;
    }
    let mut table = new_table(
        &["Month", "Execution", "Files", "Size", "Staging", "DuckDB", "Parquet", "BigQuery", "Note"],
        &[2, 3],
    );
    for month in months {
        let steps = &month.steps;
        let place = |content: &Content, action: Option<Action>, doing: &str| {
            let has = match content {
                Content::Current => "yes",
                Content::Other(_) => "older",
                Content::Nothing => "no",
            };
            let does = action.filter(|_| is_plan).map(|action| match action {
                Action::Load | Action::Reload => doing,
                Action::Skip => "skip",
                Action::Wait => "wait",
                Action::Refuse => "refuse",
            });
            does.unwrap_or(has).to_owned()
        };
        let (files, size) = match month.files {
            0 => (String::new(), String::new()),
            files => (files.to_string(), HumanBytes(month.bytes).to_string()),
        };
        table.add_row([
            month.billing_period.to_string(),
            excerpt(&month.execution_id),
            files,
            size,
            place(&month.staging, steps.extract_billing, "extract"),
            place(&month.duckdb, steps.load_billing_local, "load"),
            place(&month.parquet, steps.export_parquet, "write"),
            month
                .bigquery
                .as_ref()
                .map_or("not configured".to_owned(), |content| place(content, steps.load_billing_remote, "load")),
            month.obstacle.clone().unwrap_or_default(),
        ]);
    }
    print(&table.to_string());
}
