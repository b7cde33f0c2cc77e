//! `finops check`: tests the settings against the services.

use std::collections::BTreeMap;

use futures::future::join_all;
use tracing::Span;

use crate::{
    check::{self, Opened},
    cli::ChosenArguments,
    commands::{
        exit::{CommandError, Exit},
        store::open_store,
    },
    output,
    settings::{CliOverrides, parse},
    storage::S3Options,
    warehouse::{bigquery::BigQuery, open::WarehouseConfig},
};

/// Checks every configured export, its source and its table.
pub(crate) async fn check(
    arguments: ChosenArguments,
    environment: &BTreeMap<String, String>,
) -> Result<Exit, CommandError> {
    let config = parse(environment, &CliOverrides { pipeline: arguments.pipeline, ..CliOverrides::default() })?;
    Span::current().record("pipeline", config.pipeline());
    let (emulator, s3) = (config.storage_emulator.as_deref(), S3Options::default());
    let opened = config.exports.iter().map(async |export| (export, open_store(export, emulator, &s3).await));
    let sources: Vec<Opened<'_>> = join_all(opened).await;
    let report = match &config.warehouse {
        WarehouseConfig::BigQuery(options) => {
            check::into_bigquery(&config, &sources, options, &BigQuery::connect(options.clone())).await
        }
        #[cfg(feature = "duckdb")]
        WarehouseConfig::DuckDb(path) => check::into_duckdb(&config, &sources, path).await,
        #[cfg(not(feature = "duckdb"))]
        WarehouseConfig::DuckDb(_) => return Err(crate::error::Error::not_built_in("DuckDB").into()),
    };
    output::printer(arguments.output.output).checks(&report);
    output::failed_checks(&report);
    Ok(if report.failed() { Exit::Failure } else { Exit::Success })
}
