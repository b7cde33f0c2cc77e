//! What the DuckDB file has to say.

use std::path::Path;

use finops_core::formats::kinds;
use finops_core::report::check::{Check, Finding};

use super::finding::failed;
use crate::{
    error::Result,
    flow::{
        export::Export,
        table::{Delivered, check_for, refuse_another_export},
    },
    warehouse::{Warehouse, duckdb::DuckDb, loaded_months},
};

/// What there is to find of the file, and of the table of each export, which is given with what its source holds.
pub async fn check_database(path: &Path, exports: &[(&Export, Option<&Delivered>)]) -> Vec<Finding> {
    let object = path.display().to_string();
    let table = |export: &Export| format!("{}.{}", export.dataset, export.table);
    let (is_there, database) = match DuckDb::open_to_check(path) {
        Ok(opened) => opened,
        Err(error) => {
            let tables =
                exports.iter().map(|(export, _)| Finding::not_checked(Check::Table, &table(export), "the database"));
            return std::iter::once(failed(Check::Database, &object, &error)).chain(tables).collect();
        }
    };
    let found = if is_there { "can be read and written" } else { "not there yet: the first run creates it" };
    let mut findings = vec![Finding::ok(Check::Database, &object, found)];
    for (export, delivered) in exports {
        let object = table(export);
        findings.push(match of_table(&database, export, *delivered, &object).await {
            Ok(true) => Finding::ok(Check::Table, &object, "is finops's own"),
            Ok(false) => Finding::ok(Check::Table, &object, "not there yet: the first load creates it"),
            Err(error) => failed(Check::Table, &object, &error),
        });
    }
    findings
}

/// Whether the table is there.
async fn of_table(database: &DuckDb, export: &Export, delivered: Option<&Delivered>, name: &str) -> Result<bool> {
    let loaded = database.loaded(&export.table_name()).await?;
    let Some(found) = database.inspect(&export.table_name(), &loaded).await? else { return Ok(false) };
    check_for(delivered, export, name, &found)?;
    if let Some(Delivered { export_name, kind }) = delivered {
        refuse_another_export(
            &export.target(export_name, kinds::columns(*kind).key),
            name,
            &loaded_months(&loaded, Some(&found)),
        )?;
    }
    Ok(true)
}
