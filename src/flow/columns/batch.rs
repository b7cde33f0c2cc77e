//! The columns of a delivery, in batches of files with the same columns.

use finops_core::{
    files::file_type::{FileType, TimeForm},
    model::{delivery::Delivery, manifest::FileFormat},
    schema::{FileColumn, MonthColumns},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::month::month_columns;
use crate::{
    error::Result,
    storage::{REQUESTS, Store},
};

/// Runs whose files have the same columns.
#[derive(Clone, Debug)]
pub struct BatchColumns {
    /// The columns.
    pub columns: MonthColumns,
    /// The form of the files.
    pub format: FileFormat,
    /// Whether the files have no billing period, judged by their first rows: the month is that of usage.
    pub fills_period: bool,
    /// Which of [`Delivery::runs`] they are.
    pub runs: Vec<usize>,
    /// The rows of each run, if its files or its manifest count them.
    pub rows: Vec<Option<u64>>,
}

impl BatchColumns {
    /// Adds the run of another batch, if its files have the same columns.
    fn take(&mut self, other: &Self) -> bool {
        let alike = (self.format, self.fills_period) == (other.format, other.fills_period)
            && self.columns.columns.len() == other.columns.columns.len();
        let columns = self.columns.columns.iter().zip(&other.columns.columns);
        let Some(columns) = columns.map(|(a, b)| both(a, b)).collect::<Option<Vec<_>>>().filter(|_| alike) else {
            return false;
        };
        self.columns.columns = columns;
        for (name, of_other) in &other.columns.values {
            self.columns.values.entry(name.clone()).and_modify(|values| *values = values.and(*of_other));
        }
        self.columns.rows = self.columns.rows.zip(other.columns.rows).map(|(a, b)| a.saturating_add(b));
        self.runs.extend(&other.runs);
        self.rows.extend(&other.rows);
        true
    }
}

/// The common column of both files, if there is one.
fn both(a: &FileColumn, b: &FileColumn) -> Option<FileColumn> {
    let file_type = match (a.file_type, b.file_type) {
        (a, b) if a == b => a,
        (FileType::TimeText(a), FileType::TimeText(b)) => FileType::TimeText(TimeForm::of_both(Some(a), Some(b))?),
        (FileType::TimeText(form), FileType::Text(_)) | (FileType::Text(_), FileType::TimeText(form)) => {
            FileType::TimeText(form)
        }
        _ => return None,
    };
    (a.file_name == b.file_name).then(|| FileColumn { file_type, ..a.clone() })
}

/// The columns of the delivery's files, in batches; none if the files have no rows.
///
/// # Errors
/// `Data` or `Schema` for files without usable columns; those of the store.
pub async fn batches(store: &Store, delivery: &Delivery) -> Result<Vec<BatchColumns>> {
    let runs = delivery.runs().into_iter().map(|(manifest, files)| Delivery {
        manifest: manifest.clone(),
        files: files.to_vec(),
        missing: Vec::new(),
        manifest_uri: delivery.manifest_uri.clone(),
        fingerprint: String::new(),
        origin: None,
        ..*delivery
    });
    let read: Vec<Option<BatchColumns>> = stream::iter(runs.enumerate())
        .map(|(at, run)| async move { run_columns(store, &run, at).await })
        .buffered(REQUESTS)
        .try_collect()
        .await?;
    let mut batches: Vec<BatchColumns> = Vec::new();
    for run in read.into_iter().flatten() {
        if !batches.iter_mut().any(|batch| batch.take(&run)) {
            batches.push(run);
        }
    }
    Ok(batches)
}

async fn run_columns(store: &Store, run: &Delivery, at: usize) -> Result<Option<BatchColumns>> {
    let Some((columns, fills_period)) = month_columns(store, run).await? else { return Ok(None) };
    let rows = vec![columns.rows];
    Ok(Some(BatchColumns { columns, format: run.manifest.format, fills_period, runs: vec![at], rows }))
}
