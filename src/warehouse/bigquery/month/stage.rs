//! Staging: a month's rows in a table of their own, which has the target's columns and types and expires.
//!
//! A staging table belongs to one attempt of one run, so it never contains rows of another run. A load job appends files with
//! the table's types to it. Other files are loaded into a raw table, and one query converts them. Only its own run removes a
//! staging table. If the run is killed, the table expires.

use std::{
    collections::{BTreeSet, HashMap},
    sync::PoisonError,
};

use backon::BackoffBuilder;
use finops_core::{
    files::file_type::FileType,
    hint,
    model::groups::{BatchFigures, Groups, added},
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    cast::{month_query, refused_query},
    job::job_id_prefix,
    load::{configuration, is_direct, local_file},
    raw_table,
    staging::StagingTable,
};
use crate::warehouse::bigquery::{
    BigQuery,
    api::{
        job_error::{is_not_there_yet, is_transient_job, load_error, refuses_schema, reports},
        model::{Field, Job, LoadStatistics, QueryStatistics},
        signs,
    },
    tables::{labels::MANAGED_BY, prepare::Prepared, raw_form::RawForm, schema::table_schema},
};
use crate::{
    error::{Error, Result},
    warehouse::{
        Figures, LoadColumn, MonthLoad, Warehouse,
        cast_failure::{CastFailure, cast_failure},
    },
};

/// How many batches of a month are added at the same time.
const BATCHES: usize = 8;
/// A hundred years, in milliseconds. A new table inherits the dataset's default expiration, which would drop old partitions at
/// once.
const PARTITIONS_EXPIRE_AFTER: &str = "3155760000000";

/// The result of a load.
enum Loaded {
    /// The rows are in the staging table; with what the load reported and the bytes billed.
    Rows(LoadStatistics, u64),
    /// BigQuery refused the files. It may accept them in this form.
    Refused(RawForm),
}

/// An attempt to stage a month.
struct Attempt<'a> {
    bigquery: &'a BigQuery,
    table: &'a Prepared,
    load: &'a MonthLoad,
    /// The names of its tables, without the ending.
    name: String,
    /// The number of the batch that `load` is.
    batch: usize,
}

/// A batch in the staging table.
struct Filled {
    statistics: LoadStatistics,
    billed: u64,
    groups: Option<Groups>,
}

impl BigQuery {
    /// Loads the month's files into a new staging table. Returns it with its figures and the job that summed them. After a
    /// failure no table is left.
    pub(in super::super) async fn stage_files(
        &self,
        table: &Prepared,
        load: &MonthLoad,
    ) -> Result<(StagingTable, Figures, String)> {
        let staging = StagingTable::new(table, load);
        let attempt = Attempt { bigquery: self, table, load, name: staging.name.clone(), batch: 0 };
        match attempt.fill(&staging).await {
            Ok((figures, sum_job)) => Ok((staging, figures, sum_job)),
            Err(error) => {
                self.remove_staging(&staging).await;
                Err(error)
            }
        }
    }
}

impl Attempt<'_> {
    /// Creates the staging table, fills it, and counts and sums what is in it.
    async fn fill(&self, staging: &StagingTable) -> Result<(Figures, String)> {
        self.create(&staging.name, self.typed(), staging.expires).await?;
        let batches = self.load.batches();
        let (own, shared): (Vec<_>, Vec<_>) = batches.iter().enumerate().partition(|(_, batch)| batch.is_own);
        let mut filled = Vec::with_capacity(batches.len());
        // One after the other: the rows that are new after a batch belong to it.
        let mut before = Groups::new();
        for (number, batch) in own {
            let batch = self.fill_with(batch, number, staging).await?;
            let (figures, sum_job) = self.sum(staging).await?;
            let billed = batch.billed + self.bigquery.bytes_billed(&sum_job, &self.table.location).await;
            filled.push(Filled { groups: Some(added(&before, &figures.groups)), billed, ..batch });
            before = figures.groups;
        }
        let shared: Vec<Filled> = stream::iter(shared)
            .map(|(number, batch)| self.fill_with(batch, number, staging))
            .buffered(BATCHES)
            .try_collect()
            .await?;
        filled.extend(shared);
        let (mut figures, sum_job) = self.sum(staging).await?;
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u64>().ok());
        let total = |of: fn(&LoadStatistics) -> &Option<String>| {
            filled.iter().map(|batch| number(of(&batch.statistics))).sum::<Option<u64>>()
        };
        figures.files = total(|statistics| &statistics.input_files);
        figures.written = total(|statistics| &statistics.output_rows);
        figures.left_out = filled.iter().filter_map(|batch| number(&batch.statistics.bad_records)).sum();
        figures.bytes_billed = filled.iter().map(|batch| batch.billed).sum();
        let of_batch =
            |batch: Filled| BatchFigures { written: number(&batch.statistics.output_rows), groups: batch.groups };
        figures.batches = filled.into_iter().map(of_batch).collect();
        let of_files: BTreeSet<&str> = batches.iter().flat_map(columns_with_values).collect();
        let of_files: Vec<&str> = of_files.into_iter().collect();
        let (Prepared { target, location, .. }, table) =
            (self.table, (staging.dataset.as_str(), staging.name.as_str()));
        figures.lost = self.bigquery.lost_columns(target, &of_files, table, location).await?;
        Ok((figures, sum_job))
    }

    async fn sum(&self, staging: &StagingTable) -> Result<(Figures, String)> {
        let Prepared { target, location, .. } = self.table;
        let of_all = (staging.dataset.as_str(), staging.name.as_str(), false);
        self.bigquery.sum(target, self.load, of_all, location).await
    }

    /// Adds a batch of the month's files to the staging table.
    async fn fill_with(&self, load: &MonthLoad, number: usize, staging: &StagingTable) -> Result<Filled> {
        let batch = Attempt { load, batch: number, name: self.name.clone(), ..*self };
        let form = self.table.raw_form.lock().unwrap_or_else(PoisonError::into_inner).of(load.format);
        let is_direct = form == RawForm::Plain && is_direct(load, &self.table.fields);
        let loaded = if is_direct { batch.append().await? } else { Loaded::Refused(form) };
        let (statistics, billed) = match loaded {
            Loaded::Rows(statistics, billed) => (statistics, billed),
            Loaded::Refused(form) => batch.convert(form, staging).await?,
        };
        Ok(Filled { statistics, billed, groups: None })
    }

    /// Appends the files to the staging table.
    async fn append(&self) -> Result<Loaded> {
        let columns: Vec<_> = self.load.columns.iter().map(|column| column.column.clone()).collect();
        let mut schema = table_schema(&columns)?;
        // The modes must be the table's.
        let modes: HashMap<&str, &String> =
            self.table.fields.iter().filter_map(|field| Some((field.name.as_str(), field.mode.as_ref()?))).collect();
        for field in schema["fields"].as_array_mut().into_iter().flatten() {
            if let Some(mode) = field["name"].as_str().and_then(|name| modes.get(name)) {
                field["mode"] = mode.as_str().into();
            }
        }
        let load = json!({"load": configuration(self.load, &schema, &self.reference(&self.name))?});
        let (id, job) = self.run(&load, "load", local_file(self.load).is_some()).await?;
        match &job.status.error_result {
            None => Ok(Loaded::Rows(job.statistics.load.unwrap_or_default(), 0)),
            Some(error) if let Some(form) = self.form_after(RawForm::Plain, &job, &id) => Ok(Loaded::Refused(form)),
            Some(error) if refuses_schema(error) => {
                tracing::debug!(
                    job_id = id,
                    "BigQuery does not load the files into the table's columns: they are converted"
                );
                Ok(Loaded::Refused(RawForm::Plain))
            }
            Some(error) => {
                let failed = load_error(&self.doing(), &id, error, &job.status.errors);
                Err(if reports(error, &job.status.errors, signs::NULL_REFUSED) {
                    failed.hint(self.let_it_take_null())
                } else {
                    failed
                })
            }
        }
    }

    /// Loads the files into a raw table, and converts them into the staging table. Returns what the load reported, and the
    /// bytes billed for the conversion.
    async fn convert(&self, form: RawForm, staging: &StagingTable) -> Result<(LoadStatistics, u64)> {
        raw_table::check_names(self.load)?;
        let mut form = form;
        loop {
            let raw = format!("{}_{}{}", self.name, form.name(), self.ending());
            let converted = self.convert_by(form, &raw, staging).await;
            self.bigquery.remove_table(&staging.dataset, &raw).await;
            match converted? {
                Loaded::Rows(statistics, billed) => {
                    // Other months start with the form that worked.
                    *self.table.raw_form.lock().unwrap_or_else(PoisonError::into_inner) = form;
                    return Ok((statistics, billed));
                }
                Loaded::Refused(next) => form = next,
            }
        }
    }

    /// The ending of a batch's names.
    fn ending(&self) -> String {
        if self.batch == 0 { String::new() } else { format!("_{}", self.batch) }
    }

    async fn convert_by(&self, form: RawForm, raw: &str, staging: &StagingTable) -> Result<Loaded> {
        let raw_path = self.bigquery.path(&staging.dataset, raw);
        let raw_load = form.load(self.load);
        let query = month_query(&raw_load, &self.table.target.key_columns, &self.table.fields, &raw_path)?;
        let schema = raw_table::schema(&raw_load, form);
        let load = json!({"load": configuration(&raw_load, &schema, &self.reference(raw))?});
        self.create(raw, json!({"schema": schema}), staging.expires).await?;
        let (id, job) = self.run(&load, form.name(), local_file(self.load).is_some()).await?;
        if let Some(error) = &job.status.error_result {
            if let Some(form) = self.form_after(form, &job, &id) {
                return Ok(Loaded::Refused(form));
            }
            let failed = load_error(&self.doing(), &id, error, &job.status.errors);
            let is_refused = refuses_schema(error) || reports(error, &job.status.errors, signs::OTHER_MODES);
            // The raw table is new, so another table would not help.
            return Err(if is_refused { failed.hint(hint::REPORT_OR_CSV) } else { failed });
        }
        let query = json!({"query": {
            "query": query,
            "useLegacySql": false,
            "destinationTable": self.reference(&self.name),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_APPEND",
        }});
        let (query_id, converted) = self.run(&query, "query", false).await?;
        if let Some(error) = &converted.status.error_result {
            if signs::NO_VALUE.is_in(&error.message)
                && let Some(refused) = self.refused(&raw_load, &raw_path).await
            {
                return Err(refused.job(query_id));
            }
            let failed = load_error(&self.doing(), &query_id, error, &converted.status.errors);
            return Err(match error {
                error if !refuses_schema(error) => failed,
                // A query's columns may be NULL.
                error if reports(error, &converted.status.errors, signs::NULL_REFUSED) => {
                    failed.hint(self.let_it_take_null())
                }
                // The query has the columns that the table had when it was prepared.
                _ => failed.hint(hint::COLUMNS_CHANGED),
            });
        }
        let billed = converted.statistics.query.as_ref().and_then(QueryStatistics::bytes_billed).unwrap_or_default();
        Ok(Loaded::Rows(job.statistics.load.unwrap_or_default(), billed))
    }

    /// The form to try after the job's failure, if another form may help.
    fn form_after(&self, form: RawForm, job: &Job, id: &str) -> Option<RawForm> {
        let error = job.status.error_result.as_ref()?;
        let next = form.after(self.load, error, &job.status.errors)?;
        tracing::info!(
            job_id = id,
            message = error.message,
            "BigQuery refused the files: loading them in another form"
        );
        Some(next)
    }

    /// A table with the target's columns, types, partitioning and clustering, so that a partition can be copied. It has no
    /// policy tags: not every account may set them.
    fn typed(&self) -> Value {
        let untagged = |field: &Field| {
            let mut field = field.clone();
            field.rest.remove(Field::POLICY_TAGS);
            field
        };
        let fields: Vec<Field> = self.table.fields.iter().map(untagged).collect();
        let mut table = json!({
            "schema": {"fields": fields},
            "timePartitioning": {
                "type": "MONTH",
                "field": self.table.target.key_columns.partition,
                "expirationMs": PARTITIONS_EXPIRE_AFTER,
            },
        });
        if let Some(clustering) = &self.table.clustering {
            table["clustering"] = clustering.clone();
        }
        table
    }

    async fn create(&self, name: &str, mut table: Value, expires: Timestamp) -> Result<()> {
        let (key, value) = MANAGED_BY;
        table["tableReference"] = self.reference(name);
        if let Some(key) = &self.table.encryption {
            table["encryptionConfiguration"] = key.clone();
        }
        table["labels"] = json!({key: value});
        table["description"] = format!(
            "Staged rows of {} for {}. Removed after the load, or by its expiration.",
            self.load.billing_period, self.table.target.name.table
        )
        .into();
        table["expirationTime"] = expires.as_millisecond().to_string().into();
        self.bigquery.new_tables.turn().await;
        match self.bigquery.client.create_table(&self.table.staging_dataset, &table).await {
            // The answer to the first attempt was lost: no other run creates a table of that name.
            Err(failure) if failure.is_status(409) => Ok(()),
            created => created.map(drop).map_err(|failure| failure.into_error(&self.doing())),
        }
    }

    /// Runs a job of this attempt to its end. After a transient failure it runs again under another id. A failed job has
    /// written nothing, so no row is written twice.
    async fn run(&self, configuration: &Value, what: &str, sends_file: bool) -> Result<(String, Job)> {
        let Prepared { target, location, .. } = self.table;
        let client = &self.bigquery.client;
        let file = local_file(self.load).filter(|_| sends_file);
        let job = json!({ "configuration": configuration });
        let (mut pauses, mut while_new) = (client.job_backoff().build(), client.new_backoff().build());
        let mut attempt = 0;
        loop {
            attempt += 1;
            let id = format!("{}{}-{what}{}-{attempt}", job_id_prefix(target, self.load), self.name, self.ending());
            let job = client.run_job(&job, &id, location, file).await.map_err(|f| f.into_error(&self.doing()))?;
            let pause = match &job.status.error_result {
                Some(error) if is_transient_job(error) => pauses.next(),
                Some(error) if is_not_there_yet(error) => while_new.next(),
                _ => None,
            };
            let Some(pause) = pause else { return Ok((id, job)) };
            tokio::time::sleep(pause).await;
        }
    }

    /// The error that names the values which cannot be converted.
    async fn refused(&self, raw_load: &MonthLoad, raw: &str) -> Option<Error> {
        let (sql, columns) = refused_query(raw_load, raw);
        let answer = match self.bigquery.client.query(&self.table.location, &sql, &[]).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::warn!(table = raw, %failure, "the values that cannot be converted could not be read");
                return None;
            }
        };
        let found = answer.rows.first()?.chunks_exact(2).zip(columns).filter_map(|(found, (column, expected))| {
            let (count, example) = (found[0].as_deref()?.parse().ok()?, found[1].clone()?);
            Some(CastFailure { column, count, example, expected })
        });
        cast_failure(self.load, &found.collect::<Vec<_>>())
    }

    fn reference(&self, name: &str) -> Value {
        self.bigquery.client.reference(&self.table.staging_dataset, name)
    }

    fn let_it_take_null(&self) -> String {
        let table = self.bigquery.table_name(&self.table.target.name);
        hint::take_null(table, "...")
    }

    fn doing(&self) -> String {
        let table = self.bigquery.table_name(&self.table.target.name);
        format!("staging the files of {} for {table}", self.load.billing_period)
    }
}

/// The columns that have values in the files, but may have none after a load that reports no error
/// (python-bigquery#2370, PostHog#45417).
fn columns_with_values(load: &MonthLoad) -> Vec<&str> {
    let has_values = |column: &&LoadColumn| {
        matches!(column.file_type, FileType::Map(_))
            && load.values.get(&column.file_name).is_some_and(|values| values.has_values)
    };
    load.columns.iter().filter(has_values).map(|column| column.column.name.as_str()).collect()
}
