//! `finops status`: what is loaded.

use std::collections::BTreeMap;

use finops_core::report::TableStatus;

#[cfg(feature = "duckdb")]
use crate::warehouse::duckdb::DuckDb;
use crate::{
    cli::{Output, StatusArguments},
    commands::{Exit, Stop},
    config::{Choice, Config, WarehouseConfig, parse},
    error::Error,
    output,
    warehouse::{Warehouse, bigquery::BigQuery},
};

/// Prints the state of every configured table.
pub(crate) async fn status(arguments: StatusArguments, environment: &BTreeMap<String, String>) -> Result<Exit, Stop> {
    let config = parse(environment, &Choice { pipeline: arguments.pipeline, ..Choice::default() })?;
    let tables = match &config.warehouse {
        WarehouseConfig::BigQuery(options) => {
            let warehouse = BigQuery::connect(options.clone())?;
            tables(&config, &warehouse).await?
        }
        #[cfg(feature = "duckdb")]
        WarehouseConfig::DuckDb(path) => tables(&config, &DuckDb::open_to_read(path)?).await?,
        #[cfg(not(feature = "duckdb"))]
        WarehouseConfig::DuckDb(_) => return Err(crate::commands::left_out("DuckDB").into()),
    };
    match arguments.output.output {
        Output::Json => output::json(&tables),
        Output::Table => tables.iter().for_each(output::status),
    }
    Ok(Exit::Success)
}

async fn tables<W: Warehouse>(config: &Config, warehouse: &W) -> Result<Vec<TableStatus>, Error> {
    let mut tables = Vec::new();
    for export in &config.exports {
        let target = export.target(export.name.as_deref().unwrap_or_default());
        let inventory = warehouse.inspect(&target).await?;
        let months = inventory.standing.into_values().rev().collect();
        tables.push(TableStatus { pipeline: export.pipeline.to_owned(), table: warehouse.table_name(&target), months });
    }
    Ok(tables)
}
