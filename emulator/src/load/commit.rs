//! Writes staged rows into their table in one transaction.

use super::{
    destination::{Destination, Write},
    reconcile::reconcile,
};
use crate::{
    api::tables,
    catalog::Table,
    error::{ApiError, JobError},
    rest::now_ms,
    server::Server,
    types::{Field, column_list, find, literal, quote},
    warehouse::Warehouse,
};

/// Staged rows to write into a table.
pub struct Incoming<'a> {
    pub destination: &'a Destination,
    /// Has the temporary table `staged` with the columns `c0`, `c1`, ..., one for each field.
    pub connection: &'a duckdb::Connection,
    pub fields: &'a [Field],
    /// Whether the rows must have all columns of the table.
    pub all_columns: bool,
}

/// Writes the rows into the job's destination. Returns their number and their size.
pub fn write(server: &Server, incoming: &Incoming<'_>) -> Result<(i64, i64), JobError> {
    let Incoming { destination, connection, fields, all_columns } = incoming;
    if server.catalog().table(&destination.target.table).is_err() {
        create(server, destination, fields)?;
    }
    let _writer = server.warehouse.writer();
    let mut table = server.catalog().table(&destination.target.table)?.clone();
    server.limits.update(&server.options, &table)?;
    check_key(destination, &table, *all_columns)?;
    let added = reconcile(destination, Some(fields), &table, *all_columns)?;
    if destination.write == Write::Empty && Warehouse::count(connection, &table.id.duckdb())? > 0 {
        return Err(ApiError::duplicate(format!("Table {}", table.id)).into());
    }
    let mut statements: Vec<String> = added.into_iter().map(|field| table.add(field)).collect();
    let columns = column_list(fields);
    let values = fields.iter().enumerate().map(|(at, field)| format!("CAST(c{at} AS {})", field.ty.duckdb()));
    let values = values.collect::<Vec<_>>().join(", ");
    connection.execute_batch(&format!("CREATE TEMP VIEW incoming({columns}) AS SELECT {values} FROM staged"))?;
    let target = table.id.duckdb();
    let partition = destination.target.partition.as_deref();
    if let Some(partition) = partition {
        check_partition(connection, &table, fields, partition)?;
    }
    if destination.write.replaces() {
        statements.push(format!("DELETE FROM {}", table.rows_sql(partition)));
    }
    statements.push(format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM incoming"));
    statements.extend(expire(&table));
    Warehouse::transaction(connection, &statements)?;
    let rows = Warehouse::count(connection, "staged")?;
    let bytes = table.bytes(rows);
    if destination.write == Write::Truncate && !server.options.truncates_keep_annotations {
        table.remove_annotations();
    }
    *server.catalog().table_mut(&destination.target.table)? = Table { modified: now_ms(), ..table };
    Ok((rows, bytes))
}

fn create(server: &Server, destination: &Destination, fields: &[Field]) -> Result<(), JobError> {
    if !destination.create_if_needed {
        return Err(ApiError::not_found(format!("Table {}", destination.target.table)).into());
    }
    let table = Table {
        partitioning: destination.partitioning.clone(),
        clustering: destination.clustering.clone(),
        encryption_key: destination.key.clone(),
        ..Table::new(destination.target.table.clone(), fields.to_vec())
    };
    reconcile(destination, Some(fields), &table, false)?;
    Ok(tables::create(server, table)?)
}

/// A query that replaces rows must name the table's key, as a copy must. Loads do not name a key.
fn check_key(destination: &Destination, table: &Table, is_query: bool) -> Result<(), ApiError> {
    let is_key_required = is_query && destination.write.replaces();
    if is_key_required || destination.key.is_some() { table.check_key(destination.key.as_deref()) } else { Ok(()) }
}

fn check_partition(
    connection: &duckdb::Connection,
    table: &Table,
    fields: &[Field],
    partition: &str,
) -> Result<(), JobError> {
    // In a file without the partitioning column, every row belongs to the NULL partition.
    let has_month = table.partitioning.as_ref().is_some_and(|own| find(fields, &own.field).is_some());
    let month = if has_month { table.partition_id() } else { "'__NULL__'".to_owned() };
    let other_rows = format!("incoming WHERE {month} <> {}", literal(partition));
    if Warehouse::count(connection, &other_rows)? > 0 {
        return Err(JobError::invalid(format!(
            "Some rows belong to different partitions rather than destination partition {}${partition}",
            table.id
        )));
    }
    Ok(())
}

/// The statement that drops the expired months of a table.
pub fn expire(table: &Table) -> Option<String> {
    let partitioning = table.partitioning.as_ref()?;
    let limit = now_ms() - partitioning.expiration?;
    let month = format!("epoch_ms(date_trunc('month', {})::TIMESTAMP)", quote(&partitioning.field));
    Some(format!("DELETE FROM {} WHERE {month} < {limit}", table.id.duckdb()))
}
