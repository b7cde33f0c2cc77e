//! `finops status`: what is loaded.

use std::collections::BTreeMap;

use finops_core::{model::load_record::LoadedMonth, report::run::TableStatus};

use crate::{
    cli::ChosenArguments,
    commands::exit::{CommandError, Exit},
    flow::table::look_up,
    output,
    settings::{CliOverrides, Config, parse},
    warehouse::{
        Warehouse,
        open::{Access, Task},
    },
};

/// Prints the state of every configured table. A table that cannot be read does not hide the others.
pub(crate) async fn status(
    arguments: ChosenArguments,
    environment: &BTreeMap<String, String>,
) -> Result<Exit, CommandError> {
    let config = parse(environment, &CliOverrides { pipeline: arguments.pipeline, ..CliOverrides::default() })?;
    output::unread(&config.unread);
    let tables = config.warehouse.open(Access::Read, Tables(&config)).await?;
    output::printer(&arguments.output).status(&tables);
    let mut exit = Exit::Success;
    for table in &tables {
        if let Some(error) = &table.error {
            output::error_of(table.label.as_deref(), error);
            exit = Exit::Failure;
        }
    }
    Ok(exit)
}

/// The state of every configured table.
struct Tables<'a>(&'a Config);

impl Task for Tables<'_> {
    type Output = Vec<TableStatus>;

    async fn with<W: Warehouse>(self, warehouse: &W) -> Vec<TableStatus> {
        let mut tables = Vec::new();
        for export in &self.0.exports {
            let (months, error): (Vec<LoadedMonth>, _) = match look_up(warehouse, export).await {
                Ok(table) => (table.months.into_values().rev().collect(), None),
                Err(error) => (Vec::new(), Some(error.reported())),
            };
            let newest_delivery_at = months.iter().filter_map(|month| month.record_if_in_table()?.issued_at).max();
            let (pipeline, label) = (export.provider.as_str().to_owned(), export.label.clone());
            let table = warehouse.table_name(&export.table_name());
            tables.push(TableStatus { pipeline, label, table, months, newest_delivery_at, error });
        }
        tables
    }
}
