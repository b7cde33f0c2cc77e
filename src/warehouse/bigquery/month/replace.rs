//! Stages a month and swaps it.

use std::sync::{PoisonError, atomic::Ordering};

use finops_core::numbered::{By, Do, Month};
use futures::future::try_join;

use super::{jobs::MonthJobs, staging::StagingTable};
use crate::warehouse::bigquery::{BigQuery, tables::prepare::Prepared};
use crate::{
    error::Result,
    warehouse::{Figures, MonthLoad, NewRecord, Stage, Swap},
};

/// A staged month, and the state of its numbered jobs.
pub struct Staged {
    load: MonthLoad,
    protocol: Month,
    pub staging: StagingTable,
    figures: Figures,
    /// The job that summed the staged rows.
    sum_job: String,
}

impl BigQuery {
    /// See [`crate::warehouse::Warehouse::stage`].
    pub(in super::super) async fn stage_month(&self, table: &Prepared, load: &MonthLoad) -> Result<Stage<Staged>> {
        load.next_sequence()?;
        let mut jobs = MonthJobs::new(self, table, load);
        let until = load.covers_until.filter(|_| !load.force);
        let mut protocol = Month::new(load.sequence(), self.acknowledged(&jobs.prefix), until);
        let first = protocol.first();
        let end = jobs.follow(&mut protocol, first, None).await?;
        self.acknowledge(&jobs.prefix, protocol.acknowledged());
        match end {
            Do::Stage => {
                let (staging, figures, sum_job) = Box::pin(self.stage_files(table, load)).await?;
                let figures_to_check = Box::new(figures.clone());
                Ok(Stage::Ready(Staged { load: load.clone(), protocol, staging, figures, sum_job }, figures_to_check))
            }
            Do::Record(n) => {
                let Some(figures) = jobs.found.take() else { return Err(jobs.failed()) };
                let record = load.record(&table.target, &figures);
                Ok(Stage::Done(Box::new(jobs.record(n, record, figures.bytes_billed).await?)))
            }
            Do::Outreached(until) => Ok(Stage::Outreached(until)),
            Do::Superseded => Ok(Stage::Superseded),
            _ => Err(jobs.failed()),
        }
    }

    /// See [`crate::warehouse::Warehouse::swap`].
    pub(in super::super) async fn swap_month(
        &self,
        table: &Prepared,
        mut staged: Staged,
        record: NewRecord,
    ) -> Result<Swap> {
        // What a swap removes from an annotated table is known only after the first one.
        let mut first_swap = None;
        if table.is_annotated() {
            first_swap = Some(table.was_compared.lock().await).filter(|was_compared| !**was_compared);
        }
        if let Err(lost) = self.check_nothing_lost(table) {
            self.remove_staging(&staged.staging).await;
            return Err(lost);
        }
        let Staged { load, protocol, staging, figures, sum_job } = &mut staged;
        let must_query = table.is_protected() || table.copies_refused.load(Ordering::Relaxed);
        let by = if must_query { By::Query } else { By::Copy };
        let mut jobs = MonthJobs::new(self, table, load);
        let next = protocol.staged(by);
        let swapped = async {
            let (end, billed) = try_join(jobs.follow(protocol, next, Some((staging, figures.rows()))), async {
                Ok(self.bytes_billed(sum_job, &table.location).await)
            })
            .await?;
            self.acknowledge(&jobs.prefix, protocol.acknowledged());
            match end {
                Do::Record(n) => {
                    jobs.check_rows(n, figures.rows())?;
                    let billed = figures.bytes_billed + billed + jobs.billed(n);
                    let committed = jobs.record(n, record, billed).await?;
                    self.compare_after_first_swap(table, first_swap).await?;
                    Ok(Swap::Committed(Box::new(committed)))
                }
                Do::Superseded => Ok(Swap::Superseded),
                _ => Err(jobs.failed()),
            }
        };
        let swapped = swapped.await;
        self.remove_staging(&staged.staging).await;
        swapped
    }

    /// The number up to which this run knows of jobs for other deliveries.
    fn acknowledged(&self, prefix: &str) -> i64 {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.get(prefix).copied().unwrap_or_default()
    }

    fn acknowledge(&self, prefix: &str, number: i64) {
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.insert(prefix.to_owned(), number);
    }
}
