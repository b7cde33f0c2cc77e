//! The labels of tables that finops creates.

use finops_core::model::digest::hash;

use crate::warehouse::bigquery::api::model::Table;

/// The label of every table that finops creates.
pub const MANAGED_BY: (&str, &str) = ("managed_by", "finops");
/// The other label of the tables that the staged pipeline writes.
pub const STAGED: (&str, &str) = ("finops_way", "staged");
/// The label of a state table whose months' jobs are in another project than the table, with that project. Jobs of two
/// projects do not exclude each other, even if they have the same id.
pub const JOBS_IN: &str = "finops_jobs";
/// BigQuery's limit of characters for a label's value.
pub const MAX_LABEL: usize = 63;

/// `text` as a label's value; the hash of a longer text.
pub fn label(text: &str) -> String {
    if text.len() > MAX_LABEL {
        return hash([text.as_bytes()]);
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    text.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

impl Table {
    /// Whether finops created it.
    pub fn is_ours(&self) -> bool {
        self.has_label(MANAGED_BY)
    }

    pub fn has_label(&self, (key, value): (&str, &str)) -> bool {
        self.labels.get(key).map(String::as_str) == Some(value)
    }
}
