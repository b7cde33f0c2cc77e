//! What is known of earlier loads: the rows of the state table.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{amount::Costs, period::BillingPeriod};

/// The state table's name, in the same dataset as the tables that it tells of.
pub const STATE_TABLE: &str = "finops_loads";

/// The columns that a table of billing data stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLayout {
    /// Tells a row's billing period; the table has one partition a month of it.
    pub partition: &'static str,
    /// The table is clustered by it.
    pub cluster: &'static str,
    /// Summed per currency when a month is loaded.
    pub cost: &'static str,
    /// The cost's currency.
    pub currency: &'static str,
}

impl TableLayout {
    /// All of them: the table has these columns whatever the files hold.
    pub fn pillars(&self) -> [&'static str; 4] {
        [self.partition, self.cluster, self.cost, self.currency]
    }
}

/// How a load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadStatus {
    /// Complete and checked.
    Loaded,
    /// In the table, but its counts are not what was expected: the next run loads it again.
    Unverified,
}

impl LoadStatus {
    /// As the state table writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unverified => "unverified",
        }
    }
}

/// One row of the state table: one load of one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// `aws` or `azure`.
    pub pipeline: String,
    /// The provider's name of the report.
    pub export_name: String,
    /// The table, without its dataset.
    pub table_name: String,
    /// The month.
    pub billing_period: BillingPeriod,
    /// Counts the loads of a month; the highest stands. In BigQuery it is also the load job's number.
    pub sequence: i64,
    /// What the provider calls the delivery.
    pub execution_id: String,
    /// See [`crate::delivery::Delivery::fingerprint`].
    pub fingerprint: String,
    /// Where the manifest was read.
    pub manifest_uri: String,
    /// The warehouse's job, where it has jobs.
    pub job_id: Option<String>,
    /// How it ended.
    pub status: LoadStatus,
    /// Rows of the month in the table.
    pub rows: u64,
    /// Files loaded.
    pub files: u64,
    /// Their bytes, as stored (compressed).
    pub bytes: u64,
    /// The exact sum of the cost column.
    pub cost: Costs,
    /// The delivery that stood before.
    pub previous_execution_id: Option<String>,
    /// The run that recorded it.
    pub run_id: String,
    /// When it was recorded.
    pub loaded_at: Timestamp,
}

/// What stands for a month: the last record, and what the table holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The record with the highest sequence.
    #[serde(flatten)]
    pub record: LoadRecord,
    /// Rows of the month that are in the table now.
    pub rows_in_table: u64,
}

impl Standing {
    /// The record, if the table still has rows of it: what a reader could see.
    pub fn visible(&self) -> Option<&LoadRecord> {
        (self.rows_in_table > 0).then_some(&self.record)
    }
}
