//! What the provider delivered, how far each month of it has come, and what the steps would do: their own plans, in a row.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use finops_core::{
    BillingPeriod,
    report::{Action, MonthReport, PipelineReport},
    state::Standing,
};

use super::{
    Writing,
    chain::{InPlaces, MonthSurvey, month},
    export_parquet,
    extract::plan_months,
    parquet::written,
    staging::Folder,
};
use crate::{
    config::Export,
    error::{Error, Kind, Result},
    flow::table::look_up,
    outcome::{planned_report, unreadable},
    pipeline::{self, Run},
    storage::{Local, Store},
    warehouse::{Warehouse, bigquery::BigQuery, duckdb::DuckDb},
};

/// The places of one provider's staged pipeline.
pub struct Places<'a> {
    /// The export where it is delivered.
    pub delivered: &'a Export,
    /// Where that is.
    pub store: &'a Store,
    /// The staging folder.
    pub staging: &'a Path,
    /// The export on its way into DuckDB.
    pub staged: &'a Export,
    /// The database.
    pub duckdb: &'a DuckDb,
    /// The folder of Parquet files.
    pub parquet: &'a Path,
    /// The export on its way into BigQuery, and that.
    pub bigquery: Option<(&'a Export, &'a BigQuery)>,
}

type Months<T> = BTreeMap<BillingPeriod, T>;

/// Looks at all places; changes nothing. Newest month first.
///
/// # Errors
/// What a place says that does not tell what it has, or a step that could not begin.
pub async fn survey(places: &Places<'_>, run: &Run, writing: Writing) -> Result<Vec<MonthSurvey>> {
    let run = &Run { dry_run: true, ..run.clone() };
    let there = Folder::read(places.staging, places.delivered).await?;
    let in_duckdb = look_up(places.duckdb, places.staged).await?.months;
    let in_bigquery = match places.bigquery {
        Some((export, bigquery)) => Some(look_up(bigquery, export).await?.months),
        None => None,
    };
    let planned = plan_months(places.delivered, places.store, &there, run).await?;
    let Some(planned) = planned else { return Ok(Vec::new()) };
    let in_staging = there.months(&planned.export_name);
    let broken = planned.unreadable.iter().map(|(period, error)| unreadable(*period, error));
    let extract = by_month(planned.months.iter().map(planned_report).chain(broken));
    let load = load_plan(places.staged, places.staging, places.duckdb, run).await?;
    let write = months(export_parquet(places.staged, places.duckdb, places.parquet, run, writing).await)?;
    let load_remote = match places.bigquery {
        Some((export, bigquery)) => Some(load_plan(export, places.parquet, bigquery, run).await?),
        None => None,
    };
    let steps = [&load, &write].into_iter().chain(&load_remote).flatten();
    let to_do = steps.filter(|(_, month)| month.action != Action::Skip).map(|(period, _)| period);
    let periods: BTreeSet<BillingPeriod> = extract.keys().chain(to_do).copied().collect();
    let in_parquet = |period| written(places.parquet, places.delivered.provider, period);
    let survey = |period: BillingPeriod| {
        let parquet = in_parquet(period);
        month(&InPlaces {
            period,
            extract: extract.get(&period),
            load: load.get(&period),
            write: write.get(&period),
            load_remote: load_remote.as_ref().and_then(|months| months.get(&period)),
            has_bigquery: places.bigquery.is_some(),
            staging: in_staging.get(&period),
            duckdb: in_duckdb.get(&period),
            parquet: parquet.as_ref().map(|found| found.manifest.execution_id.as_str()),
            bigquery: in_bigquery.as_ref().and_then(|months: &Months<Standing>| months.get(&period)),
        })
    };
    Ok(periods.into_iter().rev().map(survey).collect())
}

/// What the step that loads from a folder of finops's own would do, by month.
async fn load_plan<W: Warehouse>(export: &Export, from: &Path, into: &W, run: &Run) -> Result<Months<MonthReport>> {
    if !from.exists() {
        return Ok(Months::new());
    }
    let store = Store::Local(Local::new(from));
    months(Box::pin(pipeline::run(export, &store, into, run, &|_| {})).await)
}

fn months(report: PipelineReport) -> Result<Months<MonthReport>> {
    match report.error {
        None => Ok(by_month(report.months)),
        // Nothing is there yet.
        Some(error) if error.kind == Kind::NotFound.as_str() => Ok(Months::new()),
        Some(error) => {
            let failed = Error::new(Kind::Warehouse, format!("no plan for {}: {}", report.table, error.message));
            Err(failed.hint(error.hint.unwrap_or_else(|| "run the steps one by one to see which fails".to_owned())))
        }
    }
}

fn by_month(months: impl IntoIterator<Item = MonthReport>) -> Months<MonthReport> {
    months.into_iter().map(|month| (month.billing_period, month)).collect()
}
