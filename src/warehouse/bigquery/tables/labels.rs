//! The labels of tables that finops creates.

use crate::warehouse::bigquery::api::model::Table;

/// The label of every table that finops creates.
pub const MANAGED_BY: (&str, &str) = ("managed_by", "finops");
/// The other label of the tables that the staged pipeline writes.
pub const STAGED: (&str, &str) = ("finops_way", "staged");

impl Table {
    /// Whether finops created it.
    pub fn is_ours(&self) -> bool {
        self.has_label(MANAGED_BY)
    }

    pub fn has_label(&self, (key, value): (&str, &str)) -> bool {
        self.labels.get(key).map(String::as_str) == Some(value)
    }
}
