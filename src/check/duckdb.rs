//! What the DuckDB file has to say.

use std::path::Path;

use finops_core::check::{Check, Finding};

use super::failed;
use crate::{config::Export, flow::table::look_up, warehouse::duckdb::DuckDb};

pub async fn look(path: &Path, exports: &[&Export]) -> Vec<Finding> {
    let object = path.display().to_string();
    let table = |export: &Export| format!("{}.{}", export.dataset, export.table);
    let (is_there, database) = match DuckDb::open_to_check(path) {
        Ok(opened) => opened,
        Err(error) => {
            let tables =
                exports.iter().map(|export| Finding::not_checked(Check::Table, &table(export), "the database"));
            return std::iter::once(failed(Check::Database, &object, &error)).chain(tables).collect();
        }
    };
    let found = if is_there { "can be read and written" } else { "not there yet: the first run creates it" };
    let mut findings = vec![Finding::ok(Check::Database, &object, found)];
    for export in exports {
        let object = table(export);
        findings.push(match look_up(&database, export).await {
            Ok(table) if table.found.is_some() => Finding::ok(Check::Table, &object, "is finops's own"),
            Ok(_) => Finding::ok(Check::Table, &object, "not there yet: the first load creates it"),
            Err(error) => failed(Check::Table, &object, &error),
        });
    }
    findings
}
