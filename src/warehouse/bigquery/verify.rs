//! Holds what a job reports against the delivery and against what the table has now.

use finops_core::amount::Costs;

use super::{BigQuery, job::Finished};
use crate::{
    error::{Error, Kind, Result},
    warehouse::{MonthLoad, Target, Warehouse, sql::Dialect},
};

/// What a loaded month was found to hold.
pub(super) struct Found {
    /// Rows of the month in the table.
    pub rows: u64,
    /// The exact sum of the cost column.
    pub cost: Costs,
    /// What looking cost, in bytes.
    pub bytes_billed: u64,
    /// What does not add up, if anything: expected and found.
    pub difference: Option<String>,
}

impl BigQuery {
    /// Counts and sums the month in the table, and compares.
    pub(super) async fn verify(
        &self,
        target: &Target,
        load: &MonthLoad,
        finished: &Finished,
        location: &str,
    ) -> Result<Found> {
        let doing = format!("verifying {} of {}", load.billing_period, self.table_name(target));
        let table = self.path(&target.dataset, &target.table);
        let sql = Dialect::BigQuery.cost_query(&table, &target.layout, load.billing_period);
        let answer = self.client.query(location, &sql, &[]).await;
        let answer = answer.map_err(|failure| failure.into_error(&doing))?;
        let bytes_billed = self.bytes_billed(&answer.job_id, location).await;
        let mut rows = 0;
        let mut cost = Costs::new();
        for row in &answer.rows {
            let unreadable = || {
                Error::new(Kind::Warehouse, format!("{doing} failed: BigQuery sums to {row:?}"))
                    .hint("expected a currency, an amount and a count: report it with this message")
            };
            let [Some(currency), Some(amount), Some(count)] = row.as_slice() else {
                return Err(unreadable());
            };
            rows += count.parse::<u64>().map_err(|_| unreadable())?;
            cost.insert(currency.clone(), amount.parse().map_err(|error| unreadable().cause(error))?);
        }
        let difference = difference(load.files.len(), rows, finished);
        Ok(Found { rows, cost, bytes_billed, difference })
    }

    /// What a query cost; 0 where BigQuery does not tell, as the month is in the table and has yet to be recorded.
    async fn bytes_billed(&self, job_id: &str, location: &str) -> u64 {
        let statistics = match self.client.job(job_id, location).await {
            Ok(job) => job.statistics.query,
            Err(failure) => {
                tracing::debug!(job_id, %failure, "billed bytes are not known: the job cannot be read");
                return 0;
            }
        };
        let billed = statistics.and_then(|query| query.total_bytes_billed);
        billed.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| {
            tracing::debug!(job_id, "billed bytes are not known: the job does not tell them");
            0
        })
    }
}

/// Files and rows of the job, against the delivery's files and the table's rows.
fn difference(files: usize, rows: u64, finished: &Finished) -> Option<String> {
    let reported = |text: &Option<String>| text.clone().unwrap_or_else(|| "an unknown number of".to_owned());
    let statistics = &finished.statistics;
    let mut differences = Vec::new();
    if statistics.input_files.as_deref() != Some(files.to_string().as_str()) {
        differences.push(format!("expected {files} files, the job read {}", reported(&statistics.input_files)));
    }
    if statistics.output_rows.as_deref() != Some(rows.to_string().as_str()) {
        let written = reported(&statistics.output_rows);
        differences.push(format!("the job wrote {written} rows, the table has {rows} of the month"));
    }
    if statistics.bad_records.as_deref().is_some_and(|bad| bad != "0") {
        differences.push(format!("the job left out {} rows", reported(&statistics.bad_records)));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::model::LoadStatistics, *};

    fn finished(files: &str, rows: &str, bad: &str) -> Finished {
        let statistics = LoadStatistics {
            input_files: Some(files.to_owned()),
            output_rows: Some(rows.to_owned()),
            bad_records: Some(bad.to_owned()),
        };
        Finished { number: 1, id: "j".to_owned(), ended: Timestamp::UNIX_EPOCH, statistics }
    }

    #[test]
    fn every_count_that_differs_is_named_with_expected_and_found() {
        assert_eq!(difference(2, 10, &finished("2", "10", "0")), None);
        assert_eq!(
            difference(2, 10, &finished("1", "9", "3")).unwrap(),
            "expected 2 files, the job read 1; the job wrote 9 rows, the table has 10 of the month; \
             the job left out 3 rows"
        );
    }
}
