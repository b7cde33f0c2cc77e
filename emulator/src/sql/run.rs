//! Compiles a statement and runs it.

use std::{cell::RefCell, sync::Arc};

use serde_json::{Value, json};
use sqlparser::ast::Statement;

use super::{
    config::QueryConfig,
    ddl::{self, Alteration},
    dml::{self, Change},
    expr::unsupported,
    names::{self, Path},
    scope::Context,
    select, wire,
};
use crate::{
    catalog::{Catalog, Table},
    clock,
    error::{ApiError, JobError},
    jobs::{Outcome, QueryResult},
    load::expire,
    server::Server,
    types::quote,
    warehouse::Warehouse,
};

/// Least bytes billed for each table that a query touches.
const MINIMUM_BILLED: i64 = 10 * 1024 * 1024;
const BILLING_UNIT: i64 = 1024 * 1024;

/// The location of the first dataset that the statement names, where a job names none.
pub fn location(server: &Server, config: &QueryConfig) -> Option<String> {
    let catalog = server.catalog();
    let found = RefCell::new(None);
    let context = context(config, &catalog, "");
    let look = |name: &sqlparser::ast::ObjectName| {
        let dataset = match names::resolve(name, &context) {
            Ok(Path::Table(table)) => table.dataset,
            Ok(Path::Partitions(dataset)) => dataset,
            Err(_) => return,
        };
        if let Ok(dataset) = catalog.dataset(&dataset) {
            found.borrow_mut().get_or_insert_with(|| dataset.location.clone());
        }
    };
    match parse(&config.query).ok()? {
        Parsed::SetOptions(statement) => look(&statement.table),
        Parsed::Statement(statement) => {
            let _ = sqlparser::ast::visit_relations(&*statement, |name| {
                look(name);
                std::ops::ControlFlow::<()>::Continue(())
            });
        }
    }
    found.into_inner()
}

/// Runs a query job in a location.
pub fn run(server: &Server, config: &QueryConfig, location: &str) -> Result<Outcome, JobError> {
    match parse(&config.query)? {
        Parsed::SetOptions(statement) => {
            let _writer = server.warehouse.writer();
            let alteration = ddl::set_options(&statement, &context(config, &server.catalog(), location))?;
            apply(server, alteration)
        }
        Parsed::Statement(statement) => match *statement {
            Statement::Query(query) => rows(server, config, location, &query),
            Statement::Insert(insert) => {
                change(server, config, location, "INSERT", |context| dml::insert(&insert, context))
            }
            Statement::Delete(delete) => {
                change(server, config, location, "DELETE", |context| dml::delete(&delete, context))
            }
            Statement::AlterTable(alter) => {
                let _writer = server.warehouse.writer();
                let alteration = ddl::alter(&alter, &context(config, &server.catalog(), location))?;
                apply(server, alteration)
            }
            other => Err(unsupported(other).into()),
        },
    }
}

enum Parsed {
    Statement(Box<Statement>),
    SetOptions(ddl::SetOptions),
}

fn parse(sql: &str) -> Result<Parsed, ApiError> {
    if let Some(statement) = ddl::parse_set_options(sql) {
        return Ok(Parsed::SetOptions(statement));
    }
    Ok(Parsed::Statement(Box::new(select::parse_one(sql)?)))
}

fn context<'a>(config: &'a QueryConfig, catalog: &'a Catalog, location: &'a str) -> Context<'a> {
    Context {
        project: &config.project,
        default_dataset: config.default_dataset.as_ref(),
        parameters: &config.parameters,
        catalog,
        location,
        referenced: RefCell::default(),
    }
}

fn rows(
    server: &Server,
    config: &QueryConfig,
    location: &str,
    query: &sqlparser::ast::Query,
) -> Result<Outcome, JobError> {
    let (compiled, bytes) = {
        let catalog = server.catalog();
        let context = context(config, &catalog, location);
        let compiled = select::query(query, None, &context)?;
        (compiled, context.referenced.into_inner())
    };
    let fields = compiled.fields();
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&field.name)) {
            return Err(ApiError::invalid_query(format!(
                "Duplicate column names in the result are not supported. Found duplicate(s): {}",
                field.name
            ))
            .into());
        }
    }
    let columns: Vec<String> = fields.iter().map(|field| wire::out(&quote(&field.name), field.ty)).collect();
    let sql = format!("SELECT {} FROM ({})", columns.join(", "), compiled.sql);
    let connection = server.warehouse.connect()?;
    let rows = Warehouse::rows(&connection, &sql, fields.len()).map_err(|error| refused(&error))?;
    let statistics = statistics("SELECT", bytes_of(&connection, &bytes)?, bytes.len());
    Ok(Outcome { statistics, result: Some(Arc::new(QueryResult { fields, rows, affected_rows: None })) })
}

fn change(
    server: &Server,
    config: &QueryConfig,
    location: &str,
    kind: &str,
    compile: impl FnOnce(&Context<'_>) -> Result<Change, ApiError>,
) -> Result<Outcome, JobError> {
    let _writer = server.warehouse.writer();
    let (change, table, referenced) = {
        let catalog = server.catalog();
        let context = context(config, &catalog, location);
        let change = compile(&context)?;
        let table = catalog.table(&change.table)?.clone();
        (change, table, context.referenced.into_inner())
    };
    let connection = server.warehouse.connect()?;
    let affected = Warehouse::transaction(&connection, &[change.sql]).map_err(|error| refused(&error))?;
    Warehouse::transaction(&connection, &expire(&table).into_iter().collect::<Vec<_>>())?;
    server.catalog().table_mut(&change.table)?.modified = clock::now_ms();
    let affected = i64::try_from(affected).unwrap_or(i64::MAX);
    let mut statistics = statistics(kind, bytes_of(&connection, &referenced)?, referenced.len());
    statistics["numDmlAffectedRows"] = json!(affected.to_string());
    let result = QueryResult { affected_rows: Some(affected), ..QueryResult::default() };
    Ok(Outcome { statistics, result: Some(Arc::new(result)) })
}

fn apply(server: &Server, alteration: Alteration) -> Result<Outcome, JobError> {
    let Alteration { table, statements } = alteration;
    let connection = server.warehouse.connect()?;
    Warehouse::transaction(&connection, &statements).map_err(|error| refused(&error))?;
    let id = table.id.clone();
    *server.catalog().table_mut(&id)? = Table { modified: clock::now_ms(), ..table };
    let mut statistics = statistics("ALTER_TABLE", 0, 0);
    statistics["ddlOperationPerformed"] = json!("ALTER");
    statistics["ddlTargetTable"] = id.to_rest();
    Ok(Outcome { statistics, result: Some(Arc::default()) })
}

/// A statement that DuckDB refuses after the compiler took it: a value that does not fit.
fn refused(error: &duckdb::Error) -> JobError {
    let text = error.to_string();
    let message = text.strip_prefix("Invalid Input Error: ").unwrap_or(&text);
    ApiError::invalid_query(message).into()
}

fn bytes_of(connection: &duckdb::Connection, tables: &[String]) -> Result<i64, JobError> {
    let mut bytes = 0;
    for table in tables.iter().filter(|table| table.starts_with('"')) {
        // Eight bytes a value; the real size is not known here.
        let sql = format!("SELECT count(*) * 8 * (SELECT count(*) FROM (DESCRIBE {table})) FROM {table}");
        bytes += connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?;
    }
    Ok(bytes)
}

fn statistics(kind: &str, bytes: i64, tables: usize) -> Value {
    let least = MINIMUM_BILLED * i64::try_from(tables).unwrap_or(i64::MAX);
    let billed = (bytes.max(least) + BILLING_UNIT - 1) / BILLING_UNIT * BILLING_UNIT;
    json!({
        "statementType": kind,
        "cacheHit": false,
        "totalBytesProcessed": bytes.to_string(),
        "totalBytesBilled": billed.to_string(),
    })
}
