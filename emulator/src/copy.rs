//! Copy jobs: one partition onto one partition. What is checked here is checked at the insert already.

use serde_json::{Value, json};

use crate::{
    api::{decorated, only_keys, tables::encryption_key},
    catalog::{Catalog, DatasetId, Table, TableId},
    error::{ApiError, JobError},
    load::{expire, month},
    rest::now_ms,
    server::Server,
    types::{Allow, added_fields, quote},
    warehouse::Warehouse,
};

/// A copy job's wishes.
pub struct CopyConfig {
    source: Place,
    pub destination: Place,
    /// The key in `destinationEncryptionConfiguration`.
    key: Option<String>,
}

/// A table and its partition decorator.
pub struct Place {
    pub table: TableId,
    partition: Option<String>,
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
        Ok(Self {
            source: Place::from_rest(copy, "sourceTable", project)?,
            destination: Place::from_rest(copy, "destinationTable", project)?,
            key: encryption_key(&copy["destinationEncryptionConfiguration"])?,
        })
    }

    /// Refuses what cannot be copied in a location.
    pub fn check(&self, server: &Server, location: &str) -> Result<(), ApiError> {
        let catalog = server.catalog();
        let Self { source, destination, key } = self;
        let (from, to) = (source.table_in(&catalog, location)?, destination.table_in(&catalog, location)?);
        check_layout(from, to)?;
        let is_same_month = source.partition.is_some() && source.partition == destination.partition;
        if !is_same_month || source.table == destination.table {
            return Err(ApiError::not_implemented(format!("a copy of {source} onto {destination}")));
        }
        check_columns(from, to, destination)?;
        to.check_key(key.as_deref())?;
        if Warehouse::count(&server.warehouse.connect()?, &from.place(source.partition.as_deref()))? == 0 {
            return Err(ApiError::not_found(format!("Table {source}")));
        }
        Ok(())
    }

    /// Replaces the partition in one step and returns `statistics.copy`.
    pub fn commit(&self, server: &Server, location: &str) -> Result<Value, JobError> {
        let Self { source, destination, .. } = self;
        let _writer = server.warehouse.writer();
        self.check(server, location)?;
        let (from, mut to) = {
            let catalog = server.catalog();
            (catalog.table(&source.table)?.clone(), catalog.table(&destination.table)?.clone())
        };
        let (rows, place) = (from.place(source.partition.as_deref()), to.place(destination.partition.as_deref()));
        let columns: Vec<String> = to.fields.iter().map(|field| quote(&field.name)).collect();
        let columns = columns.join(", ");
        let connection = server.warehouse.connect()?;
        let copied = Warehouse::count(&connection, &rows)?;
        let mut statements = vec![
            format!("DELETE FROM {place}"),
            format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {rows}", to.id.duckdb()),
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

impl Place {
    fn from_rest(copy: &Value, key: &str, project: &str) -> Result<Self, ApiError> {
        let name = |part: &str| {
            copy[key][part].as_str().ok_or_else(|| ApiError::missing(&format!("configuration.copy.{key}.{part}")))
        };
        let (table, partition) = decorated(name("tableId")?);
        let dataset = DatasetId::new(copy[key]["projectId"].as_str().unwrap_or(project), name("datasetId")?);
        Ok(Self { table: dataset.table(table), partition: partition.map(month).transpose()? })
    }

    fn table_in<'a>(&self, catalog: &'a Catalog, location: &str) -> Result<&'a Table, ApiError> {
        catalog.dataset_in(&self.table.dataset, location)?;
        catalog.table(&self.table)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table.fmt(f)?;
        self.partition.iter().try_for_each(|partition| write!(f, "${partition}"))
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
fn check_columns(from: &Table, to: &Table, destination: &Place) -> Result<(), ApiError> {
    let same = added_fields(&to.fields, &from.fields, &Allow { addition: false, missing: false });
    let moved = to.fields.iter().zip(&from.fields).find(|(to, from)| to.name != from.name);
    let why = match (same, moved) {
        (Err(why), _) => why,
        (Ok(_), Some((to, from))) => format!("Field {} is found where {} is expected", from.name, to.name),
        (Ok(_), None) => return Ok(()),
    };
    Err(ApiError::invalid(format!("Provided Schema does not match Table {destination}. {why}")))
}
