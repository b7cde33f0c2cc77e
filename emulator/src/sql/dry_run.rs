//! Dry runs: compiles a statement as for a job and does not run it. Only dry runs support CREATE.

use serde_json::{Value, json};
use sqlparser::ast::{CreateTable, ObjectName, SchemaName, Statement};

use super::{
    alter, change,
    config::QueryConfig,
    expr::sql_type,
    names::{self, Context, Path},
    parse::{Parsed, parse, unsupported},
    run::{QueryJob, refuse_in_sandbox},
    select,
};
use crate::{
    catalog::DatasetId,
    error::{ApiError, JobError},
    server::Server,
};

/// The `statistics.query` of a statement in a location, or the error that its job would have.
pub fn dry_run(server: &Server, config: &QueryConfig, location: &str) -> Result<Value, JobError> {
    if config.destination.is_some() {
        return Err(ApiError::not_implemented("a dry run into a destination table").into());
    }
    let job = QueryJob { server, config, location };
    let (kind, sizes) = {
        let catalog = server.catalog();
        let context = job.context(&catalog);
        (compile(config, &context)?, context.sizes.into_inner())
    };
    if ["INSERT", "DELETE"].contains(&kind) {
        refuse_in_sandbox(server)?;
    }
    let mut statistics = job.statistics(&server.warehouse.connect()?, kind, &sizes)?;
    statistics["totalBytesBilled"] = json!("0");
    Ok(statistics)
}

/// Compiles a statement and returns its type.
fn compile(config: &QueryConfig, context: &Context<'_>) -> Result<&'static str, ApiError> {
    let statement = match parse(&config.query)? {
        Parsed::EndExpiration(name, which) => {
            return alter::end_expiration(&name, which, context).map(|_| "ALTER_TABLE");
        }
        Parsed::RowAccessPolicy(..) => return Err(unsupported("a dry run of CREATE ROW ACCESS POLICY")),
        Parsed::Statement(statement) => *statement,
    };
    let whole = statement.to_string();
    match statement {
        Statement::Query(query) => select::query_for_client(&query, context).map(|_| "SELECT"),
        Statement::Insert(insert) => change::insert(&insert, context).map(|_| "INSERT"),
        Statement::Delete(delete) => change::delete(&delete, context).map(|_| "DELETE"),
        Statement::AlterTable(statement) => alter::alter(&statement, context).map(|_| "ALTER_TABLE"),
        Statement::CreateTable(create) => create_table(&create, &whole, context).map(|()| "CREATE_TABLE"),
        Statement::CreateSchema { schema_name: SchemaName::Simple(name), .. } => {
            create_schema(&name, &whole, context).map(|()| "CREATE_SCHEMA")
        }
        other => Err(unsupported(other)),
    }
}

/// Accepts names and types of columns, and no other clause.
fn create_table(create: &CreateTable, whole: &str, context: &Context<'_>) -> Result<(), ApiError> {
    let columns: Vec<String> =
        create.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    if whole != format!("CREATE TABLE {} ({})", create.name, columns.join(", ")) || columns.is_empty() {
        return Err(unsupported(whole));
    }
    create.columns.iter().try_for_each(|column| sql_type(&column.data_type).map(drop))?;
    let Path { dataset, table: Some(table) } = names::resolve(&create.name, context.project)? else {
        return Err(unsupported(whole));
    };
    context.catalog.dataset_in(&dataset, context.location)?;
    let id = dataset.table(&table);
    if context.catalog.table(&id).is_ok() { Err(ApiError::duplicate(format!("Table {id}"))) } else { Ok(()) }
}

fn create_schema(name: &ObjectName, whole: &str, context: &Context<'_>) -> Result<(), ApiError> {
    let text = name.to_string().replace('`', "");
    let id = match text.split('.').collect::<Vec<_>>()[..] {
        [dataset] => DatasetId::new(context.project, dataset),
        [project, dataset] => DatasetId::new(project, dataset),
        _ => return Err(unsupported(whole)),
    };
    if whole != format!("CREATE SCHEMA {name}") {
        return Err(unsupported(whole));
    }
    if context.catalog.dataset(&id).is_ok() { Err(ApiError::duplicate(format!("Dataset {id}"))) } else { Ok(()) }
}
