//! Makes staged rows visible, all in one transaction.

use serde_json::{Value, json};

use super::{
    config::{LoadConfig, Write},
    reconcile::reconcile,
    stage::Staged,
};
use crate::{
    api::tables,
    catalog::Table,
    error::{ApiError, JobError},
    rest::now_ms,
    server::Server,
    types::{Field, find, literal, quote},
    warehouse::Warehouse,
};

/// Puts the rows where the job wants them and returns `statistics.load`.
pub fn commit(server: &Server, staged: &Staged) -> Result<Value, JobError> {
    let Staged { config, connection, fields, .. } = staged;
    if server.catalog().table(&config.table).is_err() {
        create(server, config)?;
    }
    let _writer = server.warehouse.writer();
    let mut table = server.catalog().table(&config.table)?.clone();
    let added = reconcile(config, &table, server.options.strict_missing_columns)?;
    let mut statements: Vec<String> = added.into_iter().map(|field| table.add(field)).collect();
    let columns: Vec<String> = fields.iter().map(|field| quote(&field.name)).collect();
    let columns = columns.join(", ");
    let values = fields.iter().enumerate().map(|(at, field)| format!("CAST(c{at} AS {})", field.ty.duckdb()));
    let values = values.collect::<Vec<_>>().join(", ");
    connection.execute_batch(&format!("CREATE TEMP VIEW incoming({columns}) AS SELECT {values} FROM staged"))?;
    let target = table.id.duckdb();
    let place = match &config.partition {
        Some(partition) => {
            check_partition(connection, &table, fields, partition)?;
            format!("{} = {}", table.partition_id(), literal(partition))
        }
        None => "true".to_owned(),
    };
    if config.write == Write::Truncate {
        statements.push(format!("DELETE FROM {target} WHERE {place}"));
    }
    statements.push(format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM incoming"));
    statements.extend(expire(&table));
    Warehouse::transaction(connection, &statements)?;
    let bytes = table.bytes(i64::try_from(staged.rows).unwrap_or(i64::MAX));
    *server.catalog().table_mut(&config.table)? = Table { modified: now_ms(), ..table };
    Ok(json!({
        "inputFiles": config.uris.len().to_string(),
        "inputFileBytes": staged.file_bytes.to_string(),
        "outputRows": staged.rows.to_string(),
        "outputBytes": bytes.to_string(),
        "badRecords": "0",
    }))
}

fn create(server: &Server, config: &LoadConfig) -> Result<(), JobError> {
    if !config.create_if_needed {
        return Err(ApiError::not_found(format!("Table {}", config.table)).into());
    }
    let table = Table {
        partitioning: config.partitioning.clone(),
        clustering: config.clustering.clone(),
        ..Table::new(config.table.clone(), config.fields.clone().unwrap_or_default())
    };
    Ok(tables::create(server, table)?)
}

fn check_partition(
    connection: &duckdb::Connection,
    table: &Table,
    fields: &[Field],
    partition: &str,
) -> Result<(), JobError> {
    // A file without the partitioning column leaves it NULL in every row.
    let in_file = table.partitioning.as_ref().is_some_and(|own| find(fields, &own.field).is_some());
    let month = if in_file { table.partition_id() } else { "'__NULL__'".to_owned() };
    let strangers = format!("SELECT count(*) FROM incoming WHERE {month} <> {}", literal(partition));
    let strangers: i64 = connection.query_row(&strangers, [], |row| row.get(0))?;
    if strangers > 0 {
        return Err(JobError::invalid(format!(
            "Some rows belong to different partitions rather than destination partition {}${partition}",
            table.id
        )));
    }
    Ok(())
}

/// Drops the months that have outlived the table's partition expiration.
pub fn expire(table: &Table) -> Option<String> {
    let partitioning = table.partitioning.as_ref()?;
    let limit = now_ms() - partitioning.expiration?;
    let month = format!("epoch_ms(date_trunc('month', {})::TIMESTAMP)", quote(&partitioning.field));
    Some(format!("DELETE FROM {} WHERE {month} < {limit}", table.id.duckdb()))
}
