//! Rate limits. Each is off unless an option sets it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{
    catalog::{Table, TableId},
    error::ApiError,
    lock::lock,
    options::Options,
};

/// Changes of an unpartitioned table that are allowed in [`UPDATES_PERIOD`].
const UPDATES: usize = 5;
const UPDATES_PERIOD: Duration = Duration::from_secs(10);

/// The times of recent creations and updates.
#[derive(Default)]
pub struct Limits {
    creations: Mutex<VecDeque<Instant>>,
    updates: Mutex<BTreeMap<TableId, VecDeque<Instant>>>,
}

impl Limits {
    /// Counts a tables.insert, or refuses it.
    pub fn creation(&self, options: &Options) -> Result<(), ApiError> {
        let Some(limit) = options.tables_per_second else { return Ok(()) };
        let mut past = lock(&self.creations);
        count(&mut past, limit, Duration::from_secs(1), "table create operations for this project")
    }

    /// Counts a change of a table, or refuses it.
    pub fn update(&self, options: &Options, table: &Table) -> Result<(), ApiError> {
        if !options.limit_table_updates || table.partitioning.is_some() {
            return Ok(());
        }
        let mut updates = lock(&self.updates);
        let past = updates.entry(table.id.clone()).or_default();
        count(past, UPDATES, UPDATES_PERIOD, "table update operations for this table")
    }
}

fn count(past: &mut VecDeque<Instant>, limit: usize, period: Duration, what: &str) -> Result<(), ApiError> {
    let now = Instant::now();
    past.retain(|then| now.duration_since(*then) < period);
    if past.len() >= limit {
        return Err(ApiError::new(403, "rateLimitExceeded", format!("Exceeded rate limits: too many {what}.")));
    }
    past.push_back(now);
    Ok(())
}
