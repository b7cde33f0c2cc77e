//! `finops status`: what is loaded.

use std::collections::BTreeMap;

use finops_core::{export::ExportKind, report::TableStatus};

#[cfg(feature = "duckdb")]
use crate::warehouse::duckdb::DuckDb;
use crate::{
    cli::{Output, StatusArguments},
    commands::{Exit, Stop},
    config::{Choice, Config, Export, WarehouseConfig, parse},
    error::{Error, Kind},
    output,
    warehouse::{Inventory, Warehouse, bigquery::BigQuery},
};

/// Prints the state of every configured table. One that the warehouse does not tell of does not hide the others.
pub(crate) async fn status(arguments: StatusArguments, environment: &BTreeMap<String, String>) -> Result<Exit, Stop> {
    let config = parse(environment, &Choice { pipeline: arguments.pipeline, ..Choice::default() })?;
    let tables = match &config.warehouse {
        WarehouseConfig::BigQuery(options) => tables(&config, &BigQuery::connect(options.clone())?).await,
        #[cfg(feature = "duckdb")]
        WarehouseConfig::DuckDb(path) => tables(&config, &DuckDb::open_to_read(path)?).await,
        #[cfg(not(feature = "duckdb"))]
        WarehouseConfig::DuckDb(_) => return Err(crate::commands::left_out("DuckDB").into()),
    };
    match arguments.output.output {
        Output::Json => output::json(&tables),
        Output::Table => tables.iter().for_each(output::status),
    }
    let mut exit = Exit::Success;
    for table in &tables {
        if let Some(error) = &table.error {
            output::error_of(table.label.as_deref(), error);
            exit = Exit::Failure;
        }
    }
    Ok(exit)
}

async fn tables<W: Warehouse>(config: &Config, warehouse: &W) -> Vec<TableStatus> {
    let mut tables = Vec::new();
    for export in &config.exports {
        let name = export.name.as_deref().unwrap_or_default();
        let target = export.target(name, ExportKind::Cur.layout());
        let (months, error) = match inspect(warehouse, export, name).await {
            Ok(inventory) => (inventory.standing.into_values().rev().collect(), None),
            Err(error) => (Vec::new(), Some(error.reported())),
        };
        let (pipeline, label) = (export.provider.as_str().to_owned(), export.label.clone());
        tables.push(TableStatus { pipeline, label, table: warehouse.table_name(&target), months, error });
    }
    tables
}

/// What the warehouse holds, whatever kind of export it is of: only the deliveries tell.
async fn inspect<W: Warehouse>(warehouse: &W, export: &Export, name: &str) -> Result<Inventory, Error> {
    let mut first = None;
    for kind in ExportKind::EACH_TABLE {
        match warehouse.inspect(&export.target(name, kind.layout())).await {
            Err(error) if matches!(error.kind(), Kind::ForeignTable | Kind::Schema) => drop(first.get_or_insert(error)),
            other => return other,
        }
    }
    first.map_or_else(|| Ok(Inventory::default()), Err)
}
