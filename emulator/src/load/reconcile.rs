//! The job's schema against the table's.

use super::config::{LoadConfig, Write};
use crate::{
    catalog::Table,
    error::JobError,
    schema_change::{Allow, SchemaChange},
};

/// How the load changes the table's schema.
pub fn reconcile(config: &LoadConfig, table: &Table, strict_missing: bool) -> Result<SchemaChange, JobError> {
    check_layout(config, table)?;
    let Some(file) = config.fields.as_deref().filter(|_| !config.replaces_schema()) else {
        return Ok(SchemaChange::default());
    };
    let allow = Allow {
        addition: config.allow_field_addition,
        relaxation: config.allow_field_relaxation,
        missing: !strict_missing || config.write != Write::Truncate,
    };
    SchemaChange::between(&table.fields, file, &allow).map_err(|why| {
        JobError::invalid(format!("Provided Schema does not match Table {}. {why}", config.destination()))
    })
}

/// Partitioning and clustering in a job must match the table's fully.
fn check_layout(config: &LoadConfig, table: &Table) -> Result<(), JobError> {
    let incompatible = |what: &str, expected: String, found: String| {
        JobError::invalid(format!(
            "Incompatible table partitioning specification. Expects {what} specification {expected}, but input {what} \
             specification is {found}"
        ))
    };
    if config.partition.is_some() && table.partitioning.is_none() {
        return Err(JobError::invalid(format!(
            "Cannot load into partition {} of a table that is not partitioned",
            config.destination()
        )));
    }
    if let Some(given) = &config.partitioning
        && table.partitioning.as_ref().is_none_or(|own| !own.field.eq_ignore_ascii_case(&given.field))
    {
        let own = table
            .partitioning
            .as_ref()
            .map_or("none".to_owned(), |own| format!("interval(type:MONTH,field:{})", own.field));
        return Err(incompatible("partitioning", own, format!("interval(type:MONTH,field:{})", given.field)));
    }
    if let Some(given) = &config.clustering
        && *given != table.clustering
    {
        return Err(incompatible("clustering", table.clustering.join(","), given.join(",")));
    }
    Ok(())
}
