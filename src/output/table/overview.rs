//! How far each month of the staged pipeline is.

use finops_core::{model::text::excerpt, report::run::Action};

use super::{
    layout::{files_and_size, new_table},
    report::action,
};
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
        let place = |content: &Content, planned: Option<Action>, doing: &str| {
            let has = match content {
                Content::Current => "yes",
                Content::Other(_) => "older",
                Content::Nothing => "no",
                Content::Unknown => "unknown",
            };
            let does = planned.filter(|_| is_plan).map(|planned| match planned {
                Action::Load | Action::Reload => doing,
                other => action(other),
            });
            does.unwrap_or(has).to_owned()
        };
        let [files, size] = files_and_size(month.files, month.bytes);
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
