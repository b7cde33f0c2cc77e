//! Tests the settings against the services that they name. It changes nothing. All requests are free except those that list
//! and read a few objects.
//!
//! Facts of storage and warehouse become findings here. Sources are checked first, then the warehouse: the export in a source
//! decides whether its table fits. If a check fails, only the checks that need it are left out.

mod bigquery;
#[cfg(feature = "duckdb")]
mod duckdb;
mod finding;
mod google_account;
mod source;

use finops_core::{
    hint,
    report::check::{Check, CheckReport, Finding, Loading, loading},
};
#[cfg(feature = "duckdb")]
use futures::future::join;
use futures::future::join_all;

use self::{
    finding::failed,
    source::{BucketLocationLookup, SourceChecks, check_source},
};
use crate::{
    error::Result,
    flow::{export::Export, table::Delivered},
    settings::Config,
    storage::Store,
    version::VERSION,
    warehouse::{
        bigquery::{BigQuery, Options},
        open::WarehouseConfig,
    },
};

/// An export and its store, or why the store cannot be opened.
pub type Opened<'a> = (&'a Export, Result<Store>);

/// Checks the exports and the warehouse.
///
/// # Errors
/// This build does not have the warehouse.
pub async fn check(config: &Config, sources: &[Opened<'_>]) -> Result<CheckReport> {
    match &config.warehouse {
        WarehouseConfig::BigQuery(options) => {
            Ok(into_bigquery(config, sources, options, &BigQuery::connect(options.clone())).await)
        }
        #[cfg(feature = "duckdb")]
        WarehouseConfig::DuckDb(path) => Ok(into_duckdb(config, sources, path).await),
        #[cfg(not(feature = "duckdb"))]
        WarehouseConfig::DuckDb(_) => Err(crate::error::Error::not_built_in("DuckDB")),
    }
}

async fn into_bigquery(
    config: &Config,
    sources: &[Opened<'_>],
    options: &Options,
    connected: &Result<BigQuery>,
) -> CheckReport {
    let checked =
        join_all(sources.iter().map(|(export, store)| check_source(export, store, &config.months, &config.max_age)))
            .await;
    let mut warehouse = bigquery::check_warehouse(connected, options, &delivered(sources, &checked)).await;
    let mut findings = vec![version()];
    findings.append(&mut warehouse.findings);
    for ((export, _), source) in sources.iter().zip(checked) {
        findings.extend(source.findings);
        let location = warehouse.locations.get(&export.dataset).map(String::as_str);
        findings.push(location_finding(export, &options.project, &source.bucket_location, location));
    }
    findings.append(&mut warehouse.tables);
    CheckReport::new(findings)
}

#[cfg(feature = "duckdb")]
async fn into_duckdb(config: &Config, sources: &[Opened<'_>], path: &std::path::Path) -> CheckReport {
    let checked =
        join_all(sources.iter().map(|(export, store)| check_source(export, store, &config.months, &config.max_age)));
    let clocks = join_all(sources.iter().map(|(_, store)| source::clock(store)));
    let (checked, clocks) = join(checked, clocks).await;
    let of_file = duckdb::check_database(path, &delivered(sources, &checked)).await;
    let findings = [version()].into_iter().chain(clocks.into_iter().flatten());
    CheckReport::new(findings.chain(checked.into_iter().flat_map(|source| source.findings)).chain(of_file))
}

/// Each export with the delivery that its source has.
fn delivered<'a>(sources: &'a [Opened<'_>], checked: &'a [SourceChecks]) -> Vec<(&'a Export, Option<&'a Delivered>)> {
    sources.iter().zip(checked).map(|((export, _), source)| (*export, source.delivered.as_ref())).collect()
}

fn version() -> Finding {
    Finding::ok(Check::Version, "finops", &VERSION)
}

/// Whether the dataset, which is in `location`, can load from the bucket.
fn location_finding(export: &Export, project: &str, place: &BucketLocationLookup, location: Option<&str>) -> Finding {
    let object = format!("{} into {project}.{}", source::bucket(export), export.dataset);
    let bucket = match place {
        BucketLocationLookup::NotAsked(needs) => return Finding::not_checked(Check::Location, &object, needs),
        BucketLocationLookup::Asked(Ok(None)) => {
            let hint = hint::bucket_location(source::bucket(export));
            let found = "not known: the account has no permission to see the location of the bucket";
            return Finding::warning(Check::Location, &object, found, &hint);
        }
        BucketLocationLookup::Asked(Err(error)) => return failed(Check::Location, &object, error),
        BucketLocationLookup::Asked(Ok(Some(bucket))) => bucket,
    };
    let Some(location) = location else {
        return Finding::not_checked(Check::Location, &object, "the dataset");
    };
    let found = format!("the bucket is in {}, the dataset in {location}", bucket.location);
    match loading(bucket, location) {
        Loading::Possible => Finding::ok(Check::Location, &object, &found),
        Loading::Unknown => {
            let found = format!("not known: {found}, and a bucket in two regions may not work");
            Finding::warning(Check::Location, &object, &found, hint::LOAD_ONE_MONTH)
        }
        Loading::Impossible => {
            let hint = hint::move_bucket(location, &bucket.location);
            let found = format!("{found}: BigQuery cannot load from there");
            Finding::failed(Check::Location, &object, &found, Some(&hint))
        }
    }
}
