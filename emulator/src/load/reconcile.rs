//! The job's wishes against the table.

use super::config::{LoadConfig, Write};
use crate::{
    catalog::{Partitioning, Table},
    error::{ApiError, JobError},
    types::{Allow, Field, added_fields},
};

/// The columns that the load adds to the table.
pub fn reconcile(config: &LoadConfig, table: &Table, strict_missing: bool) -> Result<Vec<Field>, JobError> {
    check_layout(config, table)?;
    let Some(file) = &config.fields else {
        return Ok(Vec::new());
    };
    let truncate = config.write == Write::Truncate;
    let whole_table = truncate && config.partition.is_none();
    let missing = !(truncate && (whole_table || strict_missing));
    let allow = Allow { addition: config.allow_field_addition, missing };
    added_fields(&table.fields, file, &allow).map_err(|why| {
        if whole_table {
            let table = &config.table;
            return ApiError::not_implemented(format!("a truncate that replaces the schema of {table}: {why}")).into();
        }
        JobError::invalid(format!("Provided Schema does not match Table {}. {why}", config.destination()))
    })
}

/// Partitioning and clustering, where a job gives them, must match the table's fully.
fn check_layout(config: &LoadConfig, table: &Table) -> Result<(), JobError> {
    if config.partition.is_some() && table.partitioning.is_none() {
        return Err(JobError::invalid(format!(
            "Cannot load into partition {} of a table that is not partitioned",
            config.destination()
        )));
    }
    let given = layout(config.partitioning.as_ref(), &config.clustering);
    let own = layout(table.partitioning.as_ref(), &table.clustering);
    if given == own || given == layout(None, &[]) {
        return Ok(());
    }
    Err(JobError::invalid(format!(
        "Incompatible table partitioning specification. Expects partitioning specification {own}, but input \
         partitioning specification is {given}"
    )))
}

fn layout(partitioning: Option<&Partitioning>, clustering: &[String]) -> String {
    let partitioning =
        partitioning.map_or("none".to_owned(), |own| format!("interval(type:MONTH,field:{})", own.field));
    format!("{partitioning} clustering({})", clustering.join(",")).to_lowercase()
}
