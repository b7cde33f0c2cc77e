//! What the provider delivered, how far each month is, and what the steps would do: their plans, chained.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use finops_core::{
    BillingPeriod,
    report::run::{Action, MonthReport, MonthVerb, PipelineReport, ReportedError},
};
use jiff::Timestamp;

use crate::staging::{
    Writing,
    chain::{MonthOverview, Step, month},
    export_parquet,
    extract::plan_months,
    folder::Folder,
    parquet::written,
};
use crate::{
    flow::{
        discover::delivered_months,
        export::{Export, Run},
        report::{planned_report, unreadable},
        run::run_export,
        silence::no_manifest,
        table::look_up,
    },
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
    /// The export on its way into BigQuery, and BigQuery.
    pub bigquery: Option<(&'a Export, &'a BigQuery)>,
}

/// What was found.
pub struct Overview {
    /// Newest first.
    pub months: Vec<MonthOverview>,
    /// When the provider's newest delivery was issued.
    pub newest_delivery_at: Option<Timestamp>,
}

type Months<T> = BTreeMap<BillingPeriod, T>;

/// Reads all places; changes nothing.
///
/// # Errors
/// A place that cannot be read or has no manifest, or a step that could not begin.
pub async fn overview(places: &Places<'_>, run: &Run, writing: Writing) -> Result<Overview, ReportedError> {
    let run = &Run { dry_run: true, ..run.clone() };
    let there = Folder::read(places.staging, places.delivered).await?;
    let in_duckdb = look_up(places.duckdb, places.staged).await?.months;
    let in_bigquery = match places.bigquery {
        Some((export, bigquery)) => look_up(bigquery, export).await?.months,
        None => Months::new(),
    };
    let planned = plan_months(places.delivered, places.store, &there, run).await?;
    let Some(planned) = planned else {
        return Err(no_manifest(places.store, places.delivered, &[]).await.into());
    };
    let in_staging = there.months(&planned.export_name);
    let broken = planned.unreadable.iter().map(|(period, error)| unreadable(*period, error));
    let extract = by_month(
        planned.months.iter().map(|month| planned_report(month, places.delivered, MonthVerb::Stage)).chain(broken),
    );
    let load = load_plan(places.staged, places.staging, places.duckdb, run).await?;
    let write = months(export_parquet(places.staged, places.duckdb, places.parquet, run, writing).await)?;
    let load_remote = match places.bigquery {
        Some((export, bigquery)) => load_plan(export, places.parquet, bigquery, run).await?,
        None => Months::new(),
    };
    let steps = [&load, &write, &load_remote].into_iter().flatten();
    let to_do = steps.filter(|(_, month)| month.action != Action::Skip).map(|(period, _)| period);
    let periods: BTreeSet<BillingPeriod> = extract.keys().chain(to_do).copied().collect();
    let in_parquet = written(places.parquet, places.delivered.provider, periods.iter().copied());
    let steps = [(&extract, &in_staging), (&load, &in_duckdb), (&write, &in_parquet), (&load_remote, &in_bigquery)];
    let of_month = |period: &BillingPeriod| {
        let steps = steps.map(|(plans, place)| Step { plan: plans.get(period), place: place.get(period) });
        month(*period, steps, places.bigquery.is_some())
    };
    let months = periods.iter().rev().map(of_month).collect();
    Ok(Overview { months, newest_delivery_at: planned.newest_at })
}

/// The plan of a step that loads from a folder, by month; none if the folder is empty, because the step before fills it first.
async fn load_plan<W: Warehouse>(
    export: &Export,
    from: &Path,
    into: &W,
    run: &Run,
) -> Result<Months<MonthReport>, ReportedError> {
    let store = Store::Local(Local::new(from));
    if !from.exists() || delivered_months(&store, export).await?.is_none_or(|months| months.is_empty()) {
        return Ok(Months::new());
    }
    months(Box::pin(run_export(export, &store, into, run, &|_| {})).await)
}

fn months(report: PipelineReport) -> Result<Months<MonthReport>, ReportedError> {
    match report.error {
        None => Ok(by_month(report.months)),
        Some(error) => {
            Err(ReportedError { message: format!("no plan for {}: {}", report.table, error.message), ..error })
        }
    }
}

fn by_month(months: impl IntoIterator<Item = MonthReport>) -> Months<MonthReport> {
    months.into_iter().map(|month| (month.billing_period, month)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn an_error_of_a_step_keeps_its_kind_and_its_hint() {
        for kind in [ErrorKind::Permission, ErrorKind::Credentials, ErrorKind::Busy, ErrorKind::NotFound] {
            let error = Error::new(kind, "no").hint("ask").reported();
            let report = PipelineReport { error: Some(error), ..PipelineReport::new("aws", "daily", "main.t") };
            let failed = months(report).unwrap_err();
            assert_eq!((failed.kind, failed.message.as_str()), (kind, "no plan for main.t: no"));
            assert_eq!(failed.hint.as_deref(), Some("ask"));
        }
    }
}
