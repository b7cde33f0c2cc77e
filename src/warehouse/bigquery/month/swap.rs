//! The job that replaces the month with a staged partition, and its labels, which later runs read.

use std::collections::HashMap;

use finops_core::{hint, numbered::By};
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;

use super::{cast::null_of, staging::StagingTable};
use crate::warehouse::bigquery::{
    BigQuery,
    api::model::{Field, Job, Table},
    tables::{labels::label, prepare::Prepared},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{MonthLoad, Warehouse, sql::Dialect, unmanaged_table},
};

/// The content key: see [`super::job::content_key`].
const WORK: &str = "finops_work";
const PERIOD: &str = "finops_period";
const RUN: &str = "finops_run";
const FILES: &str = "finops_files";
const ROWS: &str = "finops_rows";
const STAGING: &str = "finops_staging";
const UNTIL: &str = "finops_until";
const KIND: &str = "finops_kind";

/// The labels of a swap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pub content_key: String,
    pub rows: Option<u64>,
    pub until: Option<Date>,
}

impl Labels {
    /// The labels of a job. Missing and unreadable ones are left out.
    pub fn of(job: &Job) -> Self {
        Self::read(&job.configuration.labels)
    }

    fn read(labels: &HashMap<String, String>) -> Self {
        Self {
            content_key: labels.get(WORK).cloned().unwrap_or_default(),
            rows: labels.get(ROWS).and_then(|rows| rows.parse().ok()),
            until: labels.get(UNTIL).and_then(|day| Date::strptime("%Y%m%d", day).ok()),
        }
    }
}

/// The labels of the job that swaps a month in.
fn labels(load: &MonthLoad, content_key: &str, staging: &str, rows: u64) -> Value {
    let mut labels = json!({
        WORK: content_key,
        PERIOD: load.billing_period.to_string(),
        RUN: label(&load.run_id),
        FILES: load.file_count().to_string(),
        ROWS: rows.to_string(),
        STAGING: label(staging),
        KIND: load.kind.as_str(),
    });
    if let Some(until) = load.covers_until {
        labels[UNTIL] = until.strftime("%Y%m%d").to_string().into();
    }
    labels
}

/// A staged month to swap.
pub struct ToSwap<'a> {
    pub table: &'a Prepared,
    pub load: &'a MonthLoad,
    pub content_key: &'a str,
    pub staging: &'a StagingTable,
    pub rows: u64,
}

impl BigQuery {
    /// The job that swaps the month, without its number.
    ///
    /// # Errors
    /// What BigQuery refuses when the table is read again, as for a query.
    pub(in super::super) async fn swap_job(&self, swap: &ToSwap<'_>, by: By) -> Result<Value> {
        let ToSwap { table, load, content_key, staging, rows } = swap;
        let partition = |dataset: &str, table: &str| {
            self.client.reference(dataset, &format!("{table}${}", load.billing_period.partition_id()))
        };
        let (name, mut configuration) = match by {
            By::Copy => {
                let source = partition(&staging.dataset, &staging.name);
                ("copy", json!({"sourceTable": source, "writeDisposition": "WRITE_TRUNCATE"}))
            }
            By::Query => {
                // Read again: the copy may have been refused because the table has changed.
                let now = self.existing_table(&table.target).await?;
                // It may also be another table now.
                if !now.is_ours() {
                    return Err(unmanaged_table(&self.table_name(&table.target.name)));
                }
                let query =
                    staged_query(&now.schema.fields, &table.fields, &self.path(&staging.dataset, &staging.name))?;
                // WRITE_TRUNCATE_DATA keeps row access policies (dlt-hub/dlt#4130, seen for whole tables).
                let disposition = if table.is_protected() { "WRITE_TRUNCATE_DATA" } else { "WRITE_TRUNCATE" };
                ("query", json!({"query": query, "useLegacySql": false, "writeDisposition": disposition}))
            }
        };
        configuration["destinationTable"] = partition(&table.target.name.dataset, &table.target.name.table);
        configuration["createDisposition"] = "CREATE_NEVER".into();
        if let Some(key) = &table.encryption {
            configuration["destinationEncryptionConfiguration"] = key.clone();
        }
        let labels = labels(load, content_key, &staging.name, *rows);
        Ok(json!({"configuration": {name: configuration, "labels": labels}}))
    }

    /// Reads the table after a run's first swap and compares it with before: it is not certain that every swap keeps what
    /// others added, and adds no expiration. With `first_swap`, other months wait for this.
    ///
    /// # Errors
    /// `Schema` naming what is gone. This month is loaded. No other month is swapped.
    pub(in super::super) async fn compare_after_first_swap(
        &self,
        table: &Prepared,
        first_swap: Option<MutexGuard<'_, bool>>,
    ) -> Result<()> {
        let mut was_compared = match first_swap {
            Some(first_swap) => first_swap,
            None => table.was_compared.lock().await,
        };
        if *was_compared {
            return Ok(());
        }
        match self.lost(table).await {
            Ok(lost) => {
                *was_compared = true;
                lost.map_or(Ok(()), |lost| table.lost.set(lost)).unwrap_or_default();
            }
            // The month is loaded and recorded; the next one is compared.
            Err(error) => {
                tracing::warn!(error = error.full_message(), "the table could not be compared after the swap");
            }
        }
        self.check_nothing_lost(table)
    }

    /// What the table had before and lacks now.
    async fn lost(&self, table: &Prepared) -> Result<Option<String>> {
        let mut lost = lost(&table.fields, &self.existing_table(&table.target).await?);
        if table.has_row_policies {
            let name = &table.target.name;
            let policies = self.row_access_policies(&name.dataset, &name.table).await?;
            if policies.is_some_and(|policies| policies.is_empty()) {
                lost.push("its row access policies".to_owned());
            }
        }
        Ok((!lost.is_empty()).then(|| lost.join(", ")))
    }

    /// Refuses to swap where the first swap removed something.
    pub(in super::super) fn check_nothing_lost(&self, table: &Prepared) -> Result<()> {
        let Some(lost) = table.lost.get() else { return Ok(()) };
        let name = self.table_name(&table.target.name);
        let message = format!("the swap of a month removed something from table {name}: {lost}");
        Err(Error::new(ErrorKind::Schema, message).hint(hint::RESTORE_TABLE))
    }
}

/// What the table had before and lacks now, in words.
fn lost(before: &[Field], now: &Table) -> Vec<String> {
    let mut lost: Vec<String> = Vec::new();
    for field in before {
        let same = now.schema.fields.iter().find(|there| there.name.eq_ignore_ascii_case(&field.name));
        let gone = field.extras().filter(|extra| same.is_some_and(|there| !there.rest.contains_key(*extra)));
        lost.extend(gone.map(|extra| format!("{extra} of column {}", field.name)));
    }
    if let Some(expires) = &now.expiration_time {
        lost.push(format!("its permanence: it expires at {expires} ms after 1970"));
    }
    if now.time_partitioning.as_ref().is_some_and(|partitioning| partitioning.expiration_ms.is_some()) {
        lost.push("the permanence of its partitions: they expire".to_owned());
    }
    lost
}

/// The staged rows with the table's current columns. The check made sure that all rows belong to the month.
fn staged_query(now: &[Field], staged: &[Field], staging: &str) -> Result<String> {
    let value = |field: &Field| {
        let name = Dialect::BigQuery.quote(&field.name);
        let is_staged = staged.iter().any(|staged| staged.name.eq_ignore_ascii_case(&field.name));
        Ok(if is_staged { name } else { format!("{} AS {name}", null_of(field)?) })
    };
    let values = now.iter().map(value).collect::<Result<Vec<_>>>()?;
    Ok(format!("SELECT {} FROM {staging}", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::bigquery::{tables::labels::MAX_LABEL, test::load};

    #[test]
    fn labels_are_read_back_and_have_only_allowed_characters() {
        let month = MonthLoad { covers_until: Some(Date::constant(2025, 9, 21)), ..load() };
        let labels: HashMap<String, String> =
            serde_json::from_value(labels(&month, "s2-0", "finops_staging_202509_0", 12)).unwrap();
        for value in labels.values() {
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            assert!(value.len() <= MAX_LABEL && value.bytes().all(fits), "{value}");
        }
        let read = Labels::read(&labels);
        assert_eq!((read.content_key.as_str(), read.rows, labels[FILES].as_str()), ("s2-0", Some(12), "1"));
        assert_eq!(read.until, month.covers_until);
        assert_eq!(Labels::read(&HashMap::new()), Labels::default());
    }

    #[test]
    fn long_texts_differ_by_their_hash() {
        assert_eq!(label("Run:2025-09-01T00:00Z"), "run_2025-09-01t00_00z");
        let long = |end: &str| label(&format!("{}{end}", "x".repeat(80)));
        assert_ne!(long("a"), long("b"));
        assert!(long("a").len() <= MAX_LABEL);
    }

    #[test]
    fn a_query_takes_the_columns_that_the_table_has_now() {
        let field = |name: &str, of: &str| Field { name: name.to_owned(), r#type: of.to_owned(), ..Field::default() };
        let staged = [field("a", "STRING"), field("gone", "STRING")];
        let now = [field("new", "FLOAT"), field("A", "STRING")];
        assert_eq!(staged_query(&now, &staged, "`s`").unwrap(), "SELECT CAST(NULL AS FLOAT64) AS `new`, `A` FROM `s`");
    }
}
