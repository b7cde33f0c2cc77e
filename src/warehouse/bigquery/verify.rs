//! Holds what a job reports against the delivery and against what the table has now.

use finops_core::amount::Costs;

use super::{BigQuery, job::Finished, model::LoadStatistics};
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
    /// What BigQuery bills for loading and looking, in bytes.
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
        let sql = Dialect::BigQuery.cost_query(&table, &target.layout, load);
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
        let difference = difference(load, rows, &finished.statistics);
        Ok(Found { rows, cost, bytes_billed: bytes_billed + finished.bytes_billed, difference })
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

/// What a load job reports against the delivery: expected and found.
pub(super) fn differences(load: &MonthLoad, statistics: &LoadStatistics) -> Vec<String> {
    let reported = |text: &Option<String>| text.clone().unwrap_or_else(|| "an unknown number of".to_owned());
    let is = |text: &Option<String>, number: &str| text.as_deref() == Some(number);
    let mut differences = Vec::new();
    let files = load.files.len();
    if !is(&statistics.input_files, &files.to_string()) {
        differences.push(format!("expected {files} files, the job read {}", reported(&statistics.input_files)));
    }
    if let Some(rows) = load.rows.filter(|rows| !is(&statistics.output_rows, &rows.to_string())) {
        differences.push(format!("the files hold {rows} rows, the job wrote {}", reported(&statistics.output_rows)));
    }
    if statistics.bad_records.as_deref().is_some_and(|bad| bad != "0") {
        differences.push(format!("the job left out {} rows", reported(&statistics.bad_records)));
    }
    differences
}

/// The same, and the rows that the table has of the month now.
fn difference(load: &MonthLoad, rows: u64, statistics: &LoadStatistics) -> Option<String> {
    let mut differences = differences(load, statistics);
    if statistics.output_rows.as_deref() != Some(rows.to_string().as_str()) {
        let written = statistics.output_rows.as_deref().unwrap_or("an unknown number of");
        differences.push(format!("the job wrote {written} rows, the table has {rows} of the month"));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{super::test::load, *};

    fn statistics(files: &str, rows: &str, bad: &str) -> LoadStatistics {
        LoadStatistics {
            input_files: Some(files.to_owned()),
            output_rows: Some(rows.to_owned()),
            bad_records: Some(bad.to_owned()),
        }
    }

    #[test]
    fn every_count_that_differs_is_named_with_expected_and_found() {
        let load = MonthLoad { files: vec!["1".to_owned(), "2".to_owned()], rows: Some(10), ..load() };
        assert_eq!(difference(&load, 10, &statistics("2", "10", "0")), None);
        assert_eq!(
            difference(&load, 11, &statistics("1", "9", "3")).unwrap(),
            "expected 2 files, the job read 1; the files hold 10 rows, the job wrote 9; the job left out 3 rows; \
             the job wrote 9 rows, the table has 11 of the month"
        );
        let untold = MonthLoad { rows: None, ..load };
        assert_eq!(difference(&untold, 9, &statistics("2", "9", "0")), None);
    }
}
