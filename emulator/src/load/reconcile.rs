//! The job's schema against the table's.

use super::config::{LoadConfig, Write};
use crate::{
    catalog::Table,
    error::JobError,
    types::{Field, find},
};

/// How the load changes the table's schema, and how it reads the files.
pub struct Reconciled {
    /// The files' columns, in their order.
    pub file: Vec<Field>,
    pub added: Vec<Field>,
    /// Columns that become NULLABLE.
    pub relaxed: Vec<String>,
}

/// Compares the schemas.
pub fn reconcile(config: &LoadConfig, table: &Table, strict_missing: bool) -> Result<Reconciled, JobError> {
    check_layout(config, table)?;
    let Some(file) = &config.fields else {
        return Ok(Reconciled { file: table.fields.clone(), added: Vec::new(), relaxed: Vec::new() });
    };
    let mut result = Reconciled { file: file.clone(), added: Vec::new(), relaxed: Vec::new() };
    // A whole-table truncate takes the job's schema as the table's.
    if config.write == Write::Truncate && config.partition.is_none() {
        return Ok(result);
    }
    let mismatch = |detail: String| {
        JobError::invalid(format!("Provided Schema does not match Table {}. {detail}", config.destination()))
    };
    for old in &table.fields {
        let Some(new) = find(file, &old.name) else {
            if old.required || (strict_missing && config.write == Write::Truncate) {
                return Err(mismatch(format!("Field {} is missing in new schema", old.name)));
            }
            continue;
        };
        if new.ty != old.ty {
            let (from, to) = (old.ty.rest_name(), new.ty.rest_name());
            return Err(mismatch(format!("Field {} has changed type from {from} to {to}", old.name)));
        }
        if old.required && !new.required && config.allow_field_relaxation {
            result.relaxed.push(old.name.clone());
        } else if old.required != new.required {
            let (from, to) = (old.mode(), new.mode());
            return Err(mismatch(format!("Field {} has changed mode from {from} to {to}", old.name)));
        }
    }
    for new in file.iter().filter(|new| find(&table.fields, &new.name).is_none()) {
        if !config.allow_field_addition {
            return Err(mismatch(format!("Cannot add fields (field: {})", new.name)));
        }
        if new.required {
            return Err(mismatch(format!("Cannot add required fields to an existing schema. (field: {})", new.name)));
        }
        result.added.push(new.clone());
    }
    Ok(result)
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
