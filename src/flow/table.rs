//! Whether an existing table may be loaded with an export's months.

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod,
    formats::kinds,
    hint,
    model::{
        column_type::ColumnType,
        kind::ExportKind,
        load_record::{LoadRecord, LoadedMonth},
    },
};

use crate::{
    error::{Error, ErrorKind, Result},
    flow::export::Export,
    warehouse::{Found, Target, Warehouse, WrittenBy, loaded_months, unmanaged_table, written_by_other_pipeline},
};

/// Refuses a table that finops did not create, that its other pipeline writes, that is partitioned for another kind of export,
/// or whose key columns are missing or have another type: new key columns would be empty in the loaded months. `name` is the
/// table's full name.
///
/// # Errors
/// `ForeignTable` and `Schema`.
pub fn check_table(target: &Target, name: &str, found: &Found) -> Result<()> {
    match (found.written_by, target.staged) {
        (WrittenBy::Others, _) => return Err(unmanaged_table(name)),
        (WrittenBy::Job, true) | (WrittenBy::StagedPipeline, false) => {
            return Err(written_by_other_pipeline(name, target));
        }
        _ => {}
    }
    if let Some((column, unit)) = &found.partitioning {
        let (column, unit) = (column.as_deref().unwrap_or("none"), unit.as_deref().unwrap_or("none"));
        let expected = target.key_columns.partition;
        if (column, unit) != (expected, "MONTH") {
            let message = format!("table {name} is partitioned by {column} ({unit}), expected {expected} (MONTH)");
            return Err(Error::new(ErrorKind::ForeignTable, message).hint(hint::ANOTHER_TABLE));
        }
    }
    check_key_columns(target, name, found)
}

fn check_key_columns(target: &Target, name: &str, found: &Found) -> Result<()> {
    let key = &target.key_columns;
    let find = |name: &str| found.columns.iter().find(|found| found.column.name.eq_ignore_ascii_case(name));
    let types = [key.time, key.time, ColumnType::Decimal, ColumnType::String];
    for (column, expected) in key.required_columns(|name| find(name).is_some()).into_iter().zip(types) {
        let there = find(column);
        if there.is_none_or(|there| there.column.column_type != expected) {
            let there = there.map_or("no such column", |there| there.sql_type.as_str());
            let expected = (found.type_name)(expected);
            let message = format!("the table {name} needs the column {column} of type {expected}, found {there}");
            return Err(Error::new(ErrorKind::Schema, message).hint(hint::RESTORE_COLUMN));
        }
    }
    Ok(())
}

/// Refuses a table that has another export's months. Records of a table that was dropped do not count.
///
/// # Errors
/// `ForeignTable` naming both exports.
pub fn refuse_another_export(target: &Target, name: &str, months: &BTreeMap<BillingPeriod, LoadedMonth>) -> Result<()> {
    let (provider, pipeline) = (target.provider, target.provider.as_str());
    let is_other = |record: &LoadRecord| {
        !provider.is_same_name(&record.export_name, &target.export_name) || record.pipeline != pipeline
    };
    let Some(record) = months.values().filter_map(LoadedMonth::record_if_in_table).find(|record| is_other(record))
    else {
        return Ok(());
    };
    let message = format!(
        "the table {name} has months of export `{}` of pipeline {}, which export `{}` of pipeline {pipeline} would replace",
        record.export_name, record.pipeline, target.export_name
    );
    Err(Error::new(ErrorKind::ForeignTable, message).hint(hint::TABLE_PER_EXPORT))
}

/// A table and what is loaded, without any delivery.
pub struct LookedUp {
    /// The kind of its rows, from its columns.
    pub kind: ExportKind,
    /// The table, if it exists.
    pub found: Option<Found>,
    /// The last record of each month, with the table's rows of it.
    pub months: BTreeMap<BillingPeriod, LoadedMonth>,
}

/// Reads the state and the table of an export.
///
/// # Errors
/// What the warehouse refuses, and as [`check_table`].
pub async fn look_up<W: Warehouse>(warehouse: &W, export: &Export) -> Result<LookedUp> {
    let name = export.table_name();
    let loaded = warehouse.loaded(&name).await?;
    let found = warehouse.inspect(&name, &loaded).await?;
    let months = loaded_months(&loaded, found.as_ref());
    let kind = match &found {
        Some(found) => kind_of(export, &warehouse.table_name(&name), found)?,
        None => ExportKind::Cur,
    };
    Ok(LookedUp { kind, found, months })
}

/// Name and kind of an export's deliveries.
pub struct Delivered {
    /// The provider's name of the export.
    pub export_name: String,
    /// The kind of its rows.
    pub kind: ExportKind,
}

/// Whether a run would load the deliveries into the table. Where there is no delivery, only the table's columns are checked.
///
/// # Errors
/// As [`check_table`], and `ForeignTable` for rows of another kind, where the columns show it.
pub fn check_for(delivered: Option<&Delivered>, export: &Export, name: &str, found: &Found) -> Result<()> {
    let Some(Delivered { export_name, kind }) = delivered else { return kind_of(export, name, found).map(drop) };
    let other = kinds::of_table(|column| found.has(column));
    let Some(other) = other.filter(|other| kinds::columns(*other).key.partition != kinds::columns(*kind).key.partition)
    else {
        return check_table(&export.target(export_name, kinds::columns(*kind).key), name, found);
    };
    kind_of(export, name, found)?;
    let (other, kind) = (other.as_str(), kind.as_str());
    let message = format!(
        "table {name} has rows of another kind than the export's newest delivery: its columns are those of `{other}`, and \
         `{kind}` is delivered"
    );
    Err(Error::new(ErrorKind::ForeignTable, message).hint(hint::OTHER_KIND))
}

/// The kind of the table's rows, from its columns.
///
/// # Errors
/// As [`check_table`].
pub fn kind_of(export: &Export, name: &str, found: &Found) -> Result<ExportKind> {
    let kind = kinds::of_table(|column| found.has(column)).unwrap_or(ExportKind::Cur);
    check_table(&export.target("", kinds::columns(kind).key), name, found)?;
    Ok(kind)
}
