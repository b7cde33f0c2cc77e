//! A staging table: a month's files as they are, from where one query converts them into the month's partition.
//!
//! A staging table belongs to one attempt of one run, so that nothing of another run is ever in it. It is removed when
//! the attempt ends, and expires where the run was killed.

use backon::{BackoffBuilder, Retryable};
use finops_core::{
    delivery::hash,
    schema::{FileType, MapForm},
    text::short,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    BigQuery, MANAGED_BY,
    cast::{is_staged_as_text, month_query, refused_query, staged_name},
    errors::{Failure, is_transient_job, load_error, refuses_schema},
    job::{is_done, pauses},
    load::{configuration, job_id_prefix, labels, local_file, partition, with_id},
    model::{Job, LoadStatistics},
    verify::differences,
};
use crate::{
    error::{Error, Kind, Result},
    http,
    warehouse::{CastFailure, LoadColumn, MonthLoad, Target, Warehouse, cast_failure},
};

/// A load and a query take six hours each at most.
const EXPIRES_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The labels that carry what the staging load reported to the job that replaces the month, and the table's name.
pub(super) const FILES_LABEL: &str = "finops_files";
pub(super) const ROWS_LABEL: &str = "finops_rows";
const TABLE_LABEL: &str = "finops_staging";

/// A month's files in a table of their own.
pub(super) struct Staging<'a> {
    bigquery: &'a BigQuery,
    target: &'a Target,
    load: &'a MonthLoad,
    location: &'a str,
    name: String,
    /// The query that gives the month.
    query: String,
    /// What the load of the files reported.
    statistics: LoadStatistics,
    /// A job may be reading the table.
    in_use: bool,
}

impl<'a> Staging<'a> {
    /// Loads the month's files into a new staging table; none is left where that fails.
    pub(super) async fn new(
        bigquery: &'a BigQuery,
        target: &'a Target,
        load: &'a MonthLoad,
        location: &'a str,
    ) -> Result<Self> {
        let unique = format!("{} {} {}", load.run_id, job_id_prefix(target, load), Timestamp::now().as_nanosecond());
        let name =
            format!("finops_staging_{}_{}", load.billing_period.partition_id(), &hash([unique.as_bytes()])[..16]);
        check_names(load)?;
        // As the table is now: its own columns count, and there may be some that finops did not make.
        let table = bigquery.find_table(&target.dataset, &target.table).await?.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("table {} is gone", bigquery.table_name(target)))
                .hint("run again: finops creates it anew")
        })?;
        let query = month_query(load, &table.schema.fields, &bigquery.path(&target.dataset, &name))?;
        let statistics = LoadStatistics::default();
        let mut staging = Self { bigquery, target, load, location, name, query, statistics, in_use: false };
        match staging.fill().await {
            Ok(statistics) => {
                staging.statistics = statistics;
                Ok(staging)
            }
            Err(error) => {
                staging.remove().await;
                Err(error)
            }
        }
    }

    async fn fill(&self) -> Result<LoadStatistics> {
        let (key, value) = MANAGED_BY;
        let project = self.bigquery.client.project();
        let reference = json!({"projectId": project, "datasetId": self.target.dataset, "tableId": self.name});
        let schema = self.schema();
        let job = json!({"configuration": {"load": configuration(self.load, &schema, &reference)?}});
        let table = json!({
            "tableReference": reference,
            "schema": schema,
            "labels": {key: value},
            "description": format!(
                "The files of {} on their way into {}. Removed after the load, or by its expiration.",
                self.load.billing_period, self.target.table
            ),
            "expirationTime": (Timestamp::now() + EXPIRES_AFTER).as_millisecond().to_string(),
        });
        match self.bigquery.client.create_table(&self.target.dataset, &table).await {
            // The answer to the first attempt may have been lost.
            Err(failure) if failure.is_status(409) => {}
            created => drop(created.map_err(|failure| failure.into_error(&self.doing()))?),
        }
        let mut pauses = http::backoff().build();
        let mut attempt = 1;
        loop {
            let id = format!("{}{}-{attempt}", job_id_prefix(self.target, self.load), self.name);
            let job = self.run(&job, &id).await?;
            let Some(error) = &job.status.error_result else {
                return self.complete(job.statistics.load.unwrap_or_default());
            };
            let Some(pause) = pauses.next().filter(|_| is_transient_job(error)) else {
                let failed = load_error(&self.doing(), &id, error, &job.status.errors);
                // The table is new, so that no other name would help.
                let unreadable = refuses_schema(error);
                let way_out = "report it with this message, or have the report delivered as CSV";
                return Err(if unreadable { failed.hint(way_out) } else { failed });
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// The files as columns: CSV is read as the table's types where a load reads those, Parquet as its own.
    fn schema(&self) -> Value {
        let fields = self.load.columns.iter().map(|column| {
            let name = staged_name(column);
            let field_type = match column.file_type {
                FileType::Map(form) => return map(name, form),
                FileType::Text(_) | FileType::TimeText(_) if is_staged_as_text(column) => "STRING",
                FileType::Text(_) | FileType::TimeText(_) => {
                    super::schema::sql_type(&column.column).unwrap_or("STRING")
                }
                FileType::String | FileType::Other => "STRING",
                FileType::Int64 => "INT64",
                FileType::Double => "FLOAT64",
                FileType::Decimal | FileType::LongDecimal => "BIGNUMERIC",
                FileType::Timestamp => "TIMESTAMP",
                FileType::Date => "DATE",
                FileType::Boolean => "BOOL",
            };
            json!({"name": name, "type": field_type})
        });
        json!({"fields": fields.collect::<Vec<_>>()})
    }

    /// Runs the job to its end.
    async fn run(&self, job: &Value, id: &str) -> Result<Job> {
        let client = &self.bigquery.client;
        let failed = |failure: Failure| failure.into_error(&self.doing());
        // BigQuery may answer 404 for a new job for a moment.
        let existing = async || {
            let get = || client.job(id, self.location);
            get.retry(http::backoff()).when(|failure| failure.is_status(404)).await.map_err(failed)
        };
        let job = with_id(job, client.project(), id, self.location);
        let insert = || client.insert_job(&job, local_file(self.load));
        let mut job = match insert.retry(http::backoff()).when(Failure::is_transient_of_jobs).await {
            // The id is this attempt's own: the answer to the first insert was lost.
            Err(failure) if failure.is_status(409) => existing().await?,
            inserted => inserted.map_err(failed)?,
        };
        let mut pauses = pauses();
        while !is_done(&job) {
            tokio::time::sleep(pauses.next().unwrap_or_default()).await;
            job = existing().await?;
        }
        Ok(job)
    }

    /// Refuses a staging table that is not what was delivered: the month is not touched then.
    fn complete(&self, statistics: LoadStatistics) -> Result<LoadStatistics> {
        let differences = differences(self.load, &statistics);
        if differences.is_empty() {
            return Ok(statistics);
        }
        let message = format!("{} failed: {}", self.doing(), differences.join("; "));
        Err(Error::new(Kind::Verification, message).hint("nothing was changed: run again"))
    }

    /// The job that replaces the month by what is staged, but for its number. What the staging load reported goes with
    /// it, for whoever finds the job.
    pub(super) fn job(&self, work: &str) -> Value {
        let mut labels = labels(self.load, work);
        labels[FILES_LABEL] = self.statistics.input_files.clone().into();
        labels[ROWS_LABEL] = self.statistics.output_rows.clone().into();
        labels[TABLE_LABEL] = self.name.clone().into();
        let query = json!({
            "query": self.query,
            "useLegacySql": false,
            "destinationTable": partition(self.bigquery.client.project(), self.target, self.load),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_TRUNCATE",
        });
        json!({"configuration": {"labels": labels, "query": query}})
    }

    /// The values that made the job fail, if it failed for such.
    pub(super) async fn refused(&self) -> Option<Error> {
        let (sql, columns) = refused_query(self.load, &self.bigquery.path(&self.target.dataset, &self.name));
        let answer = match self.bigquery.client.query(self.location, &sql, &[]).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::warn!(table = self.name, %failure, "values that cannot be converted could not be looked for");
                return None;
            }
        };
        let found = answer.rows.first()?.chunks_exact(2).zip(columns).filter_map(|(found, (column, expected))| {
            let (count, example) = (found[0].as_deref()?.parse().ok()?, found[1].clone()?);
            Some(CastFailure { column, count, example, expected })
        });
        cast_failure(self.load, &found.collect::<Vec<_>>())
    }

    /// Tells whether a job may be reading the table from now on.
    pub(super) fn set_in_use(&mut self, in_use: bool) {
        self.in_use = in_use;
    }

    /// Removes the table, unless a job may be reading it: that would fail. The run that finds the job removes it then.
    pub(super) async fn remove(&self) {
        if self.in_use {
            let table = &self.name;
            tracing::warn!(table, "the staging table is left, since its job may still run; it expires in a day");
        } else {
            remove(self.bigquery, &self.target.dataset, &self.name).await;
        }
    }

    fn doing(&self) -> String {
        let table = self.bigquery.table_name(self.target);
        format!("staging the files of {} for {table}", self.load.billing_period)
    }
}

/// Removes the staging table that a job of another run has read, if that run did not.
pub(super) async fn remove_left_over(bigquery: &BigQuery, dataset: &str, job: &Job) {
    if let Some(table) = job.configuration.labels.get(TABLE_LABEL) {
        remove(bigquery, dataset, table).await;
    }
}

/// The table expires anyway, so that a failure is only worth a warning.
async fn remove(bigquery: &BigQuery, dataset: &str, table: &str) {
    match bigquery.client.delete_table(dataset, table).await {
        Err(failure) if !failure.is_status(404) => {
            tracing::warn!(dataset, table, %failure, "the staging table could not be removed; it expires in a day");
        }
        _ => {}
    }
}

/// The column that BigQuery makes of a Parquet map.
fn map(name: &str, form: MapForm) -> Value {
    let value = if form.numbers { "FLOAT64" } else { "STRING" };
    let entry = json!([{"name": "key", "type": "STRING"}, {"name": "value", "type": value}]);
    let entries = json!([{"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": entry}]);
    json!({"name": name, "type": "RECORD", "fields": entries})
}

/// Refuses files with names that BigQuery would not find there, or that none of its tables can have: under those, the
/// columns and the entries of maps would be looked for.
fn check_names(load: &MonthLoad) -> Result<()> {
    let is_odd = |column: &&LoadColumn| matches!(column.file_type, FileType::Map(form) if !form.by_the_book);
    if let Some(LoadColumn { column, .. }) = load.columns.iter().find(is_odd) {
        let message = format!(
            "{} cannot be loaded: column {} is a map in the form of old Parquet writers, where BigQuery would not find its \
             `key_value`, `key` and `value`",
            load.billing_period, column.name
        );
        return Err(Error::new(Kind::Schema, message).hint("have the export delivered as CSV"));
    }
    let fits = |name: &str| name.len() <= 300 && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let Some(column) = load.columns.iter().map(staged_name).find(|name| !fits(name)) else { return Ok(()) };
    let message = format!(
        "{} cannot be loaded: its files have a column `{}`, and BigQuery takes letters, digits and underscores, at most 300",
        load.billing_period,
        short(column)
    );
    Err(Error::new(Kind::Schema, message)
        .hint("have the report delivered as CSV, or with another name for that column"))
}
