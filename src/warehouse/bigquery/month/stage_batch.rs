//! Staging a batch of a month's files: a load job appends them to the staging table, or a query converts them from a raw table.

use std::{collections::HashMap, path::Path, sync::PoisonError};

use backon::BackoffBuilder;
use finops_core::{hint, model::groups::Groups};
use serde_json::{Value, json};

use super::{
    attempt::Attempt,
    cast::{month_query, refused_query},
    job::job_id_prefix,
    load::{configuration, is_direct, local_file},
    raw_table,
};
use crate::warehouse::bigquery::{
    api::{
        job_error::{is_not_there_yet, is_transient_job, load_error, refuses_schema, reports},
        model::{Job, LoadStatistics, QueryStatistics},
        signs,
    },
    tables::{prepare::Prepared, raw_form::RawForm, schema::table_schema},
};
use crate::{
    error::{Error, Result},
    warehouse::{Batch, Warehouse, cast_failure::cast_failure},
};

/// The result of a load.
enum Loaded {
    /// The rows are in the staging table; with what the load reported and the bytes billed.
    Rows(LoadStatistics, u64),
    /// BigQuery refused the files. It may accept them in this form.
    Refused(RawForm),
}

/// An attempt to stage a batch of a month.
pub struct BatchAttempt<'a> {
    pub of: Attempt<'a>,
    pub batch: &'a Batch,
    /// The batch's place in the month.
    pub number: usize,
}

/// A batch in the staging table.
pub struct Filled {
    pub statistics: LoadStatistics,
    pub billed: u64,
    pub groups: Option<Groups>,
}

impl BatchAttempt<'_> {
    /// Adds the batch to the staging table.
    pub async fn fill(&self) -> Result<Filled> {
        let Attempt { table, load, .. } = self.of;
        let form = table.raw_form.lock().unwrap_or_else(PoisonError::into_inner).of(self.batch.format);
        let is_direct = form == RawForm::Plain && is_direct(load, self.batch, &table.fields);
        let mut loaded = if is_direct { self.append().await? } else { Loaded::Refused(form) };
        loop {
            match loaded {
                Loaded::Rows(statistics, billed) => return Ok(Filled { statistics, billed, groups: None }),
                Loaded::Refused(form) => loaded = self.convert(form).await?,
            }
        }
    }

    /// Appends the files to the staging table.
    async fn append(&self) -> Result<Loaded> {
        let columns: Vec<_> = self.batch.columns.iter().map(|column| column.column.clone()).collect();
        let mut schema = table_schema(&columns)?;
        // The modes must be the table's.
        let modes: HashMap<&str, &String> =
            self.of.table.fields.iter().filter_map(|field| Some((field.name.as_str(), field.mode.as_ref()?))).collect();
        for field in schema["fields"].as_array_mut().into_iter().flatten() {
            if let Some(mode) = field["name"].as_str().and_then(|name| modes.get(name)) {
                field["mode"] = mode.as_str().into();
            }
        }
        let destination = self.of.reference(&self.of.staging.name);
        let configuration = configuration(self.of.load.billing_period, self.batch, &schema, &destination)?;
        let (id, job) = self.run(&json!({"load": configuration}), "load", local_file(self.batch)).await?;
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
                let failed = load_error(&self.of.doing(), &id, error, &job.status.errors);
                Err(if reports(error, &job.status.errors, signs::NULL_REFUSED) {
                    failed.hint(self.let_it_take_null())
                } else {
                    failed
                })
            }
        }
    }

    /// Loads the files into a raw table of this form, and converts them into the staging table.
    async fn convert(&self, form: RawForm) -> Result<Loaded> {
        raw_table::check_names(self.of.load.billing_period, self.batch)?;
        let raw = format!("{}_{}{}", self.of.staging.name, form.name(), self.ending());
        let converted = self.convert_by(form, &raw).await;
        self.of.bigquery.remove_table(&self.of.staging.dataset, &raw).await;
        if let Ok(Loaded::Rows(..)) = &converted {
            // Other months start with the form that worked.
            *self.of.table.raw_form.lock().unwrap_or_else(PoisonError::into_inner) = form;
        }
        converted
    }

    /// The ending of a batch's names.
    fn ending(&self) -> String {
        if self.number == 0 { String::new() } else { format!("_{}", self.number) }
    }

    async fn convert_by(&self, form: RawForm, raw: &str) -> Result<Loaded> {
        let Attempt { table, load, staging, .. } = self.of;
        let (path, batch) = (self.of.path(raw), form.batch(self.batch));
        let query = month_query(load, &batch, &table.target.key_columns, &table.fields, &path)?;
        let schema = raw_table::schema(load, &batch, form);
        let configuration = configuration(load.billing_period, &batch, &schema, &self.of.reference(raw))?;
        self.of.create(raw, json!({"schema": schema})).await?;
        let (id, job) = self.run(&json!({"load": configuration}), form.name(), local_file(self.batch)).await?;
        if let Some(error) = &job.status.error_result {
            if let Some(form) = self.form_after(form, &job, &id) {
                return Ok(Loaded::Refused(form));
            }
            let failed = load_error(&self.of.doing(), &id, error, &job.status.errors);
            let is_refused = refuses_schema(error) || reports(error, &job.status.errors, signs::OTHER_MODES);
            // The raw table is new, so another table would not help.
            return Err(if is_refused { failed.hint(hint::REPORT_OR_CSV) } else { failed });
        }
        let query = json!({"query": {
            "query": query,
            "useLegacySql": false,
            "destinationTable": self.of.reference(&staging.name),
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": "WRITE_APPEND",
        }});
        let (query_id, converted) = self.run(&query, "query", None).await?;
        if let Some(error) = &converted.status.error_result {
            if signs::NO_VALUE.is_in(&error.message)
                && let Some(refused) = self.refused(&batch, &path).await
            {
                return Err(refused.job(query_id));
            }
            let failed = load_error(&self.of.doing(), &query_id, error, &converted.status.errors);
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
        let next = form.after(self.batch, error, &job.status.errors)?;
        tracing::info!(
            job_id = id,
            message = error.message,
            "BigQuery refused the files: loading them in another form"
        );
        Some(next)
    }

    /// Runs a job of this attempt to its end. After a transient failure it runs again under another id. A failed job has
    /// written nothing, so no row is written twice.
    async fn run(&self, configuration: &Value, what: &str, file: Option<&Path>) -> Result<(String, Job)> {
        let Attempt { bigquery, table: Prepared { target, location, .. }, load, staging } = self.of;
        let (client, prefix) = (&bigquery.client, job_id_prefix(target, load));
        let job = json!({ "configuration": configuration });
        let (mut pauses, mut while_new) = (client.job_backoff().build(), client.new_backoff().build());
        let mut attempt = 0;
        loop {
            attempt += 1;
            let id = format!("{prefix}{}-{what}{}-{attempt}", staging.name, self.ending());
            let job = client.run_job(&job, &id, location, file).await.map_err(|f| f.into_error(&self.of.doing()))?;
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
    async fn refused(&self, raw_batch: &Batch, raw: &str) -> Option<Error> {
        let Attempt { bigquery, table, load, .. } = self.of;
        let (sql, columns) = refused_query(load, raw_batch, raw);
        let answer = match bigquery.client.query(&table.location, &sql, &[]).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::warn!(table = raw, %failure, "the values that cannot be converted could not be read");
                return None;
            }
        };
        cast_failure(load, self.batch, columns, answer.rows.first()?)
    }

    fn let_it_take_null(&self) -> String {
        let table = self.of.bigquery.table_name(&self.of.table.target.name);
        hint::take_null(table, "...")
    }
}
