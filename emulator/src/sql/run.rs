//! Compiles a statement and runs it.

use std::{cell::RefCell, ops::ControlFlow, sync::Arc};

use serde_json::{Value, json};
use sqlparser::ast::{Query, Statement, visit_relations};

use super::{
    alter::{self, Alteration},
    change::{self, Change},
    config::QueryConfig,
    names::{self, Context},
    parse::{Parsed, parse, unsupported},
    select, wire,
};
use crate::{
    catalog::Catalog,
    error::{ApiError, JobError},
    jobs::{Outcome, QueryResult},
    load::{Incoming, expire, write},
    rest::{int64_text, now_ms},
    server::Server,
    types::quote,
    warehouse::Warehouse,
};

/// The minimum of bytes billed for each table that a query reads or writes.
const MINIMUM_BILLED: i64 = 10 * 1024 * 1024;
const BILLING_UNIT: i64 = 1024 * 1024;

/// The location of the first dataset that the statement names.
pub fn location(server: &Server, config: &QueryConfig) -> Option<String> {
    let mut tables = Vec::new();
    match parse(&config.query).ok()? {
        Parsed::EndExpiration(table, _) | Parsed::RowAccessPolicy(table, _) => tables.push(table),
        Parsed::Statement(statement) => {
            let _ = visit_relations(&*statement, |name| {
                tables.push(name.clone());
                ControlFlow::<()>::Continue(())
            });
        }
    }
    let catalog = server.catalog();
    tables
        .iter()
        .find_map(|name| {
            let path = names::resolve(name, &config.project).ok()?;
            Some(catalog.dataset(&path.dataset).ok()?.location.clone())
        })
        .or_else(|| Some(catalog.dataset(&config.destination.as_ref()?.target.table.dataset).ok()?.location.clone()))
}

/// Runs a query job in a location.
pub fn run(server: &Server, config: &QueryConfig, location: &str) -> Result<Outcome, JobError> {
    let job = QueryJob { server, config, location };
    match parse(&config.query)? {
        Parsed::EndExpiration(name, which) => {
            job.alter(("ALTER_TABLE", "ALTER"), |context| alter::end_expiration(&name, which, context))
        }
        Parsed::RowAccessPolicy(name, policy) => job
            .alter(("CREATE_ROW_ACCESS_POLICY", "CREATE"), |context| alter::row_access_policy(&name, policy, context)),
        Parsed::Statement(statement) => match *statement {
            Statement::Query(query) => job.rows(&query),
            _ if config.destination.is_some() => {
                Err(ApiError::invalid_query("Cannot set destination table in jobs with DML or DDL statements").into())
            }
            Statement::Insert(insert) => job.change("INSERT", |context| change::insert(&insert, context)),
            Statement::Delete(delete) => job.change("DELETE", |context| change::delete(&delete, context)),
            Statement::AlterTable(statement) => {
                job.alter(("ALTER_TABLE", "ALTER"), |context| alter::alter(&statement, context))
            }
            other => Err(unsupported(other).into()),
        },
    }
}

#[derive(Clone, Copy)]
pub(super) struct QueryJob<'a> {
    pub(super) server: &'a Server,
    pub(super) config: &'a QueryConfig,
    pub(super) location: &'a str,
}

impl<'a> QueryJob<'a> {
    pub(super) fn context(self, catalog: &'a Catalog) -> Context<'a> {
        let QueryConfig { project, parameters, .. } = self.config;
        Context { project, parameters, catalog, location: self.location, sizes: RefCell::default() }
    }

    /// Runs a query. The view of partitions reads all tables of a dataset: where one was dropped after the compilation, the
    /// query is compiled again.
    fn rows(self, query: &Query) -> Result<Outcome, JobError> {
        let mut outcome = self.rows_now(query);
        for _ in 0..10 {
            match outcome {
                Err(error) if error.message.contains("Catalog Error") => outcome = self.rows_now(query),
                other => return other,
            }
        }
        outcome
    }

    fn rows_now(self, query: &Query) -> Result<Outcome, JobError> {
        let (compiled, sizes) = {
            let catalog = self.server.catalog();
            let context = self.context(&catalog);
            let compiled = match self.config.destination {
                Some(_) => select::query(query, None, &[], &context)?,
                None => select::query_for_client(query, &context)?,
            };
            (compiled, context.sizes.into_inner())
        };
        let fields = compiled.columns;
        for (at, field) in fields.iter().enumerate() {
            if fields[..at].iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&field.name)) {
                let name = &field.name;
                return Err(ApiError::invalid_query(format!("Duplicate column names in the result: {name}")).into());
            }
        }
        let connection = self.server.warehouse.connect()?;
        let statistics = self.statistics(&connection, "SELECT", &sizes)?;
        let result = match &self.config.destination {
            None => {
                let columns = fields.iter().map(|field| wire::text_of(&quote(&field.name), field.ty));
                let columns = columns.collect::<Vec<_>>().join(", ");
                let sql = format!("SELECT {columns} FROM ({})", compiled.sql);
                let rows = Warehouse::rows(&connection, &sql).map_err(|error| value_error(&error))?;
                QueryResult { fields, rows, ..QueryResult::default() }
            }
            Some(destination) => {
                let columns = fields.iter().enumerate().map(|(at, field)| format!("{} AS c{at}", quote(&field.name)));
                let columns = columns.collect::<Vec<_>>().join(", ");
                let sql = format!("CREATE TEMP TABLE staged AS SELECT {columns} FROM ({})", compiled.sql);
                connection.execute_batch(&sql).map_err(|error| value_error(&error))?;
                self.server.catalog().dataset_in(&destination.target.table.dataset, self.location)?;
                let incoming = Incoming { destination, connection: &connection, fields: &fields, all_columns: true };
                write(self.server, &incoming)?;
                QueryResult { fields, stored: Some(destination.target.clone()), ..QueryResult::default() }
            }
        };
        Ok(Outcome { statistics, result: Some(Arc::new(result)) })
    }

    fn change(
        self,
        kind: &str,
        compile: impl FnOnce(&Context<'_>) -> Result<Change, ApiError>,
    ) -> Result<Outcome, JobError> {
        refuse_in_sandbox(self.server)?;
        let _writer = self.server.warehouse.writer();
        let (change, table, sizes) = {
            let catalog = self.server.catalog();
            let context = self.context(&catalog);
            let change = compile(&context)?;
            let table = catalog.table(&change.table)?.clone();
            (change, table, context.sizes.into_inner())
        };
        let connection = self.server.warehouse.connect()?;
        let mut statistics = self.statistics(&connection, kind, &sizes)?;
        self.server.limits.update(&self.server.options, &table)?;
        let statements: Vec<String> = std::iter::once(change.sql).chain(expire(&table)).collect();
        let affected = Warehouse::transaction(&connection, &statements).map_err(|error| value_error(&error))?;
        self.server.catalog().table_mut(&change.table)?.modified = now_ms();
        let affected = i64::try_from(affected).unwrap_or(i64::MAX);
        statistics["numDmlAffectedRows"] = int64_text(affected);
        let result = QueryResult { affected_rows: Some(affected), ..QueryResult::default() };
        Ok(Outcome { statistics, result: Some(Arc::new(result)) })
    }

    /// Changes a table. `kind` is the statement's type and the operation performed.
    fn alter(
        self,
        kind: (&str, &str),
        compile: impl FnOnce(&Context<'_>) -> Result<Alteration, ApiError>,
    ) -> Result<Outcome, JobError> {
        let _writer = self.server.warehouse.writer();
        let Alteration { mut table, statements } = compile(&self.context(&self.server.catalog()))?;
        self.server.limits.update(&self.server.options, &table)?;
        let connection = self.server.warehouse.connect()?;
        Warehouse::transaction(&connection, &statements).map_err(|error| value_error(&error))?;
        table.modified = now_ms();
        let mut statistics = self.statistics(&connection, kind.0, &[])?;
        statistics["ddlOperationPerformed"] = json!(kind.1);
        statistics["ddlTargetTable"] = table.id.to_rest();
        let id = table.id.clone();
        *self.server.catalog().table_mut(&id)? = table;
        Ok(Outcome { statistics, result: Some(Arc::default()) })
    }

    /// Returns `statistics.query`. Refuses a job that would exceed its limit of bytes billed.
    pub(super) fn statistics(
        self,
        connection: &duckdb::Connection,
        kind: &str,
        sizes: &[String],
    ) -> Result<Value, JobError> {
        let mut bytes = 0;
        for size in sizes {
            bytes += connection.query_row(&format!("SELECT {size}"), [], |row| row.get::<_, i64>(0))?;
        }
        let minimum = MINIMUM_BILLED * i64::try_from(sizes.len()).unwrap_or(i64::MAX);
        let billed = (bytes.max(minimum) + BILLING_UNIT - 1) / BILLING_UNIT * BILLING_UNIT;
        if let Some(limit) = self.config.billing_limit.filter(|limit| *limit < billed) {
            let message = format!("Query exceeded limit for bytes billed: {limit}. {billed} or higher required.");
            return Err(JobError::new("bytesBilledLimitExceeded", message));
        }
        Ok(json!({
            "statementType": kind,
            "cacheHit": false,
            "totalBytesProcessed": bytes.to_string(),
            "totalBytesBilled": billed.to_string(),
        }))
    }
}

/// Refuses DML where the project has no billing (vyasadi#1, pipedream#3070).
pub(super) fn refuse_in_sandbox(server: &Server) -> Result<(), ApiError> {
    let message = "Billing has not been enabled for this project. Enable billing at \
                   https://console.cloud.google.com/billing. DML queries are not allowed in the free tier. Set up a billing \
                   account to remove this restriction.";
    if server.options.sandbox { Err(ApiError::new(403, "billingNotEnabled", message)) } else { Ok(()) }
}

/// The error of a compiled statement that fails in DuckDB, because a value does not fit its type.
fn value_error(error: &duckdb::Error) -> JobError {
    let text = error.to_string();
    let message = text.strip_prefix("Invalid Input Error: ").unwrap_or(&text);
    ApiError::invalid_query(message).into()
}
