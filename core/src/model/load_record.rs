//! What is known of earlier loads: the rows of the state table.

use std::ops::Not;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::model::{amount::Costs, period::BillingPeriod};

/// The name of the state table. It is in the same dataset as the tables that it describes.
pub const STATE_TABLE: &str = "finops_loads";

/// The column of the staged pipeline's tables with the delivery of each row.
pub const EXECUTION_ID: &str = "execution_id";

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
    /// Counts the loads of a month; the highest is the current one. In BigQuery it is also the job number.
    pub sequence: i64,
    /// What the provider calls the delivery.
    pub execution_id: String,
    /// See [`crate::model::delivery::Delivery::fingerprint`].
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
    /// The delivery that was loaded before.
    pub previous_execution_id: Option<String>,
    /// The run that recorded it.
    pub run_id: String,
    /// When it was recorded.
    pub loaded_at: Timestamp,
    /// What the rows are: [`crate::model::kind::ExportKind::as_str`]. Here and below, `None` where an older version recorded
    /// the load, which did not know it.
    #[serde(default)]
    pub kind: Option<String>,
    /// When the provider issued the delivery, if it is known.
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    /// The last day that the delivery covers, where its manifest says so.
    #[serde(default)]
    pub covers_until: Option<Date>,
    /// The exact sum after discounts, where a row of the month has a net cost: see `cost_net` in docs/state.md.
    #[serde(default)]
    pub cost_net: Option<Costs>,
    /// Azure only: what each run of each scope delivered.
    #[serde(default)]
    pub scopes: Option<Vec<ScopeRecord>>,
}

/// What one run of one scope added to a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRecord {
    /// The scope; empty if the manifest does not have it.
    pub scope: String,
    /// The run.
    pub execution_id: String,
    /// The first day of the month with a cost.
    pub first_day: Option<Date>,
    /// The last one.
    pub last_day: Option<Date>,
    /// The days of the month that have more than a hundredth of the scope's cost in a currency: bit 0 is the first day.
    pub days: u32,
    /// Its rows.
    pub rows: u64,
    /// The exact sum of its cost.
    pub cost: Costs,
    /// When the provider issued the run, if it is known.
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    /// The last day that the run covers, if its manifest says it.
    #[serde(default)]
    pub covers_until: Option<Date>,
    /// The folder of its files, below the export's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The days of rows outside of the month, if it is a usage month.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<Date>,
    /// An older run that the settings combine with the newest run of its scope.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub kept: bool,
    /// The files have no billing period: the calendar month of usage counts.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub usage_month: bool,
}

/// A loaded month: its last record, and its rows in the table now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedMonth {
    /// The record with the highest sequence.
    #[serde(flatten)]
    pub record: LoadRecord,
    /// Rows of the month that are in the table now.
    pub rows_in_table: u64,
}

impl LoadedMonth {
    /// The record, if the table still has rows of it.
    pub fn record_if_in_table(&self) -> Option<&LoadRecord> {
        (self.rows_in_table > 0).then_some(&self.record)
    }
}
