//! What the provider delivered, how far each month is, and what the steps would do: their plans, chained.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use finops_core::{
    BillingPeriod,
    model::load_record::LoadedMonth,
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
    error::Result,
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
    /// The database, or why it cannot be opened.
    pub duckdb: Result<DuckDb>,
    /// The folder of Parquet files.
    pub parquet: &'a Path,
    /// The export on its way into BigQuery, and BigQuery, or why it cannot be used.
    pub bigquery: Option<(&'a Export, Result<BigQuery>)>,
}

/// What was found.
pub struct Overview {
    /// Newest first.
    pub months: Vec<MonthOverview>,
    /// When the provider's newest delivery was issued.
    pub newest_delivery_at: Option<Timestamp>,
    /// Places that cannot be read, and steps that could not begin.
    pub errors: Vec<ReportedError>,
}

type Months<T> = BTreeMap<BillingPeriod, T>;

/// Reads all places; changes nothing. A warehouse that cannot be read does not hide the other places.
///
/// # Errors
/// Where the provider delivers, and the staging folder, if they cannot be read; a place of delivery without a manifest.
pub async fn overview(places: Places<'_>, run: &Run, writing: Writing) -> Result<Overview, ReportedError> {
    let run = &Run { dry_run: true, ..run.clone() };
    let there = Folder::read(places.staging, places.delivered).await?;
    let mut errors: Vec<ReportedError> = Vec::new();
    let duckdb = known(places.duckdb, places.staged, &mut errors).await;
    let (bigquery, has_bigquery) = match places.bigquery {
        Some((export, bigquery)) => (known(bigquery, export, &mut errors).await.map(|known| (export, known)), true),
        None => (None, false),
    };
    let planned = plan_months(places.delivered, places.store, &there, run).await?;
    let Some(planned) = planned else {
        return Err(no_manifest(places.store, places.delivered, &[]).await.into());
    };
    let mut planned_or_error = |plan: Result<Months<MonthReport>, ReportedError>| {
        plan.unwrap_or_else(|error| {
            errors.push(error);
            Months::new()
        })
    };
    let in_staging = there.months(&planned.export_name);
    let broken = planned.unreadable.iter().map(|(period, error)| unreadable(*period, error));
    let extract = by_month(
        planned.months.iter().map(|month| planned_report(month, places.delivered, MonthVerb::Stage)).chain(broken),
    );
    let (mut load, mut write, mut load_remote) = (Months::new(), Months::new(), Months::new());
    if let Some((duckdb, _)) = &duckdb {
        load = planned_or_error(load_plan(places.staged, places.staging, duckdb, run).await);
        let written = export_parquet(places.staged, duckdb, places.parquet, run, writing).await;
        write = written.map_or_else(Months::new, |written| planned_or_error(months(written)));
    }
    if let Some((export, (bigquery, _))) = &bigquery {
        load_remote = planned_or_error(load_plan(export, places.parquet, bigquery, run).await);
    }
    let steps = [&load, &write, &load_remote].into_iter().flatten();
    let to_do = steps.filter(|(_, month)| month.action != Action::Skip).map(|(period, _)| period);
    let periods: BTreeSet<BillingPeriod> = extract.keys().chain(to_do).copied().collect();
    let in_parquet = written(places.parquet, places.delivered.provider, periods.iter().copied());
    let in_duckdb = duckdb.as_ref().map(|(_, months)| months);
    let in_bigquery = bigquery.as_ref().map(|(_, (_, months))| months);
    let steps =
        [(&extract, Some(&in_staging)), (&load, in_duckdb), (&write, Some(&in_parquet)), (&load_remote, in_bigquery)];
    let of_month = |period: &BillingPeriod| {
        let steps = steps.map(|(plans, place)| Step {
            plan: plans.get(period),
            place: place.and_then(|place| place.get(period)),
            is_known: place.is_some(),
        });
        month(*period, steps, has_bigquery)
    };
    let months = periods.iter().rev().map(of_month).collect();
    Ok(Overview { months, newest_delivery_at: planned.newest_at, errors })
}

/// The warehouse with the months of the export's table; `None` if it cannot be read, which is one of the `errors` then.
async fn known<W: Warehouse>(
    warehouse: Result<W>,
    export: &Export,
    errors: &mut Vec<ReportedError>,
) -> Option<(W, Months<LoadedMonth>)> {
    let read = match warehouse {
        Ok(warehouse) => look_up(&warehouse, export).await.map(|found| (warehouse, found.months)),
        Err(error) => Err(error),
    };
    read.map_err(|error| errors.push(error.reported())).ok()
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
