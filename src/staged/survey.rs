//! What the provider delivered, and how far each month of it has come.

use std::{collections::BTreeMap, path::Path};

use finops_core::{
    BillingPeriod,
    plan::{Decision, plan},
    state::Standing,
};
use serde::Serialize;

use super::{parquet::written, staging::Folder};
use crate::{
    config::Export,
    discover::discover,
    error::Result,
    flow::table::look_up,
    pipeline::Run,
    storage::Store,
    warehouse::{bigquery::BigQuery, duckdb::DuckDb},
};

/// What a place has of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// The delivery that counts.
    Current,
    /// Another one, of that execution id.
    Other(String),
    /// Nothing.
    Nothing,
}

impl Held {
    fn of(found: Option<&str>, wanted: &str) -> Self {
        match found {
            Some(found) if found == wanted => Self::Current,
            Some(found) => Self::Other(found.to_owned()),
            None => Self::Nothing,
        }
    }
}

/// A month that the provider delivered.
#[derive(Clone, Debug, Serialize)]
pub struct MonthSurvey {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery that counts; empty where none can be read.
    pub execution_id: String,
    /// Its data files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Why it cannot be fetched now, if it cannot.
    pub obstacle: Option<String>,
    /// In the staging folder.
    pub staging: Held,
    /// In DuckDB.
    pub duckdb: Held,
    /// In Parquet files.
    pub parquet: Held,
    /// In BigQuery; `None` where it is not configured.
    pub bigquery: Option<Held>,
}

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

/// Looks at all places; changes nothing. Newest month first.
///
/// # Errors
/// What a place says that does not tell what it has.
pub async fn survey(places: &Places<'_>, run: &Run) -> Result<Vec<MonthSurvey>> {
    let there = Folder::read(places.staging, places.delivered).await?;
    let in_duckdb = look_up(places.duckdb, places.staged).await?.months;
    let in_bigquery = match places.bigquery {
        Some((export, bigquery)) => Some(look_up(bigquery, export).await?.months),
        None => None,
    };
    let discovered = discover(places.store, places.delivered, &run.months, &there.loaded()).await?;
    let Some(export_name) = discovered.export_name else { return Ok(Vec::new()) };
    let in_staging = there.months(&export_name);
    let of = |standing: &BTreeMap<BillingPeriod, Standing>, period, wanted: &str| {
        let visible = standing.get(&period).and_then(Standing::visible);
        Held::of(visible.map(|record| record.execution_id.as_str()), wanted)
    };
    let mut months = Vec::new();
    for planned in plan(discovered.candidates, &BTreeMap::new(), &run.rules) {
        let (period, id) = (planned.billing_period, planned.execution_id.unwrap_or_default());
        let (files, bytes, obstacle) = match &planned.decision {
            Decision::Load(delivery) | Decision::Reload(delivery) => (delivery.files.len(), delivery.bytes(), None),
            _ => (0, 0, Some(planned.reason)),
        };
        let in_parquet = written(places.parquet, places.delivered.provider, period);
        months.push(MonthSurvey {
            billing_period: period,
            files,
            bytes,
            obstacle,
            staging: of(&in_staging, period, &id),
            duckdb: of(&in_duckdb, period, &id),
            parquet: Held::of(in_parquet.as_ref().map(|found| found.manifest.execution_id.as_str()), &id),
            bigquery: in_bigquery.as_ref().map(|standing| of(standing, period, &id)),
            execution_id: id,
        });
    }
    Ok(months)
}
