//! Queries that count and sum rows.

use finops_core::hint;

use crate::warehouse::bigquery::{BigQuery, api::model::QueryStatistics, tables::prepare::Prepared};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Figures, MonthLoad, Warehouse, costs::read_costs, sql::Dialect},
};

impl BigQuery {
    /// Rows and costs of all rows of `path`, or only of the load's month in it, and the job of the query.
    pub(in super::super) async fn sum(
        &self,
        Prepared { target, location, .. }: &Prepared,
        load: &MonthLoad,
        path: &str,
        of_month: bool,
    ) -> Result<(Figures, String)> {
        let doing = format!("checking {} of {}", load.billing_period, self.table_name(&target.name));
        let sum = |amount: &str, _: &str| format!("CAST(COALESCE(SUM({amount}), 0) AS STRING)");
        let sql = Dialect::BigQuery.cost_query(path, &target.key_columns, load, of_month, sum);
        let answer = self.query(location, &sql, &doing).await?;
        let figures = read_costs(load, &answer.rows).map_err(|found| {
            Error::new(ErrorKind::Warehouse, format!("{doing} failed: BigQuery sums to {found}")).hint(hint::REPORT_SUM)
        })?;
        Ok((figures, answer.job_id))
    }

    /// The columns without an entry in any row of `path`. Each column has the text of a JSON object.
    pub(in super::super) async fn lost_columns(
        &self,
        Prepared { target, location, .. }: &Prepared,
        columns: &[&str],
        path: &str,
    ) -> Result<Vec<String>> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let count =
            |(at, name): (usize, &&str)| format!("COUNT(NULLIF({}, '{{}}')) AS n{at}", Dialect::BigQuery.quote(name));
        let counts: Vec<String> = columns.iter().enumerate().map(count).collect();
        let sql = format!("SELECT {} FROM {path}", counts.join(", "));
        let doing = format!("counting the values of {} in {}", columns.join(", "), self.table_name(&target.name));
        let rows = self.query(location, &sql, &doing).await?.rows;
        let counts = rows.first().into_iter().flatten().zip(columns);
        let lost = counts.filter(|(count, _)| count.as_deref() == Some("0"));
        Ok(lost.map(|(_, name)| (*name).to_owned()).collect())
    }

    /// The bytes billed for a query; 0 where BigQuery does not report them.
    pub(in super::super) async fn bytes_billed(&self, job_id: &str, location: &str) -> u64 {
        let statistics = match self.client.job(job_id, location).await {
            Ok(job) => job.statistics.query,
            Err(failure) => {
                tracing::debug!(job_id, %failure, "billed bytes are not known: the job cannot be read");
                return 0;
            }
        };
        statistics.as_ref().and_then(QueryStatistics::bytes_billed).unwrap_or_else(|| {
            tracing::debug!(job_id, "billed bytes are not known: the job does not report them");
            0
        })
    }
}
