//! Copy jobs: one partition onto one partition. The insert and the commit make the same checks.

use serde_json::{Value, json};

use crate::{
    api::{only_keys, tables::encryption_key},
    catalog::{Table, TableRef},
    error::{ApiError, JobError},
    load::expire,
    rest::now_ms,
    server::Server,
    types::{Allow, added_fields, column_list},
    warehouse::Warehouse,
};

/// The configuration of a copy job.
pub struct CopyConfig {
    source: TableRef,
    pub destination: TableRef,
    /// The key in `destinationEncryptionConfiguration`.
    key: Option<String>,
}

const KEYS: &str = "sourceTable destinationTable writeDisposition createDisposition destinationEncryptionConfiguration";

impl CopyConfig {
    /// Reads `configuration.copy`.
    pub fn from_rest(copy: &Value, project: &str) -> Result<Self, ApiError> {
        only_keys(copy, "configuration.copy", KEYS)?;
        for (key, known) in [("createDisposition", "CREATE_NEVER"), ("writeDisposition", "WRITE_TRUNCATE")] {
            if copy[key] != known {
                return Err(ApiError::not_implemented(format!("configuration.copy.{key} = {}", copy[key])));
            }
        }
        let table = |key: &str| TableRef::from_rest(&copy[key], &format!("configuration.copy.{key}"), project);
        Ok(Self {
            source: table("sourceTable")?,
            destination: table("destinationTable")?,
            key: encryption_key(&copy["destinationEncryptionConfiguration"])?,
        })
    }

    /// Checks that the tables are in the location and that the copy is possible.
    pub fn check(&self, server: &Server, location: &str) -> Result<(), ApiError> {
        let catalog = server.catalog();
        let Self { source, destination, key } = self;
        let table = |of: &TableRef| {
            catalog.dataset_in(&of.table.dataset, location)?;
            catalog.table(&of.table)
        };
        let (from, to) = (table(source)?, table(destination)?);
        check_layout(from, to)?;
        let is_same_month = source.partition.is_some() && source.partition == destination.partition;
        if !is_same_month || source.table == destination.table {
            return Err(ApiError::not_implemented(format!("a copy of {source} onto {destination}")));
        }
        check_columns(from, to, destination)?;
        to.check_key(key.as_deref())?;
        if Warehouse::count(&server.warehouse.connect()?, &catalog.rows_sql(source)?)? == 0 {
            return Err(ApiError::not_found(format!("Table {source}")));
        }
        Ok(())
    }

    /// Replaces the partition in one step and returns `statistics.copy`.
    pub fn commit(&self, server: &Server, location: &str) -> Result<Value, JobError> {
        let Self { source, destination, .. } = self;
        let _writer = server.warehouse.writer();
        self.check(server, location)?;
        let (source_rows, replaced_rows, mut to) = {
            let catalog = server.catalog();
            let to = catalog.table(&destination.table)?.clone();
            (catalog.rows_sql(source)?, catalog.rows_sql(destination)?, to)
        };
        let columns = column_list(&to.fields);
        let connection = server.warehouse.connect()?;
        let copied = Warehouse::count(&connection, &source_rows)?;
        let mut statements = vec![
            format!("DELETE FROM {replaced_rows}"),
            format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {source_rows}", to.id.duckdb()),
        ];
        statements.extend(expire(&to));
        Warehouse::transaction(&connection, &statements)?;
        if !server.options.truncates_keep_annotations {
            to.remove_annotations();
        }
        let statistics = json!({"copiedRows": copied.to_string(), "copiedLogicalBytes": to.bytes(copied).to_string()});
        *server.catalog().table_mut(&destination.table)? = Table { modified: now_ms(), ..to };
        Ok(statistics)
    }
}

fn check_layout(from: &Table, to: &Table) -> Result<(), ApiError> {
    let kind = |table: &Table| if table.partitioning.is_some() { "Column partitioned" } else { "Non partitioned" };
    let refused =
        |why: &str| ApiError::invalid(format!("Failed to copy {} table to {} table: {why}.", kind(from), kind(to)));
    let field = |table: &Table| table.partitioning.as_ref().map(|own| own.field.to_lowercase());
    let clustering = |table: &Table| table.clustering.join(",").to_lowercase();
    if from.partitioning.is_none() || to.partitioning.is_none() {
        return Err(refused("not supported"));
    }
    if field(from) != field(to) {
        return Err(refused("incompatible partitioning fields"));
    }
    if clustering(from) != clustering(to) {
        return Err(refused("incompatible clustering fields"));
    }
    Ok(())
}

/// Names, order, types and modes must be the same.
fn check_columns(from: &Table, to: &Table, destination: &TableRef) -> Result<(), ApiError> {
    let same = added_fields(&to.fields, &from.fields, &Allow { addition: false, missing: false });
    let moved = to.fields.iter().zip(&from.fields).find(|(to, from)| to.name != from.name);
    let why = match (same, moved) {
        (Err(why), _) => why,
        (Ok(_), Some((to, from))) => format!("Field {} is found where {} is expected", from.name, to.name),
        (Ok(_), None) => return Ok(()),
    };
    Err(ApiError::invalid(format!("Provided Schema does not match Table {destination}. {why}")))
}
