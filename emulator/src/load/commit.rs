//! Makes staged rows visible, all in one transaction.

use serde_json::{Value, json};

use super::{
    config::{LoadConfig, Write},
    reconcile::reconcile,
    stage::Staged,
};
use crate::{
    api::tables::{self, Definition},
    catalog::Table,
    clock,
    error::{ApiError, JobError},
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
    let mut statements = reconcile(config, &table, server.options.strict_missing_columns)?.apply(&mut table);
    let target = table.id.duckdb();
    if config.replaces_schema() {
        table.fields.clone_from(fields);
        let columns: Vec<String> = fields.iter().map(Field::ddl).collect();
        statements.push(format!("CREATE OR REPLACE TABLE {target} ({})", columns.join(", ")));
    }
    let columns: Vec<String> = fields.iter().map(|field| quote(&field.name)).collect();
    let values: Vec<String> = fields.iter().enumerate().map(|(at, field)| typed(at, field)).collect();
    connection.execute_batch(&format!("CREATE TEMP VIEW incoming AS SELECT {} FROM staged", values.join(", ")))?;
    if let Some(partition) = &config.partition {
        check_partition(connection, &table, fields, partition)?;
    }
    let existing = match &config.partition {
        Some(partition) => format!("FROM {target} WHERE {} = {}", table.partition_id(), literal(partition)),
        None => format!("FROM {target}"),
    };
    match config.write {
        Write::Append => {}
        Write::Truncate => statements.push(format!("DELETE {existing}")),
        Write::Empty => {
            let rows: i64 = connection.query_row(&format!("SELECT count(*) {existing}"), [], |row| row.get(0))?;
            if rows > 0 {
                return Err(ApiError::duplicate(format!("Table {}", config.destination())).into());
            }
        }
    }
    let columns = columns.join(", ");
    statements.push(format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM incoming"));
    statements.extend(expire(&table));
    Warehouse::transaction(connection, &statements)?;
    let bytes = table.bytes(i64::try_from(staged.rows).unwrap_or(i64::MAX));
    *server.catalog().table_mut(&config.table)? = Table { modified: clock::now_ms(), ..table };
    Ok(json!({
        "inputFiles": staged.files.to_string(),
        "inputFileBytes": staged.file_bytes.to_string(),
        "outputRows": staged.rows.to_string(),
        "outputBytes": bytes.to_string(),
        "badRecords": staged.bad_records.to_string(),
    }))
}

fn create(server: &Server, config: &LoadConfig) -> Result<(), JobError> {
    if !config.create_if_needed {
        return Err(ApiError::not_found(format!("Table {}", config.table)).into());
    }
    let definition = Definition {
        fields: config.fields.clone().unwrap_or_default(),
        partitioning: config.partitioning.clone(),
        clustering: config.clustering.clone().unwrap_or_default(),
        ..Definition::default()
    };
    Ok(tables::create(server, &config.table, definition)?)
}

fn typed(at: usize, field: &Field) -> String {
    format!("CAST(c{at} AS {}) AS {}", field.ty.duckdb(), quote(&field.name))
}

fn check_partition(
    connection: &duckdb::Connection,
    table: &Table,
    fields: &[Field],
    partition: &str,
) -> Result<(), JobError> {
    // A file without the partitioning column leaves it NULL in every row.
    let in_file = table.partitioning.as_ref().is_some_and(|own| find(fields, &own.field).is_some());
    let condition =
        if in_file { format!("{} <> {}", table.partition_id(), literal(partition)) } else { "true".to_owned() };
    let strangers = format!("SELECT count(*) FROM incoming WHERE {condition}");
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
    let limit = clock::now_ms() - partitioning.expiration?;
    let month = format!("epoch_ms(date_trunc('month', {})::TIMESTAMP)", quote(&partitioning.field));
    Some(format!("DELETE FROM {} WHERE {month} < {limit}", table.id.duckdb()))
}
