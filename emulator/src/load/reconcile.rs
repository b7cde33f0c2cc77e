//! Checks the schema and the layout of a job against the table.

use super::destination::{Destination, Write};
use crate::{
    catalog::{Partitioning, Table},
    error::{ApiError, JobError},
    types::{Allow, Field, added_fields},
};

/// Returns the columns that the job adds to the table. `fields` are the columns of its rows, where the job names them. With
/// `all_columns`, the rows must have all columns of the table.
pub fn reconcile(
    destination: &Destination,
    fields: Option<&[Field]>,
    table: &Table,
    all_columns: bool,
) -> Result<Vec<Field>, JobError> {
    check_layout(destination, table)?;
    let Some(fields) = fields else {
        return Ok(Vec::new());
    };
    let target = &destination.target;
    let whole_table = destination.write == Write::Truncate && target.partition.is_none();
    let allow = Allow { addition: destination.allow_field_addition, missing: !(whole_table || all_columns) };
    added_fields(&table.fields, fields, &allow).map_err(|why| {
        if whole_table {
            return ApiError::not_implemented(format!("a truncate that replaces the schema of {target}: {why}")).into();
        }
        JobError::invalid(format!("Provided Schema does not match Table {target}. {why}"))
    })
}

/// Where a job gives partitioning and clustering, both must equal the table's.
fn check_layout(destination: &Destination, table: &Table) -> Result<(), JobError> {
    if destination.target.partition.is_some() && table.partitioning.is_none() {
        return Err(JobError::invalid(format!(
            "Cannot write into partition {} of a table that is not partitioned",
            destination.target
        )));
    }
    let given = layout(destination.partitioning.as_ref(), &destination.clustering);
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
